//! What goes wrong, and how it is told: `error:` with its causes, `warning:` for what was gone round, and `hint:` with
//! the remedy, all on standard error.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use fairban_core::escape::escaped;

/// Whose fault it is; decides the exit code. What is wrong with the command line ends in `clap`, with 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file that steers fairban.
    Config,
    /// What surrounds fairban: files, rights, disks.
    Environment,
    /// fairban.
    Internal,
    /// Nobody's: a finding, for verbs that say so.
    Finding,
}

impl Kind {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Kind::Config => 78,
            Kind::Environment => 69,
            Kind::Internal => 70,
            Kind::Finding => 1,
        }
    }
}

/// Why the program ends early: a sentence, its causes, and remedies.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    closed_pipe: bool,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), causes: Vec::new(), hints: Vec::new(), closed_pipe: false }
    }

    #[must_use]
    pub(crate) fn caused_by(mut self, cause: &dyn std::error::Error) -> Failure {
        let mut next = Some(cause);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// Standard output could not be written.
    pub(crate) fn output(error: &io::Error) -> Failure {
        let mut failure = Failure::new(Kind::Environment, "cannot write the output").caused_by(error);
        failure.closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The reader of our output went away.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }
}

/// Prints an error with its causes and hints.
pub(crate) fn tell(failure: &Failure) {
    let red = AnsiColor::Red.on_default().bold();
    print(red, "error", &failure.message);
    for cause in &failure.causes {
        print(red, "  cause", cause);
    }
    for hint in &failure.hints {
        print(AnsiColor::Cyan.on_default(), "hint", hint);
    }
}

/// Prints a warning and, if there is one, the remedy.
pub(crate) fn warn(message: &str, hint: Option<&str>) {
    print(AnsiColor::Yellow.on_default().bold(), "warning", message);
    if let Some(hint) = hint {
        print(AnsiColor::Cyan.on_default(), "hint", hint);
    }
}

/// Prints a note: nothing is wrong.
pub(crate) fn note(message: &str) {
    print(AnsiColor::Green.on_default(), "note", message);
}

/// A line of a running service's own log.
pub(crate) fn log(text: &str) {
    // As above.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints text that was made up for a terminal already.
pub(crate) fn raw(text: &str) {
    // Where standard error is gone nobody can be told.
    let _ = write!(anstream::stderr(), "{text}");
}

fn print(style: Style, label: &str, text: &str) {
    // Where standard error is gone nobody can be told.
    let _ = writeln!(anstream::stderr(), "{style}{label}:{style:#} {text}");
}

/// A file's name for people and for JSON: bytes outside printable ASCII escaped.
pub(crate) fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    escaped(path.as_os_str().as_bytes()).to_string()
}

/// `1 line`, `2 lines`.
pub(crate) fn plural(count: u64, noun: &str) -> impl Display {
    let end = match count {
        1 => "",
        _ if noun.ends_with('x') => "es",
        _ => "s",
    };
    format!("{count} {noun}{end}")
}
