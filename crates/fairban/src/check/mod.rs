//! `fairban check`: is the configuration right, does the service see what it needs, and what would run?

mod content;
mod findings;
mod firewall;
mod look;
mod output;
mod probe;
mod remedy;

use std::fs;
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

use fairban_control::{Client, InputKind, InputState};
use jiff::Timestamp;

use self::findings::{Finding, Level, Surroundings};
use self::look::{Looked, Seen};
use self::output::Output;
pub(crate) use self::probe::answer;
use self::probe::path_name;
use crate::accounts::{Accounts, User};
use crate::cli::CheckArgs;
use crate::config::{Config, InputSource, Listen, Loaded, Mode, Paths, Report};
use crate::daemon::{self, Chosen};
use crate::error::{Failure, Kind};
use crate::input::live::{self, Plan};

/// Something needs doing.
const FINDINGS: u8 = 1;

/// Checks, tells, and says by the exit code whether something needs doing.
///
/// # Errors
/// If the inputs could not be tried or the output could not be written: the environment's fault.
pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let mut output = Output::new(args.json);
    if args.firewall {
        return firewall::check(&output);
    }
    let loaded = match Config::load(&Paths::new(args.config.as_deref())) {
        Ok(loaded) => loaded,
        Err(report) => return refuse(&report, &mut output),
    };
    if args.effective {
        output.values(&loaded.config.values())?;
        return Ok(ExitCode::SUCCESS);
    }
    let accounts = Accounts::read().map_err(|error| {
        Failure::new(Kind::Environment, "cannot read the users of this machine").caused_by(&error)
    })?;
    let (mut findings, identity) = (about_files(&loaded), Identity::of(&loaded.config, &accounts));
    findings.extend(about_accounts(&loaded.config, &accounts, &identity));
    findings.extend(about_enforcer(&loaded.config, &identity));
    findings.extend(about_running(&loaded.config));
    let plan = live::plan(&loaded.config, Path::new("/"));
    output.run(&loaded, &identity)?;
    let looked = look(&plan, &identity, &accounts, &mut findings)?;
    output.inputs(&plan, &looked, Timestamp::now().as_second())?;
    output.findings(&findings)?;
    let warnings = findings.iter().filter(|finding| finding.level == Level::Warning).count();
    output.summary(warnings, findings.len() - warnings)?;
    Ok(if warnings > 0 { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
}

/// Tells of everything that is wrong with the configuration.
fn refuse(report: &Report, output: &mut Output) -> Result<ExitCode, Failure> {
    output.errors(report)?;
    if !output.is_json() {
        let styled = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        crate::error::raw(&report.render(styled));
        let count = crate::error::plural(report.problems.len() as u64, "mistake");
        crate::error::tell(&Failure::new(Kind::Config, format!("the configuration is wrong: {count}")));
    }
    Ok(ExitCode::from(Kind::Config.code()))
}

/// What only a service knows that runs: whose lines its listeners refuse, and what they suffer from.
fn about_running(config: &Config) -> Vec<Finding> {
    let answer = Client::connect(&config.control.socket.value)
        .and_then(|mut client| client.ask(&fairban_control::Request::Status));
    // Where none runs, or does not answer us, there is nothing to say.
    let Ok(fairban_control::Response::Status(status)) = answer else { return Vec::new() };
    let of_input = |input: &fairban_control::InputStatus| {
        let remark = input.remark.as_ref().map_or(String::new(), |remark| format!(": {remark}"));
        if input.refused > 0 {
            let text = format!("the running service refuses senders{remark}");
            let remedy = "if they are yours, add them to from of this input".to_owned();
            return Some(Finding::new(Level::Warning, input.name.as_str(), text).with([remedy]));
        }
        let is_network = matches!(input.kind, InputKind::Syslog | InputKind::Journal);
        let is_failed = input.state == InputState::Failed && is_network;
        is_failed.then(|| {
            let text = format!("the running service reads nothing here{remark}");
            Finding::new(Level::Warning, input.name.as_str(), text)
        })
    };
    status.inputs.iter().filter_map(of_input).collect()
}

/// As whom the inputs are tried.
struct Identity {
    user: User,
    /// Main group to take.
    gid: u32,
    /// We are root and become that user; else we are it, or stay root because there is no such user.
    becomes: bool,
    /// We are not root: what the service could do is not known.
    stays: bool,
}

impl Identity {
    fn of(config: &Config, accounts: &Accounts) -> Identity {
        let uid = rustix::process::geteuid().as_raw();
        let wanted = accounts.user(&config.user.value);
        if let (0, Some(user)) = (uid, wanted) {
            let group = config.group.value.as_deref().and_then(|name| accounts.group(name));
            return Identity {
                user: user.clone(),
                gid: group.map_or(user.gid, |g| g.gid),
                becomes: true,
                stays: false,
            };
        }
        let nameless = || User {
            name: format!("user {uid}"),
            uid,
            gid: rustix::process::getegid().as_raw(),
            groups: Vec::new(),
            shell: String::new(),
        };
        let user = accounts.user_of(uid).cloned().unwrap_or_else(nameless);
        Identity { gid: user.gid, user, becomes: false, stays: uid != 0 }
    }
}

/// Tries every input and adds what is to be said of it.
fn look(
    plan: &Plan,
    identity: &Identity,
    accounts: &Accounts,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Vec<Looked>>, Failure> {
    let systemd = Path::new("/run/systemd/system").is_dir();
    let now_secs = Timestamp::now().as_second();
    let around = Surroundings { user: &identity.user, accounts, systemd, now_secs };
    for (folder, error) in &plan.closed {
        let text = format!("cannot be searched for logs: {error}");
        findings.push(Finding::new(Level::Warning, &path_name(folder), text));
    }
    if plan.inputs.is_empty() {
        let text = "there is nothing to read: no [[input]] is configured and no log was found";
        let remedy = "[[input]] file = \"/var/log/mail.log\" in /etc/fairban/fairban.toml".to_owned();
        findings.push(Finding::new(Level::Warning, "", text).with([remedy]));
    }
    let user = identity.becomes.then_some((&identity.user, identity.gid));
    let looked = probe::ask(user, &plan.inputs)?;
    for planned in plan.inputs.iter().filter(|planned| !planned.senders.is_empty()) {
        let udp = matches!(planned.source, InputSource::Syslog(Listen::Udp(_)));
        findings.extend(udp.then(|| findings::about_senders(planned)));
    }
    for (planned, files) in plan.inputs.iter().zip(&looked) {
        for one in files {
            findings.extend(findings::about(one, planned.origin.is_some(), &around));
        }
    }
    let through_syslog: Vec<&str> = looked
        .iter()
        .flatten()
        .filter_map(|one| match &one.seen {
            Seen::Read(content) if content.through_syslog && one.path.is_some() => Some(one.name.as_str()),
            _ => None,
        })
        .collect();
    findings.extend(findings::about_forgery(&through_syslog, accounts, systemd));
    Ok(looked)
}

/// Whoever can write the configuration owns the service.
fn about_files(loaded: &Loaded) -> Vec<Finding> {
    let exposed = loaded.files.iter().filter_map(|path| {
        let metadata = fs::metadata(path).ok()?;
        let open = metadata.mode() & 0o002 != 0 || (metadata.mode() & 0o020 != 0 && metadata.gid() != 0);
        open.then(|| {
            let name = path_name(path);
            let text = "others than its owner can write it, and so steer the service";
            Finding::new(Level::Warning, &name, text).with([format!("chmod go-w {name}")])
        })
    });
    exposed.collect()
}

fn about_accounts(config: &Config, accounts: &Accounts, identity: &Identity) -> Vec<Finding> {
    let mut findings = Vec::new();
    let user = &config.user.value;
    if accounts.user(user).is_none() && !identity.stays {
        let text = format!("there is no user {user}, whom the service would become");
        let remedy = format!(
            "useradd --system --home-dir {} --shell /usr/sbin/nologin {user}",
            path_name(&config.state_dir.value)
        );
        findings.push(Finding::new(Level::Warning, "", text).with([remedy]));
    }
    for group in [&config.group.value, &config.control.group.value].into_iter().flatten() {
        if accounts.group(group).is_none() {
            let text = format!("there is no group {group}");
            findings
                .push(Finding::new(Level::Warning, "", text).with([format!("groupadd --system {group}")]));
        }
    }
    let Some(owner) = accounts.user(user) else { return findings };
    if let Some(group) = config.control.group.value.as_ref().and_then(|name| accounts.group(name))
        && !owner.gids().contains(&group.gid)
    {
        let text = format!(
            "{user} is not in the group {}, and gives it the control socket only if root starts it",
            group.name
        );
        let remedy = format!("usermod -aG {} {user}", group.name);
        findings.push(Finding::new(Level::Advice, "", text).with([remedy]));
    }
    if let Ok(metadata) = fs::metadata(&config.state_dir.value)
        && metadata.uid() != owner.uid
    {
        let name = path_name(&config.state_dir.value);
        let text = format!("the folder of the state does not belong to {user}");
        findings.push(Finding::new(Level::Warning, &name, text).with([format!("chown -R {user}: {name}")]));
    }
    let key = config.key_file();
    if fs::metadata(&key).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        let name = path_name(&key);
        let text = "others can read the key, with which passwords can be tried against the tags of the state";
        findings.push(Finding::new(Level::Warning, &name, text).with([format!("chmod 0600 {name}")]));
    }
    findings
}

/// Who would shut sources out, and what is in his way.
fn about_enforcer(config: &Config, identity: &Identity) -> Vec<Finding> {
    let (chosen, around) = daemon::chosen(config);
    let configured = config.bans.enforcer.value.is_some();
    let mut findings = Vec::new();
    match &chosen {
        Chosen::Nothing if config.mode.value == Mode::Live => {
            let text = "mode is live, and with the enforcer none nobody is shut out";
            findings.push(Finding::new(Level::Warning, "", text));
        }
        Chosen::Nothing if !configured => {
            let text = "nothing could shut anybody out: no fairban-fw listens, and none can be started";
            let remedy = "systemctl enable --now fairban-fw.socket".to_owned();
            findings.push(Finding::new(Level::Advice, "", text).with([remedy]));
        }
        Chosen::Connect(path) if !around.listens => {
            let text = "no fairban-fw listens here, and none can be started: nobody could be shut out";
            let remedy = "systemctl enable --now fairban-fw.socket".to_owned();
            findings.push(Finding::new(Level::Warning, &path_name(path), text).with([remedy]));
        }
        Chosen::List(path, _) => findings.extend(about_list(path, identity)),
        Chosen::Nothing | Chosen::Connect(_) | Chosen::Start { .. } => {}
    }
    if let Some(rules) = chosen.read().filter(|rules| !rules.exists()) {
        let text = "these rules are not there: the file for tcpserver cannot be made";
        findings.push(Finding::new(Level::Warning, &path_name(rules), text));
    }
    findings
}

/// A list is replaced as a whole, so its folder must be writable for the service.
fn about_list(path: &Path, identity: &Identity) -> Option<Finding> {
    let folder = path.parent()?;
    let (user, gid) = (&identity.user, identity.gid);
    let may = fs::metadata(folder).is_ok_and(|found| {
        let is_member = found.gid() == gid || user.gids().contains(&found.gid());
        user.uid == 0
            || found.uid() == user.uid && found.mode() & 0o200 != 0
            || is_member && found.mode() & 0o020 != 0
            || found.mode() & 0o002 != 0
    });
    let name = path_name(folder);
    let text = format!("{} cannot write here, and so not replace {}", user.name, path_name(path));
    (!may).then(|| Finding::new(Level::Warning, &name, text).with([format!("chown {} {name}", user.name)]))
}
