//! Starting up: in the order that rights are given up in, and nothing is missed in.
//!
//! As root, if we are: folders are made and given to the user of the service. Then the walls are closed, before there is
//! a second thread and before a byte of a log is read. Then the state is taken up, the control socket listens, and the
//! inputs are followed from where they were left.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{bounded, unbounded};
use fairban_control::{Access, Server, Shown, Wall as ToldWall, WallState, Walls};
use fairban_core::time::{Span, Time};
use fairban_firewall::enforcer::Enforcer;
use fairban_follow::{Follower, Options, Start, Unpack};
use fairban_helper::Helper;
use fairban_store::roll::Keep;
use fairban_store::state_dir::StateDir;
use fairban_wall::{Calls, Capability, Denied, Identity, LandlockState, Layer, Raised, Tcp, Wall};

use super::alarms::Alarms;
use super::assistant::{self, Alarm, Assistant, stored_cursor};
use super::bites::Way;
use super::desk::{Action, CONFIRM_WITHIN, Desk, Entry, Mode};
use super::doors::Doors;
use super::enforcers::{self, Chosen};
use super::floor::Floor;
use super::helped::{self, JOURNAL};
use super::intake::Intake;
use super::keeper::{self, Blank, Keeper, Recovered};
use super::limiting::Limiting;
use super::office::{Facts, Feed, Inbox, Office, Signal};
use super::reading::{FEEDS_MAX, Order, Reader, position};
use super::recorder::Recorder;
use super::reload::{FromFiles, engine_config, first_mode, sources};
use super::timeline::{Clock as _, SystemClock, Timeline};
use crate::Done;
use crate::accounts::Accounts;
use crate::cli::RunArgs;
use crate::config::{self, Config, InputSource, Paths};
use crate::error::{self, Failure, Kind, shown};
use crate::input::live::{self, Plan};
use crate::input::unpack;

/// The counting rule that reports compare with.
pub(super) const RULE: &str = "5/10m/10m";

/// Runs the service until it is told to stop.
///
/// # Errors
/// The configuration is wrong, or what surrounds us does not let us start; afterwards nothing ends the service but a
/// signal or a fault of ours.
pub(crate) fn run(args: &RunArgs) -> Done {
    let paths = Paths::new(args.config.as_deref());
    let config = load(&paths)?;
    let root = Path::new("/");
    let plan = live::plan(&config, root);
    for (folder, error) in &plan.closed {
        error::warn(&format!("{} cannot be searched for logs: {error}", shown(folder)), None);
    }
    let identity = prepare_folders(&config)?;
    let floor = Floor::read(root, None);
    let helper = start_helper(&config, &plan, identity.as_ref())?;
    let (chosen, _) = enforcers::chosen(&config);
    let way = Way {
        kind: chosen.kind(),
        ports: chosen.ports(&config),
        grace: Span::secs(i64::from(args.grace_seconds)),
    };
    let enforcer =
        chosen.clone().open().map_err(|error| environment("cannot start what shuts sources out", &error))?;
    let raised = close_walls(&config, &paths, &plan, &chosen, identity)?;
    let signals = signals()?;
    let dir = StateDir::open(&config.state_dir.value)
        .map_err(|error| environment("cannot use the state directory", &error))?;
    let key = secret_key(&config.key_file())?;
    let rule = RULE.parse().map_err(|why: String| Failure::new(Kind::Internal, why))?;
    let keeping = keeper::Options {
        roll_after_bytes: args.roll_after_bytes,
        keep: if args.keep_journal { Keep::Everything } else { Keep::Needed },
        ..keeper::Options::default()
    };
    let recovered = Keeper::open(&dir, Blank { key, rule }, keeping)
        .map_err(|error| environment("cannot take up the state", &error))?;
    start(Started {
        config,
        paths,
        plan,
        raised,
        dir,
        key,
        recovered,
        signals,
        helper,
        enforcer,
        floor,
        confirm_within: args.confirm_within.map(|seconds| Span::secs(i64::from(seconds))),
        way,
        root: root.to_owned(),
    })
}

