//! What was found, for a person or as JSON.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use fairban_core::engine::BanLengths;
use fairban_core::time::Span;
use serde_json::{Value, json};

use super::Identity;
use super::findings::{Finding, Level};
use super::look::{Looked, Seen};
use super::probe::path_name;
use crate::cli::show_span;
use crate::config::{Loaded, Origin, Report, Shown};
use crate::daemon;
use crate::error::{Failure, plural};
use crate::input::live::Plan;
use crate::when;

/// The version of the JSON.
const VERSION: u32 = 1;

/// Standard output, in one of two forms.
pub(super) struct Output {
    json: bool,
}

/// One thing that was tried with real packets.
pub(super) struct Proof {
    /// What should be so.
    pub(super) text: String,
    /// It is.
    pub(super) holds: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Output {
        Output { json }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Texts are put together with `writeln!` into strings, which cannot fail.
    fn write(&self, text: &str, objects: impl FnOnce() -> Vec<Value>) -> Result<(), Failure> {
        let result = if self.json {
            let mut out = io::stdout().lock();
            objects().into_iter().try_for_each(|mut object| {
                object["v"] = json!(VERSION);
                writeln!(out, "{object}")
            })
        } else {
            let mut out = anstream::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        };
        result.map_err(|error| Failure::output(&error))
    }

    /// Every value and its origin.
    pub(super) fn values(&self, values: &[Shown]) -> Result<(), Failure> {
        let lines: Vec<(String, String)> = values
            .iter()
            .map(|shown| {
                let input = shown.input.map_or(String::new(), |at| format!("input {at}, "));
                (format!("{} = {}", shown.key, printable(&shown.value)), format!("# {input}{}", shown.origin))
            })
            .collect();
        // Long lists push their own origin to the side, not everybody's.
        let width = lines.iter().map(|(value, _)| value.len()).filter(|len| *len <= 60).max().unwrap_or(0);
        let text = lines.iter().fold(String::new(), |mut text, (value, origin)| {
            let _ = writeln!(text, "{value:width$}  {origin}");
            text
        });
        self.write(&text, || {
            let object = |shown: &Shown| {
                json!({"action": "value", "key": shown.key, "input": shown.input, "value": printable(&shown.value),
                       "origin": origin(&shown.origin)})
            };
            values.iter().map(object).collect()
        })
    }

    /// What is wrong with the configuration; only as JSON, a person is told on standard error.
    pub(super) fn errors(&self, report: &Report) -> Result<(), Failure> {
        self.write("", || {
            let object = |problem: &crate::config::Problem| {
                let (file, line, column) =
                    problem.place().map_or((None, None, None), |(file, line, column)| {
                        (Some(file), Some(line), Some(column))
                    });
                json!({"action": "config-error", "file": file, "line": line, "column": column,
                       "message": printable(problem.message()), "label": problem.label().map(printable),
                       "help": problem.remedy().map(printable)})
            };
            report.problems.iter().map(object).collect()
        })
    }

    /// As whom and how it would run.
    pub(super) fn run(&self, loaded: &Loaded, identity: &Identity) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let config = &loaded.config;
        let files: Vec<String> = loaded.files.iter().map(|path| path_name(path)).collect();
        let files = if files.is_empty() { "none; the defaults count".to_owned() } else { files.join(", ") };
        let groups: Vec<&str> = identity.user.groups.iter().map(|group| group.name.as_str()).collect();
        let groups = if groups.is_empty() { String::new() } else { format!(" with {}", groups.join(", ")) };
        let tried = if identity.becomes {
            format!("{}{groups}", identity.user.name)
        } else if identity.stays {
            format!("{}, who runs this check: only root can try as {}", identity.user.name, config.user.value)
        } else {
            format!("{}, because there is no user {}", identity.user.name, config.user.value)
        };
        let allowed = &config.allowed;
        let act = config
            .control
            .group
            .value
            .as_deref()
            .map_or("root".to_owned(), |group| format!("root and group {group}"));
        let rows = [
            ("configuration", files),
            ("inputs tried as", tried),
            ("begins in", format!("{} mode, unless its state says otherwise", config.mode.value.name())),
            ("enforcer", daemon::chosen(config).0.kind().name().to_owned()),
            ("state", path_name(&config.state_dir.value)),
            ("control", format!("{}: {act} may act", path_name(&config.control.socket.value))),
            ("bans", lengths(&config.ban_lengths())),
            (
                "never banned",
                format!("{} prefixes and {} names of allow", allowed.prefixes.len(), allowed.names.len()),
            ),
        ];
        let text = rows.iter().fold(String::new(), |mut text, (head, row)| {
            let _ = writeln!(text, "{head:16} {row}");
            text
        });
        self.write(&text, Vec::new)
    }

    /// Each input and what is in it.
    pub(super) fn inputs(&self, plan: &Plan, looked: &[Vec<Looked>], now_secs: i64) -> Result<(), Failure> {
        let bold = Style::new().bold();
        let mut text = format!("\n{bold}Inputs{bold:#}\n");
        for (planned, files) in plan.inputs.iter().zip(looked) {
            for one in files {
                let from = planned.origin.as_ref().map_or("found".to_owned(), Origin::to_string);
                let _ = writeln!(text, "  {}  ({from})\n    {}", printable(&one.name), told(one, now_secs));
            }
        }
        if plan.inputs.is_empty() {
            text.push_str("  none\n");
        }
        self.write(&text, || {
            let each = plan.inputs.iter().zip(looked).flat_map(|(planned, files)| {
                files.iter().map(|one| {
                    let mut object = seen(&one.seen);
                    object["action"] = json!("input");
                    object["name"] = json!(printable(&one.name));
                    object["origin"] = planned.origin.as_ref().map_or(json!("found"), origin);
                    object
                })
            });
            each.collect()
        })
    }

