//! The command lines of the verbs that talk to the running service.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use fairban_control::{About, Mode, Moment, Shown, TailKind};
use fairban_core::time::Span;
use ipnet::IpNet;

use super::parse::{
    parse_about, parse_account, parse_length, parse_moment, parse_note, parse_since, parse_target,
};
use crate::cli::parse_span;
use crate::config::{Config, Paths};
use crate::error::{self, Failure, Kind};

/// Where the service listens unless its configuration says otherwise.
const SOCKET: &str = "/run/fairban/control.sock";

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   not done, for a good reason: a guard rail forbids it
  2   the command line was wrong
  69  no service runs, it cannot be reached, or it could not do it
  70  a fault of fairban itself: please report it
  78  the configuration is wrong; the service goes on with the old one";

const STATUS_HELP: &str = "\
Examples:
  fairban status
  fairban status --json | jq '.alarms[].name'

Without a running service the state is read from its database, and said to be old.

Exit codes:
  0   told, whatever it is
  2   the command line was wrong
  69  no service runs and there is no database, or it cannot be reached
  70  a fault of fairban itself: please report it";

const BANS_HELP: &str = "\
Examples:
  fairban bans
  fairban bans 203.0.113.0/24                    those at, within or around a prefix
  fairban bans --plain | wc -l
  fairban bans --json | jq -r 'select(.weak) | .prefix'

Without a running service the bans are read from its database.

Exit codes:
  0   told, also where nobody is banned
  2   the command line was wrong
  69  no service runs and there is no database, or it cannot be reached
  70  a fault of fairban itself: please report it";

const WHY_HELP: &str = "\
Examples:
  fairban why 203.0.113.36
  fairban why dan@d.example
  fairban why 203.0.113.36 --at '2026-01-21 09:50'
  fairban why 203.0.113.36 --at 2h               two hours ago

Without a running service it is read from its database.

Exit codes:
  0   told
  1   nothing is known about whom was asked
  2   the command line was wrong
  69  no service runs and there is no database, or it cannot be reached
  70  a fault of fairban itself: please report it";

/// Verbs that talk to the running service.
#[derive(Debug, Subcommand)]
pub(crate) enum ControlVerb {
    /// Show how the service is: what it reads, whom it watches, what is wrong
    #[command(after_help = STATUS_HELP)]
    Status(Talk),
    /// Show who is banned
    #[command(after_help = BANS_HELP)]
    Bans(BansArgs),
    /// Ban an address or a prefix
    #[command(after_help = EXIT_CODES)]
    Ban(BanArgs),
    /// Let somebody in again before the end of the ban
    #[command(after_help = EXIT_CODES)]
    Unban(UnbanArgs),
    /// Never ban a prefix, list such prefixes, or take one off the list
    #[command(after_help = EXIT_CODES)]
    Allow(AllowArgs),
    /// Explain why a source is banned or not, or what is known about an account
    ///
    /// For a source: the signals and their nats, accounts, lines, bans, and what would have changed it. For an account: its
    /// last logins, devices that go on with an old password, and the sources that failed at it.
    #[command(after_help = WHY_HELP)]
    Why(WhyArgs),
    /// Show decisions as they are made, until you press Ctrl-C
    #[command(after_help = EXIT_CODES)]
    Tail(TailArgs),
    /// Enforce bans (live), or decide and record only (shadow)
    #[command(after_help = EXIT_CODES)]
    Mode(ModeArgs),
    /// Confirm that you can still reach the machine after going live
    #[command(after_help = EXIT_CODES)]
    Confirm(Talk),
    /// Ban sources at which people log in again, after the breaker stopped that
    #[command(after_help = EXIT_CODES)]
    Resume(Talk),
    /// Read the configuration again; where it is wrong, keep the old one and say what is wrong
    #[command(after_help = EXIT_CODES)]
    Reload(Talk),
    /// Tell what has happened, what a counting rule would have done, and whether it is safe to go live
    #[command(after_help = EXIT_CODES)]
    Report(ReportArgs),
}

/// How to reach the service, and how to tell what it says.
#[derive(Args, Clone, Debug)]
pub(crate) struct Talk {
    /// Print JSON, one object a line, as docs/control.md describes it
    #[arg(long)]
    pub(crate) json: bool,

    /// The configuration that names the service's socket and its state
    /// [default: /etc/fairban/fairban.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where the service listens [default: as the configuration says]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
}

impl Talk {
    /// The service's socket. Who may not read the configuration, or has broken it, asks where it is by default.
    ///
    /// # Errors
    /// A configuration was named, and is wrong or not there.
    pub(crate) fn socket(&self) -> Result<PathBuf, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        match (Config::load(&Paths::new(self.config.as_deref())), &self.config) {
            (Ok(loaded), _) => Ok(loaded.config.control.socket.value),
            (Err(_), None) => Ok(PathBuf::from(SOCKET)),
            (Err(report), Some(_)) => {
                error::raw(&report.render(false));
                Err(Failure::new(Kind::Config, "the configuration is wrong")
                    .hint("name the socket instead: --socket PATH"))
            }
        }
    }
}

