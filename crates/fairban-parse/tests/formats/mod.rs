//! The true formats of every service, with a place for each text that a client chooses and for its address; and what
//! each service lets through of such a text.
//!
//! A place is `{KIND}` or `{KIND:N}`: the N-th (first: 0) text, as a text of this [kind](printed) is printed.

use fairban_core::event::Service;

/// The one address that only ever stands in what clients wrote.
pub(crate) const FORGED: Client = Client { address: "8.8.8.8", session: "LgpCyfVgDboICAgI" };

/// Where the clients of the tests come from.
pub(crate) const CLIENTS: [Client; 6] = [
    Client { address: "10.0.0.9", session: "LgpCyfVgDboKAAAJ" },
    Client { address: "::1", session: "LgpCyfVgDboAAAAAAAAAAAAAAAAAAAAB" },
    Client { address: "192.0.2.19", session: "LgpCyfVgDbrAAAIT" },
    Client { address: "2001:db8:18::4", session: "LgpCyfVgDbogAQ24ABgAAAAAAAAAAAAE" },
    Client { address: "2001:db8:1234:5678:9abc:def0:1234:5678", session: "LgpCyfVgDbogAQ24EjRWeJq83vASNFZ4" },
    Client { address: "2001:db8:1234:5678:9abc:def0::5678", session: "LgpCyfVgDbogAQ24EjRWeJq83vAAAFZ4" },
];

/// A client: its address and an id that Dovecot gives to a session of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) address: &'static str,
    pub(crate) session: &'static str,
}

/// A line of a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) service: Service,
    program: &'static str,
    body: &'static str,
    /// Its event names the client, where nobody tampers.
    pub(crate) names_client: bool,
}

const fn form(service: Service, program: &'static str, body: &'static str) -> Form {
    Form { service, program, body, names_client: true }
}

/// A line whose event, if it has one, names no client.
const fn silent(service: Service, program: &'static str, body: &'static str) -> Form {
    Form { service, program, body, names_client: false }
}

const V: Service = Service::Vpopmail;
const T: Service = Service::Tcpserver;
const SSL: Service = Service::Sslserver;
const D: Service = Service::Dovecot;
const P: Service = Service::Postfix;
const S: Service = Service::Sshd;
const PAM: Service = Service::Pam;

