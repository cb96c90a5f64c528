//! [`Limiter`]: keeps the kernel's table of limits equal to what was asked, whatever others do to it.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::limits::{Counted, EXEMPT_MAX, Limit};
use crate::nft::{Error, Features, LimitsTable};
use crate::protocol::Part;

/// See the module.
#[derive(Debug)]
pub(super) struct Limiter {
    table: LimitsTable,
    /// `None` before anybody said anything: what an earlier process left stays as it is.
    asked: Option<Asked>,
    /// A list that is not yet complete; `None` where none was begun, or one was refused.
    coming: Option<Asked>,
    /// Who was exempt when the table was last written, from every side.
    exempt: BTreeSet<IpNet>,
    /// Of the table as we left it.
    fingerprint: Vec<(u16, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct Asked {
    limits: Vec<Limit>,
    exempt: Vec<IpNet>,
}

impl Limiter {
    pub(super) fn open(features: Features, sources_max: u32) -> Result<Limiter, Error> {
        Ok(Limiter {
            table: LimitsTable::open(features, sources_max)?,
            asked: None,
            coming: None,
            exempt: BTreeSet::new(),
            fingerprint: Vec::new(),
        })
    }

    pub(super) fn port(&self) -> u32 {
        self.table.port()
    }

    /// A piece of what shall hold, the limits with the first. Done when the last is there; `protected` are exempt beside
    /// those asked for.
    pub(super) fn take(
        &mut self,
        part: Part,
        limits: &[Limit],
        exempt: &[IpNet],
        protected: impl Iterator<Item = IpNet>,
    ) -> Result<(), String> {
        // Whatever is wrong with a piece, those before it are forgotten: half a list is never taken for a whole one.
        let before = self.coming.take();
        self.coming = Some(joined(before, part, limits, exempt)?);
        if !part.ends() {
            return Ok(());
        }
        self.asked = self.coming.take();
        self.write(protected).map_err(|error| error.to_string())
    }

    /// Others are protected now: they are exempt, too.
    pub(super) fn refresh(&mut self, protected: impl Iterator<Item = IpNet>) -> Result<(), Error> {
        let Some(asked) = self.asked.as_ref().filter(|asked| !asked.limits.is_empty()) else { return Ok(()) };
        let exempt: BTreeSet<IpNet> = protected.chain(asked.exempt.iter().copied()).collect();
        if exempt == self.exempt { Ok(()) } else { self.write(exempt.into_iter()) }
    }

    /// Writes it all; what is there already and right stays, and goes on counting.
    pub(super) fn write(&mut self, protected: impl Iterator<Item = IpNet>) -> Result<(), Error> {
        let Some(asked) = &self.asked else { return Ok(()) };
        self.exempt = protected.chain(asked.exempt.iter().copied()).collect();
        self.table.write(&asked.limits, self.exempt.iter().copied())?;
        self.fingerprint = if asked.limits.is_empty() { Vec::new() } else { self.table.fingerprint()? };
        Ok(())
    }

    /// Whether the table does not look as we left it.
    pub(super) fn is_changed(&mut self) -> bool {
        !self.fingerprint.is_empty() && !self.table.fingerprint().is_ok_and(|seen| seen == self.fingerprint)
    }

    /// What came of the limits.
    pub(super) fn counts(&mut self) -> Result<Vec<Counted>, Error> {
        match &self.asked {
            Some(asked) if !asked.limits.is_empty() => self.table.counts(&asked.limits),
            _ => Ok(Vec::new()),
        }
    }

    /// Nothing shall be in the kernel until it is asked for again.
    pub(super) fn forget(&mut self) -> Result<(), Error> {
        self.asked = Some(Asked::default());
        self.fingerprint.clear();
        self.table.remove()
    }

    /// A sentence for a person, where there are limits.
    pub(super) fn remark(&self) -> Option<String> {
        let limits = &self.asked.as_ref().filter(|asked| !asked.limits.is_empty())?.limits;
        let enforced = limits.iter().filter(|limit| limit.enforced).count();
        Some(format!(
            "limits: {enforced} enforced, {} counted only, {} prefixes exempt",
            limits.len() - enforced,
            self.exempt.len()
        ))
    }
}

/// What was there of a list, and a piece more.
fn joined(before: Option<Asked>, part: Part, limits: &[Limit], exempt: &[IpNet]) -> Result<Asked, String> {
    let mut all = if part.begins() {
        Limit::check_all(limits).map_err(|bad| bad.to_string())?;
        Asked { limits: limits.to_vec(), exempt: Vec::new() }
    } else if limits.is_empty() {
        before.ok_or("a list of limits begins with its first piece")?
    } else {
        return Err("limits come with the first piece".to_owned());
    };
    if all.exempt.len() + exempt.len() > EXEMPT_MAX {
        return Err(format!("at most {EXEMPT_MAX} prefixes are exempt"));
    }
    all.exempt.extend(exempt);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(group: u8) -> Limit {
        Limit { group, ports: vec![143], concurrent: Some(5), rate: None, enforced: true }
    }

    fn prefixes(count: u32) -> Vec<IpNet> {
        (0..count).map(|number| IpNet::from(std::net::IpAddr::from(number.to_be_bytes()))).collect()
    }

    #[test]
    fn pieces_make_one_list() {
        let [first, second, last] = [0, 1, 2].map(|index| Part::of(index, 3));
        let all = joined(None, first, &[limit(0)], &prefixes(2)).expect("good");
        let all = joined(Some(all), second, &[], &prefixes(3)).expect("good");
        let all = joined(Some(all), last, &[], &prefixes(1)).expect("good");
        assert_eq!((all.limits.len(), all.exempt.len()), (1, 6));
        // The first piece forgets what was begun before.
        let anew = joined(Some(all), first, &[limit(1), limit(2)], &[]).expect("good");
        assert_eq!((anew.limits.len(), anew.exempt.len()), (2, 0));
    }

    #[test]
    fn a_wrong_first_piece_leaves_nothing_for_the_next_to_complete() {
        let [first, last] = [0, 1].map(|index| Part::of(index, 2));
        let why = joined(None, first, &[limit(0), limit(0)], &[]).expect_err("twice");
        assert!(why.contains("twice"), "{why}");
        // `take` keeps nothing of it, so the piece that follows has no list to go on with.
        assert!(joined(None, last, &[], &prefixes(1)).is_err());
    }

    #[test]
    fn later_pieces_bring_no_limits_and_not_too_many_prefixes() {
        let [first, last] = [0, 1].map(|index| Part::of(index, 2));
        let begun = || joined(None, first, &[limit(0)], &prefixes(EXEMPT_MAX as u32)).ok();
        assert!(begun().is_some());
        assert!(joined(begun(), last, &[], &prefixes(1)).is_err());
        assert!(joined(begun(), last, &[limit(1)], &[]).is_err());
        assert!(joined(begun(), last, &[], &[]).is_ok());
    }
}
