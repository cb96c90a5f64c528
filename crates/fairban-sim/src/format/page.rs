//! Lines as syslog writes them (RFC 3164, whole seconds, UTC, 2026), each with what it tells.

use core::fmt::Write as _;
use core::ops::Range;

use fairban_core::event::{AuthEvent, Service};
use fairban_core::time::Time;

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Event(AuthEvent),
    /// So many lines are missing, of any service in the log.
    Gap {
        time: Time,
        lost: u32,
    },
    /// Nothing about a login.
    Nothing,
}

/// A line within a [`Page`].
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) text: Range<usize>,
    pub(crate) told: Told,
}

/// What one happening writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    text: String,
    lines: Vec<Line>,
    /// The last stamp that was written, and its second.
    stamp: (i64, String),
}

const MONTHS: [(&str, i64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];
/// 2026-01-01T00:00:00Z.
const NEW_YEAR_2026: i64 = 1_767_225_600;

/// The head of a line: time and host.
pub(crate) fn stamp(seconds: i64) -> String {
    let since = seconds - NEW_YEAR_2026;
    let (mut day, second) = (since.div_euclid(86_400), since.rem_euclid(86_400));
    let mut month = 0;
    while day >= MONTHS[month].1 {
        day -= MONTHS[month].1;
        month = (month + 1) % 12;
    }
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{} {:>2} {hour:02}:{minute:02}:{:02} mx ", MONTHS[month].0, day + 1, second % 60)
}

impl Page {
    /// Begins a line of `program`; everything pushed until [`Page::end`] is its text.
    pub(super) fn begin(&mut self, now: Time, program: &str, pid: Option<u32>) -> Begun {
        if self.stamp.0 != now.secs() || self.stamp.1.is_empty() {
            self.stamp = (now.secs(), stamp(now.secs()));
        }
        let from = self.text.len();
        self.text.push_str(&self.stamp.1);
        match pid {
            Some(pid) => self.push(format_args!("{program}[{pid}]: ")),
            None => self.push(format_args!("{program}: ")),
        }
        Begun { from, time: Time::from_secs(now.secs()) }
    }

    pub(super) fn push(&mut self, text: core::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }

    /// Where in its line the next byte will stand.
    pub(super) fn at(&self, begun: &Begun) -> u32 {
        (self.text.len() - begun.from) as u32
    }

    /// Ends the line: it tells `event`, at its own stamp.
    pub(super) fn end(&mut self, begun: &Begun, mut event: AuthEvent) {
        event.time = begun.time;
        self.lines.push(Line { text: begun.from..self.text.len(), told: Told::Event(event) });
    }

    /// rsyslog's notice of what it dropped.
    pub(crate) fn lost(&mut self, now: Time, lost: u32) {
        let begun = self.begin(now, "rsyslogd", None);
        self.push(format_args!("imuxsock lost {lost} messages from pid 812 due to rate-limiting"));
        self.lines
            .push(Line { text: begun.from..self.text.len(), told: Told::Gap { time: begun.time, lost } });
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn text(&self, line: &Line) -> &str {
        &self.text[line.text.clone()]
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
    }
}

/// A line that is being written.
pub(super) struct Begun {
    from: usize,
    time: Time,
}

/// The name of a service's protocol in vchkpw's and Dovecot's lines.
pub(super) fn protocol_name(protocol: fairban_core::event::Protocol) -> &'static str {
    use fairban_core::event::Protocol;
    match protocol {
        Protocol::Pop3 => "pop3",
        Protocol::Imap => "imap",
        _ => "submission",
    }
}

/// An event of a service about a connection.
pub(super) fn event(service: Service, tells: fairban_core::event::Tells, link: &super::Link) -> AuthEvent {
    let mut event = AuthEvent::new(service, tells);
    event.protocol = link.protocol;
    event.source = Some(link.source);
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_those_of_syslog() {
        assert_eq!(stamp(NEW_YEAR_2026 + 20 * 86_400), "Jan 21 00:00:00 mx ");
        assert_eq!(stamp(NEW_YEAR_2026 + 32 * 86_400 + 3_661), "Feb  2 01:01:01 mx ");
    }
}
