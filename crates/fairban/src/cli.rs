//! The command line. `--help`, the man page and the shell completions all come from these definitions.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fairban_core::account::AccountKey;
use fairban_core::engine::Subject;
use fairban_core::event::Service;
use fairban_core::time::Span;
use jiff::tz::TimeZone;

use crate::verbs::{ControlVerb, LimitSetArgs, LimitWhichArgs, Talk};

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   findings, for verbs that say so: `why` knows nothing, a guard rail refuses (replay never uses it)
  2   the command line was wrong
  70  a fault of fairban itself: please report it
  69  the environment: no log could be read, no service runs, the output could not be written
  78  a file that steers fairban is wrong, such as a state file of another version";

const CHECK_EXIT_CODES: &str = "\
Exit codes:
  0   all is well; there may be advice
  1   something needs doing: the warnings say what
  2   the command line was wrong
  69  the environment: the inputs could not be tried, the output could not be written
  78  the configuration is wrong: each mistake is shown with its file, line and column";

const REPLAY_EXAMPLES: &str = "\
Examples:
  fairban replay                                     find the usual logs and read them
  fairban replay /var/log/mail.log*                  a rotated set, in any order
  fairban replay --explain 203.0.113.36 maillog.gz   why one source was banned or spared
  fairban replay --json --timezone UTC --year 2026 maillog | jq -c 'select(.action==\"ban\")'
  journalctl -o short-iso -u ssh | fairban replay -
  fairban replay --state /var/lib/fairban/replay.state mail.log.1
                                                     then go on with the next file

Exit codes:
  0   done, whatever was found; warnings on stderr tell of files that could not be read
  2   the command line was wrong
  69  none of the logs could be read, or the output could not be written
  70  a fault of fairban itself: please report it
  78  the state file is of another version, damaged, or made with other options";

const LIMITS_EXAMPLES: &str = "\
Examples:
  fairban limits suggest                             from the usual logs of the last 30 days
  fairban limits test --new 60/1m --ports 110 maillog
  fairban limits set pop3 --ports 110,995 --concurrent 40 --new 60/1m
  fairban limits show                                what it would have refused so far
  fairban limits set pop3 --enforce                  refuse it from now on, in live mode
  fairban limits off

Exit codes:
  0   done
  1   not done, for a good reason; `test`: a familiar source would have been touched
  2   the command line was wrong
  69  no service runs, it cannot be reached, or no log could be read
  70  a fault of fairban itself: please report it
  78  the configuration is wrong";

const AUDIT_EXIT_CODES: &str = "\
Exit codes:
  0   what is remembered follows from the journal
  1   it does not, or a part of it cannot be read; what is wrong was printed
  2   the command line was wrong
  69  the service runs, or there is no state to look at
  70  a fault of fairban itself: please report it
  78  the configuration is wrong";

const PANIC_EXIT_CODES: &str = "\
Exit codes:
  0   nobody is shut out
  2   the command line was wrong
  69  something may still shut somebody out, or will; what it is was printed
  70  a fault of fairban itself: please report it";

