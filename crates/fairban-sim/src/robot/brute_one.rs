//! One account, another password every few seconds, shown by the log where a log shows any.

use fairban_core::time::Span;

use super::guesser::{Guesser, OneAccount, Pace, real_accounts};
use super::scan::pool;
use crate::cast::Stage;

/// Assumption: from a script's speed to a patient one's.
const GAP: (Span, Span) = (Span::secs(1), Span::secs(90));
const EACH_LINK: u16 = 2;
const ACCOUNTS: usize = 2;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for name in real_accounts(stage.world, &mut stage.rng, ACCOUNTS) {
        let gap = stage.rng.span(GAP.0, GAP.1);
        let (pool, protocol) = (pool(stage), stage.telling_protocol());
        let guesser = Guesser::new(OneAccount::new(name), Pace::Even(gap), pool, protocol, stage.world);
        let start = stage.some_time(0.5);
        stage.add(start, Guesser { each_link: EACH_LINK, ..guesser });
    }
}