/// Every form that holds an address or a client's text.
pub(crate) const FORMS: &[Form] = &[
    form(V, "vpopmail", "vchkpw-pop3: vpopmail user not found {vuser}@{vdomain}:{R}"),
    form(V, "vpopmail", "vchkpw-pop3: password fail (pass: '{free:1}') {vuser}@{vdomain}:{R}"),
    form(V, "vpopmail", "vchkpw-submission: password fail {vuser}@{vdomain}:{R}"),
    form(V, "vpopmail", "vchkpw-pop3: invalid user/domain characters {free}:{R}"),
    form(V, "vpopmail", "vchkpw-submission: null password given {free}:{R}"),
    form(V, "vpopmail", "vchkpw-submission: null user name given :{R}"),
    form(V, "vpopmail", "vchkpw-imap: imap access denied {vuser}@{vdomain}:{R}"),
    form(V, "vpopmail", "vchkpw-pop3: (PLAIN) login success {vuser}@{vdomain}:{R}"),
    form(V, "vpopmail", "vchkpw-pop3: system password fail (pass: '{free:1}') {vuser}:{R}"),
    form(V, "vpopmail", "vchkpw-pop3: system user not found {vuser}:{R}"),
    form(V, "vpopmail", "vchkpw-pop3: chdir failed errno 2 /var/mail {vuser}@{vdomain}:{R}"),
    silent(V, "vchangepw", "Wrong password for user <{free}>"),
    form(T, "tcpserver", "pid 4242 from {R}"),
    form(T, "tcpserver", "ok 4242 mx.example:10.77.0.1:110 {word}:{R}:{word:1}:40369"),
    form(T, "tcpserver", "deny 4242 0:10.77.0.1:587 {word}:{R}:{word:1}:40369"),
    form(SSL, "sslserver", "ok 4242 mx.example:10.77.0.1:995 {word}:{R}:{word:1}:40369"),
    silent(T, "", "user invalid {free}"),
    silent(T, "", "domain invalid {free}"),
    silent(T, "", "{after-line-feed}"),
    form(D, "dovecot", "auth: passwd-file({name64},{R},<{S}>): unknown user"),
    form(D, "dovecot", "auth: passwd-file({name64},{R},<{S}>): unknown user "),
    form(D, "dovecot", "auth: sql({name64},{R},<{S}>): Password mismatch"),
    form(
        D,
        "dovecot",
        "auth: Info: sql({name64},{R},<{S}>): Password mismatch (SHA1 of given password: 2a901c)",
    ),
    form(D, "dovecot", "auth: sql({name64},{R},<{S}>): unknown user (given password: {secret:1})"),
    form(D, "dovecot", "auth: sql({name64},{R},<{S}>): Password mismatch (given password: {secret:1})"),
    form(D, "dovecot", "auth: cram-md5({name64},{R},<{S}>): Password mismatch"),
    form(D, "dovecot", "auth: passwd-file({name64},{R}): Password mismatch"),
    form(D, "dovecot", "auth: passwd-file({name64},{R},master,<{S}>): Password mismatch"),
    form(D, "dovecot", "auth: plain(?,{R},<{S}>): Empty username"),
    form(
        D,
        "dovecot",
        "auth: plain(?,{R},<{S}>): Username character disallowed by auth_username_chars: 0x3e (username: {name128})",
    ),
    form(
        D,
        "dovecot",
        "auth-worker(304): conn unix:auth-worker (pid=303,uid=97): auth-worker<1>: sql({name64},{R},<{S}>): unknown user",
    ),
    form(
        D,
        "dovecot",
        "auth-worker(304): pam({name64},{R},<{S}>): pam_authenticate() failed: Authentication failure (password mismatch?)",
    ),
    silent(
        D,
        "dovecot",
        "auth: ldap({name64},{R},<{S}>): unknown user (given password: {secret:1}) - trying the next passdb",
    ),
    silent(
        D,
        "dovecot",
        "auth: plain({name64},{R},<{S}>): Request timed out waiting for client to continue authentication (150 secs)",
    ),
    silent(D, "dovecot", "auth: passwd-file({checked}): unknown user"),
    form(D, "dovecot", "auth({name64},{R},sasl:plain)<{S}>: passwd-file: Password mismatch"),
    form(D, "dovecot", "auth({name64},{R},sasl:cram-md5)<{S}>: sql: unknown user"),
    form(
        D,
        "dovecot",
        "auth({name64},{R},sasl:plain)<{S}>: sql: Password mismatch (given password: {secret:1})",
    ),
    form(D, "dovecot", "auth({name64},{R},sasl:plain): passwd-file: Password mismatch"),
    form(
        D,
        "dovecot",
        "auth-worker({name64},{R})<7><{S}>: request [12]: sql: Password mismatch (given password: {secret:1})",
    ),
    form(
        D,
        "dovecot",
        "auth(?,{R},sasl:plain)<{S}>: plain: Username character disallowed by auth_username_chars: 0x20 (username: {name128})",
    ),
    form(
        D,
        "dovecot",
        "imap-login: Login: user=<{name80}>, method=PLAIN, rip={R}, lip=10.0.0.1, mpid=7, TLS, session=<{S}>",
    ),
    form(
        D,
        "dovecot",
        "imap-login: Logged in: user=<{name80}>, method=PLAIN, rip={R}, lip=10.0.0.1, session=<{S}>",
    ),
    form(
        D,
        "dovecot",
        "imap-login: Disconnected: Aborted login by logging out (auth failed, 1 attempts in 2 secs): user=<{name80}>, method={token:1}, rip={R}, lip=10.0.0.1, session=<{S}>",
    ),
    form(
        D,
        "dovecot",
        "pop3-login: Disconnected: Inactivity (auth failed, 2 attempts in 170 secs): user=<{name80}>, method=PLAIN, rip={R}, lip=10.0.0.1, TLS: Disconnected",
    ),
    form(
        D,
        "dovecot",
        "pop3-login: Login aborted: Connection closed (auth failed, 3 attempts in 16 secs) (auth_failed): user=<{name80}>, method=PLAIN, rip={R}, lip=10.0.0.1, TLS, session=<{S}>",
    ),
    form(
        D,
        "dovecot",
        "imap-login: proxy({name64},10.0.0.2:143): Started proxying to remote host (0.012 secs): user=<{name64}>, method=PLAIN, rip={R}, lip=10.0.0.1, session=<{S}>",
    ),
    silent(D, "dovecot", "imap({name80})<4711><{S}>: Disconnected: Logged out in=33 out=801"),
    form(P, "postfix/smtpd", "connect from {host:1}[{R}]"),
    form(P, "postfix/smtpd", "disconnect from {host:1}[{R}] ehlo=1 auth=0/1 quit=1 commands=2/3"),
    form(
        P,
        "postfix/smtpd",
        "warning: {host:1}[{R}]: SASL LOGIN authentication failed: (reason unavailable), sasl_username={name100}",
    ),
    form(
        P,
        "postfix/submission/smtpd",
        "warning: unknown[{R}]:32801: SASL {token:1} authentication failed: Invalid authentication mechanism, sasl_username={name100}",
    ),
    form(P, "postfix/smtps/smtpd", "warning: unknown[{R}]: SASL PLAIN authentication aborted"),
    form(P, "postfix/smtpd", "4XyZ12abCdE: client={host:1}[{R}], sasl_method=PLAIN, sasl_username={name100}"),
    silent(P, "postfix/smtpd", "improper command pipelining after CONNECT from unknown[{R}]: {free}"),
    silent(P, "postfix/smtpd", "warning: non-SMTP command from unknown[{R}]: {free}"),
    silent(P, "postfix/smtpd", "lost connection after AUTH from unknown[{R}]"),
    silent(
        P,
        "postfix/smtpd",
        "NOQUEUE: reject: RCPT from unknown[{R}]: 454 4.7.1 <x@y.example>: Relay access denied; from=<{free}> to=<x@y.example> proto=ESMTP helo=<{token:1}>",
    ),
    silent(P, "postfix/smtpd", "warning: hostname {token} does not resolve to address {R}"),
    silent(P, "postfix/smtpd", "warning: valid_hostname: invalid character 91(decimal): {token}"),
    form(S, "sshd", "Failed password for {login} from {R} port 40022 ssh2"),
    form(S, "sshd", "Failed password for invalid user {login} from {R} port 40022 ssh2"),
    form(
        S,
        "sshd-session",
        "Failed keyboard-interactive/pam for invalid user {login} from {R} port 40022 ssh2",
    ),
    form(S, "sshd", "Invalid user {login} from {R} port 40022"),
    form(S, "sshd", "Invalid user {login} from {R}"),
    form(S, "sshd", "User {login} from {R} not allowed because not listed in AllowUsers"),
    form(S, "sshd", "error: PAM: Authentication failure for illegal user {login} from {R}"),
    form(S, "sshd", "Connection closed by invalid user {login-long} {R} port 40022 [preauth]"),
    form(S, "sshd", "Connection closed by authenticating user {login-long} {R} port 40022 [preauth]"),
    form(S, "sshd-session", "Connection reset by authenticatinguser {login-long} {R} port 40022"),
    form(
        S,
        "sshd-session",
        "Connection from authenticating user {login-long} {R} port 40022 timed out [preauth]",
    ),
    form(S, "sshd", "Disconnected from invalid user {login-long} {R} port 40022 [preauth]"),
    form(
        S,
        "sshd",
        "Disconnecting invalid user {login-long} {R} port 40022: Too many authentication failures [preauth]",
    ),
    form(
        S,
        "sshd",
        "Disconnecting authenticating user {login-long} {R} port 40022: Change of username or service not allowed: ({login},ssh-connection) -> ({login:1},{shown:1}) [preauth]",
    ),
    form(
        S,
        "sshd-session",
        "administratively prohibited connection for invalid user {login} from {R} port 40022",
    ),
    form(S, "sshd", "Received disconnect from {R} port 40022:11: {shown} [preauth]"),
    form(
        S,
        "sshd",
        "Unable to negotiate with {R} port 40022: no matching key exchange method found. Their offer: {shown} [preauth]",
    ),
    form(S, "sshd", "Bad protocol version identification '{shown}' from {R} port 40022"),
    form(S, "sshd", "banner exchange: Connection from {R} port 40022: invalid format"),
    form(
        S,
        "sshd",
        "Accepted publickey for dan from {R} port 40022 ssh2: ED25519-CERT SHA256:abc ID {shown} (serial 0) CA ED25519 SHA256:def",
    ),
    form(
        S,
        "sshd",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={R}  user={raw}",
    ),
    form(
        S,
        "sshd",
        "pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={R} user={raw}",
    ),
    form(
        S,
        "sshd",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={R} ",
    ),
    silent(S, "sshd", "pam_unix(sshd:auth): check pass; user ({raw}) unknown"),
    silent(
        S,
        "sshd",
        "error: kex_exchange_identification: client sent invalid protocol identifier \"{shown}\"",
    ),
    silent(
        S,
        "sshd",
        "error: maximum authentication attempts exceeded for invalid user {login} from {R} port 40022 ssh2 [preauth]",
    ),
    silent(
        S,
        "sshd",
        "Postponed keyboard-interactive for invalid user {login} from {R} port 40022 ssh2 [preauth]",
    ),
    form(
        PAM,
        "vsftpd",
        "pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser={raw} rhost={R}",
    ),
    form(
        PAM,
        "vsftpd",
        "pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser={raw} rhost={R}  user=dan",
    ),
    silent(
        PAM,
        "vsftpd",
        "pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser={raw} rhost=  user=dan",
    ),
    form(
        PAM,
        "cockpit-session",
        "pam_sss(cockpit:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost={R} user={raw}",
    ),
    form(
        PAM,
        "ftpd",
        "pam_krb5(ftp:auth): authentication failure; logname={raw} uid=0 euid=0 tty=ftp ruser= rhost={R}",
    ),
    silent(
        PAM,
        "su",
        "pam_sss(su:auth): authentication failure; logname=dan uid=1000 euid=0 tty=pts/1 ruser=dan rhost= user={raw}",
    ),
];

