//! OpenSSH: a line for each try, and one when a connection ends without a login. Names are local parts.

use fairban_core::account::Account;
use fairban_core::event::{Mechanism, Outcome, Service, Session, Tells};
use fairban_core::time::Time;

use super::page::event;
use super::{Answer, Link, Page, Tried};

pub(super) fn tried(page: &mut Page, now: Time, link: &Link, tried: &Tried<'_>) {
    let mut told = event(Service::Sshd, Tells::Attempt, link);
    told.port = Some(link.port);
    told.session = Session::Pid(link.pid);
    told.account = Account::Known(tried.name.local_key().clone());
    told.mechanism = Mechanism::Plain;
    let name = tried.name.local();
    if tried.answer == Answer::Unknown && link.failed == 0 {
        let mut refused = told.clone();
        (refused.tells, refused.outcome) = (Tells::Refused, Outcome::UnknownAccount);
        refused.mechanism = Mechanism::Unknown;
        let begun = page.begin(now, "sshd", Some(link.pid));
        page.push(format_args!("Invalid user {name} from {} port {}", link.source, link.port));
        page.end(&begun, refused);
    }
    let begun = page.begin(now, "sshd", Some(link.pid));
    let (outcome, said) = match tried.answer {
        Answer::In => (Outcome::Success, "Accepted password for "),
        Answer::Wrong | Answer::Down => (Outcome::BadSecret, "Failed password for "),
        Answer::Unknown => (Outcome::UnknownAccount, "Failed password for invalid user "),
    };
    told.outcome = outcome;
    page.push(format_args!("{said}{name} from {} port {} ssh2", link.source, link.port));
    page.end(&begun, told);
}

pub(super) fn close(page: &mut Page, now: Time, link: &Link) {
    let mut told = event(Service::Sshd, Tells::End { failed: None, succeeded: None }, link);
    told.port = Some(link.port);
    told.session = Session::Pid(link.pid);
    let begun = page.begin(now, "sshd", Some(link.pid));
    match &link.last {
        Some((name, _)) => {
            let who = name.local();
            told.account = Account::Known(name.local_key().clone());
            let said = if link.succeeded > 0 {
                "Disconnected from user"
            } else {
                "Connection closed by authenticating user"
            };
            page.push(format_args!("{said} {who} {} port {}", link.source, link.port));
        }
        None => page.push(format_args!("Connection closed by {} port {}", link.source, link.port)),
    }
    if link.succeeded == 0 {
        page.push(format_args!(" [preauth]"));
    }
    page.end(&begun, told);
}
