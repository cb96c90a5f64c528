//! Events into tries: unrolling, and which accounts may be one.

use core::net::IpAddr;

use super::Attempt;
use crate::account::{Account, AccountKey};
use crate::event::{AuthEvent, Outcome, Service, Session};
use crate::time::Time;

/// Most tries that one line may stand for. Servers close a session after tens of failures; only a line that
/// was tampered with says more, and gains nothing: the rest is not told.
pub(super) const TRIES_PER_LINE_MAX: u16 = 256;

/// One try as `event` tells it.
pub(super) fn attempt(event: &AuthEvent, source: IpAddr, now: Time) -> Attempt {
    Attempt {
        time: now,
        service: event.service,
        protocol: event.protocol,
        source,
        port: event.port,
        account: match &event.account {
            Account::Last { key, .. } => Account::Known(key.clone()),
            account => account.clone(),
        },
        outcome: match event.outcome {
            // A line that tells a try but not how it ended: it did not succeed.
            Outcome::Aborted => Outcome::Failed,
            outcome => outcome,
        },
        mechanism: event.mechanism,
        secret: event.secret,
        common_secret: event.common_secret,
        session: event.session,
        session_open: event.service == Service::Postfix && event.session != Session::None,
        again: false,
    }
}

/// The same try with nothing known about account and secret.
pub(super) fn nameless(attempt: &Attempt) -> Attempt {
    Attempt { account: Account::Hidden, secret: None, common_secret: false, ..attempt.clone() }
}

/// How many tries a line stands for, and how many of them it does not name.
pub(super) fn unrolled(event: &AuthEvent) -> (u16, u16) {
    let of = match event.account {
        Account::Last { of, .. } => of.clamp(1, TRIES_PER_LINE_MAX),
        _ => 1,
    };
    let times = event.times.clamp(1, TRIES_PER_LINE_MAX / of);
    (times, of - 1)
}

/// How well two spellings of an account fit: the smaller the better; `None` if they are two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The same name.
    Equal,
    /// One is the other's beginning, and cut.
    Cut,
    /// The same user, and only one of the lines shows a domain.
    LocalPart,
    /// The first line does not name the account.
    Hidden,
}

/// Whether a line that names `echo` may tell of the try at `account`.
pub(super) fn fit(echo: &Account, account: &Account) -> Option<Fit> {
    let (a, b) = match (echo.key(), account.key()) {
        (Some(a), Some(b)) => (a, b),
        (None, _) => return Some(Fit::Hidden),
        (Some(_), None) => return None,
    };
    let (a_cut, b_cut) = (matches!(echo, Account::Cut(_)), matches!(account, Account::Cut(_)));
    let begins = |long: &AccountKey, short: &AccountKey| long.as_bytes().starts_with(short.as_bytes());
    if a == b {
        Some(Fit::Equal)
    } else if (a_cut && begins(b, a)) || (b_cut && begins(a, b)) {
        Some(Fit::Cut)
    } else if !a_cut
        && !b_cut
        && a.local_part() == b.local_part()
        && (a.domain().is_none() != b.domain().is_none())
    {
        Some(Fit::LocalPart)
    } else {
        None
    }
}

/// Of two names of one try, the one that tells more.
pub(super) fn better_name(a: &Account, b: &Account) -> Account {
    let worth = |account: &Account| match account {
        Account::Known(_) | Account::Last { .. } => usize::MAX,
        Account::Cut(key) => key.as_bytes().len(),
        Account::Hidden => 0,
    };
    if worth(b) > worth(a) { b.clone() } else { a.clone() }
}
