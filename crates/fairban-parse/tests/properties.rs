//! What no line can do, whatever a client writes into it: make the parser panic, move a field's border, or name an
//! address that never connected.
//!
//! Every [`Template`] is a form that a daemon writes, with holes for what a client chooses. The holes are filled with
//! the words of all formats, with `8.8.8.8` for an address. The line may then tell of the true client or of none, and
//! of nobody else.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "the test, unlike the crate, reads its samples")]

mod sample_lines;

use std::net::IpAddr;

use fairban_core::account::{ACCOUNT_BYTES_MAX, Account};
use fairban_core::escape::escaped;
use fairban_core::event::{AuthEvent, Witness};
use fairban_parse::envelope;
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};
use fairban_parse::record::{Grammar, Reading, Record};
use fairban_parse::secret::Secrets;
use fairban_parse::service::{dovecot, pam, postfix, sshd, tcpserver, vpopmail};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sample_lines::{sample_files, unescaped};

/// Never connected; stands in no template.
const FORGED: &str = "8.8.8.8";
const TRUE_IPV4: &str = "192.0.2.83";
const TRUE_IPV6: &str = "2001:db8:18::4";
/// What Dovecot makes of these two addresses, on 2026-11-23 at 18:30.
const SESSION_IPV4: &str = "LgpCyfVgDbrAAAJT";
const SESSION_IPV6: &str = "LgpCyfVgDbogAQ24ABgAAAAAAAAAAAAE";

/// What a client can put into a hole.
#[derive(Clone, Copy, Debug)]
enum Hole {
    /// `{any}`: every byte but a line feed.
    Any,
    /// `{vis}`: printable ASCII and blanks; the daemon escapes the rest.
    Printable,
    /// `{64}` and `{80}`: a name that Dovecot shows up to so many bytes, control bytes as `?`.
    Cut(usize),
    /// `{word}`: what a daemon has checked to be a name: no blank, colon, bracket, quote or comma.
    Word,
}

const HOLES: [(&str, Hole); 5] = [
    ("{any}", Hole::Any),
    ("{64}", Hole::Cut(64)),
    ("{80}", Hole::Cut(80)),
    ("{vis}", Hole::Printable),
    ("{word}", Hole::Word),
];

/// Whether harmless text in the holes gives the true client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Client,
    /// The form has no address, or not one of which a line can be sure.
    Nobody,
}
use Names::{Client, Nobody};

#[derive(Clone, Copy, Debug)]
struct Template {
    /// Program and process id, as a syslog tag has them.
    tag: &'static str,
    /// `{ip}` is the client's address, `{sid}` Dovecot's session id of it; holes as above.
    body: &'static str,
    names: Names,
}

const fn template(tag: &'static str, body: &'static str, names: Names) -> Template {
    Template { tag, body, names }
}

