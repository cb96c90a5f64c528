//! Adding up the healths of blocks and files.

use fairban_parse::health::{Health, ServiceHealth};

/// Samples kept a service, as in [`ServiceHealth::samples`].
const SAMPLES_MAX: usize = 5;

/// Adds the health of what follows.
pub(crate) fn add(into: &mut Health, part: Health) {
    into.lines += part.lines;
    into.bytes += part.bytes;
    into.no_format += part.no_format;
    into.foreign += part.foreign;
    for (sum, service) in into.services.iter_mut().zip(part.services) {
        add_service(sum, service);
    }
}

fn add_service(into: &mut ServiceHealth, part: ServiceHealth) {
    into.lines += part.lines;
    into.understood += part.understood;
    into.events += part.events;
    into.odd += part.odd;
    into.login_like += part.login_like;
    let room = SAMPLES_MAX.saturating_sub(into.samples.len());
    into.samples.extend(part.samples.into_iter().take(room));
}
