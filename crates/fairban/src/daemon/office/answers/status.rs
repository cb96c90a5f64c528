//! `fairban status` and `fairban report`.

use std::sync::Arc;

use fairban_control::{
    BanCounts, EnforcerReport, INPUT_ROWS_MAX, InputKind, InputState, InputStatus, JournalStatus,
    MemoryStatus, Moment, PARTS_MAX, Response, ServiceStatus, Shown, SourceCounts, StatusReport, StoreHealth,
};
use fairban_core::effect::RobotKind;
use fairban_core::event::Service;
use fairban_core::time::Span;
use fairban_firewall::enforcer::EnforcerStatus;
use fairban_follow::State;

use super::{Office, told_mode};
use crate::daemon::desk::Mode;
use crate::daemon::reading::input_name;
use crate::daemon::since;

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
                last: self.desk.last_event(service).map(Moment::from),
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
                last: None,
                restarts: 0,
                refused: 0,
                remark: wrong.or(polling).map(Shown::of),
            }
        };
        let helped = self.helped.told();
        let more = (inputs.len() + helped.len()).saturating_sub(INPUT_ROWS_MAX) as u64;
        let named = inputs.iter().map(|input| (input_name(&input.key), row(input))).chain(helped);
        let with_last = |(name, row): (Arc<str>, InputStatus)| {
            let known = self.desk.inputs().iter().find(|known| *known.key == *name);
            InputStatus { last: known.and_then(|known| known.last_event).map(Moment::from), ..row }
        };
        (named.take(INPUT_ROWS_MAX).map(with_last).collect(), more)
    }

    /// What has happened since then, as far as memory reaches.
    pub(super) fn report(&mut self, since: Moment) -> Response {
        let now = self.now();
        let alarms = self.alarms.rows(now, PARTS_MAX);
        Response::Report(Box::new(since::report(&self.desk, since.time(), now, &alarms)))
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
