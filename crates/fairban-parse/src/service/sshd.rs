//! Grammar of OpenSSH's server: `sshd`, `sshd-session` (since 9.8) and `sshd-auth` (since 10.0), with the lines that
//! PAM modules write from within it.
//!
//! ```text
//! Failed password for invalid user root from 8.8.8.8 port 22 ssh2 from 192.0.2.40 port 46347 ssh2
//!                                  └──────── what the client typed ┘      └─ who it is ──┘
//! ```
//!
//! One try makes up to four lines. `Failed …` and `Accepted …` are the try; `Invalid user` and `User … not allowed` are
//! told before it ([`Tells::Refused`]); what PAM says is an echo; what PAM says at the end (`PAM 2 more authentication
//! failures`) are tries that were all told before.
//!
//! The name is the client's, up to any length sshd prints, and it may hold the words of the format. So the start of the
//! text decides the form, and where the name stands before the address the line is read from the right. That end is lost
//! where the line is: see `WHOLE_BYTES_MAX`.
//!
//! Two words mean less than they say. `invalid user` is also written of accounts that exist and that `AllowUsers` or
//! `DenyUsers` refuses: `User … not allowed` then came before, with the same pid. And `Failed password` is also written of
//! a right password where the account has expired: what PAM says of the account then stands around it, with the same pid.
//! Both are told as [`Tells::Refused`] with [`Outcome::Denied`].

mod name;
mod place;
#[cfg(test)]
mod tests;

use core::net::IpAddr;

use fairban_core::account::Account;
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, Service, Session, Tells};

use self::name::Spelling;
pub(crate) use self::place::address;
use self::place::{Place, at_end, at_start, last_word};
use super::fields;
use super::pam::{Host, Remark, Trust, is_summary};
use crate::record::{Reading, Record};
use crate::secret::Secrets;

/// sshd cuts what it hands to syslog at 500 bytes (`syslog(pri, "%.500s", …)`), after escaping, and a name of 187 bytes
/// can grow to 935. So a client can choose a name whose forged `ADDR port N` is the end of the line. Of a body of this
/// many bytes the right-hand end is not believed.
const WHOLE_BYTES_MAX: usize = 499;

/// Reads one record.
pub fn read(record: &Record<'_>, secrets: &Secrets) -> Reading {
    // sshd logs no secret and nothing made of one.
    let _ = secrets;
    let line = Line::new(record);
    if let Some(remark) = Remark::of(line.text) {
        return line.pam(&remark);
    }
    if is_summary(line.text) {
        return Reading::Quiet;
    }
    for (words, form) in FORMS {
        if let Some(rest) = line.after(words) {
            return form(&line, rest).unwrap_or_else(|| Reading::Odd { login_like: looks_like_login(&line) });
        }
    }
    let quiet = QUIET.iter().any(|words| line.after(words).is_some());
    if quiet { Reading::Quiet } else { Reading::Odd { login_like: looks_like_login(&line) } }
}

