//! Sessions at sshd, with the lines that PAM writes beside its own.

use std::io::Write;

use crate::log::Log;
use crate::random::Random;
use crate::world::World;

/// One session of a user (40 in 100) or of a robot.
pub(crate) fn session<W: Write>(world: &mut World, random: &mut Random, log: &mut Log<W>) {
    let sshd = format!("sshd[{}]:", random.pid());
    let port = random.port();
    if random.percent(60) {
        let guess = world.guess(random);
        let (address, name) = (guess.address, &guess.name);
        let rhost = format!("logname= uid=0 euid=0 tty=ssh ruser= rhost={address} ");
        if guess.known {
            log.line(0, format!("{sshd} pam_unix(sshd:auth): authentication failure; {rhost} user={name}"));
            log.line(1_900, format!("{sshd} Failed password for {name} from {address} port {port} ssh2"));
            let closed = format!(
                "{sshd} Connection closed by authenticating user {name} {address} port {port} [preauth]"
            );
            log.line(2_300, closed);
        } else {
            log.line(0, format!("{sshd} Invalid user {name} from {address} port {port}"));
            log.line(10, format!("{sshd} pam_unix(sshd:auth): check pass; user unknown"));
            log.line(10, format!("{sshd} pam_unix(sshd:auth): authentication failure; {rhost}"));
            let failed =
                format!("{sshd} Failed password for invalid user {name} from {address} port {port} ssh2");
            log.line(1_900, failed);
            log.line(
                2_300,
                format!("{sshd} Connection closed by invalid user {name} {address} port {port} [preauth]"),
            );
        }
        return;
    }
    let user = world.user(random);
    let (address, name) = (user.address, &user.name);
    if user.stale || random.percent(2) {
        log.line(0, format!("{sshd} Failed password for {name} from {address} port {port} ssh2"));
    }
    let how = if random.percent(60) { "publickey" } else { "password" };
    let lasts_ms = random.between(2_000, 900_000);
    log.line(3_000, format!("{sshd} Accepted {how} for {name} from {address} port {port} ssh2"));
    log.line(
        3_010,
        format!("{sshd} pam_unix(sshd:session): session opened for user {name}(uid=1000) by (uid=0)"),
    );
    log.line(
        3_010 + lasts_ms,
        format!("{sshd} Received disconnect from {address} port {port}:11: disconnected by user"),
    );
    log.line(3_010 + lasts_ms, format!("{sshd} Disconnected from user {name} {address} port {port}"));
    log.line(3_020 + lasts_ms, format!("{sshd} pam_unix(sshd:session): session closed for user {name}"));
}
