//! What the end of a log tells: which services, how much of it is understood, and whether its stamps can be right.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fairban_core::account::{Account, AccountKey};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, Service, Tells};
use fairban_core::time::Time;
use fairban_parse::envelope;
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};
use fairban_parse::stamp::Stamp;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use memchr::{memchr_iter, memrchr};
use serde::{Deserialize, Serialize};

use crate::cli::parse_zone;
use crate::pipeline::clock::{FileClock, YearHint};

/// So much of the end of a log is read.
pub(super) const TAIL_BYTES_MAX: u64 = 4 << 20;

/// Most addresses whose logins are counted; a log with more of them is no proxy's.
const SOURCES_MAX: usize = 20_000;

/// A stamp and the file's time of writing differ by whole quarter hours if the rest is below this: syslog daemons write
/// within seconds, and the stamp is the earlier one.
const LATE_SECS_MAX: i64 = 30;
const EARLY_SECS_MAX: i64 = 3;
const QUARTER_SECS: i64 = 900;
/// Zones reach from -12 to +14 hours, so two of them are at most 26 hours apart.
const ZONES_APART_SECS_MAX: i64 = 26 * 3_600;

/// The end of a log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) lines: u64,
    /// Lines of no known format.
    pub(super) no_format: u64,
    /// Notices that the log lost lines.
    pub(super) gaps: u64,
    pub(super) services: Vec<ServiceSeen>,
    /// Of the newest line with a stamp, in seconds since 1970.
    pub(super) newest_secs: Option<i64>,
    /// When the file was last written.
    pub(super) modified_secs: i64,
    /// The stamps name no zone, and are off by so many seconds: whole quarter hours.
    pub(super) zone_off_secs: Option<i64>,
    /// Offset of the zone in which the stamps were read, in seconds, at that time.
    pub(super) offset_secs: i64,
    /// The stamps are points in time, and lie so many seconds after the writing of the file.
    pub(super) ahead_secs: Option<i64>,
    /// A syslog daemon wrote it: others than the service may have given it the lines.
    pub(super) through_syslog: bool,
}

/// What a service said there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ServiceSeen {
    /// Place in [`Service::ALL`].
    pub(super) index: usize,
    pub(super) lines: u64,
    pub(super) understood: u64,
    /// Not understood, though they look like the outcome of a login.
    pub(super) login_like: u64,
    /// Some of these, escaped and cut.
    pub(super) samples: Vec<String>,
    pub(super) successes: u64,
    pub(super) failures: u64,
    /// Of the failures: the log does not say why.
    pub(super) unexplained: u64,
    /// Of the failures: an account's name is missing, or is only the last of several.
    pub(super) unnamed: u64,
    /// Failures whose secret could have been told apart from others.
    pub(super) plain: u64,
    /// Of these, with a tag of the secret.
    pub(super) tagged: u64,
    /// Tries over SMTP at port 25.
    pub(super) smtp: u64,
    /// Addresses with logins.
    pub(super) sources: u64,
    /// The address with most logins, how many, and at how many accounts.
    pub(super) busiest: Option<(IpAddr, u64, u64)>,
}

impl ServiceSeen {
    pub(super) fn service(&self) -> Service {
        Service::ALL[self.index.min(Service::ALL.len() - 1)]
    }
}

/// Reads the end of a log that was last written at `modified`.
pub(super) fn read(bytes: &[u8], services: u32, zone: Option<&str>, modified: Timestamp) -> Content {
    let zone = zone.and_then(|name| parse_zone(name).ok()).unwrap_or_else(TimeZone::system);
    // Tags are only compared within this run: any key serves.
    let (parser, mut health) = (Parser::new(*b"fairban's  check"), Health::default());
    let mut tallies: BTreeMap<usize, Tally> = BTreeMap::new();
    let mut from = 0;
    for feed in memchr_iter(b'\n', bytes) {
        if let Parsed::Event(_, event) = parser.line(&bytes[from..feed], &mut health)
            && services & 1 << event.service.index() != 0
        {
            tallies.entry(event.service.index()).or_default().take(&event);
        }
        from = feed + 1;
    }
    let mut content =
        Content { lines: health.lines, no_format: health.no_format, gaps: health.gaps, ..Content::default() };
    for (index, seen) in health.services.iter().enumerate() {
        if seen.lines > 0 && services & 1 << index != 0 {
            let tally = tallies.remove(&index).unwrap_or_default();
            content.services.push(ServiceSeen {
                index,
                lines: seen.lines,
                understood: seen.understood,
                login_like: seen.login_like,
                samples: seen.samples.clone(),
                ..tally.seen()
            });
        }
    }
    content.modified_secs = modified.as_second();
    if let Some((stamp, through_syslog)) = newest_stamp(bytes) {
        content.through_syslog = through_syslog;
        content.place_in_time(&stamp, &zone, modified);
    }
    content
}

