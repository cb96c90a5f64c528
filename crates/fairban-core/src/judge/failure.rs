//! What a failure is worth: nothing at a familiar account, a wait at a new one, a little more for each further secret.

use super::familiar::AccountId;
use super::outage::{ACTIVE_WITHIN, Change, FAMILIAR_SINCE};
use super::pending::{Waiting, pair_key};
use super::source::{BACK, COUNTED, Episode, EpisodeState, SECOND, Unit, secs_u32};
use super::{Case, Judge};
use crate::account::{Account, AccountKey, is_near_miss, is_other_form};
use crate::effect::{Alarm, Effect, Signal};
use crate::event::{Mechanism, Outcome};
use crate::join::Attempt;
use crate::nats::Nats;
use crate::time::{Span, Time};
use crate::weights::{self, Kind};

/// Failures at a familiar account (or with one secret) before its device is told as stale.
const STALE_TRIES: u16 = 20;
const STALE_SPAN: Span = Span::hours(1);
/// Untagged tries at one account before it is told as looping.
const LOOPING_TRIES: u16 = 60;
/// Failures in a row at an account whose pair is in quarantine that its owner may make.
const OWNER_FAILURES_MAX: u16 = 6;
/// Successes that came after failures before a pair is one that often fails: an old password beside the right one.
const HABIT: u8 = 3;
/// Near misses and other forms of a name that are taken for one account; a walker of near misses gains no more.
const NEAR_MAX: u8 = 2;
/// Failing accounts of a stranger that no outage excuses.
const OUTAGE_ACCOUNTS_MAX: u16 = 12;

impl Judge {
    pub(super) fn failure(&mut self, case: &Case<'_>) {
        let attempt = case.attempt;
        if self.sights.note(attempt.service, false, self.now) {
            self.alarm(Alarm::Blind { service: attempt.service });
        }
        if case.familiar || self.owns(case) {
            self.familiar_failure(case);
            return;
        }
        if case.id.is_some_and(|id| self.orders.forgives(case.unit, id.low())) {
            return;
        }
        let kind = match (&attempt.account, attempt.outcome) {
            (Account::Hidden, _) => Kind::Hidden,
            // An account that has logged in does exist: who calls it unknown is a backend in trouble.
            (_, Outcome::UnknownAccount) if case.id.is_some_and(|id| self.accounts.known(id).is_some()) => {
                Kind::Wrong
            }
            (_, Outcome::UnknownAccount) => Kind::Unknown,
            (_, Outcome::BadSecret) => Kind::Wrong,
            _ => Kind::Failed,
        };
        let id = case.id.unwrap_or_else(|| self.hidden_id(case.unit));
        let now = self.now;
        self.addresses.failed(case.unit, attempt.source, self.limits.names);
        let source = self.source(case.unit);
        source.attempts = source.attempts.saturating_add(1);
        match self.judged_as(case, id) {
            Some(account) => self.repeat(case, account),
            None => self.open(case, id, kind, now),
        }
        self.check(case.unit);
    }

    /// Whether the account logged in here lately although its pair is in quarantine: who has found a secret does not
    /// guess on at it, so a few failures are its owner's slips. More since the last success are not.
    fn owns(&mut self, case: &Case<'_>) -> bool {
        let pair = case.id.and_then(|id| self.accounts.pair_mut(id, case.unit));
        pair.is_some_and(|pair| pair.failures < OWNER_FAILURES_MAX)
    }

    /// A failure at an account that has logged in here before weighs nothing. It may tell of an outage or an old password.
    fn familiar_failure(&mut self, case: &Case<'_>) {
        let (Some(id), now) = (case.id, self.now) else { return };
        if let Some(tag) = case.attempt.secret {
            self.across.bar_tag(tag.bits(), now, &self.limits);
        }
        let Some(pair) = self.accounts.pair_mut(id, case.unit) else { return };
        // A digest that fails is the server's doing; only what the client can help tells of an outage or an old password.
        if case.attempt.mechanism == Mechanism::Digest {
            return;
        }
        pair.failures = pair.failures.saturating_add(1);
        let steady = pair.habit < HABIT;
        let (failures, last) = (pair.failures, Time::from_secs(i64::from(pair.last)));
        let since_first = now.since(Time::from_secs(i64::from(pair.first)));
        if failures >= STALE_TRIES && now.since(last) >= STALE_SPAN {
            self.tell_stale(case, u32::from(failures), last);
        }
        let active = now.since(last) <= ACTIVE_WITHIN;
        if since_first >= FAMILIAR_SINCE && active && steady {
            let service = case.attempt.service;
            match self.outages.failed(service, id.0, case.unit, now) {
                Some(Change::Began(failing)) => self.alarm(Alarm::Outage { service, failing }),
                Some(Change::Long) => self.alarm(Alarm::OutageLong { service }),
                _ => {}
            }
        }
    }

