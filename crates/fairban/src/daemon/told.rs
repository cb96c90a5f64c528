//! Decisions as they are told while the service runs: to those who tail, and to the service's own log.

use fairban_control::{Moment, Shown, TailEvent, TailKind, nats};
use fairban_core::account::Account;
use fairban_core::effect::{Alarm, Ban, Effect};
use ipnet::IpNet;

use crate::tally::show_account;
use crate::when;

/// Where the line stands that caused a decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The input's name.
    pub(crate) input: &'a str,
    /// From 1.
    pub(crate) line: u64,
}

/// An effect as those who tail are told it; `None` for what was only seen.
pub(crate) fn tail_event(effect: &Effect, place: Option<Place<'_>>, enforced: bool) -> Option<TailEvent> {
    let mut event = match effect {
        Effect::Seen(_) => return None,
        Effect::Ban(ban) => banned(TailKind::Ban, ban),
        Effect::Extend { ban, .. } => banned(TailKind::Extend, ban),
        Effect::Unban { id, prefix, time, reason, .. } => TailEvent {
            prefix: Some(*prefix),
            reason: Some(Shown::of(reason.name())),
            ..blank(TailKind::Unban, *id, *time)
        },
        Effect::Hit { id, time, source, account, evidence, .. } => TailEvent {
            prefix: Some(IpNet::from(*source)),
            account: Some(shown_account(account)),
            evidence: Some(nats(*evidence)),
            ..blank(TailKind::Hit, *id, *time)
        },
        Effect::StaleDevice { id, time, source, account, .. } => TailEvent {
            prefix: Some(IpNet::from(*source)),
            account: Some(shown_account(account)),
            ..blank(TailKind::StaleDevice, *id, *time)
        },
        Effect::Hub { id, time, source, .. } => {
            TailEvent { prefix: Some(IpNet::from(*source)), ..blank(TailKind::Hub, *id, *time) }
        }
        Effect::Alarm { id, time, alarm } => {
            TailEvent { reason: Some(Shown::of(alarm.name())), ..blank(TailKind::Alarm, *id, *time) }
        }
        Effect::Gap { id, time, service, .. } => {
            TailEvent { reason: Some(Shown::of(service.name())), ..blank(TailKind::Gap, *id, *time) }
        }
    };
    event.enforced =
        enforced && matches!(effect, Effect::Ban(_) | Effect::Extend { .. } | Effect::Unban { .. });
    event.input = place.map(|place| Shown::of(format!("{}:{}", place.input, place.line)));
    event.text = Shown::spelt(sentence(effect));
    Some(event)
}

fn blank(kind: TailKind, id: u64, time: fairban_core::time::Time) -> TailEvent {
    TailEvent {
        kind,
        id: Some(id),
        time: Moment::from(time),
        prefix: None,
        account: None,
        reason: None,
        evidence: None,
        until: None,
        enforced: false,
        input: None,
        text: Shown::of(""),
    }
}

fn banned(kind: TailKind, ban: &Ban) -> TailEvent {
    TailEvent {
        prefix: Some(ban.prefix),
        reason: Some(Shown::of(ban.reason.name())),
        evidence: Some(nats(ban.evidence)),
        until: ban.until.map(Moment::from),
        ..blank(kind, ban.id, ban.time)
    }
}

fn shown_account(account: &Account) -> Shown {
    // `show_account` has escaped it.
    Shown::spelt(show_account(account))
}

/// A sentence for a person; bytes from outside are escaped.
pub(crate) fn sentence(effect: &Effect) -> String {
    match effect {
        Effect::Seen(_) => String::new(),
        Effect::Ban(ban) => format!("ban {} {}: {}", ban.prefix, length(ban), why(ban)),
        Effect::Extend { ban, .. } => format!("extend {} {}: {}", ban.prefix, length(ban), why(ban)),
        Effect::Unban { prefix, reason, .. } => format!("unban {prefix}: {}", reason.name()),
        Effect::Hit { source, account, guesses, .. } => format!(
            "hit {source}: logged in as {} after {guesses} failed tries; the account is probably taken",
            show_account(account)
        ),
        Effect::StaleDevice { source, account, failures, since, .. } => format!(
            "stale device {source}: {} fails with an old password, {failures} times since {}",
            show_account(account),
            when::rfc3339(*since)
        ),
        Effect::Hub { source, accounts, .. } => {
            format!("hub {source}: {accounts} accounts log in there; it is never banned by its address")
        }
        Effect::Alarm { alarm, .. } => format!("alarm {}: {}", alarm.name(), alarm_sentence(alarm)),
        Effect::Gap { service, lost, .. } => match lost {
            0 => format!("gap: the log of {} lost lines", service.name()),
            lost => format!("gap: the log of {} lost {lost} lines", service.name()),
        },
    }
}

