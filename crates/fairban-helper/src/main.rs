//! `fairban-helper`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    fairban_helper::run()
}
