//! What a log line says about the account that somebody tried, and when two spellings are one account.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Longest account name kept, in bytes. RFC 5321 4.5.3.1 allows 64 + 1 + 255; what is longer was never an account.
pub const ACCOUNT_BYTES_MAX: usize = 320;

/// The identity of an account: ASCII lower case, blanks trimmed, the service's own separators folded to `@`.
///
/// Bytes, not text: logs are not UTF-8. What a client typed is in here, so print it only through the escape
/// function of the sink ([`crate::escape`]). At most [`ACCOUNT_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey(Box<[u8]>);

impl AccountKey {
    /// The key of a name as the log prints it, for services that separate user and domain by `@` alone.
    pub fn new(name: &[u8]) -> AccountKey {
        AccountKey::folded(name, b"")
    }

    /// The key of a name in which each byte of `separators` splits user and domain as `@` does
    /// (vpopmail: `%` and `/`). Only the last separator counts, and only where the name holds no `@`.
    pub fn folded(name: &[u8], separators: &[u8]) -> AccountKey {
        let name = name.trim_ascii();
        let name = &name[..name.len().min(ACCOUNT_BYTES_MAX)];
        let mut key: Box<[u8]> = name.to_ascii_lowercase().into();
        if !key.contains(&b'@')
            && let Some(at) = key.iter().rposition(|b| separators.contains(b))
        {
            key[at] = b'@';
        }
        AccountKey(key)
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The part before the last `@`: the whole key if there is none.
    pub fn local_part(&self) -> &[u8] {
        self.split().0
    }

    /// The part after the last `@`, if there is one.
    pub fn domain(&self) -> Option<&[u8]> {
        self.split().1
    }

    fn split(&self) -> (&[u8], Option<&[u8]>) {
        match self.0.iter().rposition(|&b| b == b'@') {
            Some(at) => (&self.0[..at], Some(&self.0[at + 1..])),
            None => (&self.0, None),
        }
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", crate::escape::escaped(&self.0))
    }
}

/// What a line says about the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Account {
    /// The line names it.
    Known(AccountKey),
    /// The line names its beginning: the server shortened it. Never a near miss, a dictionary word or a second account.
    Cut(AccountKey),
    /// `of` tries were made in the session and only the last one is named (Dovecot's default).
    Last {
        /// The account of the last try.
        key: AccountKey,
        /// How many tries the line stands for, at least 1.
        of: u16,
    },
    /// The log does not name it.
    Hidden,
}

impl Account {
    /// The key, where the line shows at least a part of one.
    pub fn key(&self) -> Option<&AccountKey> {
        match self {
            Account::Known(key) | Account::Cut(key) | Account::Last { key, .. } => Some(key),
            Account::Hidden => None,
        }
    }
}