const TEMPLATES: &[Template] = &[
    // vpopmail
    template("vpopmail[811]", "vchkpw-pop3: password fail (pass: '{any}') {word}@d.example:{ip}", Client),
    template("vpopmail[811]", "vchkpw-smtp: password fail {word}@{word}:{ip}", Client),
    template("vpopmail[811]", "vchkpw-pop3: vpopmail user not found {word}@d.example:{ip}", Client),
    template("vpopmail[811]", "vchkpw-submission: (PLAIN) login success {word}@d.example:{ip}", Client),
    template("vpopmail[811]", "vchkpw-pop3: system password fail (pass: '{any}') {word}:{ip}", Client),
    template("vpopmail[811]", "vchkpw-pop3: invalid user/domain characters {any}:{ip}", Client),
    template("vpopmail[811]", "vchkpw-submission: null password given {any}:{ip}", Client),
    // tcpserver
    template("tcpserver", "ok 28241 mx.example:10.77.0.1:110 {word}:{ip}:{word}:41979", Client),
    template("tcpserver", "deny 28241 {word}:10.77.0.1:587 {word}:{ip}::41979", Client),
    template("tcpserver", "pid 28241 from {ip}", Client),
    template("sslserver", "ok 28241 mx.example:10.77.0.1:995 {word}:{ip}:{word}:41979", Client),
    // Dovecot 2.3
    template(
        "dovecot",
        "imap-login: Login: user=<{80}>, method=PLAIN, rip={ip}, lip=10.78.0.1, mpid=7, TLS, session=<{sid}>",
        Client,
    ),
    template(
        "dovecot",
        "pop3-login: Disconnected: Aborted login by logging out (auth failed, 2 attempts in 17 secs): user=<{80}>, method=PLAIN, rip={ip}, lip=10.78.0.1, session=<{sid}>",
        Client,
    ),
    template(
        "dovecot",
        "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{80}>, method=PLAIN, rip={ip}, lip=10.78.0.1, TLS, session=<{sid}>",
        Client,
    ),
    template("dovecot", "auth: passwd-file({64},{ip},<{sid}>): unknown user", Client),
    template(
        "dovecot",
        "auth: passwd-file({64},{ip},<{sid}>): unknown user (SHA1 of given password: 7c4a8d)",
        Client,
    ),
    template("dovecot", "auth: cram-md5({64},{ip},<{sid}>): Password mismatch", Client),
    template("dovecot", "auth: sql({64},{ip},<{sid}>): Password mismatch (given password: {any})", Client),
    template(
        "dovecot",
        "auth: plain(?,{ip},<{sid}>): Username character disallowed by auth_username_chars: 0x3a (username: {any})",
        Client,
    ),
    template(
        "dovecot",
        "auth-worker(304): conn unix:auth-worker (pid=303,uid=97): auth-worker<1>: sql({64},{ip},<{sid}>): unknown user",
        Client,
    ),
    template("dovecot", "auth: login({64},{ip}): unknown user", Client),
    // Dovecot 2.4
    template(
        "dovecot",
        "imap-login: Login aborted: Connection closed (auth failed, 3 attempts in 16 secs) (auth_failed): user=<{80}>, method=PLAIN, rip={ip}, lip=10.78.0.1, TLS, session=<{sid}>",
        Client,
    ),
    template(
        "dovecot",
        "imap-login: Logged in: user=<{80}>, method=PLAIN, rip={ip}, lip=10.78.0.1, mpid=7, TLS, session=<{sid}>",
        Client,
    ),
    template("dovecot", "auth({64},{ip},sasl:plain)<{sid}>: passwd-file: Password mismatch", Client),
    template(
        "dovecot",
        "auth({64},{ip},sasl:plain)<{sid}>: sql: Password mismatch (given password: {any})",
        Client,
    ),
    // Postfix
    template(
        "postfix/smtpd[811]",
        "warning: unknown[{ip}]: SASL LOGIN authentication failed: (reason unavailable), sasl_username={any}",
        Client,
    ),
    template(
        "postfix/submission/smtpd[811]",
        "warning: {word}[{ip}]:41757: SASL PLAIN authentication failed: {vis}, sasl_username={any}",
        Client,
    ),
    template(
        "postfix/smtpd[811]",
        "warning: {word}[{ip}]: SASL {vis} authentication failed: Invalid authentication mechanism, sasl_username={any}",
        Client,
    ),
    template(
        "postfix/smtps/smtpd[811]",
        "4XyZ12abCdE: client={word}[{ip}], sasl_method=PLAIN, sasl_username={any}",
        Client,
    ),
    template(
        "postfix/smtpd[811]",
        "improper command pipelining after CONNECT from {word}[{ip}]: {any}",
        Nobody,
    ),
    template("postfix/smtpd[811]", "warning: non-SMTP command from {word}[{ip}]: {any}", Nobody),
    template("postfix/smtpd[811]", "disconnect from {word}[{ip}] ehlo=1 auth=0/2 commands=1/3", Client),
    template("postfix/smtpd[811]", "connect from {word}[{ip}]", Client),
    // sshd
    template("sshd[811]", "Failed password for {vis} from {ip} port 41979 ssh2", Client),
    template("sshd[811]", "Failed password for invalid user {vis} from {ip} port 41979 ssh2", Client),
    template(
        "sshd-session[811]",
        "Failed keyboard-interactive/pam for invalid user {vis} from {ip} port 41979 ssh2",
        Client,
    ),
    template("sshd-session[811]", "Invalid user {vis} from {ip} port 41979", Client),
    template("sshd[811]", "Accepted password for {word} from {ip} port 41979 ssh2", Client),
    template("sshd[811]", "Connection closed by invalid user {vis} {ip} port 41979 [preauth]", Client),
    template("sshd[811]", "Disconnected from authenticating user {vis} {ip} port 41979 [preauth]", Client),
    template("sshd[811]", "Received disconnect from {ip} port 41979:11: {vis} [preauth]", Client),
    template(
        "sshd[811]",
        "Unable to negotiate with {ip} port 41979: no matching key exchange method found. Their offer: {vis} [preauth]",
        Client,
    ),
    template("sshd[811]", "banner exchange: Connection from {ip} port 41979: invalid format", Client),
    template(
        "sshd[811]",
        "error: kex_exchange_identification: client sent invalid protocol identifier \"{vis}\"",
        Nobody,
    ),
    template("sshd[811]", "error: PAM: Authentication failure for illegal user {vis} from {ip}", Client),
    template("sshd[811]", "User {vis} from {ip} not allowed because not listed in AllowUsers", Client),
    template(
        "sshd[811]",
        "Disconnecting invalid user {vis} {ip} port 41979: Too many authentication failures [preauth]",
        Client,
    ),
    template(
        "sshd[811]",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip}  user={vis}",
        Client,
    ),
    // PAM
    template(
        "vsftpd[811]",
        "pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser={any} rhost={ip}  user={any}",
        Client,
    ),
    template(
        "imapd[811]",
        "pam_sss(imap:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost={ip} user={any}",
        Client,
    ),
    template(
        "ftpd[811]",
        "pam_krb5(ftp:auth): authentication failure; logname={any} uid=0 euid=0 tty=ftp ruser= rhost={ip}",
        Client,
    ),
];