/// Reads what follows the words of a form; `None` where it is not what the form says.
type Form = fn(&Line<'_>, &[u8]) -> Option<Reading>;

/// The words that begin a text, and what reads the rest. The first that fits decides; the most frequent stand first.
const FORMS: &[(&[u8], Form)] = &[
    (b"Failed ", failed),
    (b"Connection closed by ", ended),
    (b"Invalid user ", invalid_user),
    (b"Received disconnect from ", left_at_start),
    (b"Disconnected from ", ended),
    (b"Accepted key ", quiet),
    (b"Accepted certificate ID ", quiet),
    (b"Accepted ", accepted),
    (b"Connection reset by ", ended),
    (b"Connection from ", connection),
    (b"PAM: ", pam_error),
    (b"drop connection #", dropped),
    (b"banner exchange: Connection from ", broken),
    (b"ssh_dispatch_run_fatal: Connection from ", broken),
    (b"Unable to negotiate with ", left_at_start),
    (b"Disconnecting ", disconnecting),
    (b"Timeout before authentication for ", timeout),
    (b"Timeout, client not responding from ", ended),
    (b"User child is on pid ", quiet),
    (b"User ", user_not_allowed),
    (b"Access denied for user ", denied_by_pam),
    (b"Could not get shadow information for NOUSER", no_shadow),
    (b"Closing connection to ", left_at_start),
    (b"Read error from remote host ", left_at_start),
    (b"Did not receive identification string from ", ended),
    (b"Bad protocol version identification '", bad_banner),
    (b"Protocol major versions differ for ", left_at_start),
    (b"ROOT LOGIN REFUSED FROM ", root_refused),
    (b"administratively prohibited connection for ", prohibited),
    (b"terminating inactive connection from ", ended),
    (b"probed from ", left_at_start),
    (b"scanned from ", left_at_start),
];

/// Texts that tell nothing of a login: the server's own affairs, steps of a login whose end has a line, junk whose
/// address stands in the next line, and sums of what was told before (srclimit.c's penalties are told of a prefix, when
/// they begin; each connection that they turn away has its own line).
const QUIET: &[&[u8]] = &[
    b"Postponed ",
    b"Partial ",
    b"kex_",
    b"Protocol major versions differ: ",
    b"maximum authentication attempts exceeded for ",
    b"Starting session: ",
    b"Close session: ",
    b"Transferred: ",
    b"subsystem request for ",
    b"Server listening on ",
    b"Received signal ",
    b"Received SIGHUP",
    b"beginning MaxStartups throttling",
    b"in MaxStartups throttling ",
    b"exited MaxStartups throttling ",
    b"past Maxstartups logging rate-limited",
    b"Maxstartups logging rate-limited",
    b"PerSourcePenalties logging rate-limited",
    b"srclimit_",
    b"Bad packet length ",
    b"Corrupted MAC on input",
    b"padding error: ",
    b"Finished discarding for ",
    b"message authentication code incorrect",
    b"Session process ",
    b"session process ",
    b"Disconnecting: ",
    b"Root login accepted for forced command",
    b"Authentication refused",
    b"Nasty PTR record ",
    b"Address ",
    b"reverse mapping checking getaddrinfo for ",
    b"Could not load host key",
    b"Unable to load host key",
    b"Could not write ident string",
    b"Bind to port ",
    b"Missing privilege separation directory",
    b"refused local port forward",
    b"refused streamlocal port forward",
    b"connect_to ",
    b"channel ",
    b"session: ",
    b"debug",
];

/// Texts that would be the outcome of a login if they had the form they always had.
fn looks_like_login(line: &Line<'_>) -> bool {
    const WORDS: [&[u8]; 6] = [
        b"Failed ",
        b"Accepted ",
        b"Invalid user ",
        b"Illegal user ",
        b"drop connection ",
        b"Access denied ",
    ];
    WORDS.iter().any(|words| line.after(words).is_some())
        || fields::find(line.text, b"authentication failure").is_some()
        || fields::find(line.text, b"Authentication failure").is_some()
}

/// A record without what stands around its text.
struct Line<'a> {
    /// Without the level before it and ` [preauth]` after it.
    text: &'a [u8],
    session: Session,
    /// How often names in it were escaped.
    spelling: Spelling,
    /// The right-hand end may be the client's: see [`WHOLE_BYTES_MAX`].
    is_cut: bool,
}

impl<'a> Line<'a> {
    fn new(record: &Record<'a>) -> Line<'a> {
        let body = record.body.trim_ascii_start();
        let text =
            [&b"error: "[..], b"fatal: "].iter().find_map(|level| body.strip_prefix(*level)).unwrap_or(body);
        let (text, spelling) = match text.strip_suffix(b" [preauth]") {
            // The program that holds the network has its own name since 9.8.
            Some(text) if record.program == b"sshd" => (text, Spelling::Twice),
            Some(text) => (text, Spelling::Either),
            None => (text, Spelling::Once),
        };
        let session = record.pid.map_or(Session::None, Session::Pid);
        Line { text, session, spelling, is_cut: body.len() > WHOLE_BYTES_MAX }
    }

    fn after(&self, words: &[u8]) -> Option<&'a [u8]> {
        if self.text.first() == words.first() { self.text.strip_prefix(words) } else { None }
    }

    fn event(&self, tells: Tells) -> AuthEvent {
        AuthEvent { protocol: Protocol::Ssh, session: self.session, ..AuthEvent::new(Service::Sshd, tells) }
    }

    fn event_at(&self, tells: Tells, place: Place) -> AuthEvent {
        AuthEvent { source: Some(place.source), port: Some(place.port), ..self.event(tells) }
    }

    fn end(&self, place: Place, account: Account) -> Reading {
        Reading::Event(AuthEvent { account, ..self.event_at(END, place) })
    }

