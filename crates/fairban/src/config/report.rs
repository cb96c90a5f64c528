//! What is wrong with the configuration, told as compilers tell it: file, line, caret, and what to do.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use crate::error::shown;

/// The text of a file that was read, control characters replaced so that it may be shown.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) text: String,
    named: NamedSource<String>,
    /// One of the files beside the main one.
    pub(crate) drop_in: bool,
}

impl Source {
    pub(crate) fn new(path: &Path, text: String, drop_in: bool) -> Source {
        let name = shown(path);
        let named = NamedSource::new(name.clone(), printable(&text));
        Source { name: name.into(), text, named, drop_in }
    }

    /// Line and column of a byte, both from 1.
    pub(crate) fn place(&self, at: usize) -> (u32, u32) {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = memchr::memchr_iter(b'\n', before).count();
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |feed| feed + 1);
        (line as u32 + 1, column as u32 + 1)
    }
}

/// The same length in bytes, so that places in the one are places in the other.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            out.extend(std::iter::repeat_n('?', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    message: String,
    /// Where, and what stands there.
    place: Option<(Arc<Source>, Range<usize>, String)>,
    help: Option<String>,
}

impl Problem {
    /// At a place in a file; `label` is put under the caret.
    pub(crate) fn at(source: &Arc<Source>, span: Range<usize>, message: String, label: String) -> Problem {
        Problem { message, place: Some((Arc::clone(source), span, label)), help: None }
    }

    /// Of a file as a whole.
    pub(crate) fn whole(message: String) -> Problem {
        Problem { message, place: None, help: None }
    }

    #[must_use]
    pub(crate) fn help(mut self, help: Option<String>) -> Problem {
        self.help = help;
        self
    }

    /// File, line and column, the latter from 1; `None` for a file that could not be read.
    pub(crate) fn place(&self) -> Option<(&str, u32, u32)> {
        let (source, span, _) = self.place.as_ref()?;
        let (line, column) = source.place(span.start);
        Some((&source.name, line, column))
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What stands under the caret.
    pub(crate) fn label(&self) -> Option<&str> {
        self.place.as_ref().map(|(.., label)| label.as_str())
    }

    pub(crate) fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|(source, ..)| &source.named as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span, label) = self.place.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some(label.clone()), span.clone()))))
    }
}

/// Everything that is wrong, in the order of the files.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) problems: Vec<Problem>,
}

impl Report {
    /// For a terminal; in colours where `styled`.
    pub(crate) fn render(&self, styled: bool) -> String {
        let theme = if styled { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
        let mut text = String::new();
        for problem in &self.problems {
            // Writing to a string cannot fail, and every place lies within its source.
            let _ = handler.render_report(&mut text, problem);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal_and_move_no_caret() {
        let text = "a = \"\u{1b}[2J\u{9b}\"\nb = 2\n";
        let shown = printable(text);
        assert_eq!(shown, "a = \"?[2J??\"\nb = 2\n");
        assert_eq!(shown.len(), text.len());
        let source = Source::new(Path::new("/x.toml"), text.to_owned(), false);
        assert_eq!(source.place(text.find('b').expect("it is there")), (2, 1));
        assert_eq!(source.place(9_999), (3, 1));
    }
}
