//! The whole service shuts robots out, with real packets: `fairban run` and `fairban-fw` in a network namespace that each
//! test makes for itself, robots and people on another host. It takes root, `ip` and `nft`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "prints what it measured; what cannot be set up fails"
)]

#[path = "../kit/mod.rs"]
mod kit;
#[allow(dead_code, reason = "shared with tests that speak to fairban-fw themselves")]
#[path = "../../../fairban-firewall/tests/kernel/net.rs"]
mod net;

mod guarded;
mod host;
mod life;
mod lists;
mod panic;
mod selftest;
mod speed;
mod verdicts;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// `fairban-fw`, where the service looks for it: beside itself. Cargo builds it only for tests of its own package, so
/// it is asked to.
fn fairban_fw() -> PathBuf {
    static BUILT: Once = Once::new();
    let service = Path::new(env!("CARGO_BIN_EXE_fairban"));
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--offline",
            "--locked",
            "--package",
            "fairban-firewall",
            "--bin",
            "fairban-fw",
        ]);
        if service.parent().is_some_and(|folder| folder.ends_with("release")) {
            cargo.arg("--release");
        }
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(status.success(), "fairban-fw cannot be built");
    });
    service.with_file_name("fairban-fw")
}
