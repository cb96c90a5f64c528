//! Bans as files that other programs read: for hosts where nobody may, or can, change the firewall.
//!
//! A file is written beside the old one and renamed over it, so a reader sees the one or the other, whole. It is written
//! again when a ban ends, by a thread that sleeps until then. So bans end only while this process lives, unlike those in
//! the kernel: after a crash the file stays as it is until the next start writes it anew. Open connections stay open.

mod cdb;
mod hosts_deny;
mod tcprules;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::enforcer::{Answer, Enforcer, EnforcerStatus, Order, Shut, Unreachable};
use crate::model::Model;

/// Most prefixes in a file: it is written whole at each change. More are refused.
pub const LISTED_MAX: usize = 50_000;

/// What reads the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Anybody: one prefix a line, in ascending order.
    Plain,
    /// `nft -f` or an `include`: fills the sets `fairban4` and `fairban6` of a table, which the admin has made with
    /// `flags interval` and refers to. The table as nft names it, such as `inet filter`.
    NftInclude(String),
    /// TCP wrappers: a block of lines in `/etc/hosts.deny`, for these daemons, such as `sshd, vsftpd`. The other lines of
    /// the file stay as they are.
    HostsDeny(String),
    /// `tcpserver -x`: a cdb of the rules in this file, as `tcprules` would make it, and of the bans. IPv4 only. A rule
    /// of the admin's for the same address or a longer prefix wins.
    Tcprules(PathBuf),
}

impl Format {
    fn name(&self) -> &'static str {
        match self {
            Format::Plain => "file",
            Format::NftInclude(_) => "nft include file",
            Format::HostsDeny(_) => "hosts.deny",
            Format::Tcprules(_) => "tcprules",
        }
    }

    /// The new content of the file.
    fn render(&self, shuts: &[Shut], path: &Path) -> Result<Vec<u8>, String> {
        let failed = |path: &Path, error: &io::Error| format!("cannot read {}: {error}", path.display());
        match self {
            Format::Plain => Ok(plain(shuts)),
            Format::NftInclude(table) => Ok(nft_include(table, shuts)),
            Format::HostsDeny(daemons) => {
                let before = match fs::read(path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                    read => read.map_err(|error| failed(path, &error))?,
                };
                hosts_deny::render(&before, daemons, shuts)
            }
            Format::Tcprules(rules) => {
                let text = fs::read(rules).map_err(|error| failed(rules, &error))?;
                tcprules::render(&text, shuts).map_err(|problem| format!("{}: {problem}", rules.display()))
            }
        }
    }
}

/// An enforcer that keeps a file.
#[derive(Debug)]
pub struct ListEnforcer {
    shared: Arc<Shared>,
    has_thread: bool,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    format: Format,
    born: Instant,
    list: Mutex<List>,
    changed: Condvar,
}

#[derive(Debug)]
struct List {
    model: Model,
    passed_seconds: u64,
    /// Why the file is not as it should be.
    problem: Option<String>,
    is_over: bool,
}

impl ListEnforcer {
    /// One that keeps `path`, and never lists what overlaps `protected`. Nothing is written before the first order.
    pub fn new(path: PathBuf, format: Format, protected: Vec<IpNet>) -> ListEnforcer {
        let list = List { model: Model::new(protected), passed_seconds: 0, problem: None, is_over: false };
        let (list, changed) = (Mutex::new(list), Condvar::new());
        ListEnforcer {
            shared: Arc::new(Shared { path, format, born: Instant::now(), list, changed }),
            has_thread: false,
        }
    }

    fn start_thread(&mut self) {
        if !self.has_thread {
            let shared = Arc::clone(&self.shared);
            let thread = thread::Builder::new().name("list".to_owned()).spawn(move || shared.let_go());
            self.has_thread = thread.is_ok();
        }
    }
}

impl Enforcer for ListEnforcer {
    fn carry_out(&mut self, orders: &[Order]) -> Result<Vec<Answer>, Unreachable> {
        self.start_thread();
        let mut list = self.shared.lock();
        let mut answers = Vec::with_capacity(orders.len());
        for order in orders {
            answers.push(list.order(order, &self.shared.format));
        }
        if !orders.is_empty() || list.problem.is_some() {
            self.shared.write(&mut list);
        }
        self.shared.changed.notify_one();
        list.problem.clone().map_or(Ok(answers), |problem| Err(Unreachable(problem)))
    }