    /// Another failure of the same pair.
    fn repeat(&mut self, case: &Case<'_>, account: u32) {
        let now = self.now;
        let Some(source) = self.sources.get_mut(case.unit.0) else { return };
        let tag = case.attempt.secret.map(|tag| tag_16(tag.bits()));
        // People try what they remember at each of their accounts; who does so at many is spraying, and found by that.
        let tried_elsewhere = tag.is_some_and(|tag| source.has_tried_elsewhere(account, tag));
        let Some(episode) = source.episode(account) else { return };
        let other_secret = episode.again(now, case.attempt, tried_elsewhere);
        let (tries, burst, distinct) = (episode.tries, episode.burst, episode.distinct);
        let (state, tens) = (episode.state, episode.tens_of_minutes);
        let tagged = case.attempt.secret.is_some();
        let fast_from = if case.attempt.again { weights::TYPED_TRIES } else { weights::FAST_TRIES };
        let fast = u16::from(burst) >= fast_from && !tagged;
        if state == EpisodeState::Pending && (fast || distinct > weights::PENDING_SECRETS) {
            // No person tries like this: there is nothing to wait for.
            if let Some(waiting) = self.pending.remove(case.unit, account) {
                self.due(waiting);
            }
        }
        // What a success has explained stays explained, but it is no licence to guess on at a neighbour's account.
        let explained = state == EpisodeState::Excused && !fast && distinct <= weights::PENDING_SECRETS;
        if state == EpisodeState::Pending {
            self.wait_on(case, account);
        }
        if state == EpisodeState::Pending || explained {
            return;
        }
        let mut added = None;
        if fast {
            added = Some((Signal::FastRepeat, weights::FAST_REPEAT));
        } else if other_secret && distinct > 1 {
            let mut nats = weights::another_secret(u16::from(distinct) - 1);
            if case.attempt.common_secret {
                nats = nats.max(weights::COMMON.scaled(1, 2));
            }
            let nats = self.sights.temper(case.attempt.service, nats, now);
            added = Some((Signal::ManySecrets, nats));
        }
        if let Some((signal, nats)) = added {
            if let Some(episode) = self.sources.get_mut(case.unit.0).and_then(|s| s.episode(account)) {
                episode.nats = episode.nats.saturating_add(nats.to_raw() as i16);
            }
            self.add(case.unit, &[(signal, nats)]);
            return;
        }
        if tagged && state == EpisodeState::Weighed && tries >= weights::SAME_SECRET_TRIES {
            self.recognise_device(case.unit, account);
        }
        if tries >= STALE_TRIES && tens >= 6 {
            let since = now.minus(Span::minutes(i64::from(tens) * 10));
            self.tell_stale(case, u32::from(tries), since);
        } else if !tagged && tries >= LOOPING_TRIES && self.tell_today(pair_key(case.unit, account) ^ 1) {
            let (account, source) = (case.attempt.account.clone(), case.attempt.source);
            self.alarm(Alarm::Looping { account, source, failures: u32::from(tries) });
        }
    }

    /// Somebody is still trying: he has a minute from his last try, three from his first.
    fn wait_on(&mut self, case: &Case<'_>, account: u32) {
        let Some(waiting) = self.pending.get(case.unit, account) else { return };
        let most = waiting.time.plus(weights::TRYING_PENDING);
        let due = waiting.due.max(self.now.plus(weights::PLAIN_PENDING).min(most));
        if waiting.mechanism != Mechanism::Digest && due > waiting.due {
            self.pending.postpone(case.unit, account, due);
        }
    }

    /// The same wrong secret again and again is a device with an old password: what the account's failure weighed is
    /// taken back, for one account of a stranger and for as many as have succeeded at a source where people log in.
    fn recognise_device(&mut self, unit: Unit, account: u32) {
        let now = self.now;
        let Some(source) = self.sources.get_mut(unit.0) else { return };
        let allowed = source.ok.max(1);
        if u16::from(source.stale) >= allowed {
            return;
        }
        let Some(episode) = source.episode(account) else { return };
        if episode.distinct > 1 {
            return;
        }
        let kind = episode.kind;
        let back = Nats::raw(i32::from(episode.nats)).min(weights::SAME_SECRET);
        episode.nats -= back.to_raw() as i16;
        episode.state = EpisodeState::Device;
        source.stale = source.stale.saturating_add(1);
        source.count(now, kind, false);
        source.open = source.open.saturating_sub(1);
        self.add(unit, &[(kind.signal(), -back)]);
    }

