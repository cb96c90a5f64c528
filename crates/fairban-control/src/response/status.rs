//! How the service is.

use serde::{Deserialize, Serialize};

use super::Mode;
use crate::moment::Moment;
use crate::shown::Shown;

/// Everything that `fairban status` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The service's version.
    pub version: Shown,
    /// Its process id; 0 where none runs.
    pub pid: u32,
    /// When this was so.
    pub at: Moment,
    /// Since when it runs.
    pub since: Moment,
    /// Decide only, or enforce.
    pub mode: Mode,
    /// Since when.
    pub mode_since: Moment,
    /// Live, and not confirmed yet: falls back to shadow then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_by: Option<Moment>,
    /// Services of which a line was seen.
    pub services: Vec<ServiceStatus>,
    /// What is read; the first [`super::INPUT_ROWS_MAX`].
    pub inputs: Vec<InputStatus>,
    /// Inputs that are not told of, for there are too many.
    #[serde(default)]
    pub inputs_more: u64,
    /// Whom it watches.
    pub sources: SourceCounts,
    /// Whom it has banned.
    pub bans: BanCounts,
    /// Prefixes on the allowlist.
    #[serde(default)]
    pub allowed: u64,
    /// What shuts sources out; nothing where nothing is set up.
    #[serde(default)]
    pub enforcer: Option<EnforcerReport>,
    /// What the process has shut itself into.
    pub walls: Walls,
    /// The database.
    pub store: StoreHealth,
    /// The input journal.
    pub journal: JournalStatus,
    /// What is wrong now, worst first; at most [`super::PARTS_MAX`].
    pub alarms: Vec<AlarmRow>,
    /// What it takes.
    pub memory: MemoryStatus,
}

impl StatusReport {
    /// Without lines of logs and names of accounts, which are not for everybody.
    pub(crate) fn for_readers(&mut self) {
        for service in &mut self.services {
            service.samples.clear();
        }
        for alarm in &mut self.alarms {
            alarm.about = None;
            alarm.text = Shown::of(alarm.name.as_str());
        }
    }
}

/// A service whose lines were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Such as `dovecot`.
    pub name: Shown,
    /// Lines of it since the service began, as all counts of services and inputs.
    pub lines: u64,
    /// Lines whose form is known.
    pub understood: u64,
    /// Lines that look like the outcome of a login and are not understood.
    pub login_like: u64,
    /// Lines that told of a login.
    pub events: u64,
    /// Its log shows no successes.
    #[serde(default)]
    pub blind: bool,
    /// When its last login was, by the log.
    #[serde(default)]
    pub last: Option<Moment>,
    /// Some of the lines that look like a login and are not understood, secrets blanked, cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Shown>,
}

/// What kind of input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// A log file, with its rotated parts.
    #[default]
    File,
    /// A folder that multilog writes.
    Multilog,
    /// systemd's journal.
    Journal,
    /// A pipe or standard input.
    Stream,
    /// A syslog socket.
    Syslog,
    /// A kind that this program does not know yet.
    #[serde(other)]
    Other,
}

impl InputKind {
    /// For a table.
    pub const fn name(self) -> &'static str {
        match self {
            InputKind::File => "file",
            InputKind::Multilog => "multilog",
            InputKind::Journal => "journal",
            InputKind::Stream => "stream",
            InputKind::Syslog => "syslog",
            InputKind::Other => "other",
        }
    }
}

/// How an input is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputState {
    /// Read as it is written.
    #[default]
    Following,
    /// What was written before is being read.
    CatchingUp,
    /// It is not there yet.
    Waiting,
    /// It cannot be read.
    Failed,
    /// What brought its lines had ended and was started again; nothing has come since.
    Restarted,
    /// It is over: a pipe was closed.
    Ended,
    /// A state that this program does not know yet.
    #[serde(other)]
    Other,
}

impl InputState {
    /// For a table.
    pub const fn name(self) -> &'static str {
        match self {
            InputState::Following => "following",
            InputState::CatchingUp => "catching up",
            InputState::Waiting => "waiting",
            InputState::Failed => "failed",
            InputState::Restarted => "restarted",
            InputState::Ended => "ended",
            InputState::Other => "other",
        }
    }
}

/// Something that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputStatus {
    /// Path, or what else names it.
    pub name: Shown,
    /// What kind.
    pub kind: InputKind,
    /// How it is.
    pub state: InputState,
    /// Bytes that are written and not read yet, where that can be known.
    #[serde(default)]
    pub lag_bytes: Option<u64>,
    /// The file system does not tell of changes: it is looked at every so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling_ms: Option<u64>,
    /// Lines read.
    pub lines: u64,
    /// Bytes that were gone before they could be read.
    #[serde(default)]
    pub lost_bytes: u64,
    /// When its last login was, by its stamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Moment>,
    /// How often what brings its lines was started again since the service began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u64,
    /// Of a network listener: what was dropped unread, for its sender is none of those allowed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u64,
    /// What is wrong, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Shown>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Whom the service watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// Sources with evidence or pending failures, nobody logged in there.
    pub suspects: u64,
    /// Sources at which somebody logs in.
    pub clients: u64,
    /// Accounts that log in.
    pub accounts: u64,
    /// Sources at which many accounts log in.
    #[serde(default)]
    pub hubs: u64,
}

/// Bans, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanCounts {
    /// In force now, whether or not they are enforced.
    pub in_force: u64,
    /// Of these, by an operator.
    pub by_operator: u64,
    /// Decided in the last 24 hours.
    pub last_day: u64,
    /// Decided since the state began.
    pub ever: u64,
}

/// What shuts sources out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnforcerReport {
    /// Such as `nftables`.
    pub name: Shown,
    /// It can carry out orders now.
    pub ready: bool,
    /// Prefixes shut out, as far as it knows.
    pub shut: u64,
    /// Kernel, paths taken, what is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Shown>,
}

/// How far a wall is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WallState {
    /// As it should be.
    Up,
    /// In part: the kernel is old.
    Partly,
    /// Not at all.
    #[default]
    #[serde(other)]
    Down,
}

/// One wall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    /// How far it is up.
    pub state: WallState,
    /// Which version, what is missing, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Shown>,
}

/// What the process that reads logs has shut itself into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    /// It has no capability.
    pub capabilities: Wall,
    /// It reaches the files that it needs and no others.
    pub landlock: Wall,
    /// It makes the system calls that it needs and no others.
    pub seccomp: Wall,
}

/// The database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHealth {
    /// Everything is written.
    pub healthy: bool,
    /// Bytes on disk: database, journal and snapshots.
    pub bytes: u64,
    /// Where it stands.
    pub path: Shown,
    /// What is wrong, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Shown>,
}

/// The input journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// Number of its last record.
    pub sequence: u64,
    /// Number of the last record in the newest snapshot.
    pub snapshot: u64,
    /// When that snapshot was made.
    #[serde(default)]
    pub snapshot_at: Option<Moment>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmRow {
    /// A stable name, such as `outage`.
    pub name: Shown,
    /// Since when.
    pub since: Moment,
    /// Whom or what it concerns: a service, an account, a source, an input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Shown>,
    /// A sentence: what it means, and what to do.
    pub text: Shown,
}

/// What the service takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStatus {
    /// Bytes of memory that are resident.
    pub resident_bytes: u64,
}
