//! Bans that are withheld, for they would cut an administrator off who is logged in over SSH.
//!
//! The log says from which connections administrators are logged in; whether one of them is there is asked of whoever shuts
//! out, at the very moment of a ban. A ban that is withheld is tried again when the log tells of an end, and every
//! [`AGAIN_AFTER`], for the log may lose one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fairban_firewall::enforcer::{Answer, Enforcer, Order, Shut};
use ipnet::IpNet;

/// Withheld bans are tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Bans remembered to be tried again; one more waits for the next time that everything is asked for.
const BANS_MAX: usize = 4_096;

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    sessions: Vec<SocketAddr>,
    bans: BTreeMap<IpNet, Ban>,
}

#[derive(Clone, Copy, Debug)]
struct Ban {
    shut: Shut,
    /// Then it is over.
    until: Option<Instant>,
    again_at: Instant,
}

/// Orders without what is withheld.
#[derive(Debug, Default)]
pub(crate) struct Sifted {
    pub(crate) orders: Vec<Order>,
    /// For each order that was asked: whose connection stands against it, if one does.
    pub(crate) against: Vec<Option<SocketAddr>>,
    /// Withheld now and not before.
    pub(crate) new: Vec<(IpNet, SocketAddr)>,
}

impl Withheld {
    /// Administrators are logged in from these, as far as the log tells.
    pub(crate) fn set_sessions(&mut self, sessions: Vec<SocketAddr>) {
        self.sessions = sessions;
        for ban in self.bans.values_mut() {
            ban.again_at = Instant::now();
        }
    }

    /// Takes out what would hit an administrator's connection that is there.
    pub(crate) fn sift(&mut self, orders: &[Order], enforcer: &mut dyn Enforcer, now: Instant) -> Sifted {
        if self.sessions.is_empty() && self.bans.is_empty() {
            return Sifted { orders: orders.to_vec(), against: vec![None; orders.len()], new: Vec::new() };
        }
        let there = self.there(orders, enforcer);
        let stands = |shut: &Shut| there.iter().find(|peer| shut.prefix.contains(&peer.ip())).copied();
        let mut sifted = Sifted::default();
        for order in orders {
            let mut against = None;
            match order {
                Order::Ban(shut) => {
                    against = stands(shut);
                    if let Some(peer) = against {
                        self.keep(*shut, peer, now, &mut sifted);
                    } else {
                        self.bans.remove(&shut.prefix);
                        sifted.orders.push(order.clone());
                    }
                }
                Order::Unban(prefix) => {
                    self.bans.remove(prefix);
                    sifted.orders.push(order.clone());
                }
                Order::Sync(all) => {
                    let listed: BTreeSet<IpNet> = all.iter().map(|shut| shut.prefix).collect();
                    self.bans.retain(|prefix, _| listed.contains(prefix));
                    let mut rest = Vec::with_capacity(all.len());
                    for shut in all {
                        if let Some(peer) = stands(shut) {
                            self.keep(*shut, peer, now, &mut sifted);
                        } else {
                            self.bans.remove(&shut.prefix);
                            rest.push(*shut);
                        }
                    }
                    sifted.orders.push(Order::Sync(rest));
                }
            }
            sifted.against.push(against);
        }
        sifted
    }

    /// Those of the sessions that the orders would hit, and that are there. Who cannot be asked now may be there.
    fn there(&self, orders: &[Order], enforcer: &mut dyn Enforcer) -> Vec<SocketAddr> {
        let hits = |shut: &Shut, peer: &SocketAddr| shut.prefix.contains(&peer.ip());
        let is_hit = |peer: &SocketAddr| {
            orders.iter().any(|order| match order {
                Order::Ban(shut) => hits(shut, peer),
                Order::Sync(all) => all.iter().any(|shut| hits(shut, peer)),
                Order::Unban(_) => false,
            })
        };
        let asked: Vec<SocketAddr> = self.sessions.iter().filter(|peer| is_hit(peer)).copied().collect();
        if asked.is_empty() {
            return asked;
        }
        let found = enforcer.established(&asked).unwrap_or_else(|_| vec![true; asked.len()]);
        asked.into_iter().zip(found).filter_map(|(peer, is_there)| is_there.then_some(peer)).collect()
    }

    fn keep(&mut self, shut: Shut, peer: SocketAddr, now: Instant, sifted: &mut Sifted) {
        if self.bans.len() >= BANS_MAX && !self.bans.contains_key(&shut.prefix) {
            return;
        }
        let until = shut.seconds.map(|seconds| now + Duration::from_secs(u64::from(seconds)));
        let ban = Ban { shut, until, again_at: now + AGAIN_AFTER };
        if self.bans.insert(shut.prefix, ban).is_none() {
            sifted.new.push((shut.prefix, peer));
        }
    }