    /// `before ADDR port N`, from the right-hand end.
    fn at_end<'t>(&self, text: &'t [u8]) -> Option<(&'t [u8], Place)> {
        if self.is_cut { None } else { at_end(text) }
    }

    /// What remains of a line whose right-hand end is lost: the pid, which joins it.
    fn without_end(&self, tells: Tells) -> Option<Reading> {
        self.is_cut.then(|| Reading::Event(self.event(tells)))
    }

    /// The account in `invalid user NAME`, `authenticating user NAME`, `user NAME`, or in nothing.
    fn who(&self, words: &[u8]) -> Account {
        // OpenSSH 9.8 to 10.5 forget a blank in one of two places.
        const WORDS: [&[u8]; 4] =
            [b"invalid user ", b"authenticating user ", b"authenticatinguser ", b"user "];
        let name = WORDS.iter().find_map(|before| words.strip_prefix(*before));
        name.map_or(Account::Hidden, |name| name::account(name, self.spelling))
    }
}

/// sshd counts no tries at the end of a session.
const END: Tells = Tells::End { failed: None, succeeded: None };

/// A method that proves a secret which can be guessed. Keys, tickets and `none` are offered, not guessed: a client
/// with an agent fails with several of them before it asks for the password.
fn is_guess(method: &[u8]) -> bool {
    method == b"password" || method.starts_with(b"keyboard-interactive") || method == b"challenge-response"
}

/// `METHOD for WHO`: the method is the server's word.
fn method_of(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = fields::find(rest, b" for ")?;
    Some((&rest[..at], &rest[at + b" for ".len()..]))
}

/// `[invalid user ]NAME`.
fn named(who: &[u8]) -> (&[u8], Outcome) {
    match who.strip_prefix(b"invalid user ") {
        Some(name) => (name, Outcome::UnknownAccount),
        None => (who, Outcome::BadSecret),
    }
}

/// `Failed METHOD for [invalid user ]USER from R port P ssh2`
fn failed(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    let (method, who) = method_of(rest)?;
    if !is_guess(method) {
        return Some(Reading::Quiet);
    }
    let mut event = line.event(Tells::Attempt);
    event.mechanism = Mechanism::Plain;
    event.outcome = named(who).1;
    if !line.is_cut {
        let (before, place) = line.at_end(who.strip_suffix(b" ssh2")?)?;
        event.source = Some(place.source);
        event.port = Some(place.port);
        event.account = name::account(named(before.strip_suffix(b" from")?).0, line.spelling);
    }
    Some(Reading::Event(event))
}

/// `Accepted METHOD for USER from R port P ssh2[: KEY]`
fn accepted(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    let (method, who) = method_of(rest)?;
    let (name, place, mechanism) = if is_guess(method) {
        let (before, place) = line.at_end(who.strip_suffix(b" ssh2")?)?;
        (before.strip_suffix(b" from")?, place, Mechanism::Plain)
    } else {
        // USER is the server's here, for he logged in, and what follows `ssh2: ` may be the client's: a certificate's
        // name, a host-based client's user. So this one is read from the left.
        let (name, place) = fields::find_iter(who, b" from ").find_map(|at| {
            let (place, tail) = at_start(&who[at + b" from ".len()..])?;
            (tail == b" ssh2" || tail.starts_with(b" ssh2: ")).then_some((&who[..at], place))
        })?;
        (name, place, Mechanism::Unknown)
    };
    Some(Reading::Event(AuthEvent {
        account: name::account(name, line.spelling),
        outcome: Outcome::Success,
        mechanism,
        ..line.event_at(Tells::Attempt, place)
    }))
}

/// `Invalid user USER from R port P`; before OpenSSH 7.4 without the port.
fn invalid_user(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    if line.is_cut {
        return line.without_end(Tells::Refused);
    }
    let (name, source, port) = if let Some((before, place)) = line.at_end(rest) {
        (before.strip_suffix(b" from")?, place.source, Some(place.port))
    } else {
        let (before, word) = last_word(rest);
        (before.strip_suffix(b" from")?, address(word)?, None)
    };
    Some(Reading::Event(AuthEvent {
        source: Some(source),
        port,
        account: name::account(name, line.spelling),
        outcome: Outcome::UnknownAccount,
        ..line.event(Tells::Refused)
    }))
}

/// `User USER [from HOST ]not allowed because WHY`: USER is an account, HOST may be a name.
#[expect(clippy::unnecessary_wraps, reason = "a `Form`")]
fn user_not_allowed(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    let Some(why) = fields::rfind(rest, b" not allowed because ") else {
        return Some(Reading::Quiet);
    };
    let who = &rest[..why];
    let (name, host) = match fields::rfind(who, b" from ") {
        Some(at) => (&who[..at], &who[at + b" from ".len()..]),
        None => (who, &b""[..]),
    };
    Some(line.denied(address(host), name::account(name, line.spelling)))
}

/// `Access denied for user USER by PAM account configuration`: the secret was right.
fn denied_by_pam(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    let name = rest.strip_suffix(b" by PAM account configuration")?;
    Some(line.denied(None, name::account(name, line.spelling)))
}

