//! The verbs that talk to the service, over the real socket to a service that answers as `docs/control.md` says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod asking;
mod shown;
mod support;
mod without;
