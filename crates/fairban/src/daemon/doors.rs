//! The doors: a thread that hands bans to whoever shuts sources out, and makes good what it could not do.
//!
//! The engine never waits for it. While the enforcer cannot be reached orders are not queued: what counts is what should
//! be shut when it can be reached again, and that is asked for then.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use fairban_firewall::enforcer::{Answer, Enforcer, EnforcerStatus, Order, Shut, Unreachable};
use fairban_firewall::limits::{Counted, Limit};
use ipnet::IpNet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::assistant::Alarm;
use super::withheld::{Withheld, all_answers};

/// Orders that may wait; the thread that decides waits when there are more.
const QUEUE_MAX: usize = 1_024;

/// An enforcer that cannot be reached is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the doors are told.
pub(crate) enum Task {
    /// Carry out, in this order; then call back, if anybody waits.
    Orders(Vec<Order>, Option<Callback>),
    /// Exactly these are never shut out; then call back, if anybody waits.
    Allow(Vec<IpNet>, Option<Callback>),
    /// Administrators are logged in from these, as far as the log tells.
    Sessions(Vec<SocketAddr>),
    /// Exactly these limits hold, for all but these prefixes; then call back, if anybody waits.
    Limit(Vec<Limit>, Vec<IpNet>, Option<Callback>),
    /// Look what came of the limits, and say it.
    Count(Box<dyn FnOnce(Result<Vec<Counted>, String>) + Send>),
    /// Look how the enforcer is, and say it.
    Look(Box<dyn FnOnce(EnforcerStatus) + Send>),
    /// The end.
    Stop,
}

/// Called when orders were carried out, with the answers, or with why they were not.
pub(crate) type Callback = Box<dyn FnOnce(Result<Vec<Answer>, String>) + Send>;

/// What the doors tell the thread that decides.
#[derive(Debug)]
pub(crate) enum Told {
    /// The enforcer can be reached again: tell it all that should be shut.
    WantsSync,
    /// It cannot be reached; why.
    Lost(String),
    /// A ban was refused: the prefix is protected.
    Protected(IpNet),
    /// A ban is withheld, for it would cut off an administrator who is logged in from there.
    Withheld(IpNet, SocketAddr),
    /// A ban that was withheld is carried out.
    Released(IpNet),
    /// What came of the limits, as was asked by [`Doors::count_for_office`].
    Counted(Vec<Counted>),
    /// Something could not be carried out.
    Failed(String),
    /// Something happened that nobody asked for.
    Note(String),
}

/// The thread, as others see it.
pub(crate) struct Doors {
    tasks: Sender<Task>,
    sender: Sender<Told>,
    alarm: Alarm,
    status: Arc<Mutex<EnforcerStatus>>,
    thread: Option<JoinHandle<()>>,
}

impl Doors {
    /// Starts the thread. What it has to tell goes to `told`.
    ///
    /// # Errors
    /// The machine has no more threads or descriptors.
    pub(crate) fn start(enforcer: Box<dyn Enforcer>, told: Sender<Told>) -> std::io::Result<Doors> {
        let (tasks, queue) = bounded(QUEUE_MAX);
        let alarm = Alarm::new()?;
        let status = Arc::new(Mutex::new(EnforcerStatus::default()));
        let shared = Arc::clone(&status);
        let sender = told.clone();
        let mut keeper = DoorKeeper {
            enforcer,
            told,
            status: shared,
            unreachable: None,
            allowed: None,
            withheld: Withheld::default(),
        };
        // Who asks as soon as we answer must not hear that nothing is set up.
        keeper.look();
        let rung = alarm.clone();
        let run = move || keeper.run(&queue, &rung);
        let thread = thread::Builder::new().name("doors".to_owned()).spawn(run)?;
        Ok(Doors { tasks, sender, alarm, status, thread: Some(thread) })
    }

    /// Hands orders on.
    pub(crate) fn order(&self, orders: Vec<Order>, then: Option<Callback>) {
        self.send(Task::Orders(orders, then));
    }

    /// Says who is never shut out.
    pub(crate) fn allow(&self, prefixes: Vec<IpNet>, then: Option<Callback>) {
        self.send(Task::Allow(prefixes, then));
    }

    /// Says from where administrators are logged in, as far as the log tells.
    pub(crate) fn sessions(&self, peers: Vec<SocketAddr>) {
        self.send(Task::Sessions(peers));
    }