/// `ROOT LOGIN REFUSED FROM R port P`
fn root_refused(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    let (place, _) = at_start(rest)?;
    let refused = line.event_at(Tells::Refused, place);
    Some(Reading::Event(AuthEvent { outcome: Outcome::Denied, ..refused }))
}

/// `Could not get shadow information for NOUSER`: without PAM, the echo of a try at an unknown account.
#[expect(clippy::unnecessary_wraps, reason = "a `Form`")]
fn no_shadow(line: &Line<'_>, _rest: &[u8]) -> Option<Reading> {
    let echo = line.event(Tells::Echo);
    Some(Reading::Event(AuthEvent { outcome: Outcome::UnknownAccount, mechanism: Mechanism::Plain, ..echo }))
}

/// `PAM: MESSAGE for [illegal user ]USER from HOST`: the echo of a keyboard-interactive try.
fn pam_error(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    // The one message of PAM that holds the word which ends messages.
    const SPENT: &[u8] = b"Have exhausted maximum number of retries for service";
    let message_bytes =
        if rest.starts_with(SPENT) { SPENT.len() } else { fields::find(rest, b" for ").unwrap_or(0) };
    let Some(who) = rest[message_bytes..].strip_prefix(b" for ") else {
        return Some(Reading::Quiet);
    };
    if line.is_cut {
        return line.without_end(Tells::Echo);
    }
    let (before, host) = last_word(who);
    let name = before.strip_suffix(b" from")?;
    let (name, outcome) = match (name.strip_prefix(b"illegal user "), &rest[..message_bytes]) {
        (Some(name), _) => (name, Outcome::UnknownAccount),
        (None, b"Authentication failure" | SPENT) => (name, Outcome::BadSecret),
        (None, b"User account has expired" | b"Permission denied") => (name, Outcome::Denied),
        (None, b"User not known to the underlying authentication module") => (name, Outcome::UnknownAccount),
        (None, _) => (name, Outcome::Failed),
    };
    Some(Reading::Event(AuthEvent {
        source: address(host),
        account: name::account(name, line.spelling),
        outcome,
        mechanism: Mechanism::Plain,
        ..line.event(Tells::Echo)
    }))
}

/// `[WHO ]R port P`; before OpenSSH 7.2 an address alone.
fn ended(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    if line.is_cut {
        return line.without_end(END);
    }
    if let Some((who, place)) = line.at_end(rest) {
        return Some(line.end(place, line.who(who)));
    }
    let source = Some(address(rest)?);
    Some(Reading::Event(AuthEvent { source, ..line.event(END) }))
}

/// `R port P TEXT`, where TEXT may be the client's.
fn left_at_start(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    at_start(rest).map(|(place, _)| line.end(place, Account::Hidden))
}

/// `[WHO ]R port P: MESSAGE`, where the message is the server's.
fn broken(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    if line.is_cut {
        return line.without_end(END);
    }
    let end = place_ends(rest).last()?;
    let (who, place) = line.at_end(&rest[..end])?;
    Some(line.end(place, line.who(who)))
}

/// `[WHO ]R port P: MESSAGE`, where the message may hold the client's text too, and may be cut in the middle of it: only
/// a place that is the only one is believed.
#[expect(clippy::unnecessary_wraps, reason = "a `Form`")]
fn disconnecting(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    let mut ends = place_ends(rest);
    if let (Some(end), None) = (ends.next(), ends.next())
        && let Some((who, place)) = line.at_end(&rest[..end])
    {
        return Some(line.end(place, line.who(who)));
    }
    Some(Reading::Event(line.event(END)))
}

/// Where each ` port N` that a colon follows ends.
fn place_ends(text: &[u8]) -> impl Iterator<Item = usize> {
    fields::find_iter(text, b" port ").filter_map(move |at| {
        let digits_at = at + b" port ".len();
        let digits = text[digits_at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let end = digits_at + digits;
        (digits > 0 && text[end..].starts_with(b": ")).then_some(end)
    })
}

/// `R port P on L port P …`, or `[WHO ]R port P timed out`.
fn connection(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    if let Some((place, tail)) = at_start(rest)
        && tail.starts_with(b" on ")
    {
        return Some(Reading::Event(line.event_at(Tells::Connect, place)));
    }
    ended(line, rest.strip_suffix(b" timed out")?)
}

/// `connection from R[ to L], pid = N`, written by the listener; before OpenSSH 9.8 `R port P`.
fn timeout(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    let Some(rest) = rest.strip_prefix(b"connection from ") else {
        return ended(line, rest);
    };
    let comma = fields::find(rest, b", pid = ")?;
    let source = rest[..comma].split(|&b| b == b' ').next().and_then(address)?;
    let digits = rest[comma + b", pid = ".len()..].split(|b| !b.is_ascii_digit()).next()?;
    let pid = str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Reading::Event(AuthEvent { source: Some(source), session: Session::Pid(pid), ..line.event(END) }))
}

