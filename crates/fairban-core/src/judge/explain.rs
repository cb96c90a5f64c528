//! What is known about a source or an account, for a person.

use core::net::IpAddr;

use super::Judge;
use super::convictions::Conviction;
use super::prefixes::around;
use super::source::{EpisodeState, HIT, NARROW, PROXY, Source, Unit, WEAK};
use crate::account::{Account, AccountKey};
use crate::effect::{Signal, SignalSum};
use crate::engine::{AccountTold, Explanation};
use crate::event::Outcome;
use crate::nats::Nats;
use crate::time::Time;
use crate::weights::{self, Kind};

const ACCOUNTS_MAX: usize = 32;

impl Judge {
    pub(crate) fn explain_source(&self, address: IpAddr) -> Option<Explanation> {
        let unit = Unit::of(address);
        let conviction = self.conviction(unit);
        let standing = conviction.map(|conviction| self.standing(conviction, address));
        let Some(source) = self.sources.get(unit.0) else {
            // Nothing of its own: at most its neighbourhood is banned.
            return conviction.map(|conviction| self.explain_neighbour(conviction, address));
        };
        let mut source = source.clone();
        let mut signals = self.dossiers.signals(unit, &source);
        if source.ban_is_over(self.now) {
            // As its next try will find it.
            source.end_ban(self.now);
            let probation = SignalSum { signal: Signal::Probation, count: 1, nats: source.score(self.now) };
            signals = vec![probation];
        }
        let mut samples = self.dossiers.samples(unit);
        if source.has(NARROW)
            && self.addresses.is_meant(unit, address)
            && let Some(aside) = self.dossiers.kept_aside(unit)
        {
            // What its neighbours do is judged anew; its own record is that of the ban.
            source.set_score(self.now, aside.score);
            source.episodes = aside.episodes;
            (signals, samples) = (aside.signals, aside.samples);
        }
        Some(Explanation {
            prefix: Some(unit.prefix()),
            evidence: source.score(self.now),
            limit: self.limit(&source),
            signals,
            attempts: source.attempts,
            accounts: self.accounts_told(unit, &source),
            samples,
            ban: conviction.filter(|conviction| conviction.prefix.contains(&address)).map(Conviction::told),
            remarks: self.remarks(unit, &source, standing),
        })
    }

    /// The ban in force at a source, its own or its prefix's; else the last one there was.
    fn conviction(&self, unit: Unit) -> Option<&Conviction> {
        let own = self.convictions.get(unit.0);
        let around = around(unit).filter_map(|(key, _)| self.convictions.get(key.apart()));
        own.into_iter().chain(around).max_by_key(|conviction| (conviction.is_on(self.now), conviction.from))
    }

    fn explain_neighbour(&self, conviction: &Conviction, address: IpAddr) -> Explanation {
        Explanation {
            prefix: Some(conviction.prefix),
            evidence: Nats::ZERO,
            limit: self.config.limit - self.prior.relief(self.now),
            signals: Vec::new(),
            attempts: 0,
            accounts: Vec::new(),
            samples: Vec::new(),
            ban: conviction.prefix.contains(&address).then(|| conviction.told()),
            remarks: vec!["It has done nothing itself.".to_owned(), self.standing(conviction, address)],
        }
    }

    /// What a ban says about a source now.
    fn standing(&self, conviction: &Conviction, address: IpAddr) -> String {
        let whom = if !conviction.prefix.contains(&address) {
            format!("Its neighbour {} was banned", conviction.prefix.addr())
        } else if matches!(conviction.prefix.prefix_len(), 32 | 64 | 128) {
            "It was banned".to_owned()
        } else {
            format!("Its neighbourhood {} was banned", conviction.prefix)
        };
        let kind = conviction.kind.name();
        if conviction.lifted.is_some() {
            format!("{whom} ({kind}), and let in again because a familiar account logged in there.")
        } else if conviction.is_on(self.now) {
            format!("{whom} ({kind}), and still is.")
        } else {
            format!("{whom} ({kind}); that is over.")
        }
    }

    pub(crate) fn explain_account(&self, key: &AccountKey) -> Option<Explanation> {
        let full = self.realm.full_form(key);
        let key =
            full.as_ref().filter(|full| self.accounts.known(self.accounts.id(full)).is_some()).unwrap_or(key);
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
            limit: self.config.limit,
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
    fn remarks(&self, unit: Unit, source: &Source, standing: Option<String>) -> Vec<String> {
        let mut remarks: Vec<String> = standing.into_iter().collect();
        if source.ok > 0 {
            remarks.push(format!("{} account(s) log in here; failures at these weigh nothing.", source.ok));
        } else {
            remarks.push("Nobody has ever logged in here.".to_owned());
        }
        remarks.extend(self.breaker_remark(unit));
        remarks.extend(self.session_remark(unit));
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
        Judge::remark_on_failures(source, &mut remarks);
        if self.neighbour_succeeded(unit) && source.ok == 0 {
            remarks.push("Somebody logs in from its neighbourhood, so the prefix is not judged.".to_owned());
        }
        let (score, limit) = (source.score(self.now), self.limit(source));
        if limit < self.config.limit {
            let relief = self.config.limit - limit;
            remarks
                .push(format!("Most strangers that fail here are robots: the limit is {relief} nats lower."));
        }
        if source.banned_until != 0 {
            let weighed = source.episodes.iter().filter(|e| e.state == EpisodeState::Weighed).count();
            if weighed > 0 {
                remarks.push(format!(
                    "A success at any of the {weighed} failing account(s) soon after would have taken its part back."
                ));
            }
        } else if score < limit {
            remarks.push(format!("{} nats are missing to a ban.", limit - score));
        } else if self.is_hub(unit) {
            remarks.push("Protected because it is a hub; its failures are told by account.".to_owned());
        }
        remarks
    }

    /// Where its failures stand.
    fn remark_on_failures(source: &Source, remarks: &mut Vec<String>) {
        let count = |state| source.episodes.iter().filter(|e| e.state == state).count();
        let (excused, slips) = (count(EpisodeState::Excused), count(EpisodeState::Slip));
        let (pending, devices) = (count(EpisodeState::Pending), count(EpisodeState::Device));
        let looping = source
            .episodes
            .iter()
            .any(|e| e.state == EpisodeState::Weighed && e.tags[0] == 0 && e.tries > weights::FAST_TRIES);
        if excused > 0 {
            remarks
                .push(format!("{excused} failing name(s) were explained by a success of the same account."));
        }
        if slips > 0 {
            remarks.push(format!("{slips} name(s) differ from another by a slip, and count with it."));
        }
        if devices > 0 {
            remarks
                .push(format!("{devices} account(s) fail with one secret again and again: an old password."));
        }
        if looping {
            remarks.push(format!(
                "An account fails again and again, and the log shows no secret: that weighs nothing below {} tries a \
                 minute. Let the server log a hash of the failing secret.",
                weights::FAST_TRIES
            ));
        }
        if pending > 0 {
            remarks.push(format!("{pending} failure(s) still wait for a success."));
        }
        if source.has(WEAK) {
            remarks.push(
                "It rests on connections alone: weak evidence. The logins' own log would make it strong."
                    .to_owned(),
            );
        }
    }
}
