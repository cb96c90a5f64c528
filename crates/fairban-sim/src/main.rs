//! Makes login traffic with known truth from seeds, and judges fairban by it.

mod actor;
mod cast;
mod cli;
mod format;
mod honest;
mod judge;
#[cfg(test)]
mod kept;
mod log;
mod oracle;
mod report;
mod rng;
mod robot;
mod run;
mod stopguessing;
#[cfg(test)]
mod tests;
mod wald;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
