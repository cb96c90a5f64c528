//! How well each service is understood: filters that rot must be loud.

use fairban_core::event::Service;
use serde::{Deserialize, Serialize};

/// Counters of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceHealth {
    /// Lines of this service.
    pub lines: u64,
    /// Understood: events and quiet lines.
    pub understood: u64,
    /// Of these, lines that told something about a login.
    pub events: u64,
    /// Not understood.
    pub odd: u64,
    /// Not understood though they look like the outcome of a login.
    pub login_like: u64,
    /// Up to five of the latter (the first ones), escaped, cut to 200 bytes.
    pub samples: Vec<String>,
}

/// Counters of a whole input. Adding up the healths of its parts gives the health of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// All lines.
    pub lines: u64,
    /// Bytes of all lines, line feeds included.
    pub bytes: u64,
    /// Lines of no known format.
    pub no_format: u64,
    /// Lines of programs that no grammar claims.
    pub foreign: u64,
    /// By service, at [`Service::index`].
    pub services: [ServiceHealth; Service::ALL.len()],
}