    /// Says what sources may do at a time, and for whom that does not count.
    pub(crate) fn limit(&self, limits: Vec<Limit>, exempt: Vec<IpNet>, then: Option<Callback>) {
        self.send(Task::Limit(limits, exempt, then));
    }

    /// Has what came of the limits told to `then`, by the thread of the doors.
    pub(crate) fn count(&self, then: Box<dyn FnOnce(Result<Vec<Counted>, String>) + Send>) {
        self.send(Task::Count(then));
    }

    /// Has it told to the thread that decides. Where it cannot be told now, it is not told.
    pub(crate) fn count_for_office(&self) {
        let told = self.sender.clone();
        self.count(Box::new(move |counted| {
            if let Ok(counted) = counted {
                let _ = told.try_send(Told::Counted(counted));
            }
        }));
    }

    /// Has the enforcer looked at, after all that was ordered before.
    pub(crate) fn look(&self, then: Box<dyn FnOnce(EnforcerStatus) + Send>) {
        self.send(Task::Look(then));
    }

    /// The enforcer's state, as of the last look.
    pub(crate) fn status(&self) -> EnforcerStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&self, task: Task) {
        // The thread ends only after Stop.
        let _ = self.tasks.send(task);
        self.alarm.ring();
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.send(Task::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct DoorKeeper {
    enforcer: Box<dyn Enforcer>,
    told: Sender<Told>,
    status: Arc<Mutex<EnforcerStatus>>,
    /// Why, while it cannot be reached.
    unreachable: Option<String>,
    /// Who is never shut out, if the enforcer does not know it yet.
    allowed: Option<Vec<IpNet>>,
    withheld: Withheld,
}

impl DoorKeeper {
    fn run(mut self, queue: &Receiver<Task>, alarm: &Alarm) {
        self.retry();
        self.look();
        loop {
            let mut worked = false;
            loop {
                match queue.try_recv() {
                    Ok(Task::Orders(orders, then)) => self.carry_out(&orders, then),
                    Ok(Task::Allow(prefixes, then)) => self.allow(prefixes, then),
                    Ok(Task::Limit(limits, exempt, then)) => self.limit(&limits, &exempt, then),
                    Ok(Task::Count(then)) => {
                        then(self.enforcer.counted().map_err(|error| error.to_string()));
                        continue;
                    }
                    Ok(Task::Sessions(peers)) => self.withheld.set_sessions(peers),
                    Ok(Task::Look(then)) => {
                        let status = self.look();
                        then(status);
                        continue;
                    }
                    Ok(Task::Stop) | Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => break,
                }
                worked = true;
            }
            if worked {
                self.look();
            }
            self.try_withheld();
            self.tell_notes();
            self.wait(alarm);
        }
    }

    /// Waits until there is something to do: a task, a word of the enforcer, or another try to reach it.
    fn wait(&mut self, alarm: &Alarm) {
        let limit = self.unreachable.is_some().then_some(RETRY_AFTER);
        let limit = limit.into_iter().chain(self.withheld.wait(Instant::now())).min();
        // Seconds fit.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut fds = vec![PollFd::new(alarm, PollFlags::IN)];
        fds.extend(self.enforcer.descriptor().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // A signal is none of our business: what is there is looked at.
        let ready = poll(&mut fds, limit.as_ref()).unwrap_or(0);
        let [rung, spoken] =
            [0, 1].map(|at| fds.get(at).is_some_and(|fd: &PollFd<'_>| !fd.revents().is_empty()));
        drop(fds);
        if rung {
            alarm.hear();
        }
        if spoken {
            self.tell_notes();
        }
        if spoken || (ready == 0 && self.unreachable.is_some()) {
            self.retry();
        }
    }

    fn carry_out(&mut self, orders: &[Order], then: Option<Callback>) {
        let sifted = self.withheld.sift(orders, &mut *self.enforcer, Instant::now());
        for (prefix, peer) in sifted.new {
            let _ = self.told.try_send(Told::Withheld(prefix, peer));
        }
        let done = self.enforcer.carry_out(&sifted.orders);
        if let Ok(answers) = &done {
            for (order, answer) in sifted.orders.iter().zip(answers) {
                self.tell_answer(order, answer);
            }
        }
        self.conclude(done.map(|answers| all_answers(&sifted.against, answers)), then);
    }

    /// Carries out what was withheld, if nobody's connection stands against it any more.
    fn try_withheld(&mut self) {
        let again = self.withheld.due(Instant::now());
        if again.is_empty() || self.unreachable.is_some() {
            return;
        }
        let sifted = self.withheld.sift(&again, &mut *self.enforcer, Instant::now());
        for order in &sifted.orders {
            if let Order::Ban(shut) = order {
                let _ = self.told.try_send(Told::Released(shut.prefix));
            }
        }
        if !sifted.orders.is_empty() {
            self.carry_out(&sifted.orders, None);
        }
    }

    fn allow(&mut self, prefixes: Vec<IpNet>, then: Option<Callback>) {
        let done = self.enforcer.allow(&prefixes);
        self.allowed = done.is_err().then_some(prefixes);
        if let Ok(Answer::Failed(why)) = &done {
            let _ = self.told.try_send(Told::Failed(why.clone()));
        }
        self.conclude(done.map(|answer| vec![answer]), then);
    }

    /// The enforcer remembers it, and says it again to whom it reaches anew.
    fn limit(&mut self, limits: &[Limit], exempt: &[IpNet], then: Option<Callback>) {
        let done = self.enforcer.limit(limits, exempt);
        if let Ok(Answer::Failed(why)) = &done {
            let _ = self.told.try_send(Told::Failed(format!("limits of connections: {why}")));
        }
        self.conclude(done.map(|answer| vec![answer]), then);
    }

    fn conclude(&mut self, done: Result<Vec<Answer>, Unreachable>, then: Option<Callback>) {
        let done = done.map_err(|error| error.to_string());
        match &done {
            Ok(_) => self.found(),
            Err(why) => self.lose(why),
        }
        if let Some(then) = then {
            then(done);
        }
    }

    fn tell_answer(&self, order: &Order, answer: &Answer) {
        let told = match (answer, order) {
            (Answer::Done | Answer::Delayed, _) | (Answer::Protected, Order::Sync(_) | Order::Unban(_)) => {
                return;
            }
            (Answer::Protected, Order::Ban(Shut { prefix, .. })) => Told::Protected(*prefix),
            (Answer::Failed(why), _) => Told::Failed(why.clone()),
        };
        let _ = self.told.try_send(told);
    }

    fn tell_notes(&mut self) {
        for note in self.enforcer.notes() {
            let _ = self.told.try_send(Told::Note(note));
        }
    }

    /// It can be reached; if it could not before, it is told everything again.
    fn found(&mut self) {
        if self.unreachable.take().is_none() {
            return;
        }
        if let Some(prefixes) = self.allowed.take() {
            self.allow(prefixes, None);
        }
        let _ = self.told.try_send(Told::WantsSync);
        self.look();
    }

    fn lose(&mut self, why: &str) {
        if self.unreachable.as_deref() != Some(why) {
            let _ = self.told.try_send(Told::Lost(why.to_owned()));
        }
        self.unreachable = Some(why.to_owned());
        self.look();
    }

    /// Whether it can be reached.
    fn retry(&mut self) {
        let done = self.enforcer.carry_out(&[]);
        self.conclude(done, None);
    }

    fn look(&mut self) -> EnforcerStatus {
        let mut status = self.enforcer.status();
        if let Some(why) = &self.unreachable {
            status.ready = false;
            if !status.remarks.contains(why) {
                status.remarks.push(why.clone());
            }
        }
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&status);
        status
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use fairban_firewall::model::Model;

    use super::*;

    /// A model that both the test and the thread hold.
    #[derive(Clone)]
    struct Shared(Arc<Mutex<Model>>);

    impl Enforcer for Shared {
        fn carry_out(&mut self, orders: &[Order]) -> Result<Vec<Answer>, Unreachable> {
            self.0.lock().expect("no panic").carry_out(orders)
        }

        fn list(&mut self) -> Result<Vec<Shut>, Unreachable> {
            self.0.lock().expect("no panic").list()
        }

        fn allow(&mut self, prefixes: &[IpNet]) -> Result<Answer, Unreachable> {
            self.0.lock().expect("no panic").allow(prefixes)
        }

        fn established(&mut self, peers: &[SocketAddr]) -> Result<Vec<bool>, Unreachable> {
            self.0.lock().expect("no panic").established(peers)
        }

        fn status(&mut self) -> EnforcerStatus {
            self.0.lock().expect("no panic").status()
        }
    }

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    fn ban(text: &str) -> Order {
        Order::Ban(Shut::new(net(text), Some(60)))
    }

    fn look(doors: &Doors) -> EnforcerStatus {
        let (sender, status) = mpsc::channel();
        doors.look(Box::new(move |seen| drop(sender.send(seen))));
        status.recv().expect("an answer")
    }

    fn and_wait(doors: &Doors, orders: Vec<Order>) -> Result<Vec<Answer>, String> {
        let (sender, answer) = mpsc::channel();
        doors.order(orders, Some(Box::new(move |done| drop(sender.send(done)))));
        answer.recv().expect("an answer")
    }

    #[test]
    fn orders_are_carried_out_and_answered() {
        let model = Shared(Arc::new(Mutex::new(Model::new(vec![net("192.0.2.1/32")]))));
        let (sender, told) = crossbeam_channel::unbounded();
        let doors = Doors::start(Box::new(model.clone()), sender).expect("a thread");
        let done = and_wait(&doors, vec![ban("198.51.100.7/32"), ban("192.0.2.1/32")]);
        assert_eq!(done, Ok(vec![Answer::Done, Answer::Protected]));
        assert!(matches!(told.recv(), Ok(Told::Protected(prefix)) if prefix == net("192.0.2.1/32")));
        assert_eq!(model.0.lock().expect("no panic").list().expect("reachable").len(), 1);
    }

    #[test]
    fn an_enforcer_that_comes_back_is_told_everything_again() {
        let model = Shared(Arc::new(Mutex::new(Model::default())));
        let (sender, told) = crossbeam_channel::unbounded();
        let doors = Doors::start(Box::new(model.clone()), sender).expect("a thread");
        model.0.lock().expect("no panic").broken = Some("gone".to_owned());
        assert_eq!(and_wait(&doors, vec![ban("198.51.100.7/32")]), Err("gone".to_owned()));
        assert!(matches!(told.recv(), Ok(Told::Lost(why)) if why == "gone"));
        assert!(!look(&doors).ready);
        doors.allow(vec![net("198.51.100.0/24")], None);
        model.0.lock().expect("no panic").broken = None;
        assert!(matches!(told.recv(), Ok(Told::WantsSync)));
        assert_eq!(and_wait(&doors, vec![Order::Sync(vec![])]), Ok(vec![Answer::Done]));
        assert!(look(&doors).ready);
        // Who is protected was said as soon as it could be.
        assert_eq!(and_wait(&doors, vec![ban("198.51.100.7/32")]), Ok(vec![Answer::Protected]));
    }
    #[test]
    fn an_admin_who_is_logged_in_is_not_cut_off_and_nobody_else_is_spared() {
        let model = Shared(Arc::new(Mutex::new(Model::default())));
        let (sender, told) = crossbeam_channel::unbounded();
        let doors = Doors::start(Box::new(model.clone()), sender).expect("a thread");
        let [there, gone]: [SocketAddr; 2] =
            ["198.51.100.7:40001", "203.0.113.9:40002"].map(|peer| peer.parse().expect("an address"));
        model.0.lock().expect("no panic").connected = vec![there];
        doors.sessions(vec![there, gone]);
        let shut = || -> Vec<String> {
            let list = model.0.lock().expect("no panic").list().expect("reachable");
            list.iter().map(|shut| shut.prefix.to_string()).collect()
        };
        // Another connection of the same address, or an end that the log lost, protects nobody.
        let orders = vec![ban("198.51.100.0/24"), ban("203.0.113.9/32"), ban("192.0.2.1/32")];
        let answers = and_wait(&doors, orders).expect("reachable");
        assert!(matches!(&answers[0], Answer::Failed(why) if why.contains("administrator")), "{answers:?}");
        assert_eq!(answers[1..], [Answer::Done, Answer::Done]);
        assert!(
            matches!(told.recv(), Ok(Told::Withheld(prefix, peer)) if prefix == net("198.51.100.0/24") && peer == there)
        );
        assert_eq!(shut(), ["192.0.2.1/32", "203.0.113.9/32"]);
        // Nor does asking for everything.
        let all = ["198.51.100.0/24", "192.0.2.1/32"].map(|text| Shut::new(net(text), Some(60))).to_vec();
        assert_eq!(and_wait(&doors, vec![Order::Sync(all)]), Ok(vec![Answer::Done]));
        assert_eq!(shut(), ["192.0.2.1/32"]);
        // When he is gone his neighbours' ban is carried out.
        model.0.lock().expect("no panic").connected.clear();
        doors.sessions(Vec::new());
        assert!(matches!(told.recv(), Ok(Told::Released(prefix)) if prefix == net("198.51.100.0/24")));
        and_wait(&doors, vec![Order::Unban(net("192.0.2.1/32"))]).expect("reachable");
        assert_eq!(shut(), ["198.51.100.0/24"]);
    }
}