/// What is there when the walls stand and the state is taken up.
struct Started {
    config: Config,
    paths: Paths,
    plan: Plan,
    raised: Raised,
    dir: StateDir,
    key: [u8; 16],
    recovered: Recovered,
    signals: crossbeam_channel::Receiver<Signal>,
    helper: Option<Helper>,
    enforcer: Box<dyn Enforcer>,
    floor: Floor,
    confirm_within: Option<Span>,
    way: Way,
    root: PathBuf,
}

fn start(started: Started) -> Done {
    let Started { config, plan, raised, dir, key, recovered, signals, helper, .. } = started;
    let (floor, paths, root) = (started.floor, started.paths, started.root);
    let Recovered { keeper, desk, effects, remarks } = recovered;
    for remark in &remarks {
        error::warn(remark, None);
    }
    let (running, asked, publisher) =
        bind(&config)?.start().map_err(|error| environment("cannot listen to operators", &error))?;
    let (told, doors_told) = unbounded();
    let doors = Doors::start(started.enforcer, told).map_err(|error| no_thread(&error))?;
    let (recorder, notices) = record(&config, &dir)?;
    let clock = SystemClock::new();
    let lines = Lines::open(&config, &plan, &desk, key, helper)?;
    let (walls, shown_walls) = (told_walls(&raised), raised.to_string());
    let reload = FromFiles {
        paths,
        root,
        helper: lines.assistant.is_some().then(|| (lines.reins.assistant.clone(), lines.reins.alarm.clone())),
        current: config,
        floor: floor.clone(),
        reader: lines.reins.reader.clone(),
        waker: lines.reins.waker.clone(),
        readers: running.readers(),
        raised,
    };
    let engine = floor.added_to(engine_config(&reload.current), &reload.current);
    let (first, closed) = (first_mode(&reload.current), closed_doors(&reload.current));
    let mut office = Office {
        facts: Facts { started: clock.now(), walls, state_dir: shown(dir.path()), closed },
        timeline: Timeline::new(&clock, desk.engine().now()),
        desk,
        keeper,
        recorder,
        doors,
        all_ports: reload.current.bans.all_ports.value,
        floor,
        sessions: Vec::new(),
        limits: Limiting::new(reload.current.limit_specs()),
        confirm_within: started.confirm_within.unwrap_or(CONFIRM_WITHIN),
        way: started.way,
        shut_since: None,
        publisher,
        clock: Box::new(clock),
        inputs: Arc::clone(&lines.reader.status),
        helped: lines.helped,
        reload: Box::new(reload),
        alarms: Alarms::default(),
        health: fairban_parse::health::Health::default(),
        behind: true,
        behind_each: [true, lines.assistant.as_ref().is_some_and(Assistant::is_behind)],
        reads: BTreeMap::new(),
        unread_bytes: 0,
        watchdog: sd_notify::watchdog_enabled().map(|every| every / 2),
        watchdog_due: Duration::ZERO,
    };
    office.recover(effects, engine, first, &dir.path().join(crate::panic::NOTE));
    let (feed, resolved) = (lines.feed, lines.resolved);
    let inbox = Inbox { feed, asked, doors: doors_told, signals, notices, resolved };
    work(office, inbox, lines.reader, lines.assistant, &lines.reins, &shown_walls)?;
    running.stop();
    Ok(())
}

/// Reads, decides and answers until it is told to stop.
fn work(
    office: Office,
    inbox: Inbox,
    reader: Reader,
    assistant: Option<Assistant>,
    reins: &Reins,
    walls: &str,
) -> Done {
    let spawn = |name: &str| thread::Builder::new().name(name.to_owned());
    let reading = spawn("reading").spawn(move || reader.run()).map_err(|error| no_thread(&error))?;
    let assisting = assistant.map(|assistant| spawn("helper").spawn(move || assistant.run()));
    let _ = sd_notify::notify(&[
        sd_notify::NotifyState::Ready,
        sd_notify::NotifyState::Status("reading old lines"),
    ]);
    error::note(&format!("fairban {} runs; {walls}", env!("CARGO_PKG_VERSION")));
    office.run(&inbox, || {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        reins.stop();
    });
    // Who waits for us to take what it read ends when nobody does.
    drop(inbox);
    let _ = reading.join();
    if let Some(Ok(assisting)) = assisting {
        let _ = assisting.join();
    }
    Ok(())
}