/// How a record reaches the file. tcpserver's always comes through multilog.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Envelope {
    Traditional,
    Busybox,
    Iso,
    Rfc5424,
    /// Dovecot's `log_path`; for others as [`Envelope::Traditional`].
    OwnFile,
    /// Inside `message repeated 2 times: [ … ]`.
    Repeated,
}

impl Form {
    /// What the program writes of this client and its texts.
    pub(crate) fn body(&self, client: Client, texts: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        let mut rest = self.body;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').expect("a place that ends");
            body.extend(before.as_bytes());
            let (kind, number) = place.split_once(':').unwrap_or((place, "0"));
            match kind {
                "R" => body.extend(self.address(client).as_bytes()),
                "S" => body.extend(client.session.as_bytes()),
                _ => {
                    let number: usize = number.parse().expect("a number");
                    let is_relayed = self.body.ends_with(" [preauth]") && self.program == "sshd";
                    body.extend(printed(kind, texts.get(number).copied().unwrap_or_default(), is_relayed));
                }
            }
            rest = after;
        }
        body.extend(rest.as_bytes());
        if self.service == Service::Sshd {
            body.truncate(SSHD_BYTES_MAX);
        }
        body
    }

    /// The whole line.
    pub(crate) fn line(&self, envelope: Envelope, client: Client, texts: &[&[u8]]) -> Vec<u8> {
        let body = self.body(client, texts);
        let program = self.program;
        if matches!(self.service, Service::Tcpserver | Service::Sslserver) {
            let stamp = match envelope {
                Envelope::Traditional | Envelope::Iso => "@400000006b0489c523db15b4",
                _ => "2026-11-23 18:44:24.656369500",
            };
            let tag = if program.is_empty() { String::new() } else { format!("{program}: ") };
            return [stamp.as_bytes(), b" ", tag.as_bytes(), &body].concat();
        }
        let head = match envelope {
            Envelope::OwnFile if self.service == Service::Dovecot => {
                return [b"Nov 23 18:30:22 ", &with_level(&body)[..]].concat();
            }
            Envelope::Traditional | Envelope::OwnFile => format!("Nov 23 18:30:22 mx {program}[4711]: "),
            Envelope::Busybox => format!("Nov 23 18:30:22 mx mail.notice {program}[4711]: "),
            Envelope::Iso => format!("2026-11-23T18:30:22.250000+00:00 mx {program}[4711]: "),
            Envelope::Rfc5424 => {
                // rsyslog takes the program's name to end at a slash.
                let program = program.split('/').next().unwrap_or_default();
                format!("<22>1 2026-11-23T18:30:22.250000+00:00 mx {program} 4711 - -  ")
            }
            Envelope::Repeated => {
                let head = format!("Nov 23 18:30:22 mx {program}[4711]: message repeated 2 times: [ ");
                return [head.as_bytes(), &body, b"]"].concat();
            }
        };
        [head.as_bytes(), &body].concat()
    }

    fn address(&self, client: Client) -> String {
        let address = client.address;
        if self.service != Service::Vpopmail || address.len() > 30 {
            return address.to_owned();
        }
        // vchkpw takes a colon at the start for the end of a field, and spoils the others where there is room.
        if address.starts_with(':') { String::new() } else { address.replace(':', "_") }
    }

    /// A record that a client puts into another program's output.
    pub(crate) fn smuggled(&self) -> Vec<u8> {
        let body = self.body(FORGED, &[b"root", b"x"]);
        [self.program.as_bytes(), b"[1]: ", &body].concat()
    }

    /// Whether the texts of a client may cost the line its source: nobody could tell where they end.
    pub(crate) fn may_be_refused(&self, client: Client, texts: &[&[u8]]) -> bool {
        let is_free = ["{secret", "{raw", "{login:1}"].iter().any(|place| self.body.contains(place));
        let is_blurred = self.body.contains("{free}:{R}") && client.address.len() > 30;
        let is_spoilt = self.service == Service::Vpopmail && client.address.starts_with(':');
        // A name that pretends to be the end of the server's words. No account has such a name.
        let pretence = if self.body.starts_with("auth") { "given password: " } else { ": user=<" };
        let may_pretend = self.body.starts_with("auth") || self.body.contains("proxy(");
        let pretends = may_pretend && texts.iter().any(|text| contains(text, pretence));
        let is_cut = self.service == Service::Sshd && self.body(client, texts).len() == SSHD_BYTES_MAX;
        is_free || is_blurred || is_spoilt || pretends || is_cut
    }
}