    /// A new account fails at this source.
    fn open(&mut self, case: &Case<'_>, id: AccountId, kind: Kind, now: Time) {
        let (unit, attempt) = (case.unit, case.attempt);
        let gap = {
            let Some(source) = self.sources.get_mut(unit.0) else { return };
            if source.open == 0 || source.score(now) <= Nats::milli(2_000) {
                source.ok_before = source.ok;
            }
            let gap = source.gap(now);
            source.open = source.open.saturating_add(1);
            source.opened_ms = now.micros().div_euclid(1_000) as u32;
            source.push_episode(Episode::new(id.low(), kind, now, attempt), self.limits.episodes_per_source);
            gap.filter(|_| source.ok == 0)
        };
        if let Some(key) = attempt.account.key() {
            self.names.insert(id.low(), key, self.limits.names);
        }
        self.pending.insert(Waiting {
            sequence: 0,
            due: self.due_time(case),
            time: now,
            unit,
            id,
            name: attempt.account.key().cloned(),
            cut: matches!(attempt.account, Account::Cut(_)),
            outcome: attempt.outcome,
            mechanism: attempt.mechanism,
            secret: attempt.secret,
            common: attempt.common_secret,
            service: attempt.service,
            session: attempt.session,
            gap_micros: gap.map(Span::as_micros),
            sample: self.sample.as_slice().into(),
        });
        self.stranger_opened(unit);
        self.weigh_early(unit);
    }

    /// A stranger's failure is news to his neighbourhood and to the account.
    fn stranger_opened(&mut self, unit: Unit) {
        let now = self.now;
        let Some(source) = self.sources.get_mut(unit.0) else { return };
        if source.ok > 0 {
            return;
        }
        let first = !source.has(COUNTED);
        source.flags |= COUNTED;
        if first {
            for neighbour in self.prefixes.opened(unit, now, &self.limits) {
                self.weigh_all(neighbour);
            }
        }
    }

    /// Three accounts fail and none has succeeded in between: waiting any longer only helps a robot.
    fn weigh_early(&mut self, unit: Unit) {
        let Some(source) = self.sources.get(unit.0) else { return };
        if source.open >= weights::EARLY_ACCOUNTS || source.has(BACK) && source.ok == 0 {
            self.weigh_all(unit);
        }
    }

    /// Weighs all pending failures of a source now, except digests: their plain login is still to come.
    fn weigh_all(&mut self, unit: Unit) {
        let Some(source) = self.sources.get(unit.0) else { return };
        let waiting: Vec<u32> = source
            .episodes
            .iter()
            .filter(|episode| episode.state == EpisodeState::Pending)
            .map(|episode| episode.account)
            .collect();
        for account in waiting {
            let digest = self.pending.get(unit, account).is_none_or(|w| w.mechanism == Mechanism::Digest);
            if !digest && let Some(waiting) = self.pending.remove(unit, account) {
                self.due(waiting);
            }
        }
    }

    fn due_time(&self, case: &Case<'_>) -> Time {
        let attempt = case.attempt;
        self.now.plus(match (attempt.session_open, attempt.mechanism) {
            (true, _) => weights::SESSION_PENDING,
            (_, Mechanism::Digest) => weights::DIGEST_PENDING,
            _ => weights::PLAIN_PENDING,
        })
    }

