//! `fairban status` and `fairban report`.

use fairban_control::{
    BanCounts, CasualtyRow, EnforcerReport, INPUT_ROWS_MAX, InputKind, InputState, InputStatus,
    JournalStatus, KindRow, MemoryStatus, Moment, PARTS_MAX, Response, RuleResult, ServiceStatus, Shown,
    SinceReport, SourceCounts, StatusReport, StoreHealth,
};
use fairban_core::effect::RobotKind;
use fairban_core::event::Service;
use fairban_core::time::Span;
use fairban_firewall::enforcer::EnforcerStatus;
use fairban_follow::State;

use super::{Office, told_mode};
use crate::daemon::desk::Mode;

/// Watched for less than this, nobody should go live on what was seen.
const WATCHED_MIN: Span = Span::hours(24);

impl Office {
    pub(in crate::daemon::office) fn status(&mut self) -> StatusReport {
        let now = self.now();
        let census = self.desk.engine().census();
        // Those that are over are forgotten with the next line.
        let on = || self.desk.bans().iter().filter(|(_, ban)| ban.until.is_none_or(|until| until > now));
        let in_force = on().count() as u64;
        let by_operator = on().filter(|(_, ban)| ban.reason == RobotKind::Operator).count() as u64;
        let last_day = on().filter(|(_, ban)| now.since(ban.from) <= Span::hours(24)).count() as u64;
        let (inputs, inputs_more) = self.input_rows();
        let confirm_by = match self.desk.mode() {
            Mode::Live { confirm_until } => confirm_until.map(Moment::from),
            Mode::Shadow => None,
        };
        StatusReport {
            version: Shown::of(env!("CARGO_PKG_VERSION")),
            pid: std::process::id(),
            at: Moment::from(now),
            since: Moment::from(self.facts.started),
            mode: told_mode(self.desk.mode()),
            mode_since: Moment::from(self.desk.mode_since()),
            confirm_by,
            services: self.service_rows(),
            inputs,
            inputs_more,
            sources: SourceCounts {
                suspects: census.suspects,
                clients: census.clients,
                accounts: census.accounts,
                hubs: self.desk.tally().hubs.len() as u64,
            },
            bans: BanCounts { in_force, by_operator, last_day, ever: self.desk.tally().totals.bans },
            allowed: self.desk.allowlist().len() as u64,
            enforcer: enforcer_report(self.doors.status()),
            walls: self.facts.walls.clone(),
            store: StoreHealth {
                healthy: self.recorder.trouble().is_none() && self.keeper.trouble().is_none(),
                bytes: self.recorder.bytes() + self.keeper.bytes(),
                path: Shown::spelt(self.facts.state_dir.clone()),
                remark: self.recorder.trouble().or(self.keeper.trouble()).map(Shown::spelt),
            },
            journal: JournalStatus {
                sequence: self.desk.seq(),
                snapshot: self.keeper.rolled_seq(),
                snapshot_at: None,
            },
            alarms: self.alarm_rows(),
            memory: MemoryStatus { resident_bytes: resident_bytes() },
        }
    }

    /// What is wrong now; the breaker as it stands, for it outlives the process.
    fn alarm_rows(&mut self) -> Vec<fairban_control::AlarmRow> {
        let now = self.now();
        match self.desk.engine().breaker() {
            Some(open) => {
                let text = format!(
                    "bans hit several sources at which people log in: such sources are only recorded ({} so far), strangers are \
                     banned as ever. It ends at {}, unless there are more. Look at them with fairban why; if these bans are \
                     right: fairban resume",
                    open.spared,
                    crate::when::rfc3339(open.until)
                );
                self.alarms.since("breaker", open.since, text, now);
            }
            None => {
                self.alarms.end("breaker", "");
            }
        }
        self.alarms.rows(now, PARTS_MAX)
    }

    fn service_rows(&self) -> Vec<ServiceStatus> {
        let row = |service: Service| {
            let health = self.health.service(service);
            (health.lines > 0).then(|| ServiceStatus {
                name: Shown::of(service.name()),
                lines: health.lines,
                understood: health.understood,
                login_like: health.login_like,
                events: health.events,
                blind: self.desk.engine().blindness(service).blind,
                last: self.last_event[service.index()].map(Moment::from),
                samples: health.samples.iter().take(PARTS_MAX).map(Shown::of).collect(),
            })
        };
        Service::ALL.into_iter().filter_map(row).collect()
    }

