//! [`Moment`]: a point in time as the protocol writes it.

use std::fmt;
use std::str::FromStr;

use fairban_core::time::Time;
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, to the microsecond; written as RFC 3339 in UTC: `2026-01-21T09:51:25Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Time);

/// A text is no point in time: whoever wrote it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2026-01-21T09:51:25Z")]
pub struct NotAMoment;

impl Moment {
    /// The point in time.
    pub const fn time(self) -> Time {
        self.0
    }
}

impl From<Time> for Moment {
    fn from(time: Time) -> Moment {
        Moment(time)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Out of the calendar's range (years -9999 to 9999) the nearest that is in it.
        let nearest = if self.0.micros() < 0 { Timestamp::MIN } else { Timestamp::MAX };
        write!(f, "{}", Timestamp::from_microsecond(self.0.micros()).unwrap_or(nearest))
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Moment, NotAMoment> {
        let timestamp: Timestamp = text.parse().map_err(|_| NotAMoment)?;
        Ok(Moment(Time::from_micros(timestamp.as_microsecond())))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_and_show_alike() {
        for text in ["2026-01-21T09:51:25Z", "1970-01-01T00:00:00Z", "2026-01-21T09:51:25.000001Z"] {
            assert_eq!(text.parse::<Moment>().map(|moment| moment.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("2026-01-21T10:51:25+01:00".parse::<Moment>(), Ok(Time::from_secs(1_768_989_085).into()));
        for wrong in ["", "yesterday", "2026-01-21", "2026-01-21T09:51:25", "9999999-01-01T00:00:00Z"] {
            assert_eq!(wrong.parse::<Moment>(), Err(NotAMoment), "{wrong}");
        }
        assert!(Moment::from(Time::MIN).to_string().starts_with("-00999"));
    }
}
