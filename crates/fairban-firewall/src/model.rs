//! [`Model`]: an enforcer without a kernel, whose clock its owner moves. Tests hold real ones against it, and shadow mode
//! needs no other.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ipnet::IpNet;

use crate::enforcer::{Answer, Doors, Enforcer, EnforcerStatus, Order, Shut, Unreachable};

/// An enforcer that only remembers.
#[derive(Clone, Debug, Default)]
pub struct Model {
    now_seconds: u64,
    shut: BTreeMap<IpNet, (Option<u64>, Doors)>,
    protected: Vec<IpNet>,
    allowed: Vec<IpNet>,
    /// Clients with an established connection.
    pub connected: Vec<SocketAddr>,
    /// While set, every order is refused with these words.
    pub broken: Option<String>,
}

impl Model {
    /// One that protects these prefixes, and whatever lies in them or around them.
    pub fn new(protected: Vec<IpNet>) -> Model {
        Model { protected, ..Model::default() }
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: u64) {
        self.now_seconds += seconds;
        let now = self.now_seconds;
        self.shut.retain(|_, (until, _)| until.is_none_or(|until| until > now));
    }

    /// How many are shut out.
    pub fn len(&self) -> usize {
        self.shut.len()
    }

    /// Whether nobody is shut out.
    pub fn is_empty(&self) -> bool {
        self.shut.is_empty()
    }

    /// Seconds until the next ban ends by itself.
    pub fn next_end(&self) -> Option<u64> {
        self.shut.values().filter_map(|(until, _)| *until).min().map(|until| until - self.now_seconds)
    }

    fn ban(&mut self, shut: Shut) -> Answer {
        let prefix = shut.prefix.trunc();
        if self.protected.iter().chain(&self.allowed).any(|other| overlap(other, &prefix)) {
            return Answer::Protected;
        }
        let until = shut.seconds.map(|seconds| self.now_seconds + u64::from(seconds.max(1)));
        self.shut.insert(prefix, (until, shut.doors));
        Answer::Done
    }

    fn order(&mut self, order: &Order) -> Answer {
        match order {
            Order::Ban(shut) => self.ban(*shut),
            Order::Unban(prefix) => {
                self.shut.remove(&prefix.trunc());
                Answer::Done
            }
            Order::Sync(all) => {
                self.shut.clear();
                let mut answer = Answer::Done;
                for shut in all {
                    if self.ban(*shut) == Answer::Protected {
                        answer = Answer::Protected;
                    }
                }
                answer
            }
        }
    }

    fn reachable(&self) -> Result<(), Unreachable> {
        self.broken.clone().map_or(Ok(()), |words| Err(Unreachable(words)))
    }
}

/// Whether either prefix holds the other.
fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

impl Enforcer for Model {
    fn carry_out(&mut self, orders: &[Order]) -> Result<Vec<Answer>, Unreachable> {
        self.reachable()?;
        Ok(orders.iter().map(|order| self.order(order)).collect())
    }

    fn list(&mut self) -> Result<Vec<Shut>, Unreachable> {
        self.reachable()?;
        let left = |until: u64| u32::try_from(until - self.now_seconds).unwrap_or(u32::MAX);
        let shut = |(prefix, (until, doors)): (&IpNet, &(Option<u64>, Doors))| Shut {
            prefix: *prefix,
            seconds: until.map(left),
            doors: *doors,
        };
        Ok(self.shut.iter().map(shut).collect())
    }

    fn allow(&mut self, prefixes: &[IpNet]) -> Result<Answer, Unreachable> {
        self.reachable()?;
        self.allowed = prefixes.to_vec();
        self.shut.retain(|prefix, _| !prefixes.iter().any(|other| overlap(other, prefix)));
        Ok(Answer::Done)
    }

    fn established(&mut self, peers: &[SocketAddr]) -> Result<Vec<bool>, Unreachable> {
        self.reachable()?;
        Ok(peers.iter().map(|peer| self.connected.contains(peer)).collect())
    }

    fn status(&mut self) -> EnforcerStatus {
        EnforcerStatus {
            name: "none".to_owned(),
            ready: self.broken.is_none(),
            shut: self.shut.len() as u64,
            remarks: self.broken.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn a_ban_ends_by_itself_and_a_second_one_starts_its_time_again() {
        let mut model = Model::default();
        let ban = Order::Ban(Shut::new(net("192.0.2.1/32"), Some(10)));
        assert_eq!(model.carry_out(std::slice::from_ref(&ban)), Ok(vec![Answer::Done]));
        model.pass(9);
        assert_eq!(model.list().expect("reachable").len(), 1);
        model.carry_out(&[ban]).expect("reachable");
        model.pass(9);
        assert_eq!(model.list(), Ok(vec![Shut::new(net("192.0.2.1/32"), Some(1))]));
        model.pass(1);
        assert_eq!(model.list(), Ok(Vec::new()));
    }

    #[test]
    fn what_is_protected_stays_open_also_within_a_wider_prefix() {
        let mut model = Model::new(vec![net("192.0.2.1/32")]);
        let wide = Order::Ban(Shut::new(net("192.0.2.0/24"), None));
        assert_eq!(model.carry_out(&[wide]), Ok(vec![Answer::Protected]));
        assert_eq!(model.list(), Ok(Vec::new()));
    }

    #[test]
    fn who_is_allowed_is_let_in_and_no_longer_shut_out_until_he_is_not() {
        let mut model = Model::default();
        let ban = [Order::Ban(Shut::new(net("192.0.2.7/32"), None))];
        model.carry_out(&ban).expect("reachable");
        assert_eq!(model.allow(&[net("192.0.2.0/24")]), Ok(Answer::Done));
        assert!(model.is_empty());
        assert_eq!(model.carry_out(&ban), Ok(vec![Answer::Protected]));
        assert_eq!(model.allow(&[]), Ok(Answer::Done));
        assert_eq!(model.carry_out(&ban), Ok(vec![Answer::Done]));
    }
}
