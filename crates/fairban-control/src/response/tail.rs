//! Decisions as they happen.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::shown::Shown;

/// What kind of decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TailKind {
    /// A source is shut out.
    Ban,
    /// A ban lasts longer.
    Extend,
    /// A source is let in before the end of its ban.
    Unban,
    /// A guessing source logged in.
    Hit,
    /// A device goes on with an old password.
    StaleDevice,
    /// Many accounts log in at a source.
    Hub,
    /// Something is wrong.
    Alarm,
    /// A log lost lines.
    Gap,
    /// An operator gave an order.
    Operator,
    /// A kind that this program does not know yet. Nobody can ask for it.
    #[serde(other)]
    Other,
}

impl TailKind {
    /// All that can be asked for.
    pub const ALL: [TailKind; 9] = [
        TailKind::Ban,
        TailKind::Extend,
        TailKind::Unban,
        TailKind::Hit,
        TailKind::StaleDevice,
        TailKind::Hub,
        TailKind::Alarm,
        TailKind::Gap,
        TailKind::Operator,
    ];

    /// As in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            TailKind::Ban => "ban",
            TailKind::Extend => "extend",
            TailKind::Unban => "unban",
            TailKind::Hit => "hit",
            TailKind::StaleDevice => "stale-device",
            TailKind::Hub => "hub",
            TailKind::Alarm => "alarm",
            TailKind::Gap => "gap",
            TailKind::Operator => "operator",
            TailKind::Other => "other",
        }
    }

    pub(crate) const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// One decision, for those who tail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TailEvent {
    /// What kind.
    pub kind: TailKind,
    /// Its number, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// When, by the log.
    pub time: Moment,
    /// Whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<IpNet>,
    /// Which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Shown>,
    /// Why, such as `username-scan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Shown>,
    /// The sum, in nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<f64>,
    /// Until when, for a ban with an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// The firewall was told.
    #[serde(default)]
    pub enforced: bool,
    /// Where the line was read that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Shown>,
    /// A sentence for a person.
    pub text: Shown,
}
