//! Sessions of mail programs: vpopmail's POP3 login, Dovecot's IMAP, Postfix' submission.

use std::io::Write;
use std::net::IpAddr;

use crate::log::Log;
use crate::random::Random;
use crate::world::{Program, Try, World};

/// One session of a user (65 in 100) or of a robot.
pub(crate) fn session<W: Write>(world: &mut World, random: &mut Random, log: &mut Log<W>) {
    if random.percent(35) {
        let guess = world.guess(random);
        match random.below(10) {
            0..8 => pop_guess(&guess, random, log),
            8 => imap_fails(&guess, random, log),
            _ => submission_fails(&guess, random, log),
        }
        return;
    }
    let user = world.user(random);
    let (name, domain, address) = (&user.name, user.domain, user.address);
    let own =
        || Try { address, name: name.clone(), domain, secret: format!("old-{}", name.len()), known: true };
    let mistyped = user.stale || random.percent(1);
    match user.program {
        Program::PopDigestFirst => {
            let digest = format!("{:016x}{:016x}", random.bits(), random.bits());
            pop(0, &format!("password fail (pass: '{digest}')"), &own(), random, log);
            let delay_ms = random.between(40, 1_800);
            pop(delay_ms, "(PLAIN) login success", &own(), random, log);
        }
        Program::Pop if mistyped => pop_guess(&own(), random, log),
        Program::Pop => pop(0, "(PLAIN) login success", &own(), random, log),
        Program::Imap if mistyped => imap_fails(&own(), random, log),
        Program::Imap => imap_succeeds(&format!("{name}@{domain}"), address, random, log),
        Program::Submission if mistyped => submission_fails(&own(), random, log),
        Program::Submission => submission_succeeds(&format!("{name}@{domain}"), address, random, log),
    }
}

fn pop_guess<W: Write>(guess: &Try, random: &mut Random, log: &mut Log<W>) {
    if guess.known {
        pop(0, &format!("password fail (pass: '{}')", guess.secret), guess, random, log);
    } else {
        pop(0, "vpopmail user not found", guess, random, log);
    }
}

fn pop<W: Write>(delay_ms: u64, what: &str, who: &Try, random: &mut Random, log: &mut Log<W>) {
    // vchkpw writes an address of up to 30 characters with `_` for `:`.
    let mut address = who.address.to_string();
    if address.len() <= 30 {
        address = address.replace(':', "_");
    }
    let pid = random.pid();
    log.line(delay_ms, format!("vpopmail[{pid}]: vchkpw-pop3: {what} {}@{}:{address}", who.name, who.domain));
}

fn imap_succeeds<W: Write>(account: &str, address: IpAddr, random: &mut Random, log: &mut Log<W>) {
    let (session, pid) = (session_id(address, random, log), random.pid());
    let lasts_ms = random.between(300, 600_000);
    log.line(
        0,
        format!(
            "dovecot: imap-login: Login: user=<{account}>, method=PLAIN, rip={address}, lip=10.78.0.1, mpid={pid}, TLS, session=<{session}>"
        ),
    );
    let (read, sent) = (random.below(4_000), random.below(90_000));
    log.line(
        lasts_ms,
        format!(
            "dovecot: imap({account})<{pid}><{session}>: Disconnected: Logged out in={read} out={sent} deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0 body_bytes=0"
        ),
    );
}

fn imap_fails<W: Write>(guess: &Try, random: &mut Random, log: &mut Log<W>) {
    let (address, session) = (guess.address, session_id(guess.address, random, log));
    let account = format!("{}@{}", guess.name, guess.domain);
    let why = if guess.known { "Password mismatch" } else { "unknown user" };
    log.line(0, format!("dovecot: auth: passwd-file({account},{address},<{session}>): {why}"));
    log.line(
        2_000,
        format!(
            "dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{account}>, method=PLAIN, rip={address}, lip=10.78.0.1, TLS, session=<{session}>"
        ),
    );
}

fn submission_succeeds<W: Write>(account: &str, address: IpAddr, random: &mut Random, log: &mut Log<W>) {
    let (pid, queue_id) = (random.pid(), random.bits() >> 24);
    let smtpd = format!("postfix/submission/smtpd[{pid}]:");
    log.line(0, format!("{smtpd} connect from unknown[{address}]"));
    log.line(
        400,
        format!(
            "{smtpd} {queue_id:010X}: client=unknown[{address}], sasl_method=PLAIN, sasl_username={account}"
        ),
    );
    log.line(
        1_500,
        format!(
            "{smtpd} disconnect from unknown[{address}] ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8"
        ),
    );
}

fn submission_fails<W: Write>(guess: &Try, random: &mut Random, log: &mut Log<W>) {
    let (pid, address) = (random.pid(), guess.address);
    let smtpd = format!("postfix/submission/smtpd[{pid}]:");
    log.line(0, format!("{smtpd} connect from unknown[{address}]"));
    log.line(
        700,
        format!(
            "{smtpd} warning: unknown[{address}]: SASL LOGIN authentication failed: (reason unavailable), sasl_username={}@{}",
            guess.name, guess.domain
        ),
    );
    log.line(900, format!("{smtpd} disconnect from unknown[{address}] ehlo=1 auth=0/1 quit=1 commands=2/3"));
}

/// A session id as Dovecot makes it: 48 bits of the time in microseconds, the client's port, its address, in base64.
fn session_id<W: Write>(address: IpAddr, random: &mut Random, log: &Log<W>) -> String {
    let micros = log.now_micros() + random.below(1_000);
    let mut bytes = micros.to_le_bytes()[..6].to_vec();
    bytes.extend_from_slice(&random.port().to_le_bytes());
    match address {
        IpAddr::V4(address) => bytes.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => bytes.extend_from_slice(&address.octets()),
    }
    base64(&bytes)
}

/// Base64 of a whole number of threes, as 12 and 24 bytes are.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len() / 3 * 4);
    for three in bytes.chunks_exact(3) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        text.extend([18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift) as usize & 63] as char));
    }
    text
}