    fn input_rows(&self) -> (Vec<InputStatus>, u64) {
        let inputs = self.inputs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let row = |input: &fairban_follow::InputStatus| {
            use std::os::unix::ffi::OsStrExt as _;
            let (state, wrong) = match &input.state {
                State::CatchingUp => (InputState::CatchingUp, None),
                State::Following => (InputState::Following, None),
                State::Missing => (InputState::Waiting, None),
                State::Unreadable(why) => (InputState::Failed, Some(why.clone())),
                State::Ended => (InputState::Ended, None),
            };
            let polling = input.polling.as_ref().map(ToString::to_string);
            InputStatus {
                name: Shown::of(input.name.as_os_str().as_bytes()),
                kind: match input.key.kind() {
                    fairban_follow::InputKind::File => InputKind::File,
                    fairban_follow::InputKind::Multilog => InputKind::Multilog,
                    fairban_follow::InputKind::Datagram => InputKind::Syslog,
                    fairban_follow::InputKind::Stream => InputKind::Journal,
                    fairban_follow::InputKind::Pipe | fairban_follow::InputKind::Stdin => InputKind::Stream,
                },
                state,
                lag_bytes: Some(input.lag_bytes),
                polling_ms: polling.as_ref().map(|_| 1_000),
                lines: input.lines,
                lost_bytes: input.lost_bytes,
                remark: wrong.or(polling).map(Shown::of),
            }
        };
        let helped = self.helped.told();
        let more = (inputs.len() + helped.len()).saturating_sub(INPUT_ROWS_MAX) as u64;
        (inputs.iter().map(row).chain(helped).take(INPUT_ROWS_MAX).collect(), more)
    }

    /// What has happened since the tally began, which may be later than what was asked for.
    pub(super) fn report(&mut self, since: Moment) -> Response {
        let now = self.now();
        let tally = self.desk.tally_since(since.time());
        let began = tally.span.map_or(now, |(first, _)| first);
        let casualties: Vec<CasualtyRow> = tally
            .robots
            .rows()
            .iter()
            .filter(|robot| robot.is_casualty())
            .take(PARTS_MAX)
            .map(|robot| CasualtyRow {
                source: robot.prefix,
                logins_before: robot.logins.before,
                logins_denied: robot.logins.denied,
                logins_after: robot.logins.after,
            })
            .collect();
        let honest: Vec<_> = tally.people.spared().map(|(_, person)| person).collect();
        let rule = RuleResult {
            rule: Shown::of(tally.rule().to_string()),
            bans: tally.totals.rule_bans,
            honest_banned: honest.len() as u64,
            logins_denied: honest.iter().map(|person| u64::from(person.rule_denied)).sum(),
        };
        let kind = |(reason, kind): (&RobotKind, &crate::tally::Kinds)| KindRow {
            reason: Shown::of(reason.name()),
            sources: kind.sources,
            attempts: kind.attempts,
            kept_out: kind.kept_out,
        };
        let mut report = SinceReport {
            since: Moment::from(began.max(since.time())),
            until: Moment::from(now),
            mode: told_mode(self.desk.mode()),
            attempts: tally.totals.attempts,
            logins: tally.totals.successes,
            failures: tally.totals.failures,
            bans: tally.totals.bans,
            banned_sources: tally.totals.banned_sources,
            kept_out: tally.totals.kept_out,
            kinds: tally.kinds.iter().map(kind).collect(),
            hits: tally.totals.hits,
            stale_devices: tally.stale_devices.len() as u64,
            rule,
            casualties,
            safe: false,
            reasons: Vec::new(),
            command: None,
        };
        self.judge_safety(&mut report, now.since(began));
        Response::Report(Box::new(report))
    }

    /// Whether it is safe to go live, and why.
    fn judge_safety(&mut self, report: &mut SinceReport, watched: Span) {
        let mut against = Vec::new();
        let denied: u64 = report.casualties.iter().map(|row| row.logins_denied).sum();
        if denied > 0 {
            against.push(format!(
                "bans would have denied {denied} logins where people log in: look at fairban why"
            ));
        }
        if watched < WATCHED_MIN {
            let watched = crate::when::length(watched);
            against.push(format!("only {watched} of logs have been seen; a day shows the usual clients"));
        }
        if report.logins == 0 {
            against.push(
                "no login that succeeded was seen: people cannot be told from robots by failures alone"
                    .to_owned(),
            );
        }
        let now = self.now();
        for alarm in self.alarms.rows(now, PARTS_MAX) {
            if matches!(alarm.name.as_str(), "clock" | "stamps-ahead" | "input" | "journal") {
                against.push(format!("{}: {}", alarm.name.as_str(), alarm.text.as_str()));
            }
        }
        report.safe = against.is_empty();
        if report.safe {
            against.push(format!(
                "in {} no ban would have denied anybody a login",
                crate::when::length(watched)
            ));
            if !self.desk.mode().is_live() {
                report.command = Some(Shown::of("fairban mode live"));
            }
        }
        report.reasons = against.into_iter().map(Shown::spelt).collect();
    }
}

/// As it is told; nothing where nothing shuts out.
pub(super) fn enforcer_report(enforcer: EnforcerStatus) -> Option<EnforcerReport> {
    (enforcer.name != "none").then(|| EnforcerReport {
        name: Shown::of(enforcer.name),
        ready: enforcer.ready,
        shut: enforcer.shut,
        remarks: enforcer.remarks.into_iter().take(PARTS_MAX).map(Shown::of).collect(),
    })
}

/// Resident memory of this process; 0 where the kernel does not tell.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