    /// What is to be done, the most important first.
    pub(super) fn findings(&self, findings: &[Finding]) -> Result<(), Failure> {
        let mut ordered: Vec<&Finding> = findings.iter().collect();
        ordered.sort_by_key(|finding| finding.level);
        let mut text = if ordered.is_empty() { String::new() } else { "\n".to_owned() };
        for finding in &ordered {
            let style = match finding.level {
                Level::Warning => AnsiColor::Yellow.on_default().bold(),
                Level::Advice => AnsiColor::Cyan.on_default().bold(),
            };
            let input = if finding.input.is_empty() { String::new() } else { format!("{}: ", finding.input) };
            let line = printable(&format!("{input}{}", finding.text));
            let _ = writeln!(text, "{style}{}:{style:#} {line}", finding.level.name());
            for remedy in &finding.remedies {
                let _ = writeln!(text, "    {}", printable(remedy));
            }
        }
        self.write(&text, || {
            let object = |finding: &&Finding| {
                let remedies: Vec<String> = finding.remedies.iter().map(|remedy| printable(remedy)).collect();
                json!({"action": "finding", "level": finding.level.name(), "input": printable(&finding.input),
                       "text": printable(&finding.text), "remedies": remedies})
            };
            ordered.iter().map(object).collect()
        })
    }

    /// What the kernel has, and what was tried on it.
    pub(super) fn proof(&self, facts: &[String], proofs: &[Proof]) -> Result<(), Failure> {
        let mut text = facts.iter().fold(String::new(), |mut text, fact| {
            let _ = writeln!(text, "{}", printable(fact));
            text
        });
        text.push('\n');
        for proof in proofs {
            let (style, word) = if proof.holds {
                (AnsiColor::Green.on_default(), "yes")
            } else {
                (AnsiColor::Red.on_default().bold(), "NO")
            };
            let _ = writeln!(text, "{style}{word:>3}{style:#}  {}", printable(&proof.text));
        }
        self.write(&text, || {
            let facts = facts.iter().map(|fact| json!({"action": "fact", "text": printable(fact)}));
            let proof =
                |proof: &Proof| json!({"action": "proof", "text": printable(&proof.text), "holds": proof.holds});
            facts.chain(proofs.iter().map(proof)).collect()
        })
    }

    /// The last line.
    pub(super) fn summary(&self, warnings: usize, advice: usize) -> Result<(), Failure> {
        let text = match (warnings, advice) {
            (0, 0) => "\nAll is well.\n".to_owned(),
            (0, _) => "\nAll is well; the advice would make the evidence better.\n".to_owned(),
            _ => format!("\n{} to be seen to.\n", plural(warnings as u64, "warning")),
        };
        self.write(&text, || vec![json!({"action": "summary", "warnings": warnings, "advice": advice})])
    }
}

fn lengths(bans: &BanLengths) -> String {
    let (first, longest, familiar) =
        (show_span(bans.first), show_span(bans.longest), show_span(bans.longest_familiar));
    let ladder = bans.ladder;
    format!(
        "{first} at least, {ladder} times longer each time, {longest} at most, {familiar} where anybody ever logged in"
    )
}

fn origin(origin: &Origin) -> Value {
    match origin {
        Origin::Default => json!("default"),
        Origin::File { name, line, drop_in } => json!({"file": &**name, "line": line, "drop_in": drop_in}),
    }
}

/// One input in a line.
fn told(looked: &Looked, now_secs: i64) -> String {
    match &looked.seen {
        Seen::Closed => "closed: see below".to_owned(),
        Seen::Missing => "missing".to_owned(),
        Seen::Empty => "empty yet".to_owned(),
        Seen::Ready(how) | Seen::Nothing(how) | Seen::Failed(how) => printable(how),
        Seen::Read(content) => {
            let services = content.services.iter().map(|seen| {
                let odd = seen.lines.saturating_sub(seen.understood);
                let odd = if odd == 0 { String::new() } else { format!(" ({odd} not understood)") };
                format!("{} {} lines{odd}", seen.service().name(), seen.lines)
            });
            let services: Vec<String> = services.collect();
            let services = if services.is_empty() { "no service".to_owned() } else { services.join(", ") };
            let age = when::length(Span::secs(now_secs - content.modified_secs));
            format!("{services}; of its last {} lines, written {age} ago", content.lines)
        }
    }
}

fn seen(seen: &Seen) -> Value {
    match seen {
        Seen::Closed => json!({"state": "closed"}),
        Seen::Missing => json!({"state": "missing"}),
        Seen::Empty => json!({"state": "empty"}),
        Seen::Ready(how) => json!({"state": "ready", "text": printable(how)}),
        Seen::Nothing(how) | Seen::Failed(how) => json!({"state": "failed", "text": printable(how)}),
        Seen::Read(content) => {
            let services = content.services.iter().map(|seen| {
                json!({"service": seen.service().name(), "lines": seen.lines, "understood": seen.understood,
                       "login_like": seen.login_like, "failures": seen.failures, "successes": seen.successes})
            });
            json!({"state": "readable", "lines": content.lines, "services": services.collect::<Vec<_>>(),
                   "newest": content.newest_secs, "written": content.modified_secs,
                   "zone_off_seconds": content.zone_off_secs})
        }
    }
}

/// Everything here is escaped where it was read; this holds if anything was not.
fn printable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}