/// Starts the database's thread; what it has to say comes out of the channel.
fn record(
    config: &Config,
    dir: &StateDir,
) -> Result<(Recorder, crossbeam_channel::Receiver<fairban_store::database::Notice>), Failure> {
    let (notice_sender, notices) = unbounded();
    let kept = fairban_store::database::Options {
        bytes_max: u64::from(config.history.megabytes.value) << 20,
        days_max: u32::try_from(config.history.keep.value.as_secs() / 86_400).unwrap_or(u32::MAX).max(1),
        ..fairban_store::database::Options::default()
    };
    let recorder =
        Recorder::start(&dir.database(), kept, notice_sender).map_err(|error| no_thread(&error))?;
    Ok((recorder, notices))
}

/// Who brings lines, ready to begin.
struct Lines {
    reader: Reader,
    assistant: Option<Assistant>,
    helped: helped::Table,
    feed: crossbeam_channel::Receiver<Feed>,
    resolved: crossbeam_channel::Receiver<Vec<ipnet::IpNet>>,
    reins: Reins,
}

/// How those who bring lines are told what to do.
struct Reins {
    reader: crossbeam_channel::Sender<Order>,
    waker: fairban_follow::Waker,
    assistant: crossbeam_channel::Sender<assistant::Order>,
    alarm: Alarm,
    /// Where there is no helper too: a channel without senders would wake who waits for it again and again.
    _resolved: crossbeam_channel::Sender<Vec<ipnet::IpNet>>,
}

impl Reins {
    fn stop(&self) {
        let _ = self.reader.send(Order::Stop);
        self.waker.wake();
        let _ = self.assistant.send(assistant::Order::Stop);
        self.alarm.ring();
    }
}

impl Lines {
    /// From where the desk was left.
    fn open(
        config: &Config,
        plan: &Plan,
        desk: &Desk,
        key: [u8; 16],
        helper: Option<Helper>,
    ) -> Result<Lines, Failure> {
        let (feed_sender, feed) = bounded(FEEDS_MAX);
        let (order_sender, orders) = unbounded();
        let (sources, readings) = sources(plan);
        let left = resume(desk);
        let follower = Follower::new(sources, left.clone().into_iter().collect(), follow_options(config))
            .map_err(|error| environment("cannot follow the logs", &error))?;
        let waker = follower.waker();
        let (resolved_sender, resolved) = unbounded();
        let (assistant_sender, assistant_orders) = unbounded();
        let alarm = Alarm::new().map_err(|error| environment("cannot wake threads", &error))?;
        let table = helped::Table::default();
        let assistant = helper.map(|mut helper| {
            table.set(helped::inputs(plan));
            // Its first worker waits for its orders, so the place to go on from is not too late.
            let cursor = stored_cursor(desk.inputs());
            let again = assistant::config(config, plan, cursor.as_deref());
            if let Err(error) = helper.reconfigure(again) {
                error::warn(&error.to_string(), None);
            }
            let senders = (feed_sender.clone(), resolved_sender.clone());
            Assistant::new(helper, key, table.clone(), senders, assistant_orders, alarm.clone())
        });
        let reader = Reader {
            follower,
            intake: Intake::new(key),
            readings,
            feed: feed_sender,
            orders,
            status: Arc::new(Mutex::new(Vec::new())),
            inputs: BTreeMap::new(),
            left,
            batch: Feed { behind: true, ..Feed::default() },
        };
        let reins = Reins {
            reader: order_sender,
            waker,
            assistant: assistant_sender,
            alarm,
            _resolved: resolved_sender,
        };
        Ok(Lines { reader, assistant, helped: table, feed, resolved, reins })
    }
}

fn no_thread(error: &io::Error) -> Failure {
    environment("cannot start a thread", error)
}

