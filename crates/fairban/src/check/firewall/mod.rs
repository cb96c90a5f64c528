//! `fairban check --firewall`: would a ban bite on this host?
//!
//! A host and a robot are made, two network namespaces with a wire between them; `fairban-fw` runs on the first as it would here,
//! on this kernel. Then real packets show that the robot's get through before a ban and not after it. Nothing of this host's
//! own network or ruleset is touched. What the namespaces cannot show, for it is a matter of this host's own set-up, is
//! looked for beside it.

mod around;
mod hosts;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use fairban_firewall::enforcer::{Answer, Enforcer as _, Order, Shut};
use fairban_firewall::{NftEnforcer, Reach};

use self::hosts::Hosts;
use super::findings::{Finding, Level};
use super::output::{Output, Proof};
use crate::daemon;
use crate::error::{Failure, Kind, shown};

/// A port that bans close.
const PORT: u16 = 143;

/// Who does not answer within this was dropped: between namespaces answers take microseconds.
const DROPPED: Duration = Duration::from_millis(700);

/// How long an open connection may outlive a ban: the cutter gathers for ten milliseconds, then asks the kernel.
const CUT_WITHIN: Duration = Duration::from_secs(2);

/// Proves it, and says by the exit code whether a ban bites here: 0 it does, 1 it does not, or something of this host may
/// defeat it.
///
/// # Errors
/// It could not be tried: we are not root, or the machine does not let us, or a program is missing.
pub(crate) fn check(output: &Output) -> Result<ExitCode, Failure> {
    around::rights()?;
    let program = daemon::program("fairban-fw");
    if !program.exists() {
        let failure = Failure::new(Kind::Environment, format!("{} is not there", shown(&program)));
        return Err(failure.hint("install the package that brings fairban-fw"));
    }
    let hosts = Hosts::make()?;
    let reach = Reach::Start {
        program,
        // What this host never bans is of no concern to a host that was just made.
        arguments: ["--never-ban", "/nonexistent/never-ban"].map(str::to_owned).to_vec(),
    };
    let mut enforcer = NftEnforcer::new(reach);
    hosts.on_server(|| enforcer.open())?.map_err(|error| {
        let failure = Failure::new(Kind::Environment, "fairban-fw cannot work on this kernel").caused_by(&error);
        failure.hint("it needs Linux 5.10 with nf_tables (modprobe nf_tables), or another bans.enforcer: fairban man fairban.toml")
    })?;
    let mut facts = enforcer.status().remarks;
    facts.push(around::counts_connections(&hosts));
    let mut proofs = Vec::new();
    for (name, server, client, prefix) in hosts.families() {
        prove(&hosts, &mut enforcer, (name, server, client), &prefix, &mut proofs)?;
    }
    if !hosts.has_v6 {
        facts.push("IPv6 is switched off on this kernel: there is nothing to prove for it".to_owned());
    }
    output.proof(&facts, &proofs)?;
    let mut findings = around::look();
    if proofs.iter().any(|proof| !proof.holds) {
        findings.push(Finding::new(Level::Warning, "", "bans do not bite on this host: see above"));
    }
    output.findings(&findings)?;
    let warnings = findings.iter().filter(|finding| finding.level == Level::Warning).count();
    output.summary(warnings, findings.len() - warnings)?;
    Ok(if warnings > 0 { ExitCode::from(super::FINDINGS) } else { ExitCode::SUCCESS })
}

/// One family: open, banned, cut, let in again.
fn prove(
    hosts: &Hosts,
    enforcer: &mut NftEnforcer,
    (family, server, client): (&'static str, IpAddr, IpAddr),
    prefix: &str,
    proofs: &mut Vec<Proof>,
) -> Result<(), Failure> {
    let mut say = |what: &str, holds: bool| proofs.push(Proof { text: format!("{family}: {what}"), holds });
    let to = SocketAddr::new(server, PORT);
    let (ended, ends) = channel();
    let listener = hosts.on_server(|| TcpListener::bind(to))?.map_err(|error| {
        Failure::new(Kind::Environment, "cannot listen on the test host").caused_by(&error)
    })?;
    thread::spawn(move || serve(&listener, &ended));
    let mut open = hosts.on_client(|| dial(to))?;
    say("before the ban, packets pass", open.as_mut().is_some_and(answers));
    // A prefix of ours, written in this program.
    let prefix = prefix.parse().map_err(|_| Failure::new(Kind::Internal, "no prefix"))?;
    let order = [Order::Ban(Shut::new(prefix, Some(600)))];
    let carried_out = enforcer.carry_out(&order);
    let text = format!("{client} is banned as {prefix}");
    say(&text, carried_out == Ok(vec![Answer::Done]));
    say("after it, no new connection does", hosts.on_client(|| dial(to))?.is_none());
    say("and the open connection is cut (SOCK_DESTROY)", open.is_some() && is_cut(&ends));
    let let_in = enforcer.carry_out(&[Order::Unban(prefix)]) == Ok(vec![Answer::Done]);
    let mut again = hosts.on_client(|| dial(to))?;
    say("after the unban, packets pass again", let_in && again.as_mut().is_some_and(answers));
    Ok(())
}

/// Sends back what it is sent; tells of connections that ended by an error.
fn serve(listener: &TcpListener, ended: &Sender<()>) {
    for mut stream in listener.incoming().map_while(Result::ok) {
        let ended = ended.clone();
        thread::spawn(move || {
            let mut buffer = [0; 64];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(len) => {
                        if stream.write_all(&buffer[..len]).is_err() {
                            return;
                        }
                    }
                    // When the family is done nobody listens any more.
                    Err(_) => {
                        let _ = ended.send(());
                        return;
                    }
                }
            }
        });
    }
}

fn is_cut(ends: &Receiver<()>) -> bool {
    ends.recv_timeout(CUT_WITHIN).is_ok()
}

fn dial(to: SocketAddr) -> Option<TcpStream> {
    TcpStream::connect_timeout(&to, DROPPED).ok()
}

fn answers(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4];
    stream.set_read_timeout(Some(DROPPED)).is_ok()
        && stream.write_all(b"NOOP").is_ok()
        && stream.read_exact(&mut buffer).is_ok()
        && &buffer == b"NOOP"
}
