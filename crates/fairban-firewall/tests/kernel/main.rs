//! Bans against real kernels with real packets, in network namespaces that each test makes for itself. Nothing here
//! touches the host's own ruleset. It takes root, `ip` and `nft`.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up fails it, as it should")]

mod bite;
mod foreign;
mod guarded;
mod life;
mod net;

/// The program under test.
fn fairban_fw() -> std::path::PathBuf {
    env!("CARGO_BIN_EXE_fairban-fw").into()
}