impl Content {
    fn place_in_time(&mut self, stamp: &Stamp, zone: &TimeZone, modified: Timestamp) {
        let newest = FileClock::new(zone.clone(), YearHint::WrittenAt(modified), None).resolve(stamp);
        self.newest_secs = Some(newest.secs());
        self.offset_secs = i64::from(zone.to_offset(modified).seconds());
        let apart = newest.since(Time::from_secs(self.modified_secs)).as_secs();
        if matches!(stamp, Stamp::Utc(_)) {
            self.ahead_secs = (apart > EARLY_SECS_MAX).then_some(apart);
            return;
        }
        let quarters = (apart + LATE_SECS_MAX).div_euclid(QUARTER_SECS) * QUARTER_SECS;
        let rest = apart - quarters;
        let fits =
            (-LATE_SECS_MAX..=EARLY_SECS_MAX).contains(&rest) && quarters.abs() <= ZONES_APART_SECS_MAX;
        self.zone_off_secs = (fits && quarters != 0).then_some(quarters);
    }
}

/// The stamp of the last line that has one, and whether a syslog daemon wrote that line.
fn newest_stamp(bytes: &[u8]) -> Option<(Stamp, bool)> {
    let mut rest = bytes;
    while let Some(feed) = memrchr(b'\n', rest) {
        let before = &rest[..feed];
        let line = &before[memrchr(b'\n', before).map_or(0, |feed| feed + 1)..];
        if let Some((raw, record)) = envelope::split(line)
            && let Some(stamp) = raw.parse()
        {
            // multilog's and Dovecot's own stamps are followed by no host.
            let own_file = raw.bytes().first() == Some(&b'@')
                || raw.bytes().get(10) == Some(&b' ')
                || (record.program == b"dovecot" && line[raw.bytes().len()..].starts_with(b" auth: "))
                || memchr::memmem::find(&line[..line.len().min(80)], b"-login: Info: ").is_some();
            return Some((stamp, !own_file));
        }
        rest = before;
    }
    None
}

/// Events of one service.
#[derive(Default)]
struct Tally {
    seen: ServiceSeen,
    /// Logins by address, and the accounts there.
    logins: BTreeMap<IpAddr, (u64, BTreeSet<AccountKey>)>,
}

impl Tally {
    fn take(&mut self, event: &AuthEvent) {
        let seen = &mut self.seen;
        if let Tells::End { succeeded: Some(succeeded @ 1..), .. } = event.tells {
            // Postfix's disconnect line is often all that tells of a login.
            return self.login(event, u64::from(succeeded));
        }
        if !matches!(event.tells, Tells::Attempt | Tells::End { failed: Some(1..), .. }) {
            return;
        }
        if event.protocol == Protocol::Smtp {
            seen.smtp += 1;
        }
        match event.outcome {
            Outcome::Success => self.login(event, 1),
            Outcome::BadSecret | Outcome::UnknownAccount | Outcome::Failed => {
                seen.failures += 1;
                seen.unexplained += u64::from(event.outcome == Outcome::Failed);
                seen.unnamed += u64::from(!matches!(event.account, Account::Known(_) | Account::Cut(_)));
                if event.mechanism != Mechanism::Digest {
                    seen.plain += 1;
                    seen.tagged += u64::from(event.secret.is_some());
                }
            }
            _ => {}
        }
    }

    fn login(&mut self, event: &AuthEvent, times: u64) {
        self.seen.successes += times;
        let Some(source) = event.source else { return };
        if self.logins.len() >= SOURCES_MAX && !self.logins.contains_key(&source) {
            return;
        }
        let (count, accounts) = self.logins.entry(source).or_default();
        *count += times;
        if let Account::Known(key) = &event.account
            && accounts.len() < SOURCES_MAX
        {
            accounts.insert(key.clone());
        }
    }

    fn seen(mut self) -> ServiceSeen {
        self.seen.sources = self.logins.len() as u64;
        let busiest = self.logins.into_iter().max_by_key(|(_, (count, _))| *count);
        self.seen.busiest = busiest.map(|(source, (count, accounts))| (source, count, accounts.len() as u64));
        self.seen
    }
}
