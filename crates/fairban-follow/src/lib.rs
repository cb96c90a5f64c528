//! Follows logs that are being written: every line once and in order, whatever rotates them. Knows nothing of what the
//! lines say.
mod chain;
mod family;
mod follower;
mod happening;
mod log;
mod pattern;
mod piece;
mod position;
mod source;
mod stream;
mod trace;
mod watch;

pub use follower::{Follower, Wake, Waker};
pub use happening::{Chunk, FollowError, Happening, InputError, InputStatus, Loss, State, What, WhyPolling};
pub use position::Position;
pub use source::{Clock, InputId, InputKey, InputKind, MonotonicClock, Options, Source, Start, Unpack};
