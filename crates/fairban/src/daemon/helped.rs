//! The inputs that `fairban-helper` reads for us: the journal, and one for each address of network syslog.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fairban_control::{InputKind, InputState, InputStatus, Shown};
use fairban_core::escape::escaped;
use fairban_helper::config::Transport;
use fairban_helper::protocol::{Batch, Counts, Job, Ready};

use super::intake::Reading;
use crate::config::{InputSource, Listen};
use crate::error::plural;
use crate::input::live::Plan;

/// The journal's input, and the prefix by which its stored place is known from a file's.
pub(crate) const JOURNAL: &str = "journal:";

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Helped {
    /// Names it in the journal of inputs and in `status`.
    pub(crate) key: Arc<str>,
    /// `None` is the journal.
    pub(crate) listens: Option<(Transport, SocketAddr)>,
    /// How its lines are read.
    pub(crate) reading: Reading,
}

impl Helped {
    /// Whether a batch is of it.
    fn brings(&self, batch: &Batch, place: usize) -> bool {
        match self.listens {
            None => batch.job == Job::Journal,
            Some(_) => batch.job == Job::Syslog && usize::from(batch.listener) == place,
        }
    }
}

/// The inputs of a plan that the helper reads: those of network syslog in the order of its configuration, then the
/// journal, which is one however many `[[input]]` name it.
pub(crate) fn inputs(plan: &Plan) -> Vec<Helped> {
    let mut inputs = Vec::new();
    let mut journal: Option<Helped> = None;
    for input in &plan.inputs {
        let reading = Reading { zone: input.zone.zone.clone(), services: input.services };
        let (name, listens) = match &input.source {
            InputSource::Syslog(Listen::Udp(address)) => ("udp", (Transport::Udp, *address)),
            InputSource::Syslog(Listen::Tcp(address)) => ("tcp", (Transport::Tcp, *address)),
            InputSource::Journal(_) => {
                let ours = journal.get_or_insert_with(|| Helped {
                    key: Arc::from(JOURNAL),
                    listens: None,
                    reading: reading.clone(),
                });
                ours.reading.services |= reading.services;
                continue;
            }
            _ => continue,
        };
        let key = Arc::from(format!("{name}:{}", listens.1));
        inputs.push(Helped { key, listens: Some(listens), reading });
    }
    inputs.extend(journal);
    inputs
}

/// What has become of each, shared with who tells of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(Arc<Mutex<Vec<Row>>>);

#[derive(Debug)]
struct Row {
    input: Helped,
    counts: Counts,
    /// The last sender whose lines are not taken.
    stranger: Option<IpAddr>,
    /// An entry of the journal that claimed to be a service's.
    forged: Option<String>,
    state: InputState,
    /// Why nothing comes.
    trouble: Option<String>,
    restarts: u64,
    /// How what brought its lines ended the last time.
    ended: Option<String>,
}

impl Table {
    /// These are the inputs from now on; those that were there before keep their counts.
    pub(crate) fn set(&self, inputs: Vec<Helped>) {
        let mut rows = self.rows();
        let mut before = std::mem::take(&mut *rows);
        rows.extend(inputs.into_iter().map(|input| {
            match before.iter().position(|row| row.input.key == input.key) {
                Some(at) => Row { input, ..before.swap_remove(at) },
                None => Row::new(input),
            }
        }));
    }

    /// The inputs.
    pub(crate) fn inputs(&self) -> Vec<Helped> {
        self.rows().iter().map(|row| row.input.clone()).collect()
    }

    /// Counts a batch; the name of its input, `None` if it is of none: the helper's fault.
    pub(crate) fn note(&self, batch: &Batch, behind: bool) -> Option<Arc<str>> {
        let mut rows = self.rows();
        let mut found = rows.iter_mut().enumerate();
        let (_, row) = found.find(|(place, row)| row.input.brings(batch, *place))?;
        row.counts.add(&batch.counts);
        row.stranger = batch.stranger.or(row.stranger);
        if batch.forged.is_some() {
            row.forged.clone_from(&batch.forged);
        }
        let brings = !batch.lines.is_empty() || batch.cursor.is_some();
        if brings || row.state != InputState::Restarted {
            let behind = behind && row.input.listens.is_none();
            row.state = if behind { InputState::CatchingUp } else { InputState::Following };
        }
        Some(Arc::clone(&row.input.key))
    }