/// `N from [R]:P on [L]:P WHY`: no limit or penalty of the server lets it in.
fn dropped(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    let open = fields::find(rest, b" from [")?;
    let rest = &rest[open + b" from [".len()..];
    let close = fields::find(rest, b"]:")?;
    let port = rest[close + 2..].split(|b| !b.is_ascii_digit()).next()?;
    let place = Place { source: address(&rest[..close])?, port: str::from_utf8(port).ok()?.parse().ok()? };
    // The pid is the listener's.
    Some(Reading::Event(AuthEvent { session: Session::None, ..line.event_at(Tells::TurnedAway, place) }))
}

/// `[invalid user ]USER from R port P`: `RefuseConnection`.
fn prohibited(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    if line.is_cut {
        return line.without_end(END);
    }
    let (before, place) = line.at_end(rest)?;
    let account = name::account(named(before.strip_suffix(b" from")?).0, line.spelling);
    Some(Reading::Event(AuthEvent { account, ..line.event_at(Tells::TurnedAway, place) }))
}

/// `TEXT' from R port P`
fn bad_banner(line: &Line<'_>, rest: &[u8]) -> Option<Reading> {
    if line.is_cut {
        return line.without_end(END);
    }
    let (before, place) = line.at_end(rest)?;
    before.ends_with(b"' from").then(|| line.end(place, Account::Hidden))
}

#[expect(clippy::unnecessary_wraps, reason = "a `Form`")]
fn quiet(_line: &Line<'_>, _rest: &[u8]) -> Option<Reading> {
    Some(Reading::Quiet)
}

/// What PAM modules say from within sshd.
impl Line<'_> {
    fn pam(&self, remark: &Remark<'_>) -> Reading {
        match remark.kind {
            b"auth" => self.pam_auth(remark),
            b"account" => self.pam_account(remark).unwrap_or(Reading::Quiet),
            _ => Reading::Quiet,
        }
    }

    fn pam_auth(&self, remark: &Remark<'_>) -> Reading {
        let (source, account, outcome) = if let Some(blame) = remark.failure(Trust::FirstHost) {
            let source = if let Host::At(source) = blame.host { Some(source) } else { None };
            (source, blame.user.map_or(Account::Hidden, name::raw), blame.outcome)
        } else if let Some(who) = remark.text.strip_prefix(b"check pass; user ") {
            // With the option `audit` pam_unix names what was typed.
            let name = who.strip_prefix(b"(").and_then(|who| who.strip_suffix(b") unknown"));
            (None, name.map_or(Account::Hidden, name::raw), Outcome::UnknownAccount)
        } else if let Some(who) = remark.text.strip_prefix(b"Refused user ") {
            let name = fields::rfind(who, b" for service ").map(|at| &who[..at]);
            return self.denied(None, name.map_or(Account::Hidden, name::raw));
        } else {
            return Reading::Quiet;
        };
        Reading::Event(AuthEvent {
            // Written by a module, under sshd's name.
            service: Service::Pam,
            source,
            account,
            outcome,
            mechanism: Mechanism::Plain,
            ..self.event(Tells::Echo)
        })
    }

    fn pam_account(&self, remark: &Remark<'_>) -> Option<Reading> {
        if let Some(rest) = remark.text.strip_prefix(b"account ") {
            let name = rest.strip_suffix(b" has expired (account expired)")?;
            return Some(self.denied(None, name::raw(name)));
        }
        if let Some(rest) = remark.text.strip_prefix(b"access denied for user `") {
            let from = fields::rfind(rest, b"' from `")?;
            let host = rest[from + b"' from `".len()..].strip_suffix(b"'")?;
            return Some(self.denied(address(host), name::raw(&rest[..from])));
        }
        let rest = remark.text.strip_prefix(b"Access denied for user ")?;
        let name = &rest[..fields::rfind(rest, b": ")?];
        Some(self.denied(None, name::raw(name)))
    }

    /// The account is not let in, whatever the secret.
    fn denied(&self, source: Option<IpAddr>, account: Account) -> Reading {
        Reading::Event(AuthEvent { source, account, outcome: Outcome::Denied, ..self.event(Tells::Refused) })
    }
}