/// Words of the formats and their borders: what somebody who has read the parser would try.
const PIECES: &[&str] = &[
    "",
    " ",
    "x",
    "dan",
    ":8.8.8.8",
    "8.8.8.8",
    "@d.example:8.8.8.8",
    "') dan@d.example:8.8.8.8",
    "(pass: 'x') y@d.example:8.8.8.8",
    "vchkpw-pop3: password fail (pass: 'x') dan@d.example:8.8.8.8",
    " from 8.8.8.8 port 22 ssh2",
    " 8.8.8.8 port 22 [preauth]",
    " 8.8.8.8 port 22:11: bye [preauth]",
    "invalid user root from 8.8.8.8 port 22",
    " from 8.8.8.8 not allowed because x",
    ": Too many authentication failures [preauth]",
    "[preauth]",
    ",8.8.8.8,<LgpCyfVgDboICAgI>): Password mismatch",
    ",8.8.8.8,<LgpCyfVgDboICAgI>): unknown user (SHA1 of given password: 7c4a8d)",
    ",8.8.8.8,<LgpCyfVgDboICAgI>): unknown user",
    ",8.8.8.8,<LgpCyfVgDboICAgI>): Password mismatch (given password: x",
    ",8.8.8.8): unknown user",
    ",8.8.8.8,sasl:plain)<LgpCyfVgDboICAgI>: passwd-file: Password mismatch",
    ",8.8.8.8,sasl:plain)<LgpCyfVgDboICAgI>: sql: Password mismatch (given password: x",
    " (given password: ",
    "(username: ",
    ">, method=PLAIN, rip=8.8.8.8, lip=10.78.0.1, session=<LgpCyfVgDboICAgI>",
    "(auth failed, 9 attempts in 9 secs): user=<x>, method=PLAIN, rip=8.8.8.8, lip=10.78.0.1, session=<LgpCyfVgDboICAgI>",
    "rip=8.8.8.8, ",
    "session=<LgpCyfVgDboICAgI>",
    "unknown[8.8.8.8]",
    "[8.8.8.8]: SASL LOGIN authentication failed: x, sasl_username=y",
    ", sasl_username=x",
    "warning: unknown[8.8.8.8]: SASL LOGIN authentication failed: x",
    ": SASL PLAIN authentication failed: ",
    ", sasl_method=PLAIN",
    "client=x[8.8.8.8]",
    "disconnect from x[8.8.8.8] auth=1 commands=1",
    " rhost=8.8.8.8",
    " ruser= rhost=8.8.8.8  user=x",
    "  user=root",
    "authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=8.8.8.8",
    "tcpserver: ok 4242 0:10.77.0.1:587 :8.8.8.8::4242",
    ":8.8.8.8::4242",
    "message repeated 9 times: [ ",
    "]",
    "Nov 23 18:29:44 mx sshd[1]: Failed password for root from 8.8.8.8 port 22 ssh2",
    "2001_4860_4860__8888",
    "::ffff:8.8.8.8",
    "\r",
    "\t",
    "\u{2028}",
    "...",
];