/// In its own file Dovecot writes a level behind `PROCESS: `, where there is none yet.
fn with_level(body: &[u8]) -> Vec<u8> {
    let end = body.iter().position(|byte| matches!(byte, b':' | b'(')).unwrap_or(body.len());
    match body[end..].strip_prefix(b": ") {
        Some(rest) if !rest.starts_with(b"Info: ") => [&body[..end], b": Info: ", rest].concat(),
        _ => body.to_vec(),
    }
}

fn contains(text: &[u8], words: &str) -> bool {
    text.windows(words.len()).any(|part| part == words.as_bytes())
}

/// sshd cuts what it hands to syslog.
const SSHD_BYTES_MAX: usize = 500;

/// A client's text as it is printed at a place of this kind; sshd's twice escaped if it is relayed.
fn printed(kind: &str, text: &[u8], is_relayed: bool) -> Vec<u8> {
    let keep =
        |keep: &dyn Fn(u8) -> bool| text.iter().copied().filter(|&byte| keep(byte)).collect::<Vec<u8>>();
    match kind {
        // Any byte; the syslog daemon writes control bytes in octal.
        "free" => text.iter().flat_map(|&byte| by_rsyslog(byte)).collect(),
        "after-line-feed" => {
            let text = printed("free", text, false);
            let is_servers =
                [&b"tcpserver: "[..], b"sslserver: ", b"sslhandle: "].iter().any(|tag| text.starts_with(tag));
            if is_servers { text[1..].to_vec() } else { text }
        }
        "vuser" => keep(&|byte| byte.is_ascii_alphanumeric() || b"!#$&'*+-./=?^_`{|}~".contains(&byte)),
        "vdomain" => keep(&|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)),
        // A reverse name or an ident answer at tcpserver.
        "word" => keep(&|byte| byte.is_ascii_graphic() && byte != b':'),
        // A word of a command.
        "token" => keep(&|byte| byte.is_ascii_graphic()),
        // A reverse name that was looked up both ways.
        "host" => {
            let mut name = keep(&|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
            name.truncate(255);
            if name.is_empty() { b"unknown".to_vec() } else { name }
        }
        // A name that Dovecot's `auth_username_chars` has let through.
        "checked" => keep(&|byte| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte)),
        "name64" => by_dovecot(text, 64, "..."),
        "name80" => by_dovecot(text, 80, "..."),
        "name128" => by_dovecot(text, 128, "..."),
        "secret" => by_dovecot(text, 1024, "..."),
        "name100" => by_dovecot(text, 100, ""),
        "raw" => text.iter().take(128).flat_map(|&byte| by_rsyslog(byte)).collect(),
        "login" | "login-long" => {
            // What stands behind a colon is the style, not the name.
            let name = text.split(|&byte| byte == b':').next().unwrap_or_default();
            by_sshd(&name[..name.len().min(if kind == "login" { 100 } else { 187 })], is_relayed)
        }
        "shown" => by_sshd(text, is_relayed),
        _ => panic!("no kind of text: {kind}"),
    }
}

