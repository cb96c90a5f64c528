//! The program that has the right to change the firewall, for tests that let it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// `fairban-fw`, where the service looks for it: beside itself. Cargo builds it only for tests of its own package, so
/// it is asked to.
pub(crate) fn fairban_fw() -> PathBuf {
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
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo");
        assert!(status.success(), "fairban-fw cannot be built");
    });
    service.with_file_name("fairban-fw")
}