/// Starts the program that has the network, if it has anything to do: afterwards we start nothing any more.
fn start_helper(
    config: &Config,
    plan: &Plan,
    identity: Option<&Identity>,
) -> Result<Option<Helper>, Failure> {
    // A user of its own keeps it from our files; without one it runs as we do, behind its own wall.
    let own = Accounts::read().ok().and_then(|accounts| {
        let user = accounts.user("fairban-helper")?;
        let journal = accounts.group("systemd-journal").map(|group| group.gid);
        Some(Identity { uid: user.uid, gid: user.gid, groups: journal.into_iter().collect() })
    });
    let identity = identity.map(|ours| own.unwrap_or_else(|| ours.clone()));
    assistant::start(assistant::config(config, plan, None), identity).map_err(|error| {
        let what = "cannot start the helper, which the journal, network syslog and names of allow need";
        environment(what, &error)
    })
}

pub(super) fn load(paths: &Paths) -> Result<Config, Failure> {
    use std::io::IsTerminal as _;
    Config::load(paths).map(|loaded| loaded.config).map_err(|report| {
        let styled = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        error::raw(&report.render(styled));
        let count = error::plural(report.problems.len() as u64, "mistake");
        Failure::new(Kind::Config, format!("the configuration is wrong: {count}"))
    })
}

/// Makes the folders of the service and gives them to its user. `None` where we are not root, or there is no such user.
fn prepare_folders(config: &Config) -> Result<Option<Identity>, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts =
        Accounts::read().map_err(|error| environment("cannot read the users of this machine", &error))?;
    let Some(user) = accounts.user(&config.user.value) else {
        let message = format!("there is no user {}", config.user.value);
        let hint = format!(
            "useradd --system {0}, or name another user in the configuration (user = \"{0}\")",
            config.user.value
        );
        return Err(Failure::new(Kind::Environment, message).hint(hint));
    };
    let group = config.group.value.as_deref();
    let gid = match group {
        None => user.gid,
        Some(name) => accounts
            .group(name)
            .map(|group| group.gid)
            .ok_or_else(|| Failure::new(Kind::Environment, format!("there is no group {name}")))?,
    };
    let run_dir = config.control.socket.value.parent().map(Path::to_owned);
    for (folder, mode) in [(Some(config.state_dir.value.clone()), 0o700), (run_dir, 0o755)] {
        let Some(folder) = folder else { continue };
        let made = !folder.exists();
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(&folder)
            .map_err(|error| environment(&format!("cannot make {}", shown(&folder)), &error))?;
        // A folder that was there before is its owner's business, unless it is ours alone.
        if made || folder == config.state_dir.value {
            chown(&folder, Some(user.uid), Some(gid))
                .map_err(|error| environment(&format!("cannot give away {}", shown(&folder)), &error))?;
        }
    }
    let mut groups: Vec<u32> = user.groups.iter().map(|group| group.gid).collect();
    groups.extend(
        config.control.group.value.as_deref().and_then(|name| accounts.group(name)).map(|group| group.gid),
    );
    groups.sort_unstable();
    groups.dedup();
    Ok(Some(Identity { uid: user.uid, gid, groups }))
}

/// Gives up all that the process will not need. What the kernel does not have is said, not fatal.
fn close_walls(
    config: &Config,
    paths: &Paths,
    plan: &Plan,
    chosen: &Chosen,
    identity: Option<Identity>,
) -> Result<Raised, Failure> {
    let mut read: Vec<PathBuf> =
        ["/etc", "/usr/share/zoneinfo", "/proc/self", "/run/systemd/notify", "/dev/urandom"]
            .map(PathBuf::from)
            .into();
    // Editors replace a file: its folder is what a reload reads.
    read.extend(std::path::absolute(&paths.main).ok().and_then(|main| Some(main.parent()?.to_owned())));
    for allow in &config.allow {
        if let config::Allow::File(path) = &allow.value {
            read.extend(path.parent().map(Path::to_owned));
        }
    }
    read.extend(chosen.read().map(Path::to_owned));
    read.extend(Floor::folders());
    for input in &plan.inputs {
        match &input.source {
            InputSource::File(path) | InputSource::Pipe(path) => read.push(folder_of(path)),
            InputSource::Multilog(path) => read.push(path.clone()),
            InputSource::Journal(_) | InputSource::Syslog(_) => {}
        }
    }
    let mut write = vec![config.state_dir.value.clone()];
    write.extend(config.control.socket.value.parent().map(Path::to_owned));
    write.extend(chosen.written().map(Path::to_owned));
    write.extend(config.key_file().parent().map(Path::to_owned));
    for input in &plan.inputs {
        if let InputSource::Syslog(crate::config::Listen::Unix(path)) = &input.source {
            write.extend(path.parent().map(Path::to_owned));
        }
    }
    let wall = Wall {
        identity,
        // Only where the drop-in for logs that nothing else opens is installed.
        keep: Some(Capability::ReadAnyFile).filter(|right| right.is_given()).into_iter().collect(),
        passed_on: false,
        read,
        write,
        execute: Vec::new(),
        tcp: Tcp::default(),
        calls: Calls::Reader,
        denied: Denied::Fails,
    };
    wall.close().map_err(|error| environment("cannot give up rights", &error))
}

