//! Tables of text within 80 columns.

use std::io::{self, Write};

use anstyle::Style;

/// The widest line of a report.
pub(crate) const COLUMNS: usize = 80;

/// A first column is not narrowed below an IPv4 address.
const FIRST_MIN: usize = 15;

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows of cells; all text in them is printable ASCII, or blocks of the time line.
pub(crate) struct Table {
    heads: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
    gap: usize,
}

impl Table {
    pub(crate) fn new(heads: &[(&'static str, Align)]) -> Table {
        Table { heads: heads.to_vec(), rows: Vec::new(), gap: 2 }
    }

    /// With one blank between columns instead of two.
    #[must_use]
    pub(crate) fn dense(mut self) -> Table {
        self.gap = 1;
        self
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let row: Vec<String> = cells.into_iter().collect();
        debug_assert_eq!(row.len(), self.heads.len(), "a cell for each column");
        self.rows.push(row);
    }

    /// Writes the table, indented by two. A first cell that would push a row over the edge gets a line of its own, and
    /// a last cell is cut with `...` where it must be.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let widths = self.widths();
        let heads: Vec<String> = self.heads.iter().map(|(head, _)| (*head).to_owned()).collect();
        let dim = Style::new().dimmed();
        writeln!(out, "{dim}{}{dim:#}", self.line(&heads, &widths).trim_end())?;
        for row in &self.rows {
            if row[0].len() > widths[0] {
                writeln!(out, "  {}", cut(&row[0], COLUMNS - 2))?;
                let mut rest = row.clone();
                rest[0].clear();
                writeln!(out, "{}", self.line(&rest, &widths).trim_end())?;
            } else {
                writeln!(out, "{}", self.line(row, &widths).trim_end())?;
            }
        }
        Ok(())
    }

    /// As wide as each column needs, the first and then the last narrowed until all fit.
    fn widths(&self) -> Vec<usize> {
        let widest = |at: usize| self.rows.iter().map(|row| row[at].len()).max().unwrap_or(0);
        let mut widths: Vec<usize> =
            self.heads.iter().enumerate().map(|(at, (head, _))| head.len().max(widest(at))).collect();
        let (last, gaps) = (widths.len() - 1, 2 + self.gap * (widths.len() - 1));
        let over = |widths: &[usize]| (widths.iter().sum::<usize>() + gaps).saturating_sub(COLUMNS);
        widths[0] = widths[0].saturating_sub(over(&widths)).max(FIRST_MIN.min(widths[0]));
        widths[last] = widths[last].saturating_sub(over(&widths)).max(self.heads[last].0.len());
        widths
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::from("  ");
        for (at, ((cell, (_, align)), &width)) in cells.iter().zip(&self.heads).zip(widths).enumerate() {
            let cell = cut(cell, width);
            if at > 0 {
                line.push_str(&" ".repeat(self.gap));
            }
            // What is cut to nothing keeps its dots.
            let blanks = " ".repeat(width.saturating_sub(cell.len()));
            match align {
                Align::Left => line.extend([cell, blanks]),
                Align::Right => line.extend([blanks, cell]),
            }
        }
        line
    }
}

/// The beginning of a text, with `...` where something is missing. Never within an escaped byte.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.len() <= width {
        return text.to_owned();
    }
    let mut end = width.saturating_sub(3);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // `\xNN` and `\\` are whole or not there.
    let tail_at = end.saturating_sub(3);
    if let Some(at) = text[..end].rfind('\\').filter(|&at| at >= tail_at) {
        let whole = if text[at..].starts_with("\\x") { at + 4 <= end } else { true };
        let is_pair_end = text[..at].bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1;
        if !whole || (!is_pair_end && at + 1 == end) {
            end = at;
        }
    }
    format!("{}...", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_within_the_edge() {
        let mut table =
            Table::new(&[("source", Align::Left), ("tries", Align::Right), ("account", Align::Left)]);
        table.row(["192.0.2.1".to_owned(), "5".to_owned(), "a".repeat(200)]);
        table.row([format!("2001:db8:{}::/64", "abcd:".repeat(20)), "77".to_owned(), "b".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let text = anstream::adapter::strip_bytes(&out).into_vec();
        for line in String::from_utf8(text).unwrap().lines() {
            assert!(line.len() <= COLUMNS, "{} columns: {line}", line.len());
        }
    }

    #[test]
    fn cutting_leaves_no_half_of_an_escaped_byte() {
        for width in 3..20 {
            let text = cut("ab\\x1b\\\\cd\\xffefghijklm", width);
            assert!(text.len() <= width);
            let kept = text.trim_end_matches("...");
            let mut rest = kept;
            while let Some(at) = rest.find('\\') {
                let escape = &rest[at..];
                let len = if escape.starts_with("\\\\") { 2 } else { 4 };
                assert!(escape.len() >= len, "{width}: {kept}");
                rest = &escape[len..];
            }
        }
    }
}
