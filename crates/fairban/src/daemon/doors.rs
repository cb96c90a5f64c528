//! The doors: a thread that hands bans to whoever shuts sources out, and makes good what it could not do.
//!
//! The engine never waits for it. While the enforcer cannot be reached orders are not queued: what counts is what should
//! be shut when it can be reached again, and that is asked for then.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use fairban_firewall::enforcer::{Answer, Enforcer, EnforcerStatus, Order, Shut};
use ipnet::IpNet;

/// Orders that may wait; the thread that decides waits when there are more.
const QUEUE_MAX: usize = 1_024;

/// An enforcer that cannot be reached is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the doors are told.
pub(crate) enum Task {
    /// Carry out, in this order; then call back, if anybody waits.
    Orders(Vec<Order>, Option<Callback>),
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
    /// A ban was refused: the prefix is protected.
    Protected(IpNet),
    /// Something could not be carried out.
    Failed(String),
}

/// The thread, as others see it.
pub(crate) struct Doors {
    tasks: Sender<Task>,
    status: Arc<Mutex<EnforcerStatus>>,
    thread: Option<JoinHandle<()>>,
}

impl Doors {
    /// Starts the thread. What it has to tell goes to `told`.
    ///
    /// # Errors
    /// The machine has no more threads.
    pub(crate) fn start(enforcer: Box<dyn Enforcer>, told: Sender<Told>) -> std::io::Result<Doors> {
        let (tasks, queue) = bounded(QUEUE_MAX);
        let status = Arc::new(Mutex::new(EnforcerStatus::default()));
        let shared = Arc::clone(&status);
        let keeper = DoorKeeper { enforcer, told, status: shared, unreachable: None };
        let thread = thread::Builder::new().name("doors".to_owned()).spawn(move || keeper.run(&queue))?;
        Ok(Doors { tasks, status, thread: Some(thread) })
    }

    /// Hands orders on.
    pub(crate) fn order(&self, orders: Vec<Order>, then: Option<Callback>) {
        // The thread ends only after Stop.
        let _ = self.tasks.send(Task::Orders(orders, then));
    }

    /// The enforcer's state, as of the last order.
    pub(crate) fn status(&self) -> EnforcerStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        let _ = self.tasks.send(Task::Stop);
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
}

impl DoorKeeper {
    fn run(mut self, queue: &Receiver<Task>) {
        self.look();
        loop {
            let next = if self.unreachable.is_some() {
                queue.recv_timeout(RETRY_AFTER)
            } else {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok(Task::Orders(orders, then)) => self.carry_out(&orders, then),
                Ok(Task::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.retry(),
            }
        }
    }

    fn carry_out(&mut self, orders: &[Order], then: Option<Callback>) {
        let done = self.enforcer.carry_out(orders).map_err(|error| error.to_string());
        match &done {
            Ok(answers) => {
                self.unreachable = None;
                for (order, answer) in orders.iter().zip(answers) {
                    self.tell_answer(order, answer);
                }
            }
            Err(why) => self.lose(why),
        }
        self.look();
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

    fn lose(&mut self, why: &str) {
        if self.unreachable.is_none() {
            let _ = self.told.try_send(Told::Failed(why.to_owned()));
        }
        self.unreachable = Some(why.to_owned());
    }

    /// Whether it can be reached again; then everything is asked for.
    fn retry(&mut self) {
        if let Ok(answers) = self.enforcer.carry_out(&[]) {
            debug_assert!(answers.is_empty());
            self.unreachable = None;
            let _ = self.told.try_send(Told::WantsSync);
            self.look();
        }
    }

    fn look(&mut self) {
        let mut status = self.enforcer.status();
        status.remarks.extend(self.unreachable.clone());
        status.ready &= self.unreachable.is_none();
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use fairban_firewall::enforcer::Unreachable;
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
        assert!(matches!(told.recv(), Ok(Told::Failed(why)) if why == "gone"));
        assert!(!doors.status().ready);
        model.0.lock().expect("no panic").broken = None;
        assert!(matches!(told.recv(), Ok(Told::WantsSync)));
        assert_eq!(and_wait(&doors, vec![Order::Sync(vec![])]), Ok(vec![Answer::Done]));
        assert!(doors.status().ready);
    }
}
