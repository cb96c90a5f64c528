//! Postfix smtpd on the submission port. A login that works has no line: only a mail names it, and the end counts it.

use fairban_core::account::Account;
use fairban_core::event::{Mechanism, Outcome, Service, Session, Tells};
use fairban_core::time::Time;

use super::page::event;
use super::{Answer, Link, Page, Tried};
use crate::rng::Rng;

const PROGRAM: &str = "postfix/submission/smtpd";

/// How often somebody who logs in to submit mail submits one. Assumption: mail programs connect to send, and hardly
/// otherwise.
const SENDS: f64 = 0.9;

/// Longest name that is shown whole.
const NAME_MAX: usize = 96;

pub(super) fn open(page: &mut Page, now: Time, link: &Link) {
    let mut told = event(Service::Postfix, Tells::Connect, link);
    told.session = Session::Pid(link.pid);
    let begun = page.begin(now, PROGRAM, Some(link.pid));
    page.push(format_args!("connect from unknown[{}]", link.source));
    page.end(&begun, told);
}

pub(super) fn tried(page: &mut Page, now: Time, link: &Link, tried: &Tried<'_>, rng: &mut Rng) {
    let mut told = event(Service::Postfix, Tells::Attempt, link);
    told.session = Session::Pid(link.pid);
    let mechanism = if tried.digest { Mechanism::Digest } else { Mechanism::Plain };
    if tried.answer == Answer::In {
        if !rng.chance(SENDS) {
            return;
        }
        told.tells = Tells::Used;
        (told.outcome, told.mechanism) = (Outcome::Success, mechanism);
        told.account = Account::Known(tried.name.key().clone());
        let begun = page.begin(now, PROGRAM, Some(link.pid));
        page.push(format_args!(
            "{:010X}: client=unknown[{}], sasl_method=PLAIN, sasl_username={}",
            rng.bits() & 0xff_ffff_ffff,
            link.source,
            tried.name.text()
        ));
        page.end(&begun, told);
        return;
    }
    told.mechanism = mechanism;
    let method = if tried.digest { "CRAM-MD5" } else { "LOGIN" };
    let begun = page.begin(now, PROGRAM, Some(link.pid));
    page.push(format_args!("warning: unknown[{}]: SASL {method} authentication failed: ", link.source));
    if tried.answer == Answer::Down {
        told.tells = Tells::Fault;
        told.outcome = Outcome::ServerFault;
        page.push(format_args!("Connection lost to authentication server"));
    } else {
        told.outcome = Outcome::Failed;
        let name = tried.name.text();
        let shown = &name[..name.len().min(NAME_MAX)];
        told.account = Account::Known(fairban_core::account::AccountKey::new(shown.as_bytes()));
        page.push(format_args!("(reason unavailable), sasl_username={shown}"));
    }
    page.end(&begun, told);
}

pub(super) fn close(page: &mut Page, now: Time, link: &Link) {
    let (failed, succeeded) = (link.failed, link.succeeded);
    let mut told =
        event(Service::Postfix, Tells::End { failed: Some(failed), succeeded: Some(succeeded) }, link);
    told.session = Session::Pid(link.pid);
    told.outcome = match (failed, succeeded) {
        (_, 1..) => Outcome::Success,
        (1.., 0) => Outcome::Failed,
        (0, 0) => Outcome::Aborted,
    };
    let tries = failed + succeeded;
    let begun = page.begin(now, PROGRAM, Some(link.pid));
    page.push(format_args!("disconnect from unknown[{}] ehlo=1", link.source));
    match (failed, succeeded) {
        (0, 0) => {}
        (0, _) => page.push(format_args!(" auth={succeeded}")),
        _ => page.push(format_args!(" auth={succeeded}/{tries}")),
    }
    page.push(format_args!(" quit=1 commands={}", 2 + tries));
    page.end(&begun, told);
}