/// Bans password-scanning robots and never your users.
#[derive(Debug, Parser)]
#[command(name = "fairban", version, max_term_width = 100, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Read old logs: who were the robots, and who was honest?
    ///
    /// Reads login logs in time order and decides, line by line, as the live service would: which sources were robots,
    /// when each would have been shut out and on what evidence, which accounts were probably taken, which devices go on with
    /// an old password, and which honest users a counting rule would have locked out. Changes nothing on the system and needs
    /// no rights but to read the logs.
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(Box<ReplayArgs>),
    /// Follow the logs, and shut robots out as they come
    ///
    /// Runs in the foreground until it is told to stop. Reads the old logs first, as far back as `read_back` says, then follows
    /// them. Watches only (decides, records, shows) until `fairban mode live`. HUP reads the configuration again, TERM ends.
    Run(RunArgs),
    /// Is the configuration right, and can the service see what it needs?
    ///
    /// Validates the configuration, tries every input as the user that the service runs as, says what each log shows and what
    /// would run, and how the servers' logs could tell more. What is in the way comes with the command that removes it.
    #[command(after_help = CHECK_EXIT_CODES)]
    Check(CheckArgs),
    /// Prove that what the service remembers follows from what it read
    ///
    /// Reads the oldest snapshot there is and takes every entry of the journal after it as the service did, in an engine of its
    /// own; then compares it with each later snapshot. For when a disk or a crash is suspected, before the service is started
    /// again. Changes nothing, and needs the service to be stopped.
    #[command(after_help = AUDIT_EXIT_CODES)]
    Audit(AuditArgs),
    /// Try inputs for `fairban check`: reads and writes JSON, and is of no use to people
    #[command(hide = true)]
    TryInputs,
    /// Let everybody in at once: take everything of ours out of the kernel, whether the service lives or not
    ///
    /// For the moment in which a user cannot get in and there is no time to ask why. Sends the service to shadow mode, so that
    /// nobody is shut out again; one that does not run begins in shadow mode when it starts. Bans stay recorded: `fairban mode
    /// live` enforces them again. Needs root; whoever may give orders can do the same as long as the service answers.
    #[command(after_help = PANIC_EXIT_CODES)]
    Panic(PanicArgs),
    /// Limit what one source may do at a time: connections open, and new ones
    ///
    /// fairban-fw counts connections by IPv4 address and IPv6 /64 in the kernel. Who is over a limit is refused at that moment, not
    /// banned. A limit only counts until it is told to refuse (`enforce`), and in shadow mode. Limits stand in the configuration
    /// as [limits.NAME]; what `set` and `off` say counts above it, also after a restart, until `reset`.
    #[command(subcommand, after_help = LIMITS_EXAMPLES)]
    Limits(LimitsVerb),
    /// Verbs that talk to the running service.
    #[command(flatten)]
    Control(ControlVerb),
    /// Print the completions of a shell, for example: fairban completions bash
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print a man page, for example: fairban man | man -l -
    Man {
        /// Which page: that of the program or that of its configuration.
        #[arg(value_enum, default_value = "fairban")]
        page: Page,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LimitsVerb {
    /// Show the limits, whether they count or refuse, and who was over
    Show(Talk),
    /// Set a limit, or change a part of it; a new one only counts
    Set(LimitSetArgs),
    /// Take a limit off, or all
    Off(LimitWhichArgs),
    /// Give a limit back to the configuration, or all
    Reset(LimitWhichArgs),
    /// Try the limits of the configuration, or one that you name, on old logs: whom would they have touched?
    ///
    /// The logs tell of logins and connections that servers took; a log of tcpserver, or of Dovecot with session ids, also tells how
    /// many were open at a time.
    Test(LimitTestArgs),
    /// Print how many connections sources make, and the limits that would have touched no familiar one
    Suggest(LimitSuggestArgs),
}

/// What old logs are read, and how.
#[derive(Args, Debug)]
pub(crate) struct OldLogs {
    /// Log files, as `fairban replay` takes them [default: the usual places are searched]
    #[arg(value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,

    /// Look at the last N days of the logs only
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: u16,

    /// The time zone of stamps that name none [default: the system's]
    #[arg(long, value_name = "ZONE", value_parser = parse_zone)]
    pub(crate) timezone: Option<TimeZone>,

    /// The year of the first stamp of each file, where stamps have none [default: by the file's modification time]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9000))]
    pub(crate) year: Option<i16>,

    /// Print one JSON object a line, and nothing else, on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct LimitSuggestArgs {
    #[command(flatten)]
    pub(crate) old: OldLogs,
}

#[derive(Args, Debug)]
pub(crate) struct LimitTestArgs {
    /// So many connections open at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) concurrent: Option<u32>,

    /// So many new connections in a time, such as 60/1m
    #[arg(long, value_name = "N/TIME", value_parser = crate::limits::parse_rate)]
    pub(crate) new: Option<(u32, u32)>,

    /// So many of the new ones at once [default: N of --new]
    #[arg(long, value_name = "N", requires = "new", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) burst: Option<u32>,

    /// Ports of the limit that is named here [default: all]
    #[arg(long, value_name = "PORTS", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) ports: Vec<u16>,

    /// The configuration whose limits are tried [default: /etc/fairban/fairban.toml]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["concurrent", "new"])]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) old: OldLogs,
}

/// What `fairban man` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// fairban(1)
    #[value(name = "fairban")]
    Program,
    /// fairban.toml(5)
    #[value(name = "fairban.toml")]
    Config,
    /// The reference of the configuration in Markdown.
    #[value(name = "config.md", hide = true)]
    Reference,
    /// A configuration with every key, commented out.
    #[value(name = "example")]
    Example,
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The configuration; its drop-ins are in the folder of the same name that ends in .d
    /// [default: /etc/fairban/fairban.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Keep the whole journal and all snapshots, for `fairban audit`: the disk fills
    #[arg(long, hide = true)]
    pub(crate) keep_journal: bool,

    /// Wonder about a banned source's lines after so many seconds
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = crate::daemon::GRACE_SECONDS)]
    pub(crate) grace_seconds: u32,

    /// Make a snapshot after so many bytes of journal
    #[arg(long, hide = true, value_name = "BYTES", default_value_t = crate::daemon::ROLL_AFTER_BYTES)]
    pub(crate) roll_after_bytes: u64,

    /// Go back to shadow mode after so many seconds without confirmation, instead of ten minutes
    #[arg(long, hide = true, value_name = "SECONDS")]
    pub(crate) confirm_within: Option<u32>,
}

