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
    /// A list that is not yet complete.
    coming: Asked,
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
            coming: Asked::default(),
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
        if part.begins() {
            self.coming = Asked { limits: limits.to_vec(), exempt: Vec::new() };
        } else if !limits.is_empty() {
            return Err("limits come with the first piece".to_owned());
        }
        Limit::check_all(limits).map_err(|bad| bad.to_string())?;
        if self.coming.exempt.len() + exempt.len() > EXEMPT_MAX {
            return Err(format!("at most {EXEMPT_MAX} prefixes are exempt"));
        }
        self.coming.exempt.extend(exempt);
        if !part.ends() {
            return Ok(());
        }
        self.asked = Some(std::mem::take(&mut self.coming));
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
        !self.fingerprint.is_empty()
            && !self.table.fingerprint().is_ok_and(|seen| seen == self.fingerprint)
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