fn text_of(hole: Hole) -> BoxedStrategy<Vec<u8>> {
    let piece = prop_oneof![
        6 => select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => "[ -~]{0,8}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..8),
    ];
    let text = vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    text.prop_map(move |mut text| {
        text.retain(|&byte| match hole {
            Hole::Any | Hole::Cut(_) => byte != b'\n',
            Hole::Printable => matches!(byte, b' '..=b'~'),
            Hole::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'),
        });
        if let Hole::Cut(bytes_max) = hole {
            text.iter_mut().filter(|byte| **byte < b' ').for_each(|byte| *byte = b'?');
            if text.len() > bytes_max {
                text.truncate(bytes_max - 3);
                text.extend(b"...");
            }
        }
        text
    })
    .boxed()
}

/// A template, the true address, and the body with its holes filled.
fn hostile_body() -> impl Strategy<Value = (Template, &'static str, Vec<u8>)> {
    (select(TEMPLATES), select(&[TRUE_IPV4, TRUE_IPV6][..])).prop_flat_map(|(template, ip)| {
        let text = |part| match part {
            Part::Fixed(text) => Just(text.into_bytes()).boxed(),
            Part::Hole(hole) => text_of(hole),
        };
        let texts: Vec<_> = parts(template.body, ip).into_iter().map(text).collect();
        texts.prop_map(move |texts| (template, ip, texts.concat()))
    })
}

enum Part {
    Fixed(String),
    Hole(Hole),
}

fn parts(body: &str, ip: &str) -> Vec<Part> {
    let session = if ip == TRUE_IPV4 { SESSION_IPV4 } else { SESSION_IPV6 };
    let body = body.replace("{ip}", ip).replace("{sid}", session);
    let mut parts = Vec::new();
    let mut rest = body.as_str();
    while let Some((at, name, hole)) = HOLES
        .iter()
        .filter_map(|&(name, hole)| Some((rest.find(name)?, name, hole)))
        .min_by_key(|found| found.0)
    {
        parts.push(Part::Fixed(rest[..at].to_owned()));
        parts.push(Part::Hole(hole));
        rest = &rest[at + name.len()..];
    }
    parts.push(Part::Fixed(rest.to_owned()));
    parts
}

/// The line around a body, as the daemon of this template gets it into a log. `form` chooses among the possible ones.
fn line_around(template: Template, body: &[u8], form: usize) -> Vec<u8> {
    let tag = template.tag;
    let (program, pid) =
        tag.split_once('[').map_or((tag, "-"), |(program, pid)| (program, &pid[..pid.len() - 1]));
    let multilog = tag == "tcpserver" || tag == "sslserver";
    let prefix = match form % 6 {
        0 | 1 if multilog => format!("@400000006b0489c523db15b4 {tag}: "),
        2 if multilog => format!("2026-11-23 18:30:22.250000500 {tag}: "),
        0 if tag == "dovecot" => "Nov 23 18:30:22 ".to_owned(),
        1 => format!("2026-11-23T18:30:22.250000+00:00 mx {tag}: "),
        2 => format!("<22>1 2026-11-23T18:30:22.250000+00:00 mx {program} {pid} - -  "),
        3 => format!("Nov 23 18:30:22 mx mail.notice {tag}: "),
        4 => format!("Nov 23 18:30:22 mx {tag}: message repeated 2 times: [ "),
        _ => format!("<22>Nov 23 18:30:22 mx {tag}: "),
    };
    let suffix: &[u8] = if prefix.ends_with('[') || prefix.ends_with("[ ") { b"]" } else { b"" };
    // Dovecot's own file has a level after the process where the prefix of a request does not follow.
    let body = if prefix == "Nov 23 18:30:22 " { with_level(body) } else { body.to_vec() };
    [prefix.as_bytes(), &body, suffix].concat()
}