    /// Nothing has resolved this failure in time: it is weighed, or waits on while its backend is down.
    pub(super) fn due(&mut self, waiting: Waiting) {
        let now = self.now;
        let Some(source) = self.sources.get_mut(waiting.unit.0) else { return };
        let known = self.accounts.known(waiting.id).is_some();
        if self.outages.excuses(waiting.service, waiting.time, now)
            && known
            && source.open < OUTAGE_ACCOUNTS_MAX
        {
            self.pending.insert(Waiting { due: now.plus(weights::PLAIN_PENDING), ..waiting });
            return;
        }
        let strange = source.ok == 0;
        let Some(episode) = source.episode(waiting.id.low()) else { return };
        episode.state = EpisodeState::Weighed;
        let (kind, distinct) = (episode.kind, episode.distinct);
        let earlier = source.count_1024(kind);
        let weighed = source.episodes.iter().filter(|e| e.state == EpisodeState::Weighed).count();
        let mut added = Vec::with_capacity(4);
        let unseen = self.sights.is_blind(waiting.service, now);
        let blind = kind != Kind::Unknown && unseen;
        let quick = waiting.gap_micros.is_some_and(|gap| Span::micros(gap) < weights::BLIND_GAP);
        let base = if blind && !quick {
            weights::BLIND.weight(earlier)
        } else {
            self.tempered(&waiting, kind, kind.model(!strange).weight(earlier))
        };
        self.with_alternatives(&waiting, kind, base, strange, &mut added);
        let Some(source) = self.sources.get_mut(waiting.unit.0) else { return };
        if strange && weighed == 2 && !source.has(SECOND) && !waiting.cut {
            source.flags |= SECOND;
            // That none has succeeded is known only where successes are seen.
            if !unseen {
                added.push((Signal::SecondAccount, weights::SECOND_ACCOUNT));
            }
        }
        if let Some(gap) = waiting.gap_micros.filter(|_| strange) {
            let left = weights::SPEED_SUM - Nats::raw(i32::from(source.speed));
            let nats = weights::gap_weight(Span::micros(gap)).min(left);
            source.speed += nats.to_raw() as i16;
            if nats > Nats::ZERO {
                added.push((Signal::Speed, nats));
            }
        }
        let further: Nats = (1..distinct).map(|n| weights::another_secret(u16::from(n))).sum();
        let further = self.sights.temper(waiting.service, further, now);
        if further > Nats::ZERO {
            added.push((Signal::ManySecrets, further));
        }
        source.count(now, kind, true);
        self.add_with_sample(waiting.unit, &added, &waiting.sample);
        let total: Nats = added.iter().map(|(_, nats)| *nats).sum();
        if let Some(episode) = self.sources.get_mut(waiting.unit.0).and_then(|s| s.episode(waiting.id.low()))
        {
            episode.nats = total.to_raw().clamp(0, i32::from(i16::MAX)) as i16;
        }
        self.learn(&waiting, kind, strange, weighed == 1);
        self.check(waiting.unit);
    }

    /// Where successes are not seen, or digests fail for the server's reasons, an unresolved failure says less.
    fn tempered(&self, waiting: &Waiting, kind: Kind, weight: Nats) -> Nats {
        let weight = match kind {
            Kind::Unknown => weight,
            _ => self.sights.temper(waiting.service, weight, self.now),
        };
        if waiting.mechanism == Mechanism::Digest { weight.scaled(1, 2) } else { weight }
    }

    /// Rows that look at the same failure are alternatives: the largest counts, and half of the second.
    fn with_alternatives(
        &self,
        waiting: &Waiting,
        kind: Kind,
        base: Nats,
        strange: bool,
        added: &mut Vec<(Signal, Nats)>,
    ) {
        let mut rows = vec![(kind.signal(), base)];
        if let Some(name) = waiting.name.as_ref().filter(|_| kind == Kind::Unknown && !waiting.cut)
            && self.across.is_word(self.word(name))
        {
            rows.push((Signal::DictionaryName, weights::DICTIONARY));
        }
        if strange
            && let Some(tag) = waiting.secret
            && self.across.is_popular(tag.bits(), waiting.id.low(), self.now)
        {
            let nats = self.sights.temper(waiting.service, weights::POPULAR, self.now);
            rows.push((Signal::PopularSecret, nats));
        }
        if waiting.common {
            rows.push((Signal::CommonSecret, weights::COMMON));
        }
        if strange && kind != Kind::Hidden {
            let nats = self.across.attack_weight(waiting.id.0, self.now);
            if nats > Nats::ZERO {
                rows.push((Signal::AccountUnderAttack, nats));
            }
        }
        rows.sort_by_key(|&(signal, nats)| (core::cmp::Reverse(nats), signal));
        added.push(rows[0]);
        if let Some(&(signal, nats)) = rows.get(1) {
            added.push((signal, nats.scaled(1, 2)));
        }
    }

