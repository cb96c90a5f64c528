//! `fairban-fw`: bans into the kernel, and nothing else; see `fairban_firewall::fw`.

use std::io::Write as _;
use std::process::ExitCode;

use fairban_firewall::fw::{Arguments, Error, USAGE, run, run_parent};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            tell(&format!("{problem}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let done = if arguments.is_parent { run_parent(&arguments) } else { run(&arguments) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error.to_string());
            ExitCode::from(match error {
                Error::Channel(_) => 2,
                Error::NeverBan(_) => 78,
                Error::Kernel(_) | Error::Wall(_) | Error::Io(_) => 69,
            })
        }
    }
}

/// Where nobody reads it, nobody minds.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "fairban-fw: {text}");
}