fn with_level(body: &[u8]) -> Vec<u8> {
    let process_end = body.iter().position(|byte| matches!(byte, b':' | b'(')).unwrap_or(body.len());
    match body[process_end..].strip_prefix(b": ") {
        Some(rest) => [&body[..process_end], b": Info: ", rest].concat(),
        None => body.to_vec(),
    }
}

fn parse(line: &[u8]) -> (Parsed, Health) {
    let mut health = Health::default();
    let parsed = Parser::new([7; 16]).line(line, &mut health);
    (parsed, health)
}

/// What holds for every event, whatever line it came from.
fn check_event(event: &AuthEvent, line: &[u8]) -> Result<(), TestCaseError> {
    let shown = escaped(line);
    prop_assert!(event.times >= 1, "{}", shown);
    if let Some((from, to)) = event.secret_at {
        prop_assert!(from <= to && to as usize <= line.len(), "{}..{} of {}", from, to, shown);
    }
    if let Some(key) = event.account.key() {
        prop_assert!(key.as_bytes().len() <= ACCOUNT_BYTES_MAX, "{}", shown);
    }
    if let Account::Last { of, .. } = event.account {
        prop_assert!(of >= 1, "{}", shown);
    }
    if let Some(IpAddr::V6(source)) = event.source {
        prop_assert_eq!(source.to_ipv4_mapped(), None, "{}", shown);
    }
    if event.witness == Witness::Agrees {
        prop_assert!(event.source.is_some(), "{}", shown);
    }
    Ok(())
}

/// What holds for every line.
fn check_line(line: &[u8]) -> Result<(), TestCaseError> {
    let (parsed, health) = parse(line);
    prop_assert_eq!((health.lines, health.bytes), (1, line.len() as u64 + 1));
    let of_services: u64 = health.services.iter().map(|service| service.lines).sum();
    prop_assert_eq!(health.no_format + health.foreign + health.gaps + of_services, 1, "{}", escaped(line));
    for service in &health.services {
        prop_assert_eq!(service.understood + service.odd, service.lines);
        prop_assert!(service.events <= service.understood && service.login_like <= service.odd);
    }
    if let Parsed::Event(_, event) = &parsed {
        check_event(event, line)?;
    }
    if let Some((_, record)) = envelope::split(line) {
        let at = record.body_at as usize;
        prop_assert_eq!(&line[at..at + record.body.len()], record.body);
    }
    Ok(())
}

fn sample_line() -> impl Strategy<Value = Vec<u8>> {
    let mut lines = Vec::new();
    for (_, text) in sample_files() {
        lines.extend(text.lines().filter_map(|row| unescaped(row.strip_prefix("> ")?)));
    }
    assert!(lines.len() > 200, "{} sample lines", lines.len());
    select(lines)
}

#[derive(Clone, Debug)]
enum Mutation {
    Cut(Index, Index),
    Double(Index, Index),
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Truncate(Index),
    /// The end of another line.
    Splice(Index, Index, Vec<u8>),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        (at(), at()).prop_map(|(from, to)| Mutation::Cut(from, to)),
        (at(), at()).prop_map(|(from, to)| Mutation::Double(from, to)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (at(), select(PIECES)).prop_map(|(at, piece)| Mutation::Insert(at, piece.as_bytes().to_vec())),
        at().prop_map(Mutation::Truncate),
        (at(), at(), sample_line()).prop_map(|(at, from, other)| Mutation::Splice(at, from, other)),
    ]
}

