//! [`Model`]: an enforcer without a kernel, whose clock its owner moves. Tests hold real ones against it, and shadow mode
//! needs no other.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::enforcer::{Answer, Enforcer, EnforcerStatus, Order, Shut, Unreachable};

/// An enforcer that only remembers.
#[derive(Clone, Debug, Default)]
pub struct Model {
    now_seconds: u64,
    until_seconds: BTreeMap<IpNet, Option<u64>>,
    protected: Vec<IpNet>,
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
        self.until_seconds.retain(|_, until| until.is_none_or(|until| until > now));
    }

    fn ban(&mut self, shut: Shut) -> Answer {
        let prefix = shut.prefix.trunc();
        if self.protected.iter().any(|other| other.contains(&prefix) || prefix.contains(other)) {
            return Answer::Protected;
        }
        let until = shut.seconds.map(|seconds| self.now_seconds + u64::from(seconds.max(1)));
        self.until_seconds.insert(prefix, until);
        Answer::Done
    }

    fn order(&mut self, order: &Order) -> Answer {
        match order {
            Order::Ban(shut) => self.ban(*shut),
            Order::Unban(prefix) => {
                self.until_seconds.remove(&prefix.trunc());
                Answer::Done
            }
            Order::Sync(all) => {
                self.until_seconds.clear();
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

impl Enforcer for Model {
    fn carry_out(&mut self, orders: &[Order]) -> Result<Vec<Answer>, Unreachable> {
        self.reachable()?;
        Ok(orders.iter().map(|order| self.order(order)).collect())
    }

    fn list(&mut self) -> Result<Vec<Shut>, Unreachable> {
        self.reachable()?;
        let left = |until: u64| u32::try_from(until - self.now_seconds).unwrap_or(u32::MAX);
        let shut = |(prefix, until): (&IpNet, &Option<u64>)| Shut { prefix: *prefix, seconds: until.map(left) };
        Ok(self.until_seconds.iter().map(shut).collect())
    }

    fn status(&mut self) -> EnforcerStatus {
        EnforcerStatus {
            name: "none".to_owned(),
            ready: self.broken.is_none(),
            shut: self.until_seconds.len() as u64,
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
        let ban = Order::Ban(Shut { prefix: net("192.0.2.1/32"), seconds: Some(10) });
        assert_eq!(model.carry_out(std::slice::from_ref(&ban)), Ok(vec![Answer::Done]));
        model.pass(9);
        assert_eq!(model.list().expect("reachable").len(), 1);
        model.carry_out(&[ban]).expect("reachable");
        model.pass(9);
        assert_eq!(model.list(), Ok(vec![Shut { prefix: net("192.0.2.1/32"), seconds: Some(1) }]));
        model.pass(1);
        assert_eq!(model.list(), Ok(Vec::new()));
    }

    #[test]
    fn what_is_protected_stays_open_also_within_a_wider_prefix() {
        let mut model = Model::new(vec![net("192.0.2.1/32")]);
        let wide = Order::Ban(Shut { prefix: net("192.0.2.0/24"), seconds: None });
        assert_eq!(model.carry_out(&[wide]), Ok(vec![Answer::Protected]));
        assert_eq!(model.list(), Ok(Vec::new()));
    }
}