/// Rotation makes new files, and a pattern finds them: the folder is what is read, the last one that a pattern does not vary.
fn folder_of(path: &Path) -> PathBuf {
    let varies =
        |folder: &Path| folder.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte));
    let fixed = path.ancestors().skip(1).find(|folder| !varies(folder));
    fixed.unwrap_or(Path::new("/")).to_owned()
}

fn told_walls(raised: &Raised) -> Walls {
    let layer = |layer: &Layer| match layer {
        Layer::Up => ToldWall { state: WallState::Up, remark: None },
        Layer::NotAsked => ToldWall { state: WallState::Down, remark: None },
        Layer::Missing(why) => ToldWall { state: WallState::Down, remark: Some(Shown::of(why)) },
    };
    let landlock = match &raised.landlock.state {
        LandlockState::Enforced { abi } => {
            ToldWall { state: WallState::Up, remark: Some(Shown::of(format!("version {abi}"))) }
        }
        LandlockState::Partial { abi, missing } => {
            let remark = format!("version {abi}: {missing}");
            ToldWall { state: WallState::Partly, remark: Some(Shown::of(remark)) }
        }
        LandlockState::Missing(why) => ToldWall { state: WallState::Down, remark: Some(Shown::of(why)) },
    };
    let kept: Vec<String> = raised.capabilities.kept.iter().map(ToString::to_string).collect();
    let capabilities = if kept.is_empty() {
        ToldWall { state: WallState::Up, remark: None }
    } else {
        ToldWall { state: WallState::Partly, remark: Some(Shown::of(kept.join(" and "))) }
    };
    Walls { capabilities, landlock, seccomp: layer(&raised.seccomp) }
}

fn bind(config: &Config) -> Result<Server, Failure> {
    let group = match config.control.group.value.as_deref() {
        None => None,
        Some(name) => {
            let accounts = Accounts::read()
                .map_err(|error| environment("cannot read the groups of this machine", &error))?;
            let group = accounts.group(name).map(|group| group.gid);
            Some(group.ok_or_else(|| {
                Failure::new(Kind::Environment, format!("there is no group {name}"))
                    .hint("groupadd it, or take control.group out of the configuration")
            })?)
        }
    };
    let access = Access { group, readers: config.control.status_for_all.value };
    Server::bind(&config.control.socket.value, &access)
        .map_err(|error| environment("cannot listen to operators", &error))
}

/// Where each input was left.
fn resume(desk: &Desk) -> BTreeMap<fairban_follow::InputKey, fairban_follow::Position> {
    let files = desk.inputs().iter().filter(|input| input.key != JOURNAL);
    files.filter_map(|input| position(input.position.as_deref()?)).collect()
}

fn follow_options(config: &Config) -> Options {
    let back = Duration::from_secs(config.read_back.value.as_secs().unsigned_abs());
    let since = SystemTime::now().checked_sub(back).unwrap_or(SystemTime::UNIX_EPOCH);
    Options { start: Start::Since(since), unpack: Some(Box::new(Archives)), ..Options::default() }
}

/// Rotated files that were compressed.
struct Archives;

impl Unpack for Archives {
    fn unpack(&self, file: File) -> io::Result<Box<dyn io::Read + Send>> {
        unpack(file)
    }
}