    /// What this failure teaches about others: names, secrets, accounts under attack, neighbours.
    fn learn(&mut self, waiting: &Waiting, kind: Kind, strange: bool, first: bool) {
        if !strange {
            return;
        }
        let (unit, now) = (waiting.unit, self.now);
        if kind != Kind::Hidden
            && !waiting.cut
            && let Some(strangers) = self.across.stranger_failed(waiting.id.0, now, &self.limits)
            && let Some(name) = &waiting.name
            && self.accounts.known(waiting.id).is_some()
        {
            self.alarm(Alarm::AccountUnderAttack { account: Account::Known(name.clone()), strangers });
        }
        if let Some(tag) = waiting.secret {
            self.across.tag_failed(tag.bits(), waiting.id.low(), unit, now, &self.limits);
        }
        if kind == Kind::Unknown && !waiting.cut {
            self.learn_words(unit, waiting);
        }
        if first && self.sights.is_clear(waiting.service, now) {
            self.prior.watch(unit, now);
        }
        if first {
            let limit = self.config.limit - self.prior.relief(now);
            // That nobody has logged in there is only known where logins are seen.
            let blind = kind != Kind::Unknown && !self.sights.is_clear(waiting.service, now);
            let seen = |earlier, quick: bool| {
                let model = if blind && !quick { weights::BLIND } else { kind.model(false) };
                self.sights.temper(waiting.service, model.weight(earlier), now)
            };
            if let Some((key, net, score)) = self.prefixes.accused(unit, kind, now, limit, &self.limits, seen)
            {
                self.ban_prefix(key, net, score, unit);
            }
        }
    }

    /// From a source's second unknown name on, its names may be robots' words.
    fn learn_words(&mut self, unit: Unit, waiting: &Waiting) {
        let Some(source) = self.sources.get(unit.0) else { return };
        let unknown: Vec<u32> = source
            .episodes
            .iter()
            .filter(|e| e.kind == Kind::Unknown && e.state == EpisodeState::Weighed)
            .map(|e| e.account)
            .collect();
        if unknown.len() < 2 {
            return;
        }
        // The first name is taught when the second comes; after that, each by itself.
        let taught: &[u32] = if unknown.len() == 2 { &unknown } else { &[waiting.id.low()] };
        for &account in taught {
            let Some(name) = self.names.get(account) else { continue };
            let (word, accounts) = (self.word(name), &self.accounts);
            let near = || accounts.has_near(name.local_part(), 2);
            self.across.word_tried(word, unit, self.now, &self.limits, near);
        }
    }

    /// The identity of a name in the dictionary: its local part, for robots try it at every domain.
    pub(super) fn word(&self, name: &AccountKey) -> u64 {
        self.accounts.id_of_local_part(name).0
    }

    /// The episode that a failure belongs to, if there is one: its own account's, or that of the account whose name it
    /// is a slip of. A slip is noted once, so that it stays one however often it is tried.
    fn judged_as(&mut self, case: &Case<'_>, id: AccountId) -> Option<u32> {
        let source = self.sources.get_mut(case.unit.0)?;
        if let Some(episode) = source.episode(id.low()) {
            let account = episode.judged_as();
            if account != id.low() {
                episode.tries = episode.tries.saturating_add(1);
            }
            if account == id.low() || source.episode(account).is_some() {
                return Some(account);
            }
            // The account that it was a slip of has made room: it stands for itself from now on.
            source.remove_episode(id.low());
            return None;
        }
        let account = self.same_account(case)?;
        let now = self.now;
        if let Account::Known(key) = &case.attempt.account {
            self.names.insert(id.low(), key, self.limits.names);
            let source = self.sources.get_mut(case.unit.0)?;
            let main = source.episode(account)?;
            main.near += 1;
            let slip = Episode::slip(id.low(), account, main.kind, now);
            source.push_episode(slip, self.limits.episodes_per_source);
        }
        Some(account)
    }

    /// The account of this source that the tried name is a near miss or another form of (mail programs that set
    /// themselves up try `user` and `user@domain`).
    fn same_account(&mut self, case: &Case<'_>) -> Option<u32> {
        let Account::Known(key) = &case.attempt.account else {
            return self.begun_account(case);
        };
        let (names, source) = (&self.names, self.sources.get(case.unit.0)?);
        let alike = |episode: &&Episode| {
            let name = names.get(episode.account);
            name.is_some_and(|name| is_near_miss(name, key) || is_other_form(name, key))
        };
        source.episodes.iter().filter(alike).map(Episode::judged_as).find(|&account| {
            let main = source.episodes.iter().find(|episode| episode.account == account);
            main.is_some_and(|main| main.near < NEAR_MAX && main.state != EpisodeState::Excused)
        })
    }

