//! `tcpserver -v`: each connection's beginning, its port, and its end.

use fairban_core::event::{AuthEvent, Protocol, Service, Session, Tells};
use fairban_core::time::Time;

use super::{Link, Page};

/// Connection slots.
const SLOTS: u32 = 200;

pub(super) fn open(page: &mut Page, now: Time, link: &Link, open: u32) {
    status(page, now, open);
    let mut told = AuthEvent::new(Service::Tcpserver, Tells::Connect);
    told.source = Some(link.source);
    told.session = Session::Pid(link.pid);
    let begun = page.begin(now, "tcpserver", None);
    page.push(format_args!("pid {} from {}", link.pid, link.source));
    page.end(&begun, told.clone());
    told.protocol = link.protocol;
    told.port = Some(link.port);
    let port = match link.protocol {
        Protocol::Pop3 => 110,
        Protocol::Imap => 143,
        _ => 587,
    };
    let begun = page.begin(now, "tcpserver", None);
    page.push(format_args!("ok {} mx:72.3.142.43:{port} :{}::{}", link.pid, link.source, link.port));
    page.end(&begun, told);
}

pub(super) fn close(page: &mut Page, now: Time, link: &Link, open: u32) {
    let mut told = AuthEvent::new(Service::Tcpserver, Tells::End { failed: None, succeeded: None });
    told.session = Session::Pid(link.pid);
    let begun = page.begin(now, "tcpserver", None);
    page.push(format_args!("end {} status 0", link.pid));
    page.end(&begun, told);
    status(page, now, open);
}

fn status(page: &mut Page, now: Time, open: u32) {
    let in_use = open.min(SLOTS);
    let begun = page.begin(now, "tcpserver", None);
    page.push(format_args!("status: {in_use}/{SLOTS}"));
    page.end(&begun, AuthEvent::new(Service::Tcpserver, Tells::Slots { in_use, slots: SLOTS }));
}
