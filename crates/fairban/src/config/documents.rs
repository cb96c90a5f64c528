//! The reference, the man page and the example, all from [`super::keys`].

use std::fmt::Write as _;

use super::keys::{Applies, KEYS, Key, SECTIONS, Section};

const ABOUT: [&str; 3] = [
    "fairban works without any configuration: it finds the logs and the services in them, and begins in shadow mode. What \
     is said here is for those who want something else.",
    "The files are TOML: /etc/fairban/fairban.toml, then every /etc/fairban/fairban.d/*.toml in the order of their names. \
     Each may be missing. Where a key stands in several, the last one counts; allow and [[input]] add up. Times are text \
     with a unit: \"90s\", \"10m\", \"1h\", \"7d\", \"2w\".",
    "fairban check says what is wrong, with file, line and column, and what would run; fairban check --effective shows every \
     value and where it comes from. fairban reload takes a changed configuration if all of it is right, and keeps the \
     old one if not.",
];

impl Applies {
    /// When a changed value counts, as a sentence.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Applies::Reload => "Counts after fairban reload.",
            Applies::Restart => "Counts when the service starts again.",
            Applies::FreshState => "Counts only where there is no state yet.",
        }
    }
}

fn keys_of(section: &Section) -> impl Iterator<Item = &'static Key> + use<> {
    let name = section.name;
    KEYS.iter().filter(move |key| key.section() == name)
}

/// `docs/config.md`
pub(crate) fn markdown() -> String {
    let mut page = String::from(
        "# The configuration\n\n<!-- Made from the program's own table: fairban man config.md > docs/config.md -->\n",
    );
    for paragraph in ABOUT {
        page.push('\n');
        page.push_str(&wrapped(paragraph, "", 118));
    }
    for section in &SECTIONS {
        let _ = write!(page, "\n## {}\n\n{}", section.heading, wrapped(section.text, "", 118));
        for key in keys_of(section) {
            let (short, kind, default, example) = (key.short(), key.kind, key.default, key.example);
            let _ = write!(page, "\n### `{short}`\n\n{}", wrapped(key.text, "", 118));
            let _ = write!(page, "\n- Value: {kind}\n- Default: {}\n", quoted(default));
            let _ = writeln!(page, "- Example: `{short} = {example}`\n- {}", key.applies.sentence());
        }
    }
    page
}

/// A default in words as it is, one in TOML as code.
fn quoted(default: &str) -> String {
    if is_toml(default) { format!("`{default}`") } else { default.to_owned() }
}

pub(super) fn is_toml(default: &str) -> bool {
    default.starts_with(['"', '[']) || default.parse::<i64>().is_ok() || matches!(default, "true" | "false")
}

/// `docs/man/fairban.toml.5`
pub(crate) fn man_page() -> String {
    let mut page = String::from(".TH fairban.toml 5 \"\" \"fairban\" \"File formats\"\n.SH NAME\n");
    page.push_str("fairban.toml \\- configuration of fairban\n.SH SYNOPSIS\n");
    page.push_str(".I /etc/fairban/fairban.toml\n.br\n.I /etc/fairban/fairban.d/*.toml\n.SH DESCRIPTION\n");
    for (at, paragraph) in ABOUT.iter().enumerate() {
        let _ = writeln!(page, "{}{}", if at > 0 { ".PP\n" } else { "" }, roff(paragraph));
    }
    for section in &SECTIONS {
        let _ = writeln!(page, ".SH \"{}\"\n{}", roff(&section.heading.to_uppercase()), roff(section.text));
        for key in keys_of(section) {
            let _ = writeln!(page, ".TP\n\\fB{}\\fR = {}", roff(key.short()), roff(key.kind));
            let _ = writeln!(page, "{}\n.br\nDefault: {}.", roff(key.text), roff(key.default));
            let _ = writeln!(page, "Example: {} = {}.", roff(key.short()), roff(key.example));
            let _ = writeln!(page, "{}", key.applies.sentence());
        }
    }
    page.push_str(".SH FILES\n.I /etc/fairban/fairban.toml\n.br\n.I /etc/fairban/fairban.d/*.toml\n");
    page.push_str(".SH \"SEE ALSO\"\n.BR fairban (1)\n");
    page
}

fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

/// `contrib/fairban.toml`: every key with its default, commented out.
pub(crate) fn example() -> String {
    let mut file = String::from("# /etc/fairban/fairban.toml: every key there is, commented out.\n#\n");
    for (at, paragraph) in ABOUT.iter().enumerate() {
        file.push_str(if at > 0 { "#\n" } else { "" });
        file.push_str(&wrapped(paragraph, "# ", 100));
    }
    for section in &SECTIONS {
        file.push('\n');
        if !section.name.is_empty() {
            file.push_str(&wrapped(section.text, "# ", 100));
            let header = if section.name == "input" { "#[[input]]" } else { "#[" };
            let _ = match section.name {
                "input" => writeln!(file, "{header}"),
                "limits" => writeln!(file, "{header}limits.pop3]"),
                name => writeln!(file, "{header}{name}]"),
            };
        }
        for (at, key) in keys_of(section).enumerate() {
            file.push_str(if at > 0 || !section.name.is_empty() { "\n" } else { "" });
            file.push_str(&wrapped(key.text, "# ", 100));
            let _ =
                writeln!(file, "# Value: {}. Default: {}. {}", key.kind, key.default, key.applies.sentence());
            let value = if is_toml(key.default) && key.default != "[]" { key.default } else { key.example };
            let _ = writeln!(file, "#{} = {value}", key.short());
        }
    }
    file
}

/// Lines of at most `width` columns, each with `lead` before it.
fn wrapped(text: &str, lead: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && lead.len() + line.len() + 1 + word.len() > width {
            let _ = writeln!(out, "{lead}{line}");
            line.clear();
        }
        line.push_str(if line.is_empty() { "" } else { " " });
        line.push_str(word);
    }
    let _ = writeln!(out, "{lead}{line}");
    out
}