    /// The helper has ended and was started again, and with it what brings the lines of all.
    pub(crate) fn all_restarted(&self, why: &str) {
        self.rows().iter_mut().for_each(|row| row.restarted(why));
    }

    /// `journalctl` has.
    pub(crate) fn journal_restarted(&self, why: &str) {
        let mut rows = self.rows();
        rows.iter_mut().filter(|row| row.input.listens.is_none()).for_each(|row| row.restarted(why));
    }

    /// A worker has opened its sockets.
    pub(crate) fn ready(&self, ready: &Ready, behind: bool) {
        for row in self.rows().iter_mut() {
            let is_up = row.input.listens.is_none_or(|(transport, asked)| {
                ready.listening.iter().any(|(of, address)| {
                    let port_fits = asked.port() == 0 || asked.port() == address.port();
                    *of == transport && address.ip() == asked.ip() && port_fits
                })
            });
            (row.state, row.trouble) = match (is_up, row.input.listens.is_none() && behind) {
                (true, true) => (InputState::CatchingUp, None),
                (true, false) if row.state == InputState::Restarted => (InputState::Restarted, None),
                (true, false) => (InputState::Following, None),
                (false, _) => {
                    let text = "cannot listen there: the service's log says why".to_owned();
                    (InputState::Failed, Some(text))
                }
            };
        }
    }

    /// All old entries of the journal have come.
    pub(crate) fn caught_up(&self) {
        for row in self.rows().iter_mut().filter(|row| row.state == InputState::CatchingUp) {
            row.state = InputState::Following;
        }
    }

    /// Nothing comes any more.
    pub(crate) fn failed(&self, why: &str) {
        for row in self.rows().iter_mut() {
            row.state = InputState::Failed;
            row.trouble = Some(why.to_owned());
        }
    }

    /// For `status`, each with the name that the desk knows it by.
    pub(crate) fn told(&self) -> Vec<(Arc<str>, InputStatus)> {
        self.rows().iter().map(|row| (Arc::clone(&row.input.key), row.told())).collect()
    }

