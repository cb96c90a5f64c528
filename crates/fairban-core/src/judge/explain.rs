//! What is known about a source or an account, for a person.

use core::net::IpAddr;

use super::Judge;
use super::source::{EpisodeState, HIT, PROXY, Source, Unit};
use crate::account::{Account, AccountKey};
use crate::effect::RobotKind;
use crate::engine::{AccountTold, Explanation};
use crate::event::Outcome;
use crate::nats::Nats;
use crate::time::Time;
use crate::weights::{self, Kind};

const ACCOUNTS_MAX: usize = 32;

impl Judge {
    pub(crate) fn explain_source(&self, address: IpAddr) -> Option<Explanation> {
        let unit = Unit::of(address);
        let source = self.sources.get(unit.0)?;
        let banned = source.banned_until != 0;
        Some(Explanation {
            prefix: Some(unit.prefix()),
            evidence: source.score(self.now),
            limit: self.limit(source),
            signals: self.dossiers.signals(unit, source),
            attempts: source.attempts,
            accounts: self.accounts_told(unit, source),
            samples: self.dossiers.samples(unit),
            ban: banned.then(|| {
                let until = Time::from_secs(i64::from(source.banned_until));
                (0, RobotKind::UsernameScan, Time::MIN, Some(until))
            }),
            remarks: self.remarks(unit, source),
        })
    }

    pub(crate) fn explain_account(&self, key: &AccountKey) -> Option<Explanation> {
        let id = self.accounts.id(key);
        let known = self.accounts.known(id);
        let strangers = self.across.strangers(id.0);
        if known.is_none() && strangers == 0 {
            return None;
        }
        let mut remarks = Vec::new();
        match known {
            Some(known) => remarks.push(format!("It logs in from {} source(s).", known.pairs.len())),
            None => remarks.push("It has never logged in.".to_owned()),
        }
        if strangers > 0 {
            remarks.push(format!("About {strangers} stranger(s) failed at it within the last day."));
        }
        let told = known.into_iter().flat_map(|known| &known.pairs).take(ACCOUNTS_MAX);
        Some(Explanation {
            prefix: None,
            evidence: Nats::ZERO,
            limit: weights::LIMIT,
            signals: Vec::new(),
            attempts: 0,
            accounts: told
                .map(|pair| AccountTold {
                    account: Account::Known(key.clone()),
                    source: pair.unit.address(),
                    last: if pair.failures > 0 { Outcome::BadSecret } else { Outcome::Success },
                    failures: u32::from(pair.failures),
                    successes: 1,
                    time: Time::from_secs(i64::from(pair.last)),
                })
                .collect(),
            samples: Vec::new(),
            ban: None,
            remarks,
        })
    }

    fn accounts_told(&self, unit: Unit, source: &Source) -> Vec<AccountTold> {
        let address = unit.address();
        let failed = source.episodes.iter().map(|episode| AccountTold {
            account: self
                .names
                .get(episode.account)
                .map_or(Account::Hidden, |name| Account::Known(name.clone())),
            source: address,
            last: match episode.kind {
                Kind::Unknown => Outcome::UnknownAccount,
                Kind::Wrong => Outcome::BadSecret,
                Kind::Failed | Kind::Hidden => Outcome::Failed,
            },
            failures: u32::from(episode.tries),
            successes: 0,
            time: Time::from_secs(i64::from(episode.last)),
        });
        let succeeded = self.accounts.at(unit).map(|(known, pair)| AccountTold {
            account: Account::Known(known.key.clone()),
            source: address,
            last: if pair.failures > 0 { Outcome::BadSecret } else { Outcome::Success },
            failures: u32::from(pair.failures),
            successes: 1,
            time: Time::from_secs(i64::from(pair.last)),
        });
        failed.chain(succeeded).take(ACCOUNTS_MAX).collect()
    }

    /// Why the sum is what it is, and what would have changed it.
    fn remarks(&self, unit: Unit, source: &Source) -> Vec<String> {
        let mut remarks = Vec::new();
        let count = |state| source.episodes.iter().filter(|e| e.state == state).count();
        let (pending, excused) = (count(EpisodeState::Pending), count(EpisodeState::Excused));
        let weighed = count(EpisodeState::Weighed);
        if source.ok > 0 {
            remarks.push(format!("{} account(s) log in here; failures at these weigh nothing.", source.ok));
        } else {
            remarks.push("Nobody has ever logged in here.".to_owned());
        }
        if self.is_hub(unit) {
            remarks
                .push("A hub: so many accounts log in here that it is never banned by address.".to_owned());
        }
        if source.has(PROXY) {
            remarks.push(
                "It carries nearly all logins: a proxy. Let it hand over the client's address.".to_owned(),
            );
        }
        if source.has(HIT) {
            remarks.push("It logged in after guessing: that account is probably taken.".to_owned());
        }
        if excused > 0 {
            remarks
                .push(format!("{excused} failing name(s) were explained by a success of the same account."));
        }
        if pending > 0 {
            remarks.push(format!("{pending} failure(s) still wait for a success."));
        }
        if self.neighbour_succeeded(unit) && source.ok == 0 {
            remarks.push("Somebody logs in from its neighbourhood, so the prefix is not judged.".to_owned());
        }
        let (score, limit) = (source.score(self.now), self.limit(source));
        if limit < weights::LIMIT {
            let relief = weights::LIMIT - limit;
            remarks
                .push(format!("Most strangers that fail here are robots: the limit is {relief} nats lower."));
        }
        if source.banned_until != 0 {
            remarks.push(format!(
                "A success of any of the {weighed} failing account(s) within a minute would have taken its part back."
            ));
        } else if score < limit {
            remarks.push(format!("{} nats are missing to a ban.", limit - score));
        }
        remarks
    }
}