#[derive(Args, Debug)]
pub(crate) struct PanicArgs {
    #[command(flatten)]
    pub(crate) talk: Talk,
}

#[derive(Args, Debug)]
pub(crate) struct AuditArgs {
    /// The configuration that names the state directory [default: /etc/fairban/fairban.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The state directory itself, for example of another machine
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Also print each entry that was looked at: lines with their input, orders, and the verdicts that they led to
    #[arg(long)]
    pub(crate) events: bool,

    /// Print one JSON object a line, and nothing else, on standard output
    ///
    /// The actions are line, order, configured and verdict (with --events), trouble, and summary last.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The configuration; its drop-ins are in the folder of the same name that ends in .d
    /// [default: /etc/fairban/fairban.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Print every value and where it comes from, and nothing else
    #[arg(long)]
    pub(crate) effective: bool,

    /// Prove with real packets that a ban would bite on this host; as root
    ///
    /// Makes two network namespaces with a wire between them, runs fairban-fw in one and bans the other: nothing of this
    /// host's own network is touched. Tells what the kernel has, and what of this host may defeat a ban. Exit code 1 where a
    /// ban does not bite, or may not; 69 where it cannot be tried.
    #[arg(long, conflicts_with_all = ["effective", "config"])]
    pub(crate) firewall: bool,

    /// Print one JSON object a line, and nothing else, on standard output
    ///
    /// The actions are config-error, value (with --effective), input, fact and proof (with --firewall), finding, and summary
    /// last.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// Log files, plain or compressed (gzip, zstd, xz, bzip2); - for standard input; multilog folders
    ///
    /// Several files are merged in time order, so rotated sets may be given in any order and the logs of different
    /// daemons together. A folder must be one that multilog writes (`current` and `@4000….s` files). Without any, the
    /// usual places are searched: mail.log*, maillog*, syslog*, auth.log*, secure*, dovecot*.log* and multilog folders in
    /// /var/log, and the log folders of supervised services.
    #[arg(value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,

    /// Print one JSON object a line, and nothing else, on standard output
    ///
    /// The actions are ban, extend, unban, hit, stale-device, hub, alarm and gap, in the order of decisions, and summary
    /// last. The format is described by docs/replay.schema.json.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the whole evidence about one source (or account) instead of the report
    #[arg(long, value_name = "SOURCE", value_parser = parse_subject, conflicts_with = "json")]
    pub(crate) explain: Option<Asked>,

    /// The counting rule to compare with: failures/window/ban
    ///
    /// The report lists the honest sources that such a rule would have banned, and the logins it would have denied them.
    #[arg(long, value_name = "N/WINDOW/BAN", default_value = "5/10m/10m")]
    pub(crate) compare: Rule,

    /// Show every row of every table instead of the first ones
    #[arg(long)]
    pub(crate) all: bool,

    /// Go on from this file if it exists, and leave in it what is needed to go on later
    ///
    /// A log may be cut anywhere, even within a line, and read in parts: the objects are those of the whole, and the last
    /// summary is that of the whole. A last line without its line feed waits in the file for its rest. Give each part once: what is
    /// given again is counted again.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// The time zone of stamps that name none, such as Europe/Berlin, UTC or +02:00 [default: the system's]
    #[arg(long, value_name = "ZONE", value_parser = parse_zone)]
    pub(crate) timezone: Option<TimeZone>,

    /// The year of the first stamp of each file, where stamps have none [default: by the file's modification time]
    ///
    /// Later stamps roll over New Year by themselves.
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9000))]
    pub(crate) year: Option<i16>,

    /// Judge only these services (may be repeated or separated by commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(Service::ALL.map(Service::name)))]
    pub(crate) service: Vec<String>,

    /// No progress and no notes: only findings on standard output and warnings on standard error
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// How many threads read and parse; 1 does everything on one core [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Without LOG, search below DIR instead of /, for example in the mounted disk of another machine
    #[arg(long, value_name = "DIR", default_value = "/", conflicts_with = "logs")]
    pub(crate) root: PathBuf,
}

