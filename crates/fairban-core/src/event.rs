//! [`AuthEvent`]: what one log line says about a login.
//!
//! A line is not an attempt. The parser says what each line *tells* ([`Tells`]); `join` makes attempts of lines, and
//! only the judge makes verdicts of attempts.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::time::{Span, Time};

/// The daemon (and within it the kind of line) that a grammar of `fairban-parse` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Service {
    /// vpopmail's `vchkpw-*` records.
    Vpopmail,
    /// `tcpserver -v` of ucspi-tcp.
    Tcpserver,
    /// `sslserver -v` of ucspi-ssl.
    Sslserver,
    /// Dovecot: login processes, auth and auth-worker.
    Dovecot,
    /// Postfix smtpd with SASL.
    Postfix,
    /// OpenSSH's sshd and sshd-session.
    Sshd,
    /// PAM modules writing under another program's name.
    Pam,
}

impl Service {
    /// Every service, in the order of reports.
    pub const ALL: [Service; 7] = [
        Service::Vpopmail,
        Service::Tcpserver,
        Service::Sslserver,
        Service::Dovecot,
        Service::Postfix,
        Service::Sshd,
        Service::Pam,
    ];

    /// The name in reports, options and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Service::Vpopmail => "vpopmail",
            Service::Tcpserver => "tcpserver",
            Service::Sslserver => "sslserver",
            Service::Dovecot => "dovecot",
            Service::Postfix => "postfix",
            Service::Sshd => "sshd",
            Service::Pam => "pam",
        }
    }

    /// Its place in [`Service::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What the client spoke, as far as the line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Protocol {
    /// POP3, with or without TLS (ports 110, 995).
    Pop3,
    /// IMAP, with or without TLS (ports 143, 993).
    Imap,
    /// SMTP on port 25.
    Smtp,
    /// Submission of mail (ports 587, 465).
    Submission,
    /// `ManageSieve` (port 4190).
    Sieve,
    /// SSH (port 22).
    Ssh,
    /// A webmail host that logs in for its users.
    Webmail,
    /// The line does not tell, or it is none of the above.
    Unknown,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Logged in.
    Success,
    /// Password or digest wrong, account known to the server.
    BadSecret,
    /// No such account.
    UnknownAccount,
    /// Refused, and the log does not say why (Postfix, Dovecot's default).
    Failed,
    /// Disabled or not allowed; the secret may have been right.
    Denied,
    /// Connected, no login tried.
    Aborted,
    /// The backend is down: says nothing about the client.
    ServerFault,
}

/// How the secret was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mechanism {
    /// A digest of a challenge: CRAM-MD5, DIGEST-MD5, APOP, NTLM, SCRAM.
    Digest,
    /// The secret itself: PLAIN, LOGIN, USER/PASS, keyboard-interactive.
    Plain,
    /// The line does not tell. Waits as long as `Plain`, weighs as little as `Digest` while pending.
    Unknown,
}

/// A keyed hash of a logged password (or of the hash that a server logs), cut to 40 bits: equal tags mean equal
/// secrets, up to one chance in 10^12; nobody without the key learns more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretTag(u64);

impl SecretTag {
    /// Cuts a 64-bit keyed hash to the tag's 40 bits.
    pub const fn from_hash(hash: u64) -> SecretTag {
        SecretTag(hash & 0xff_ffff_ffff)
    }

    /// The 40 bits.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

/// What joins the lines of one session, within one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Session {
    /// The line carries no key.
    None,
    /// Hash of a session id that is never used twice (Dovecot's `session=<…>`).
    Id(u64),
    /// The process id of a program that may serve one connection after another (smtpd), or one of a few (sshd).
    Pid(u32),
}

/// A second proof of the client's address in the same line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Witness {
    /// The line has none.
    Absent,
    /// Dovecot's session id decodes to the same address.
    Agrees,
    /// It decodes, at a believable time, to another address: the line is forged, or a trusted proxy handed the id over.
    Contradicts,
}

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tells {
    /// One try (or `Account::Last` tries); the service's own record of it.
    Attempt,
    /// A try that another line, of this or another service, normally tells too: PAM beside sshd, Dovecot's `auth:`
    /// line beside Postfix. Counts by itself only if that other line never comes.
    Echo,
    /// A connection was opened.
    Connect,
    /// A session ended. `failed` and `succeeded` are the tries that the line counts, `None` where it does not say.
    End {
        /// Tries that failed.
        failed: Option<u16>,
        /// Tries that succeeded.
        succeeded: Option<u16>,
    },
    /// The name was refused before the try: the try itself has a line of its own (sshd's `Invalid user`).
    Refused,
    /// A mail was accepted from a logged-in user: names the account of a success that is told elsewhere.
    Used,
    /// The server itself had trouble; the line may name no client.
    Fault,
    /// `in_use` of `slots` connection slots are taken (tcpserver's `status`).
    Slots {
        /// Connections open.
        in_use: u32,
        /// The most that may be open.
        slots: u32,
    },
    /// The daemon itself turned the source away before any try (OpenSSH's penalties, `MaxStartups`, tcpserver's `deny`).
    TurnedAway,
    /// The log lost `lost` lines here (0: it does not say how many).
    Gap {
        /// How many.
        lost: u32,
    },
    /// A record without its trusted end: a client's line feed cut it, and what follows in the file may be the client's text.
    Torn,
    /// A mail of somebody who did not log in was accepted. Says nothing of logins: the engine does not look at it.
    Mail,
}

/// What one line says about a login. Small, owned, serializable; holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthEvent {
    /// When, by the line's own stamp.
    pub time: Time,
    /// Whose line.
    pub service: Service,
    /// What the client spoke.
    pub protocol: Protocol,
    /// What the line tells.
    pub tells: Tells,
    /// The client, IPv4-mapped IPv6 addresses as IPv4; `None` where the line has none.
    pub source: Option<IpAddr>,
    /// The client's port.
    pub port: Option<u16>,
    /// The account.
    pub account: Account,
    /// How the try ended; for lines that tell no try, `Aborted`, or `ServerFault`.
    pub outcome: Outcome,
    /// How the secret was proved.
    pub mechanism: Mechanism,
    /// Tag of the secret, where the log shows one that means something (never for digests and cut secrets).
    pub secret: Option<SecretTag>,
    /// The log showed the clear-text secret, and it is one that robots try first.
    pub common_secret: bool,
    /// What joins the session's lines.
    pub session: Session,
    /// A second proof of the address.
    pub witness: Witness,
    /// How often the line stands for itself (`message repeated N times`), at least 1.
    pub times: u16,
    /// How long the session lasted, where the line says so.
    pub lasted: Option<Span>,
    /// Byte range of the secret in the line: to be blanked wherever the line is shown.
    pub secret_at: Option<(u32, u32)>,
}

impl AuthEvent {
    /// An event with nothing in it but who wrote the line and what it tells: grammars fill in the rest.
    pub const fn new(service: Service, tells: Tells) -> AuthEvent {
        AuthEvent {
            time: Time::MIN,
            service,
            protocol: Protocol::Unknown,
            tells,
            source: None,
            port: None,
            account: Account::Hidden,
            outcome: Outcome::Aborted,
            mechanism: Mechanism::Unknown,
            secret: None,
            common_secret: false,
            session: Session::None,
            witness: Witness::Absent,
            times: 1,
            lasted: None,
            secret_at: None,
        }
    }
}
