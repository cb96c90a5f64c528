//! Completions and man pages, from the definitions in [`crate::cli`] and [`crate::config::keys`].

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Done;
use crate::cli::{Cli, Page};
use crate::config;
use crate::error::Failure;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fairban", &mut script);
    print(&script)
}

/// Prints a page.
pub(crate) fn man(page: Page) -> Done {
    match page {
        Page::Program => print(&man_page().map_err(|error| Failure::output(&error))?),
        Page::Config => print(config::documents::man_page().as_bytes()),
        Page::Reference => print(config::documents::markdown().as_bytes()),
        Page::Example => print(config::documents::example().as_bytes()),
    }
}

/// `fairban`, then each verb.
fn man_page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut page = Vec::new();
    let whole = clap_mangen::Man::new(command.clone());
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help" && !verb.is_hide_set()) {
        write_verb(&mut page, verb, "FAIRBAN")?;
    }
    whole.render_extra_section(&mut page)?;
    Ok(page)
}

/// A verb and the verbs within it.
fn write_verb(page: &mut Vec<u8>, verb: &clap::Command, before: &str) -> io::Result<()> {
    if verb.get_name() == "help" {
        return Ok(());
    }
    let name = format!("{before} {}", verb.get_name().to_uppercase());
    page.extend_from_slice(format!(".SH \"{name}\"\n").as_bytes());
    let within = verb.get_subcommands();
    let verb = clap_mangen::Man::new(verb.clone());
    verb.render_synopsis_section(page)?;
    verb.render_description_section(page)?;
    verb.render_options_section(page)?;
    verb.render_extra_section(page)?;
    for verb in within {
        write_verb(page, verb, &name)?;
    }
    Ok(())
}

fn print(bytes: &[u8]) -> Done {
    use io::Write as _;
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}