impl ReplayArgs {
    /// The services to judge, one bit each at [`Service::index`]; all without `--service`.
    pub(crate) fn services(&self) -> u32 {
        let named = |s: &Service| self.service.is_empty() || self.service.iter().any(|n| n == s.name());
        Service::ALL.iter().filter(|s| named(s)).fold(0, |mask, s| mask | 1 << s.index())
    }
}

/// Whom `--explain` asks about, as typed and as understood.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) typed: String,
    pub(crate) subject: Subject,
}

fn parse_subject(typed: &str) -> Result<Asked, String> {
    let address = typed.split_once('/').map_or(typed, |(address, _)| address);
    let subject = match address.parse::<IpAddr>() {
        Ok(address) => Subject::Source(address.to_canonical()),
        Err(_)
            if typed.contains('@')
                || typed.bytes().any(|b| b.is_ascii_alphabetic()) && !typed.contains(':') =>
        {
            Subject::Account(AccountKey::new(typed.as_bytes()))
        }
        Err(_) => return Err("not an IP address and not an account name".to_owned()),
    };
    Ok(Asked { typed: typed.to_owned(), subject })
}

/// A counting rule: so many failures within a window ban a source for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Rule {
    pub(crate) failures: u8,
    pub(crate) window: Span,
    pub(crate) ban: Span,
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        let mut parts = text.split('/');
        let (Some(failures), Some(window), Some(ban), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("a rule has three parts, as in 5/10m/10m".to_owned());
        };
        let failures = failures.parse().ok().filter(|n| (1..=100).contains(n));
        Ok(Rule {
            failures: failures.ok_or("the number of failures is between 1 and 100")?,
            window: parse_span(window)?,
            ban: parse_span(ban)?,
        })
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.failures, show_span(self.window), show_span(self.ban))
    }
}

pub(crate) fn parse_span(text: &str) -> Result<Span, String> {
    let wrong = || format!("'{text}' is not a time such as 90s, 10m, 1h or 7d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    match i64::from(number) * unit {
        secs @ 1..=315_360_000 => Ok(Span::secs(secs)),
        _ => Err(format!("'{text}' is not between a second and ten years")),
    }
}

/// A length of time as people write it in options: in the largest unit that leaves no rest.
pub(crate) fn show_span(span: Span) -> String {
    let secs = span.as_secs();
    let units = [(604_800, 'w'), (86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let unit = units.into_iter().find(|(size, _)| secs != 0 && secs % size == 0);
    let (size, letter) = unit.unwrap_or((1, 's'));
    format!("{}{letter}", secs / size)
}

pub(crate) fn parse_zone(text: &str) -> Result<TimeZone, String> {
    let parser = jiff::fmt::temporal::DateTimeParser::new();
    parser.parse_time_zone(text).map_err(|_| match nearest_zone(text) {
        Some(near) => format!("there is no such time zone; did you mean {near}?"),
        None => "there is no such time zone; names are like Europe/Berlin, UTC or +02:00".to_owned(),
    })
}

fn nearest_zone(text: &str) -> Option<String> {
    let wanted = text.to_ascii_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&wanted, &name.to_ascii_lowercase());
    let known = jiff::tz::db().available().map(|name| name.as_str().to_owned());
    let (near, name) = known.map(|name| (distance(&name), name)).min()?;
    (near <= 1 + text.len() / 4).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_and_show_alike() {
        for text in ["5/10m/10m", "3/90s/1d", "100/1h/1w"] {
            assert_eq!(text.parse::<Rule>().map(|r| r.to_string()).as_deref(), Ok(text));
        }
        for wrong in
            ["", "5", "5/10m", "0/10m/10m", "5/10x/10m", "5/0m/10m", "5/10m/10m/1", "-1/1m/1m", "101/1m/1m"]
        {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_misspelt_zone_is_answered_with_the_nearest() {
        assert!(
            parse_zone("UTC").is_ok() && parse_zone("Europe/Berlin").is_ok() && parse_zone("+02:00").is_ok()
        );
        assert!(parse_zone("Europe/Berln").unwrap_err().contains("Europe/Berlin"));
        assert!(parse_zone("nowhere at all, really").unwrap_err().contains("no such time zone"));
    }

    #[test]
    fn sources_and_accounts_are_told_apart() {
        let source = |text: &str| matches!(parse_subject(text).unwrap().subject, Subject::Source(_));
        assert!(source("203.0.113.36") && source("203.0.113.36/32") && source("2001:db8::1"));
        assert!(!source("dan@d.example") && !source("root"));
        assert!(parse_subject("203.0.113").is_err());
    }

    #[test]
    fn the_definitions_hold_together() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