/// The key of secret tags and tables: made once, and kept where only the service reads it.
fn secret_key(path: &Path) -> Result<[u8; 16], Failure> {
    let failed = |what: &str, error: &io::Error| {
        environment(&format!("cannot {what} the key file {}", shown(path)), error)
    };
    match fs::read(path) {
        Ok(bytes) => {
            bytes.get(..16).and_then(|key| key.try_into().ok()).filter(|_| bytes.len() == 16).ok_or_else(
                || {
                    let message = format!("the key file {} does not hold 16 bytes", shown(path));
                    Failure::new(Kind::Config, message)
                        .hint("remove it together with the state directory to begin anew")
                },
            )
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; 16];
            File::open("/dev/urandom")
                .and_then(|mut random| random.read_exact(&mut key))
                .map_err(|error| failed("fill", &error))?;
            let temporary = path.with_extension("new");
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&temporary)
                .and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()))
                .and_then(|()| fs::rename(&temporary, path))
                .map_err(|error| failed("write", &error))?;
            Ok(key)
        }
        Err(error) => Err(failed("read", &error)),
    }
}

/// HUP reads the configuration again; TERM and INT end.
fn signals() -> Result<crossbeam_channel::Receiver<Signal>, Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])
        .map_err(|error| environment("cannot take signals", &error))?;
    let (sender, receiver) = unbounded();
    let wait = move || {
        for signal in signals.forever() {
            let signal = if signal == SIGHUP { Signal::Reload } else { Signal::Stop };
            if sender.send(signal).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)
        .map_err(|error| environment("cannot start a thread", &error))?;
    Ok(receiver)
}

/// What a ban closes, for a person.
fn closed_doors(config: &Config) -> String {
    let (chosen, _) = enforcers::chosen(config);
    match chosen {
        Chosen::List(path, _) => format!("whatever asks {}", shown(&path)),
        _ if config.bans.all_ports.value => "all ports of this machine, and its own connections to them".to_owned(),
        _ => match &config.bans.ports.value {
            Some(ports) => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                format!("the ports {} of this machine, and 25 for who guessed there", ports.join(", "))
            }
            None => "the ports of login services of this machine (22, 110, 143, 465, 587, 993, 995 and 4190, unless \
                     fairban-fw was told others), and 25 for who guessed there"
                .to_owned(),
        },
    }
}

fn environment(message: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(Kind::Environment, message).caused_by(error)
}

impl Office {
    /// Takes up what was left: what the journal's last entries caused is recorded again, and the configuration is told if it
    /// is another than before.
    fn recover(
        &mut self,
        effects: Vec<(u64, fairban_core::effect::Effect)>,
        config: fairban_core::engine::Config,
        mode: Mode,
        note: &Path,
    ) {
        for (seq, effect) in effects {
            self.recorder.effects(seq, std::slice::from_ref(&effect), &self.desk);
        }
        let key = self.desk.config().key;
        let config = fairban_core::engine::Config { key, narrate: true, ..config };
        if self.desk.seq() == 0 || *self.desk.config() != config {
            let time: Time = self.now();
            // A state that begins learns from old lines: its time is theirs.
            let time = if self.desk.learnt() { time } else { Time::from_secs(0) };
            self.enter(&[Entry::Configured { time, config, mode }], None);
        }
        self.obey_note(note);
        self.tell_allowlist(None);
        self.tell_sessions();
        self.tell_limits(None);
        if !self.desk.mode().is_live() {
            // A life before this one may have been live.
            self.open_all();
        }
    }
    /// Somebody let everybody in while we did not run, and wants it to stay so.
    fn obey_note(&mut self, note: &Path) {
        if !note.exists() {
            return;
        }
        if self.desk.mode().is_live() {
            self.action(super::office::by_itself(), Action::Mode(Mode::Shadow), "fairban panic".to_owned());
            error::warn("fairban panic was ordered: watching only", Some("go on with: fairban mode live"));
        }
        if let Err(error) = fs::remove_file(note) {
            error::warn(&format!("cannot remove {}: {error}", shown(note)), None);
        }
    }
}
