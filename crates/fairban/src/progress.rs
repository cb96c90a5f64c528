//! The bar on standard error: bytes, lines a second, time left. Only where standard error is a terminal.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Events between two looks at the clock.
const EVENTS_A_TICK: u64 = 4_096;

/// Shows how far reading is.
pub(crate) struct Progress {
    bar: ProgressBar,
    read_bytes: Arc<AtomicU64>,
    events: u64,
}

impl Progress {
    /// For logs of `size_bytes` on disk (0: unknown), of which `read_bytes` have been read so far.
    pub(crate) fn new(wanted: bool, size_bytes: u64, read_bytes: &Arc<AtomicU64>) -> Progress {
        let shown = wanted && std::io::stderr().is_terminal();
        let bar = if shown { visible(size_bytes) } else { ProgressBar::hidden() };
        Progress { bar, read_bytes: Arc::clone(read_bytes), events: 0 }
    }

    /// Another event was decided.
    pub(crate) fn tick(&mut self) {
        self.events += 1;
        if self.events.is_multiple_of(EVENTS_A_TICK) && !self.bar.is_hidden() {
            self.bar.set_position(self.read_bytes.load(Ordering::Relaxed));
            let secs = self.bar.elapsed().as_secs_f64().max(0.001);
            self.bar.set_message(format!("{} login lines/s", (self.events as f64 / secs) as u64));
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn visible(size_bytes: u64) -> ProgressBar {
    let (bar, template) = if size_bytes > 0 {
        (ProgressBar::new(size_bytes), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg} eta {eta}")
    } else {
        (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec} {msg}")
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
    // The templates are constants; were one wrong, the default would do.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