fn mutated(mut line: Vec<u8>, mutations: Vec<Mutation>) -> Vec<u8> {
    for mutation in mutations {
        let border = |index: Index| index.index(line.len() + 1);
        let range = |one: Index, other: Index| {
            let (one, other) = (border(one), border(other));
            one.min(other)..one.max(other)
        };
        match mutation {
            Mutation::Cut(from, to) => {
                let range = range(from, to);
                line.drain(range);
            }
            Mutation::Double(from, to) => {
                let range = range(from, to);
                let (end, copy) = (range.end, line[range].to_vec());
                line.splice(end..end, copy);
            }
            Mutation::Replace(at, byte) => {
                let at = border(at);
                if let Some(place) = line.get_mut(at) {
                    *place = byte;
                }
            }
            Mutation::Insert(at, text) => {
                let at = border(at);
                line.splice(at..at, text);
            }
            Mutation::Truncate(at) => line.truncate(border(at)),
            Mutation::Splice(at, from, other) => {
                let at = border(at);
                line.truncate(at);
                line.extend(&other[from.index(other.len() + 1)..]);
            }
        }
    }
    line
}

const GRAMMARS: [(&str, Grammar); 8] = [
    ("vpopmail", vpopmail::read),
    ("tcpserver", tcpserver::read),
    ("sslserver", tcpserver::read),
    ("dovecot", dovecot::read),
    ("postfix/smtpd", postfix::read),
    ("sshd", sshd::read),
    ("sshd-session", sshd::read),
    ("su", pam::read),
];

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..300),
        vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat().into_bytes()),
        hostile_body().prop_map(|(_, _, body)| body),
        (sample_line(), vec(mutation(), 0..4)).prop_map(|(line, mutations)| {
            let line = mutated(line, mutations);
            let body_at = envelope::split(&line).map_or(0, |(_, record)| record.body_at as usize);
            line[body_at..].to_vec()
        }),
    ]
}

#[test]
fn harmless_text_gives_the_true_client() {
    for template in TEMPLATES {
        for form in 0..6 {
            let body: String = parts(template.body, TRUE_IPV4)
                .into_iter()
                .map(|part| match part {
                    Part::Fixed(text) => text,
                    Part::Hole(_) => "dan".to_owned(),
                })
                .collect();
            let line = line_around(*template, body.as_bytes(), form);
            let source = match parse(&line).0 {
                Parsed::Event(_, event) => event.source,
                _ => None,
            };
            let expected = (template.names == Client).then(|| TRUE_IPV4.parse().unwrap());
            assert_eq!(source, expected, "{}", escaped(&line));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_clients_text_names_no_source((template, ip, body) in hostile_body(), form in 0_usize..6) {
        let line = line_around(template, &body, form);
        check_line(&line)?;
        if let Parsed::Event(_, event) = parse(&line).0 {
            let truth: IpAddr = ip.parse().unwrap();
            prop_assert!(event.source.is_none_or(|source| source == truth), "{:?}: {}", event.source, escaped(&line));
            prop_assert_ne!(event.source, FORGED.parse().ok());
        }
    }

    #[test]
    fn any_bytes_are_read_safely(line in vec(any::<u8>(), 0..400)) {
        check_line(&line)?;
    }

    #[test]
    fn mutated_lines_are_read_safely(line in sample_line(), mutations in vec(mutation(), 1..5)) {
        check_line(&mutated(line, mutations))?;
    }

    #[test]
    fn any_body_is_read_safely_by_every_grammar(body in any_body(), pid in any::<Option<u32>>()) {
        let secrets = Secrets::new([7; 16]);
        for (program, read) in GRAMMARS {
            let record = Record { program: program.as_bytes(), pid, body: &body, body_at: 0 };
            let reading = read(&record, &secrets);
            prop_assert_eq!(&reading, &read(&record, &secrets), "a grammar remembers nothing");
            if let Reading::Event(event) = reading {
                check_event(&event, &body)?;
            }
        }
    }
}