    /// The account of this source that a cut name is the beginning of.
    fn begun_account(&self, case: &Case<'_>) -> Option<u32> {
        let Account::Cut(beginning) = &case.attempt.account else { return None };
        let source = self.sources.get(case.unit.0)?;
        source.episodes.iter().map(|episode| episode.account).find(|&account| {
            self.names.get(account).is_some_and(|name| name.as_bytes().starts_with(beginning.as_bytes()))
        })
    }

    /// A made-up identity for a try whose account the log hides: none is like another.
    fn hidden_id(&mut self, unit: Unit) -> AccountId {
        let attempts = self.sources.get(unit.0).map_or(0, |source| source.attempts);
        let mut bytes = *b"\0hidden\0\0\0\0\0\0\0\0\0\0\0\0\0";
        bytes[8..16].copy_from_slice(&unit.0.to_le_bytes());
        bytes[16..20].copy_from_slice(&attempts.to_le_bytes());
        self.accounts.id(&AccountKey::new(&bytes))
    }

    fn tell_stale(&mut self, case: &Case<'_>, failures: u32, since: Time) {
        let account = case.id.map_or(0, AccountId::low);
        if self.tell_today(pair_key(case.unit, account)) {
            let id = self.next_id();
            self.effects.push_back(Effect::StaleDevice {
                id,
                time: self.now,
                source: case.attempt.source,
                account: case.attempt.account.clone(),
                failures,
                since,
            });
        }
    }
}

impl Episode {
    /// A name that is judged with the account whose slip it is.
    fn slip(name: u32, account: u32, kind: Kind, now: Time) -> Episode {
        Episode {
            account: name,
            last: secs_u32(now),
            nats: 0,
            tries: 1,
            tags: [(account >> 16) as u16, account as u16],
            tens_of_minutes: 0,
            near: 0,
            burst_at: 0,
            burst: 0,
            distinct: 0,
            kind,
            state: EpisodeState::Slip,
        }
    }

    /// The account whose episode this one's failures count in.
    pub(super) fn judged_as(&self) -> u32 {
        match self.state {
            EpisodeState::Slip => u32::from(self.tags[0]) << 16 | u32::from(self.tags[1]),
            _ => self.account,
        }
    }

    fn new(account: u32, kind: Kind, now: Time, attempt: &Attempt) -> Episode {
        let tag = attempt.secret.map_or(0, |tag| tag_16(tag.bits()));
        Episode {
            account,
            last: secs_u32(now),
            nats: 0,
            tries: 1,
            tags: [tag, 0],
            tens_of_minutes: 0,
            near: 0,
            burst_at: secs_u32(now) as u16,
            burst: 1,
            distinct: 1,
            kind,
            state: EpisodeState::Pending,
        }
    }

    /// One more failure; returns whether its secret is (or must be taken for) another than the last two, and new to its
    /// source. No mail program tries the same password twice in one session: a further try there is a further password,
    /// seen or not.
    fn again(&mut self, now: Time, attempt: &Attempt, tried_elsewhere: bool) -> bool {
        let secs = secs_u32(now);
        self.tries = self.tries.saturating_add(1);
        // `last` moves in steps of ten minutes from the first failure, so that the first is never forgotten.
        let first = self.last.saturating_sub(u32::from(self.tens_of_minutes) * 600);
        self.tens_of_minutes = (secs.saturating_sub(first) / 600).min(255) as u8;
        self.last = first + u32::from(self.tens_of_minutes) * 600;
        if (secs as u16).wrapping_sub(self.burst_at) >= 60 {
            self.burst_at = secs as u16;
            self.burst = 0;
        }
        self.burst = self.burst.saturating_add(1);
        match attempt.secret.map(|tag| tag_16(tag.bits())) {
            Some(tag) if self.tags.contains(&tag) => return false,
            Some(tag) => {
                // Where the tries before showed none, it may be theirs.
                let first = self.tags[0] == 0 && !attempt.again;
                self.tags = [tag, self.tags[0]];
                if first {
                    return false;
                }
            }
            None if !attempt.again || attempt.mechanism == Mechanism::Digest => return false,
            None => {}
        }
        if tried_elsewhere {
            return false;
        }
        self.distinct = self.distinct.saturating_add(1);
        true
    }
}

/// Sixteen bits of a tag, never 0.
fn tag_16(bits: u64) -> u16 {
    ((bits ^ (bits >> 16)) as u16).max(1)
}