fn by_rsyslog(byte: u8) -> Vec<u8> {
    if byte < 0x20 || byte == 0x7f { format!("#{byte:03o}").into_bytes() } else { vec![byte] }
}

/// Control characters and what is no UTF-8 as `?`, cut at `bytes_max` with `mark` at the end.
fn by_dovecot(text: &[u8], bytes_max: usize, mark: &str) -> Vec<u8> {
    let shown = String::from_utf8_lossy(text).replace(|c: char| c < ' ' || c == '\u{fffd}', "?");
    if shown.len() <= bytes_max {
        return shown.into_bytes();
    }
    let mut end = bytes_max - mark.len();
    while !shown.is_char_boundary(end) {
        end -= 1;
    }
    [&shown.as_bytes()[..end], mark.as_bytes()].concat()
}

/// Octal escapes for what is not printable ASCII, and two backslashes for one; all of it twice if it was relayed.
fn by_sshd(text: &[u8], is_relayed: bool) -> Vec<u8> {
    let escape = |text: &[u8]| {
        let mut shown = Vec::new();
        for &byte in text {
            match byte {
                b'\\' => shown.extend(b"\\\\"),
                0x20..=0x7e => shown.push(byte),
                _ => shown.extend(format!("\\{byte:03o}").into_bytes()),
            }
        }
        shown
    };
    let once = escape(text);
    if is_relayed { escape(&once) } else { once }
}
