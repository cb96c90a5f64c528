//! Tables whose order never shows.

use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use siphasher::sip::SipHasher13;

/// A table that is looked into and never walked for what is told, so that its order reaches no result. The key of its
/// hash is no secret: who finds names that collide makes one replay slow, and only by sending from all of them.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<SipHasher13>>;
