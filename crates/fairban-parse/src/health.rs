//! How well each service is understood: filters that rot must be loud.

use core::fmt::Write as _;

use fairban_core::escape::escaped;
use fairban_core::event::Service;
use memchr::memmem;

/// Most lines kept of a service that look like the outcome of a login and are not understood. The first ones stay.
pub const SAMPLES_MAX: usize = 5;

/// Longest sample, in bytes after escaping.
pub const SAMPLE_BYTES_MAX: usize = 200;

/// Counters of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Up to [`SAMPLES_MAX`] of the latter (the first ones), escaped, cut to [`SAMPLE_BYTES_MAX`] bytes. What may be a
    /// secret is left out.
    pub samples: Vec<String>,
}

/// Counters of a whole input. Adding up the healths of its parts gives the health of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Lines in which the log says that it lost others.
    pub gaps: u64,
    /// By service, at [`Service::index`].
    pub services: [ServiceHealth; Service::ALL.len()],
}

impl Health {
    /// The counters of one service.
    pub const fn service(&self, service: Service) -> &ServiceHealth {
        &self.services[service.index()]
    }

    /// Adds what was counted in the part of the input that follows this one.
    pub fn add(&mut self, next: &Health) {
        self.lines += next.lines;
        self.bytes += next.bytes;
        self.no_format += next.no_format;
        self.too_long += next.too_long;
        self.foreign += next.foreign;
        self.gaps += next.gaps;
        for (mine, theirs) in self.services.iter_mut().zip(&next.services) {
            mine.add(theirs);
        }
    }
}

impl ServiceHealth {
    fn add(&mut self, next: &ServiceHealth) {
        self.lines += next.lines;
        self.understood += next.understood;
        self.events += next.events;
        self.odd += next.odd;
        self.login_like += next.login_like;
        let room = SAMPLES_MAX.saturating_sub(self.samples.len());
        self.samples.extend(next.samples.iter().take(room).cloned());
    }

    /// Counts a line that told something about a login.
    pub(crate) const fn count_event(&mut self) {
        self.lines += 1;
        self.understood += 1;
        self.events += 1;
    }

    /// Counts a line that was understood and says nothing about a login.
    pub(crate) const fn count_quiet(&mut self) {
        self.lines += 1;
        self.understood += 1;
    }

    /// Counts a line that was not understood.
    pub(crate) fn count_odd(&mut self, line: &[u8], login_like: bool) {
        self.lines += 1;
        self.odd += 1;
        if login_like {
            self.login_like += 1;
            if self.samples.len() < SAMPLES_MAX {
                self.samples.push(sample(line));
            }
        }
    }
}

/// A line for the eyes of the operator. Where a secret may begin, the line ends: its own end cannot be told from what
/// the client typed.
fn sample(line: &[u8]) -> String {
    const SECRET_AFTER: [&[u8]; 6] =
        [b"pass: '", b"given password:", b"password: ", b"password=", b"passwd=", b"secret="];
    const BLANK: &str = "[...]";
    let secret_at =
        SECRET_AFTER.iter().filter_map(|marker| memmem::find(line, marker).map(|at| at + marker.len())).min();
    let shown = &line[..secret_at.unwrap_or(line.len())];
    let whole = secret_at.is_none();
    let mut text = String::new();
    let mut cut_at = 0; // The last border between two bytes that leaves room for the mark.
    for byte in shown {
        if text.len() + BLANK.len() <= SAMPLE_BYTES_MAX {
            cut_at = text.len();
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{}", escaped(core::slice::from_ref(byte)));
        if text.len() > SAMPLE_BYTES_MAX {
            break;
        }
    }
    let room = SAMPLE_BYTES_MAX - if whole { 0 } else { BLANK.len() };
    let too_long = text.len() > room;
    if too_long {
        text.truncate(cut_at);
    }
    if too_long || !whole {
        text.push_str(BLANK);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_shows_no_secret() {
        assert_eq!(
            sample(b"mx vpopmail[1]: vchkpw-pop3: new wording (pass: 'hun\\ter2') a@b:192.0.2.1"),
            "mx vpopmail[1]: vchkpw-pop3: new wording (pass: '[...]"
        );
        assert_eq!(
            sample(b"auth: db(dan,192.0.2.1): no luck (given password: hunter2)"),
            "auth: db(dan,192.0.2.1): no luck (given password:[...]"
        );
        assert_eq!(sample(b"Failed\tpassword for dan"), "Failed\\x09password for dan");
    }

    #[test]
    fn a_sample_is_cut_between_escapes() {
        for byte in [b'a', b'\\', 0x1b] {
            let shown = sample(&vec![byte; 5_000]);
            assert!(shown.len() <= SAMPLE_BYTES_MAX && shown.len() > SAMPLE_BYTES_MAX - 8, "{shown}");
            assert!(shown.ends_with("[...]"));
        }
        assert_eq!(sample(&[b'a'; SAMPLE_BYTES_MAX]).len(), SAMPLE_BYTES_MAX);
        assert!(sample(&[b'a'; SAMPLE_BYTES_MAX]).ends_with('a'));
        assert!(sample(&[b'a'; SAMPLE_BYTES_MAX + 1]).ends_with("[...]"));
    }

    #[test]
    fn the_parts_add_up_to_the_whole() {
        let mut whole = Health::default();
        let mut parts = [Health::default(), Health::default()];
        for number in 0..12_u8 {
            let line = [b'a' + number];
            for health in [&mut whole, &mut parts[usize::from(number >= 4)]] {
                health.lines += 1;
                health.foreign += u64::from(number % 3 == 0);
                let service = &mut health.services[Service::Sshd.index()];
                match number % 3 {
                    0 => service.count_event(),
                    1 => service.count_quiet(),
                    _ => service.count_odd(&line, true),
                }
            }
        }
        let mut sum = parts[0].clone();
        sum.add(&parts[1]);
        assert_eq!(sum, whole);
        assert_eq!(whole.service(Service::Sshd).samples, ["c", "f", "i", "l"]);
    }
}