fn length(ban: &Ban) -> String {
    ban.until
        .map_or_else(|| "for ever".to_owned(), |until| format!("for {}", when::length(until.since(ban.time))))
}

fn why(ban: &Ban) -> String {
    if ban.limit == fairban_core::nats::Nats::ZERO {
        return "the operator ordered it".to_owned();
    }
    let weak = if ban.weak { ", weak evidence" } else { "" };
    format!(
        "{}, {} tries at {} accounts, evidence {:.1} of {:.1} nats{weak}",
        ban.reason.name(),
        ban.attempts,
        ban.accounts,
        ban.evidence.to_f64(),
        ban.limit.to_f64()
    )
}

/// What an alarm means, and what to do.
pub(crate) fn alarm_sentence(alarm: &Alarm) -> String {
    match alarm {
        Alarm::Outage { service, failing } => format!(
            "{failing} familiar clients fail together at {}: look at its backend; their failures count for nothing meanwhile",
            service.name()
        ),
        Alarm::OutageEnded { service } => format!("familiar clients log in at {} again", service.name()),
        Alarm::OutageLong { service } => {
            format!(
                "the outage of {} lasts longer than half an hour: failures are weighed again",
                service.name()
            )
        }
        Alarm::AccountUnderAttack { account, strangers } => format!(
            "{strangers} strangers failed at {} within a day; its owner is not locked out",
            show_account(account)
        ),
        Alarm::Looping { account, source, failures } => format!(
            "{} is tried from {source} without end ({failures} failures), and the log shows no secret to judge by",
            show_account(account)
        ),
        Alarm::Breaker => {
            "bans hit several sources at which people log in: such sources are only recorded until an hour after the last of \
             them; look at fairban why, and say fairban resume if these bans are right"
                .to_owned()
        }
        Alarm::Spared { source, because } => {
            format!("{source} would be banned, but is protected: {}", because.words())
        }
        Alarm::Blind { service } => format!(
            "the log of {} shows no logins that succeed: wrong passwords weigh little there; see fairban check",
            service.name()
        ),
        Alarm::Torn { service } => {
            format!(
                "records of {} without their end: a client writes line feeds into this log",
                service.name()
            )
        }
        Alarm::PenaltyOnFamiliar { source } => {
            format!("the daemon's own penalty keeps out {source}, at which people log in")
        }
        Alarm::Proxy { source } => format!(
            "nearly all logins come from {source}: a proxy; let the service log the client's address (PROXY protocol, XCLIENT)"
        ),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use fairban_core::effect::{RobotKind, UnbanReason};
    use fairban_core::nats::Nats;
    use fairban_core::time::{Span, Time};

    use super::*;

    #[test]
    fn decisions_read_well_and_hostile_names_stay_on_their_line() {
        let time = Time::from_secs(1_000_000);
        let ban = Ban {
            id: 7,
            prefix: "203.0.113.36/32".parse().expect("a prefix"),
            time,
            until: Some(time.plus(Span::hours(1))),
            evidence: Nats::milli(14_900),
            limit: Nats::milli(13_800),
            reason: RobotKind::UsernameScan,
            signals: Vec::new(),
            attempts: 4,
            accounts: 4,
            weak: false,
        };
        let effect = Effect::Ban(ban);
        assert_eq!(
            sentence(&effect),
            "ban 203.0.113.36/32 for 1 h: username-scan, 4 tries at 4 accounts, evidence 14.9 of 13.8 nats"
        );
        let event = tail_event(&effect, Some(Place { input: "/var/log/maillog", line: 12 }), true);
        let event = event.expect("is told");
        assert!(event.enforced && event.id == Some(7));
        assert_eq!(event.input.as_ref().map(Shown::as_str), Some("/var/log/maillog:12"));
        let hit = Effect::Hit {
            id: 8,
            time,
            source: "203.0.113.36".parse().expect("an address"),
            account: Account::Known(fairban_core::account::AccountKey::new(b"a\nunban 0.0.0.0/0")),
            guesses: 3,
            evidence: Nats::ZERO,
        };
        assert!(!sentence(&hit).contains('\n'));
        let unban = Effect::Unban {
            id: 9,
            of: 7,
            prefix: "203.0.113.36/32".parse().expect("a prefix"),
            time,
            reason: UnbanReason::Operator,
        };
        assert_eq!(sentence(&unban), "unban 203.0.113.36/32: operator");
    }
}