    /// How long until [`Withheld::due`] has something.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        let next = self.bans.values().map(|ban| ban.again_at).min();
        next.map(|next| next.saturating_duration_since(now))
    }

    /// Bans to be tried again, with the seconds that are left of them. They stay withheld until [`Withheld::sift`] lets them
    /// pass.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Order> {
        self.bans.retain(|_, ban| ban.until.is_none_or(|until| until > now));
        let due = self.bans.values_mut().filter(|ban| ban.again_at <= now);
        let again = due.map(|ban| {
            ban.again_at = now + AGAIN_AFTER;
            let left = ban.until.map(|until| until.saturating_duration_since(now).as_secs() + 1);
            let seconds = left.map(|left| u32::try_from(left).unwrap_or(u32::MAX));
            Order::Ban(Shut { seconds, ..ban.shut })
        });
        again.collect()
    }
}

/// What is answered for all orders: the enforcer's words, and for what is withheld why.
pub(crate) fn all_answers(against: &[Option<SocketAddr>], answers: Vec<Answer>) -> Vec<Answer> {
    let mut answers = answers.into_iter();
    let answer = |against: &Option<SocketAddr>| match against {
        Some(peer) => Answer::Failed(reason(*peer)),
        None => answers.next().unwrap_or_else(|| Answer::Failed("no answer".to_owned())),
    };
    against.iter().map(answer).collect()
}

/// Why a ban is withheld, for a person.
pub(crate) fn reason(peer: SocketAddr) -> String {
    let (address, port) = (peer.ip(), peer.port());
    format!(
        "an administrator is logged in over SSH from {address} port {port}: shut out when that connection is over, not before"
    )
}

#[cfg(test)]
mod tests {
    use fairban_firewall::model::Model;

    use super::*;

    fn shut(prefix: &str, seconds: Option<u32>) -> Shut {
        Shut::new(prefix.parse().expect("a prefix"), seconds)
    }

    fn peer(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn withheld(peers: &[&str]) -> (Withheld, Model) {
        let peers: Vec<SocketAddr> = peers.iter().map(|text| peer(text)).collect();
        let mut model = Model::default();
        model.connected.clone_from(&peers);
        let mut withheld = Withheld::default();
        withheld.set_sessions(peers);
        (withheld, model)
    }

    #[test]
    fn what_is_withheld_is_tried_again_with_the_time_that_is_left_until_it_is_over() {
        let (mut withheld, mut model) = withheld(&["198.51.100.7:4000"]);
        let start = Instant::now();
        let orders =
            [Order::Ban(shut("198.51.100.7/32", Some(100))), Order::Ban(shut("198.51.100.0/24", None))];
        let sifted = withheld.sift(&orders, &mut model, start);
        assert_eq!((sifted.orders.len(), sifted.new.len()), (0, 2));
        assert_eq!(withheld.due(start), []);
        let wait = withheld.wait(start).expect("there is something");
        let again = withheld.due(start + wait);
        assert_eq!(again.len(), 2);
        assert!(again.contains(&Order::Ban(shut("198.51.100.7/32", Some(71)))), "{again:?}");
        assert_eq!(withheld.sift(&again, &mut model, start + wait).new, [], "told once");
        // One is over before he is gone.
        model.connected.clear();
        let later = start + Duration::from_secs(101);
        let again = withheld.due(later);
        assert_eq!(again, [Order::Ban(shut("198.51.100.0/24", None))]);
        assert_eq!(withheld.sift(&again, &mut model, later).orders, again);
        assert_eq!(withheld.wait(later), None);
    }

    #[test]
    fn an_unban_ends_the_wait_and_who_cannot_be_asked_may_be_there() {
        let (mut withheld, mut model) = withheld(&["[2001:db8::7]:4000"]);
        model.broken = Some("gone".to_owned());
        let now = Instant::now();
        let order = Order::Ban(shut("2001:db8::/64", Some(60)));
        assert_eq!(withheld.sift(&[order], &mut model, now).against, [Some(peer("[2001:db8::7]:4000"))]);
        let unban = [Order::Unban("2001:db8::/64".parse().expect("a prefix"))];
        assert_eq!(withheld.sift(&unban, &mut model, now).orders, unban);
        assert_eq!(withheld.wait(now), None);
    }
}