    fn list(&mut self) -> Result<Vec<Shut>, Unreachable> {
        self.shared.lock().model.list()
    }

    fn allow(&mut self, prefixes: &[IpNet]) -> Result<Answer, Unreachable> {
        let mut list = self.shared.lock();
        let before = list.model.len();
        let answer = list.model.allow(prefixes)?;
        if list.model.len() < before || list.problem.is_some() {
            self.shared.write(&mut list);
        }
        list.problem.clone().map_or(Ok(answer), |problem| Err(Unreachable(problem)))
    }

    fn status(&mut self) -> EnforcerStatus {
        let list = self.shared.lock();
        let mut remarks = vec![format!("keeps {}", self.shared.path.display())];
        remarks.push("open connections stay open, and bans end only while this process lives".to_owned());
        remarks.extend(list.problem.clone());
        let shut = list.model.clone().status().shut;
        EnforcerStatus {
            name: self.shared.format.name().to_owned(),
            ready: list.problem.is_none(),
            shut,
            remarks,
        }
    }
}

impl Drop for ListEnforcer {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
    }
}

impl List {
    fn order(&mut self, order: &Order, format: &Format) -> Answer {
        let of_v6 =
            |shut: &Shut| matches!(format, Format::Tcprules(_)) && matches!(shut.prefix, IpNet::V6(_));
        if let Order::Ban(shut) = order
            && of_v6(shut)
        {
            return Answer::Failed("tcpserver's rules know no IPv6".to_owned());
        }
        let wanted = match order {
            Order::Ban(_) => self.model.len() + 1,
            Order::Sync(all) => all.len(),
            Order::Unban(_) => 0,
        };
        if wanted > LISTED_MAX {
            return Answer::Failed(format!("{LISTED_MAX} prefixes are the most that a file may hold"));
        }
        // The model knows no other failure.
        let answers = self.model.carry_out(std::slice::from_ref(order)).unwrap_or_default();
        answers.into_iter().next().unwrap_or(Answer::Done)
    }
}

impl Shared {
    /// The list, as of now.
    fn lock(&self) -> MutexGuard<'_, List> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_seconds = self.born.elapsed().as_secs();
        let since = passed_seconds - list.passed_seconds;
        list.model.pass(since);
        list.passed_seconds = passed_seconds;
        list
    }

    fn write(&self, list: &mut List) {
        let shuts = list.model.list().unwrap_or_default();
        let written = self.format.render(&shuts, &self.path).and_then(|content| {
            let failed =
                |error| format!("cannot write {}: {error}; see its directory's owner", self.path.display());
            replace(&self.path, &content).map_err(failed)
        });
        list.problem = written.err();
    }

    /// Writes the file whenever bans end, until the enforcer is dropped.
    fn let_go(&self) {
        let mut list = self.lock();
        while !list.is_over {
            list = match list.model.next_end() {
                None => self.changed.wait(list).unwrap_or_else(PoisonError::into_inner),
                Some(seconds) => {
                    let wait = Duration::from_secs(seconds.min(86_400));
                    self.changed.wait_timeout(list, wait).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            let before = list.model.len();
            drop(list);
            list = self.lock();
            if list.model.len() < before {
                self.write(&mut list);
            }
        }
    }
}

/// Puts `content` where `path` is, at once, readable for whom the old file was.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".fairban-new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).open(&beside)?;
    let mode = fs::metadata(path).map_or(0o644, |metadata| metadata.mode() & 0o777);
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

fn plain(shuts: &[Shut]) -> Vec<u8> {
    shuts.iter().flat_map(|shut| format!("{}\n", shut.prefix).into_bytes()).collect()
}

/// Interval sets refuse what lies in each other, so only the widest are told.
fn nft_include(table: &str, shuts: &[Shut]) -> Vec<u8> {
    let mut prefixes: Vec<IpNet> = shuts.iter().map(|shut| shut.prefix).collect();
    prefixes = IpNet::aggregate(&prefixes);
    let mut text = String::new();
    for (set, is_v6) in [("fairban4", false), ("fairban6", true)] {
        text.extend(["flush set ", table, " ", set, "\n"]);
        let of_family = prefixes.iter().filter(|prefix| matches!(prefix, IpNet::V6(_)) == is_v6);
        let elements: Vec<String> = of_family.map(IpNet::to_string).collect();
        if !elements.is_empty() {
            text.extend(["add element ", table, " ", set, " { ", &elements.join(", "), " }\n"]);
        }
    }
    text.into_bytes()
}
