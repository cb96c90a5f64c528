//! Who tried passwords at port 25, and whose mail was taken there: a ban closes that port only to the first, and never to
//! the second, for others' mail comes in by it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fairban_core::event::{AuthEvent, Outcome, Protocol, Tells};
use fairban_core::time::{Span, Time};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Addresses of either kind that are remembered; the oldest go first. Who pushes one out opens a port to a robot, or has
/// sent as many mails that were taken.
const ADDRESSES_MAX: usize = 1 << 16;

/// Mail taken so long ago tells nothing any more; nor does a try.
const MONTH: Span = Span::days(30);

/// See the module's head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Port25 {
    tried: Recent,
    mailed: Recent,
}

impl Port25 {
    /// What a line tells of it.
    pub(crate) fn note(&mut self, event: &AuthEvent) {
        let Some(source) = event.source.filter(|_| event.protocol == Protocol::Smtp) else { return };
        match (event.tells, event.outcome) {
            (Tells::Mail, _) => self.mailed.note(source, event.time),
            (
                Tells::Attempt | Tells::Echo,
                Outcome::BadSecret | Outcome::UnknownAccount | Outcome::Failed,
            ) => self.tried.note(source, event.time),
            _ => {}
        }
    }

    /// Since when a ban of `prefix` closes port 25, if it does.
    pub(crate) fn closed_since(&self, prefix: &IpNet, now: Time) -> Option<Time> {
        self.tried.first(prefix, now).filter(|_| self.mailed.first(prefix, now).is_none())
    }
}

/// Addresses, and when they were seen last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    /// First and last.
    by_address: BTreeMap<IpAddr, (Time, Time)>,
    /// Last.
    by_time: BTreeSet<(Time, IpAddr)>,
}

impl Recent {
    fn note(&mut self, address: IpAddr, time: Time) {
        let before = self.by_address.get(&address).copied();
        if before.is_some_and(|(_, last)| last >= time) {
            return;
        }
        if let Some((_, last)) = before {
            self.by_time.remove(&(last, address));
        } else if self.by_address.len() >= ADDRESSES_MAX
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.by_address.remove(&oldest);
        }
        self.by_address.insert(address, (before.map_or(time, |(first, _)| first), time));
        self.by_time.insert((time, address));
    }

    /// When the first of those in `prefix` was seen first, if any was seen in the last month.
    fn first(&self, prefix: &IpNet, now: Time) -> Option<Time> {
        let within = self.by_address.range(prefix.network()..=prefix.broadcast());
        within.filter(|(_, (_, last))| now.since(*last) <= MONTH).map(|(_, (first, _))| *first).min()
    }
}

#[cfg(test)]
mod tests {
    use fairban_core::event::Service;

    use super::*;

    fn event(tells: Tells, source: &str, time: Time) -> AuthEvent {
        let outcome = if tells == Tells::Attempt { Outcome::Failed } else { Outcome::Aborted };
        let source = Some(source.parse().expect("an address"));
        let protocol = Protocol::Smtp;
        AuthEvent { source, protocol, outcome, time, ..AuthEvent::new(Service::Postfix, tells) }
    }

    #[test]
    fn it_is_closed_to_who_tried_there_and_sent_no_mail_for_a_month() {
        let now = Time::from_secs(10_000_000);
        let mut port = Port25::default();
        let net = |text: &str| text.parse::<IpNet>().expect("a prefix");
        port.note(&event(Tells::Attempt, "192.0.2.7", now));
        port.note(&event(Tells::Attempt, "2001:db8::7", now));
        port.note(&event(Tells::Mail, "2001:db8::8", now.minus(Span::days(29))));
        port.note(&AuthEvent { protocol: Protocol::Imap, ..event(Tells::Attempt, "198.51.100.7", now) });
        let closed = |port: &Port25, text: &str, now| port.closed_since(&net(text), now).is_some();
        assert!(closed(&port, "192.0.2.7/32", now) && closed(&port, "192.0.2.0/24", now));
        assert!(!closed(&port, "192.0.2.8/32", now) && !closed(&port, "198.51.100.7/32", now));
        assert!(closed(&port, "2001:db8::7/128", now) && !closed(&port, "2001:db8::/64", now));
        assert!(closed(&port, "2001:db8::/64", now.plus(Span::days(2))));
        assert!(!closed(&port, "192.0.2.7/32", now.plus(Span::days(31))));
        port.note(&event(Tells::Attempt, "192.0.2.7", now.plus(Span::days(1))));
        assert_eq!(port.closed_since(&net("192.0.2.7/32"), now.plus(Span::days(31))), Some(now));
        port.note(&event(Tells::Mail, "192.0.2.7", now));
        assert!(!closed(&port, "192.0.2.7/32", now));
    }

    #[test]
    fn the_oldest_go_first() {
        let mut recent = Recent::default();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..ADDRESSES_MAX as u32 + 10 {
            recent.note(address(n), Time::from_secs(i64::from(n)));
            recent.note(address(5), Time::from_secs(i64::from(n)));
        }
        assert_eq!((recent.by_address.len(), recent.by_time.len()), (ADDRESSES_MAX, ADDRESSES_MAX));
        assert!(recent.by_address.contains_key(&address(5)) && !recent.by_address.contains_key(&address(4)));
    }
}
