//! A worker: says hello, is configured, opens its sockets, closes its wall, works until told to leave.

use std::path::Path;
use std::process;
use std::thread;

use crate::channel::{Channel, ChannelError};
use crate::config::Config;
use crate::journal;
use crate::keeper::Ending;
use crate::protocol::{Job, Message, Order, Ready, sentence};
use crate::resolve::Resolver;
use crate::sandbox;
use crate::syslog::Listeners;

/// Works; returns how to end the process.
pub(crate) fn work(worker: u32, after: Option<String>, journalctl: &Path, channel: &Channel) -> Ending {
    let hello = Message::Hello { worker, pid: process::id(), after: after.map(sentence) };
    let done = channel.send(&hello).and_then(|()| match wait_for_config(worker, channel)? {
        Some(config) => {
            let running = journal::Running::default();
            let left =
                begin(&config, journalctl, channel, &running).and_then(|()| wait_for_leave(worker, channel));
            running.close();
            left
        }
        None => Ok(()),
    });
    ending(&done)
}

fn ending(done: &Result<(), ChannelError>) -> Ending {
    match done {
        Ok(()) => Ending::Left,
        Err(ChannelError::Gone) => Ending::DaemonGone,
        Err(ChannelError::Protocol(_) | ChannelError::Io(_)) => Ending::Failed,
    }
}

/// `None` if told to leave before.
fn wait_for_config(worker: u32, channel: &Channel) -> Result<Option<Config>, ChannelError> {
    loop {
        match channel.receive()? {
            Order::Configure { worker: named, config } if named == worker => return Ok(Some(config)),
            Order::Leave { worker: named } if named == worker => return Ok(None),
            // For one before us, who died before he read it.
            Order::Configure { .. } | Order::Leave { .. } => {}
        }
    }
}

fn wait_for_leave(worker: u32, channel: &Channel) -> Result<(), ChannelError> {
    loop {
        match channel.receive()? {
            Order::Leave { worker: named } if named == worker => return Ok(()),
            Order::Configure { .. } | Order::Leave { .. } => {}
        }
    }
}

/// Opens, closes the wall, and starts the jobs, in this order.
fn begin(
    config: &Config,
    journalctl: &Path,
    channel: &Channel,
    running: &journal::Running,
) -> Result<(), ChannelError> {
    if let Err(error) = config.check() {
        channel.say(Job::Helper, format!("fairban-helper refuses its configuration: {error}"))?;
        return Ok(());
    }
    let (listeners, problems) = Listeners::bind(config);
    let resolver = Resolver::new(config);
    let reader = journal::Reader::new(config, journalctl, channel, running);
    let raised = match sandbox::of_worker(config, journalctl).close() {
        Ok(raised) => raised,
        Err(error) => {
            channel.say(Job::Helper, format!("fairban-helper cannot close its walls: {error}"))?;
            return Err(ChannelError::Io(std::io::Error::other(error)));
        }
    };
    let wall_lacks = raised.missing().into_iter().map(sentence).collect();
    let listening = listeners.addresses();
    channel.send(&Message::Ready(Ready { wall: raised.to_string(), wall_lacks, listening }))?;
    problems.into_iter().try_for_each(|problem| channel.say(Job::Syslog, problem))?;

    if let Some(reader) = reader {
        start("journal", move || reader.run());
    }
    if let Some(resolver) = resolver {
        let channel = channel.clone();
        start("resolve", move || resolver.run(&channel));
    }
    if !listeners.is_empty() {
        let channel = channel.clone();
        start("syslog", move || listeners.run(&channel));
    }
    Ok(())
}

/// A job that ends, in whatever way, ends the worker, so that the keeper starts a whole one.
fn start(name: &str, job: impl FnOnce() -> Result<(), ChannelError> + Send + 'static) {
    struct EndOfProcess(Ending);
    impl Drop for EndOfProcess {
        fn drop(&mut self) {
            process::exit(self.0.code());
        }
    }
    let run = move || {
        let mut end = EndOfProcess(Ending::Failed);
        end.0 = match job() {
            Ok(()) => Ending::Failed,
            failed @ Err(_) => ending(&failed),
        };
    };
    if thread::Builder::new().name(name.to_owned()).spawn(run).is_err() {
        process::exit(Ending::Failed.code());
    }
}
