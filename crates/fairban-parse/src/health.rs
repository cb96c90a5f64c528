//! How well each service is understood: filters that rot must be loud.

use fairban_core::escape::escaped;
use fairban_core::event::Service;
use serde::{Deserialize, Serialize};

/// Sample lines kept of a service.
pub const SAMPLES_MAX: usize = 5;
/// Bytes of a sample line.
pub const SAMPLE_BYTES_MAX: usize = 200;

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
    /// Up to [`SAMPLES_MAX`] of the latter (the first ones), escaped, cut to [`SAMPLE_BYTES_MAX`] bytes, secrets blanked.
    pub samples: Vec<String>,
}

/// Counters of a whole input. Adding up the healths of its parts, in order, gives the health of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// All lines.
    pub lines: u64,
    /// Bytes of all lines, line feeds included.
    pub bytes: u64,
    /// Lines of no known format.
    pub no_format: u64,
    /// Of these, lines longer than [`crate::parser::LINE_BYTES_MAX`].
    pub too_long: u64,
    /// Lines of programs that no grammar claims.
    pub foreign: u64,
    /// Notices that lines were lost, and repetitions without the line.
    pub gaps: u64,
    /// By service, at [`Service::index`].
    pub services: [ServiceHealth; Service::ALL.len()],
}

impl Health {
    /// Adds the counters of the part that follows.
    pub fn absorb(&mut self, next: &Health) {
        self.lines += next.lines;
        self.bytes += next.bytes;
        self.no_format += next.no_format;
        self.too_long += next.too_long;
        self.foreign += next.foreign;
        self.gaps += next.gaps;
        for (ours, theirs) in self.services.iter_mut().zip(&next.services) {
            ours.absorb(theirs);
        }
    }

    /// The counters of a service.
    pub fn service(&self, service: Service) -> &ServiceHealth {
        &self.services[service.index()]
    }
}

impl ServiceHealth {
    fn absorb(&mut self, next: &ServiceHealth) {
        self.lines += next.lines;
        self.understood += next.understood;
        self.events += next.events;
        self.odd += next.odd;
        self.login_like += next.login_like;
        let room = SAMPLES_MAX.saturating_sub(self.samples.len());
        self.samples.extend(next.samples.iter().take(room).cloned());
    }

    pub(crate) fn note_odd(&mut self, line: &[u8], login_like: bool) {
        self.odd += 1;
        if !login_like {
            return;
        }
        self.login_like += 1;
        if self.samples.len() < SAMPLES_MAX {
            let line = &line[..secret_start(line).min(line.len())];
            let cut = &line[..line.len().min(SAMPLE_BYTES_MAX)];
            self.samples.push(escaped(cut).to_string());
        }
    }
}

/// Where a logged secret may begin in a line that nobody understood: nothing from there on is shown.
fn secret_start(line: &[u8]) -> usize {
    [&b"pass: '"[..], b"given password", b"password: ", b"password="]
        .iter()
        .filter_map(|mark| memchr::memmem::find(line, mark).map(|at| at + mark.len()))
        .min()
        .unwrap_or(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_show_no_secret_and_no_control_byte() {
        let mut health = ServiceHealth::default();
        health.note_odd(b"vchkpw-pop3: passwort falsch (pass: 'hunter2') \x1b[2J", true);
        health.note_odd(b"login \x1b[2J refused", true);
        assert_eq!(health.samples, ["vchkpw-pop3: passwort falsch (pass: '", "login \\x1b[2J refused"]);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let (mut whole, mut one, mut two) = (Health::default(), Health::default(), Health::default());
        for n in 0..9 {
            let line = format!("failed {n}");
            whole.services[0].note_odd(line.as_bytes(), true);
            let part = if n < 4 { &mut one } else { &mut two };
            part.services[0].note_odd(line.as_bytes(), true);
        }
        one.absorb(&two);
        assert_eq!(one, whole);
    }
}
