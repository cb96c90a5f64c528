//! Lines that may be a client's own: what follows a torn record, and what a session id speaks against.
//!
//! **Torn vchkpw records.** Over SMTP, names and passwords can hold a line feed. Where the syslog daemon writes it as
//! it is, the record is cut in two and the rest, which the client wrote, stands as lines of its own, stamp and all.
//! vchkpw has room for 155 bytes of name and secret together and the shortest line that reads as one of vchkpw's has
//! about 70, so at most [`FORGED_MAX`] such lines can follow one torn record. They follow it directly, but their
//! stamps are the client's, so no stamp ends the doubt: the next [`FORGED_MAX`] records of vchkpw are not believed,
//! unless tcpserver's log shows a connection of the address they name, open or ended just now. Nothing keeps the client
//! from writing another daemon's lines: the next [`FORGED_MAX`] events of all other services together are not believed
//! either, failures and logins alike.
//!
//! The alternatives are worse. Believing them lets anybody have any address banned. Doubting more of them, or for a
//! time, lets a robot blind the log with one torn record. As it is, a robot that tears each third of its tries hides
//! the other two, if tcpserver's log is not read, and is loudly told of ([`super::Joined::Torn`]); the remedy (the
//! syslog daemon's escaping, on by default) ends it.
//!
//! **Dovecot's session ids** hold the client's address and cannot be chosen by the client. A line whose id speaks of
//! another address is forged, or the id was handed over by a trusted proxy. Where a proxy does that, nearly all
//! lines are like this; where it does not, none is. So such a line is believed only while they outnumber the lines
//! whose id agrees by [`PROXIED_MIN`] to one. A client that can write whole lines must add that many for each try
//! that tells of himself before he is believed; a client that reaches a server behind a proxy directly silences the
//! proxy's clients only for so many lines.

use serde::{Deserialize, Serialize};

use crate::event::Witness;

/// Most whole records of vchkpw that a client can write behind a torn one.
const FORGED_MAX: u8 = 2;

/// Contradicting lines to one agreeing line that make a proxy.
const PROXIED_MIN: u64 = 100;

/// What makes lines doubtful just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Suspicion {
    doubtful: u8,
    /// The same of other services.
    doubtful_others: u8,
    agreed: u64,
    contradicted: u64,
}

impl Suspicion {
    /// A record of vchkpw without its end.
    pub(super) fn torn(&mut self) {
        self.doubtful = FORGED_MAX;
        self.doubtful_others = FORGED_MAX;
    }

    /// Whether the next event of another service may be a client's text.
    pub(super) fn next_of_others_is_doubtful(&mut self) -> bool {
        let doubtful = self.doubtful_others > 0;
        self.doubtful_others = self.doubtful_others.saturating_sub(1);
        doubtful
    }

    /// Whether the next record of vchkpw needs a witness.
    pub(super) fn next_is_doubtful(&mut self) -> bool {
        let doubtful = self.doubtful > 0;
        self.doubtful = self.doubtful.saturating_sub(1);
        doubtful
    }

    /// Whether a line with this second proof of its address is believed.
    pub(super) fn believes(&mut self, witness: Witness) -> bool {
        match witness {
            Witness::Absent => true,
            Witness::Agrees => {
                self.agreed = self.agreed.saturating_add(1);
                true
            }
            Witness::Contradicts => {
                self.contradicted = self.contradicted.saturating_add(1);
                self.contradicted > self.agreed.saturating_mul(PROXIED_MIN)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_records_after_a_torn_one_need_a_witness() {
        let mut suspicion = Suspicion::default();
        assert!(!suspicion.next_is_doubtful());
        suspicion.torn();
        assert_eq!([(); 3].map(|()| suspicion.next_is_doubtful()), [true, true, false]);
    }

    #[test]
    fn a_session_id_that_contradicts_is_believed_behind_a_proxy_only() {
        let mut proxied = Suspicion::default();
        assert!((0..5).all(|_| proxied.believes(Witness::Contradicts)));

        let mut direct = Suspicion::default();
        assert!(direct.believes(Witness::Agrees));
        assert!((0..100).all(|_| !direct.believes(Witness::Contradicts)));
        assert!(
            direct.believes(Witness::Contradicts),
            "more than a hundred to one: a proxy, reached directly once"
        );
    }
}
