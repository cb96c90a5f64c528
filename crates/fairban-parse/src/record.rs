//! What stands between the envelope and a grammar: the [`Record`] a grammar is given and the [`Reading`] it returns.

use fairban_core::event::AuthEvent;

use crate::secret::Secrets;

/// A line without its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The program's name as the envelope has it: `sshd`, `postfix/smtpd`, `dovecot`, `vpopmail`; in Dovecot's own
    /// file `dovecot`; under multilog the word before the first `: ` (`tcpserver`).
    pub program: &'a [u8],
    /// The process id in the envelope.
    pub pid: Option<u32>,
    /// What the program wrote, from after the envelope (and after `program: `) to the end of the line, without the line feed.
    pub body: &'a [u8],
    /// Where `body` begins in the line, in bytes.
    pub body_at: u32,
}

/// What a grammar made of a record. Parsing never fails: what is not understood is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It tells something about a login. `time` is still unset.
    Event(AuthEvent),
    /// Understood: says nothing about a login.
    Quiet,
    /// Not understood. `login_like` when it looks like the outcome of a login all the same: a filter that rots.
    Odd {
        /// Looks like the outcome of a login.
        login_like: bool,
    },
}

/// A grammar: pure, total, linear in the length of the record.
pub type Grammar = fn(&Record<'_>, &Secrets) -> Reading;