    fn rows(&self) -> MutexGuard<'_, Vec<Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn new(input: Helped) -> Row {
        Row {
            input,
            counts: Counts::default(),
            stranger: None,
            forged: None,
            state: InputState::Waiting,
            trouble: None,
            restarts: 0,
            ended: None,
        }
    }

    fn restarted(&mut self, why: &str) {
        self.restarts += 1;
        self.ended = Some(why.to_owned());
        self.state = InputState::Restarted;
    }

    fn told(&self) -> InputStatus {
        let kind = if self.input.listens.is_some() { InputKind::Syslog } else { InputKind::Journal };
        InputStatus {
            name: Shown::of(self.input.key.trim_end_matches(':').as_bytes()),
            kind,
            state: self.state,
            lag_bytes: None,
            polling_ms: None,
            lines: self.counts.lines,
            lost_bytes: 0,
            last: None,
            restarts: self.restarts,
            refused: self.counts.strangers,
            remark: self.remark().map(Shown::spelt),
        }
    }

    fn remark(&self) -> Option<String> {
        let mut parts: Vec<String> = self.trouble.iter().cloned().collect();
        if let (None, Some(why)) = (&self.trouble, &self.ended) {
            let times =
                if self.restarts == 1 { "once".to_owned() } else { format!("{} times", self.restarts) };
            parts.push(format!("started again {times}, the last time because {why}"));
        }
        if let (Some(stranger), strangers @ 1..) = (self.stranger, self.counts.strangers) {
            parts.push(format!(
                "nothing was taken {} of senders that `from` does not name, the last {stranger}",
                plural(strangers, "time")
            ));
        }
        if self.counts.refused > 0 {
            parts.push(format!(
                "{} closed because there were too many",
                plural(self.counts.refused, "connection")
            ));
        }
        if let (Some(forged), entries @ 1..) = (&self.forged, self.counts.forged) {
            let (entries, forged) = (plural(entries, "line"), escaped(forged.as_bytes()));
            parts.push(format!("{entries} pretended to be a service's, such as {forged}"));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syslog(transport: Transport, address: &str) -> Helped {
        let address: SocketAddr = address.parse().unwrap();
        let key = Arc::from(format!("{transport:?}:{address}"));
        Helped { key, listens: Some((transport, address)), reading: Reading::unknown() }
    }

    fn table() -> Table {
        let journal = Helped { key: Arc::from(JOURNAL), listens: None, reading: Reading::unknown() };
        let table = Table::default();
        table.set(vec![
            syslog(Transport::Udp, "127.0.0.1:514"),
            syslog(Transport::Tcp, "127.0.0.1:514"),
            journal,
        ]);
        table
    }

    fn batch(job: Job, listener: u16, lines: u64) -> Batch {
        Batch { listener, counts: Counts { lines, ..Counts::default() }, ..Batch::new(job) }
    }

    #[test]
    fn each_batch_counts_where_it_came_from() {
        let table = table();
        assert_eq!(table.note(&batch(Job::Syslog, 1, 5), false).as_deref(), Some("Tcp:127.0.0.1:514"));
        assert_eq!(table.note(&batch(Job::Journal, 0, 7), true).as_deref(), Some(JOURNAL));
        assert_eq!(table.note(&batch(Job::Syslog, 2, 1), false), None);
        let lines: Vec<u64> = table.told().iter().map(|(_, row)| row.lines).collect();
        assert_eq!(lines, [0, 5, 7]);
        assert_eq!(table.told()[2].1.state, InputState::CatchingUp);
        table.caught_up();
        assert_eq!(table.told()[2].1.state, InputState::Following);
    }

    #[test]
    fn a_listener_that_could_not_be_opened_is_failed_and_the_others_are_not() {
        let table = table();
        let listening = vec![(Transport::Tcp, "127.0.0.1:514".parse().unwrap())];
        table.ready(&Ready { listening, ..Ready::default() }, false);
        let states: Vec<InputState> = table.told().iter().map(|(_, row)| row.state).collect();
        assert_eq!(states, [InputState::Failed, InputState::Following, InputState::Following]);
    }

    #[test]
    fn senders_that_are_not_named_are_told_with_the_last_of_them() {
        let table = table();
        let stranger = Some("198.51.100.7".parse().unwrap());
        let counts = Counts { strangers: 3, ..Counts::default() };
        table.note(&Batch { counts, stranger, ..batch(Job::Syslog, 0, 0) }, false);
        let remark = table.told()[0].1.remark.as_ref().unwrap().to_string();
        assert!(remark.contains("3 times") && remark.ends_with("198.51.100.7"), "{remark}");
        assert_eq!(table.told()[1].1.remark, None);
    }

    #[test]
    fn what_was_started_again_says_so_until_something_comes_and_how_often() {
        let table = table();
        table.ready(&Ready { listening: Vec::new(), ..Ready::default() }, false);
        table.journal_restarted("journalctl ended (exit status: 1)");
        let journal = || table.told()[2].1.clone();
        assert_eq!((journal().state, journal().restarts), (InputState::Restarted, 1));
        table.note(&batch(Job::Journal, 0, 0), false);
        assert_eq!(journal().state, InputState::Restarted, "counts alone are no lines");
        let cursor = Some("s=1;i=2".to_owned());
        table.note(&Batch { cursor, ..batch(Job::Journal, 0, 0) }, false);
        assert_eq!(journal().state, InputState::Following);
        table.all_restarted("it was killed by signal 9");
        let remark = journal().remark.unwrap().to_string();
        assert_eq!(remark, "started again 2 times, the last time because it was killed by signal 9");
        assert_eq!(table.told()[0].1.restarts, 1);
    }

    #[test]
    fn an_input_that_stays_keeps_its_counts() {
        let table = table();
        table.note(&batch(Job::Syslog, 1, 5), false);
        table.set(vec![syslog(Transport::Tcp, "127.0.0.1:514"), syslog(Transport::Udp, "[::1]:514")]);
        let lines: Vec<u64> = table.told().iter().map(|(_, row)| row.lines).collect();
        assert_eq!(lines, [5, 0]);
    }
}