impl ControlVerb {
    /// How it reaches the service.
    pub(crate) fn talk(&self) -> &Talk {
        match self {
            ControlVerb::Status(talk)
            | ControlVerb::Confirm(talk)
            | ControlVerb::Resume(talk)
            | ControlVerb::Reload(talk) => talk,
            ControlVerb::Bans(args) => &args.talk,
            ControlVerb::Ban(args) => &args.talk,
            ControlVerb::Unban(args) => &args.talk,
            ControlVerb::Allow(args) => match &args.verb {
                Some(AllowVerb::List(talk) | AllowVerb::Remove { talk, .. }) => talk,
                None => &args.talk,
            },
            ControlVerb::Why(args) => &args.talk,
            ControlVerb::Tail(args) => &args.talk,
            ControlVerb::Mode(args) => &args.talk,
            ControlVerb::Report(args) => &args.talk,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct BansArgs {
    /// Only bans at, within or around this address or prefix
    #[arg(value_name = "PREFIX", value_parser = parse_target)]
    pub(crate) within: Option<IpNet>,

    /// Print prefixes alone, one a line
    #[arg(long, conflicts_with = "json")]
    pub(crate) plain: bool,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

#[derive(Args, Debug)]
pub(crate) struct BanArgs {
    /// Whom, such as 203.0.113.7 or 203.0.113.0/24
    #[arg(value_name = "PREFIX", value_parser = parse_target)]
    pub(crate) prefix: IpNet,

    /// For how long: 10m, 1h, 7d, or forever
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = parse_length)]
    pub(crate) length: Length,

    /// Why; shown by `bans` and `why`
    #[arg(long, value_name = "TEXT", value_parser = parse_note)]
    pub(crate) reason: Option<Shown>,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

/// How long a ban lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// So many seconds.
    Seconds(u32),
    /// Until it is taken back.
    Forever,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("whom").required(true).args(["prefix", "account", "all"]))]
pub(crate) struct UnbanArgs {
    /// End bans at, within or around this address or prefix
    #[arg(value_name = "PREFIX", value_parser = parse_target)]
    pub(crate) prefix: Option<IpNet>,

    /// End bans of the sources that failed at this account
    #[arg(long, value_name = "ACCOUNT", value_parser = parse_account)]
    pub(crate) account: Option<Shown>,

    /// End all bans
    #[arg(long)]
    pub(crate) all: bool,

    /// Remember the excuse as well, so that the same device does not come back at once
    #[arg(long)]
    pub(crate) forgive: bool,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct AllowArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<AllowVerb>,

    /// Never ban this address or prefix
    #[arg(value_name = "PREFIX", value_parser = parse_target, required = true)]
    pub(crate) prefix: Option<IpNet>,

    /// Why; shown by `allow list`
    #[arg(long, value_name = "TEXT", value_parser = parse_note)]
    pub(crate) note: Option<Shown>,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AllowVerb {
    /// List what is never banned, and who said so
    List(Talk),
    /// Take a prefix off the list, exactly as it stands there
    Remove {
        /// Which
        #[arg(value_name = "PREFIX", value_parser = parse_target)]
        prefix: IpNet,

        #[command(flatten)]
        talk: Talk,
    },
}

#[derive(Args, Debug)]
pub(crate) struct WhyArgs {
    /// An address, a prefix, or an account
    #[arg(value_name = "WHO", value_parser = parse_about)]
    pub(crate) about: About,

    /// At which time: '2026-01-21 09:50', 09:50, 2h (ago), or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) at: Option<Moment>,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

#[derive(Args, Debug)]
pub(crate) struct TailArgs {
    /// Only these kinds of decisions (may be repeated or separated by commas)
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_enum)]
    pub(crate) only: Vec<KindArg>,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

/// A kind of decision, as it is typed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindArg(pub(crate) TailKind);

impl ValueEnum for KindArg {
    fn value_variants<'a>() -> &'a [KindArg] {
        const ALL: [KindArg; TailKind::ALL.len()] = {
            let mut all = [KindArg(TailKind::Ban); TailKind::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = KindArg(TailKind::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}

#[derive(Args, Debug)]
pub(crate) struct ModeArgs {
    /// Which
    #[arg(value_enum)]
    pub(crate) mode: ModeArg,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

/// A mode, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ModeArg {
    /// Enforce
    Live,
    /// Decide and record only
    Shadow,
}

impl ModeArg {
    pub(crate) const fn mode(self) -> Mode {
        match self {
            ModeArg::Live => Mode::Live,
            ModeArg::Shadow => Mode::Shadow,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct LimitSetArgs {
    /// Its name: letters, digits, - and _
    #[arg(value_name = "NAME", value_parser = parse_limit_name)]
    pub(crate) name: String,

    /// The TCP ports whose connections count together
    #[arg(long, value_name = "PORTS", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) ports: Vec<u16>,

    /// So many connections may be open at a time; 0: as many as one likes
    #[arg(long, value_name = "N")]
    pub(crate) concurrent: Option<u32>,

    /// So many new connections in a time, such as 60/1m (1s, 1m, 1h or 1d); 0: as many as one likes
    #[arg(long, value_name = "N/TIME", value_parser = parse_new)]
    pub(crate) new: Option<(u32, u32)>,

    /// So many of the new ones may come at once [default: N of --new]
    #[arg(long, value_name = "N")]
    pub(crate) burst: Option<u32>,

    /// Who made too many new ones is refused until so much time has passed without a try
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub(crate) hold: Option<Span>,

    /// Refuse what is over
    #[arg(long, conflicts_with = "count")]
    pub(crate) enforce: bool,

    /// Only count what would be refused, as a new limit does
    #[arg(long)]
    pub(crate) count: bool,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

fn parse_limit_name(text: &str) -> Result<String, String> {
    crate::limits::check_name(text).map(|()| text.to_owned())
}

fn parse_new(text: &str) -> Result<(u32, u32), String> {
    if text == "0" { Ok((0, 0)) } else { crate::limits::parse_rate(text) }
}

#[derive(Args, Debug)]
pub(crate) struct LimitWhichArgs {
    /// Which [default: all]
    #[arg(value_name = "NAME", value_parser = parse_limit_name)]
    pub(crate) name: Option<String>,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// Since when: 7d (ago), '2026-01-14 10:00', or RFC 3339
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_since)]
    pub(crate) since: Moment,

    #[command(flatten)]
    pub(crate) talk: Talk,
}
