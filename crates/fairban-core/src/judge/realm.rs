//! The domain of bare names: when `dan` and `dan@d.example` are one account.
//!
//! Servers add a default domain to a bare name (vpopmail's `defaultdomain`, Dovecot's `auth_default_realm`), and most log
//! what the client sent. No line names that domain. What shows it is agreement: at one source the bare name logs in, and
//! so does the same name with the domain. One such account is chance, or somebody who owns both; four, at sources of
//! three unrelated neighbourhoods, four times as many as for any other domain, are the server's doing.
//!
//! An attacker would need four accounts of the default domain and the same four names in a domain of his own, from
//! three neighbourhoods, before any honest user has both forms in two programs; what he gains is that his own sources'
//! familiarity with one form holds for the other. Names of shell services are the host's own and get no domain.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::source::Unit;
use super::{AccountId, Judge};
use crate::account::AccountKey;
use crate::event::Service;

/// Domains that votes are kept for. The one with the fewest goes first: an attacker pays accounts for each vote.
const DOMAINS_MAX: usize = 16;
/// Accounts that count for one domain; more say no more.
const ACCOUNTS_MAX: usize = 64;
const ACCOUNTS_MIN: usize = 4;
const NEIGHBOURHOODS_MIN: usize = 3;
/// So many times as many accounts as any other domain has.
const MARGIN: usize = 4;

/// What successes have shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Realm {
    votes: Vec<Votes>,
    shown: Option<Box<[u8]>>,
}

/// Accounts that log in with and without one domain.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Votes {
    domain: Box<[u8]>,
    /// Lower halves of their identities.
    accounts: BTreeSet<u32>,
    neighbourhoods: BTreeSet<u64>,
}

impl Realm {
    /// A bare name with the default domain, once that is shown.
    pub(super) fn full_form(&self, key: &AccountKey) -> Option<AccountKey> {
        let realm = self.shown.as_deref()?;
        // vpopmail writes a bare name with its separator.
        let is_bare = key.domain().is_none_or(<[u8]>::is_empty) && !key.local_part().is_empty();
        is_bare.then(|| AccountKey::new(&[key.local_part(), b"@", realm].concat()))
    }

    /// An account logged in at a source both with this domain and without any.
    fn vote(&mut self, domain: &[u8], account: AccountId, unit: Unit) {
        let at = self.votes.iter().position(|votes| *votes.domain == *domain).unwrap_or_else(|| {
            if self.votes.len() >= DOMAINS_MAX
                && let Some(least) = (0..self.votes.len()).min_by_key(|&i| self.votes[i].accounts.len())
            {
                self.votes.remove(least);
            }
            let (accounts, neighbourhoods) = (BTreeSet::new(), BTreeSet::new());
            self.votes.push(Votes { domain: domain.into(), accounts, neighbourhoods });
            self.votes.len() - 1
        });
        let votes = &mut self.votes[at];
        if votes.accounts.len() < ACCOUNTS_MAX {
            votes.accounts.insert(account.low());
            votes.neighbourhoods.insert(unit.neighbourhood());
        }
        let (accounts, neighbourhoods) = (votes.accounts.len(), votes.neighbourhoods.len());
        let others = self.votes.iter().enumerate().filter(|(other, _)| *other != at);
        let most = others.map(|(_, votes)| votes.accounts.len()).max().unwrap_or(0);
        if accounts >= ACCOUNTS_MIN.max(MARGIN * most) && neighbourhoods >= NEIGHBOURHOODS_MIN {
            self.shown = Some(domain.into());
            self.votes = Vec::new();
        }
    }
}

impl Judge {
    /// Learns the default domain: a name succeeds at a source where its other form is familiar. Successes with a domain
    /// tell; a program that logs in once does so again.
    pub(super) fn learn_realm(&mut self, key: &AccountKey, id: AccountId, unit: Unit) {
        let Some(domain) = key.domain().filter(|domain| !domain.is_empty()) else { return };
        if self.realm.shown.is_some() {
            return;
        }
        let bare = self.accounts.id_of_local_part(key);
        if self.accounts.is_familiar(bare, unit, self.now) {
            self.realm.vote(domain, id, unit);
        }
    }

    /// The name under which an account is judged at a source, if that is not the one the log has: the form that is
    /// familiar there; else, once the default domain is shown, the full one.
    pub(super) fn form_judged(
        &mut self,
        service: Service,
        key: &AccountKey,
        unit: Unit,
    ) -> Option<AccountKey> {
        let realm = self.realm.shown.as_deref()?;
        let (other, full) = match self.realm.full_form(key) {
            Some(full) => (full, true),
            None if key.domain() == Some(realm) => (AccountKey::new(key.local_part()), false),
            None => return None,
        };
        let (accounts, now) = (&mut self.accounts, self.now);
        let mut familiar = |key: &AccountKey| accounts.is_familiar(accounts.id(key), unit, now);
        let shell = matches!(service, Service::Sshd | Service::Pam);
        let takes_other = !familiar(key) && (full && !shell || familiar(&other));
        takes_other.then_some(other)
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;

    fn unit(net: u8) -> Unit {
        Unit::of(IpAddr::from([198, 51, net, 7]))
    }

    #[test]
    fn four_accounts_from_three_neighbourhoods_show_it_and_fewer_do_not() {
        let mut realm = Realm::default();
        for n in 0..100 {
            realm.vote(b"d.example", AccountId(n % 3), unit(n as u8));
            realm.vote(b"e.example", AccountId(n), unit(n as u8 % 2));
        }
        assert_eq!(realm.shown.as_deref(), None, "three accounts, or two neighbourhoods");
        let mut realm = Realm::default();
        for n in 0..4 {
            assert_eq!(realm.shown.as_deref(), None);
            realm.vote(b"d.example", AccountId(n), unit(n as u8));
        }
        assert_eq!(realm.shown.as_deref(), Some(&b"d.example"[..]));
    }

    #[test]
    fn domains_that_compete_show_none_until_one_has_four_times_as_many() {
        let mut realm = Realm::default();
        for n in 0..3 {
            realm.vote(b"bought.example", AccountId(n), unit(n as u8));
        }
        for n in 0..11 {
            realm.vote(b"d.example", AccountId(n), unit(n as u8));
            assert_eq!(realm.shown.as_deref(), None, "{n}");
        }
        realm.vote(b"d.example", AccountId(11), unit(11));
        assert_eq!(realm.shown.as_deref(), Some(&b"d.example"[..]));
    }

    #[test]
    fn memory_is_bounded() {
        let mut realm = Realm::default();
        for n in 0..1_000_u64 {
            for account in 0..3 {
                realm.vote(format!("{n}.example").as_bytes(), AccountId(account), unit(n as u8));
            }
        }
        for n in 0..1_000_u64 {
            realm.vote(b"d.example", AccountId(n), unit(1));
        }
        assert!(realm.votes.len() <= DOMAINS_MAX);
        assert!(realm.votes.iter().all(|votes| votes.accounts.len() <= ACCOUNTS_MAX));
    }
}
