//! Addresses of the names on the allowlist, looked up again and again.
//!
//! Only changes are told. A look-up that fails takes nothing away: an allowlist must not shrink because a name server is
//! down. When a name has more addresses than it may add, the first of them in order are taken, the same ones every time.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::thread;
use std::time::Duration;

use crate::channel::{Channel, ChannelError};
use crate::config::{Config, Resolve};
use crate::protocol::{Job, Message, text};

/// The job.
pub(crate) struct Resolver {
    names: Vec<String>,
    every: Duration,
    told: BTreeMap<String, Result<Vec<IpAddr>, String>>,
}

impl Resolver {
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let config = config.resolve.as_ref().filter(|config| !config.names.is_empty())?;
        let every = Duration::from_secs(u64::from(config.every()));
        Some(Self { names: config.names.clone(), every, told: BTreeMap::new() })
    }

    /// Looks up for ever; returns when the daemon has gone.
    pub(crate) fn run(mut self, channel: &Channel) -> Result<(), ChannelError> {
        loop {
            for index in 0..self.names.len() {
                for message in self.ask(index, system) {
                    channel.send(&message)?;
                }
            }
            thread::sleep(self.every);
        }
    }

    /// Looks one name up; what of it is news.
    fn ask(&mut self, index: usize, look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>>) -> Vec<Message> {
        let name = &self.names[index];
        let all = look_up(name).map(|all| all.iter().map(IpAddr::to_canonical).collect::<BTreeSet<_>>());
        let found = all.as_ref().map_or(0, BTreeSet::len);
        let addresses = match all {
            Ok(all) if all.is_empty() => Err("it has no address".to_owned()),
            Ok(all) => Ok(all.into_iter().take(Resolve::ADDRESSES_MAX).collect()),
            Err(error) => Err(text(error.to_string().as_bytes())),
        };
        if self.told.get(name) == Some(&addresses) {
            return Vec::new();
        }
        self.told.insert(name.clone(), addresses.clone());
        let mut news = vec![Message::Resolved { name: name.clone(), addresses }];
        if found > Resolve::ADDRESSES_MAX {
            let most = Resolve::ADDRESSES_MAX;
            let said = format!("{name} has {found} addresses; the first {most} are allowed");
            news.push(Message::Said { job: Job::Resolve, text: said });
        }
        news
    }
}

/// As every program of this host does it.
fn system(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver() -> Resolver {
        let resolve = Resolve { names: vec!["mail.example.org".to_owned()], every_seconds: 60 };
        Resolver::new(&Config { resolve: Some(resolve), ..Config::default() }).unwrap()
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands for a look-up")]
    fn found(last: &[u16]) -> io::Result<Vec<IpAddr>> {
        Ok(last.iter().map(|last| IpAddr::from([192, 0, (last >> 8) as u8, *last as u8])).collect())
    }

    #[test]
    fn only_news_is_told() {
        let mut resolver = resolver();
        let news = resolver.ask(0, |_| found(&[2, 1, 2]));
        let [Message::Resolved { name, addresses: Ok(addresses) }] = news.as_slice() else {
            panic!("{news:?}")
        };
        assert_eq!((name.as_str(), addresses), ("mail.example.org", &found(&[1, 2]).unwrap()));
        assert_eq!(resolver.ask(0, |_| found(&[1, 2])), [], "the same in another order");
        assert_eq!(resolver.ask(0, |_| found(&[1])).len(), 1);
    }

    #[test]
    fn a_failure_is_told_once_and_an_answer_after_it() {
        let mut resolver = resolver();
        resolver.ask(0, |_| found(&[1]));
        let down = |_: &str| Err(io::Error::other("no\x1banswer"));
        let news = resolver.ask(0, down);
        let [Message::Resolved { addresses: Err(why), .. }] = news.as_slice() else { panic!("{news:?}") };
        assert_eq!(why, "no\\x1banswer");
        assert_eq!(resolver.ask(0, down), []);
        assert_eq!(resolver.ask(0, |_| found(&[1])).len(), 1, "it is back");
        assert!(matches!(
            resolver.ask(0, |_| found(&[])).as_slice(),
            [Message::Resolved { addresses: Err(_), .. }]
        ));
    }

    #[test]
    fn a_name_adds_so_many_addresses_and_the_same_ones_each_time() {
        let mut resolver = resolver();
        let many: Vec<u16> = (0..100).collect();
        let news = resolver.ask(0, |_| found(&many));
        let [Message::Resolved { addresses: Ok(addresses), .. }, Message::Said { text, .. }] =
            news.as_slice()
        else {
            panic!("{news:?}")
        };
        assert_eq!(addresses.len(), Resolve::ADDRESSES_MAX);
        assert!(text.contains("100 addresses"), "{text}");
        let turned: Vec<u16> = (0..100).rev().collect();
        assert_eq!(resolver.ask(0, |_| found(&turned)), []);
    }
}
