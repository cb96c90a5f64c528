//! Every key of the configuration: the one table from which the reference, the man page and the example are made, and
//! against which files are read. A key that is not here is an error, one that is here is read.

/// When a changed value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applies {
    /// After `fairban reload`.
    Reload,
    /// When the service starts again: walls, sockets and users are settled at its start. Nothing is lost by that.
    Restart,
    /// Where there is no state yet; later the operator's word counts.
    FreshState,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// With its table: `bans.first`, `input.file`.
    pub(crate) name: &'static str,
    /// What its values are.
    pub(crate) kind: &'static str,
    /// What counts without it, as TOML or in words.
    pub(crate) default: &'static str,
    /// A value other than the default, as TOML.
    pub(crate) example: &'static str,
    pub(crate) applies: Applies,
    /// Sentences for the operator, in plain text.
    pub(crate) text: &'static str,
}

/// A table of the configuration, with its sentences for the operator.
pub(crate) struct Section {
    /// Empty for the keys outside of tables.
    pub(crate) name: &'static str,
    pub(crate) heading: &'static str,
    pub(crate) text: &'static str,
}

/// The tables, in the order of the documents.
pub(crate) const SECTIONS: [Section; 6] = [
    Section {
        name: "",
        heading: "Outside of tables",
        text: "These keys stand before the first table of a file.",
    },
    Section {
        name: "input",
        heading: "[[input]]: what is read",
        text: "Each [[input]] names one source of log lines with exactly one of file, multilog, journal, syslog and pipe. Without \
               any, the usual places are searched. Inputs of all files add up. A reload takes new inputs as far as the walls reach that went \
               up at the start; where it names one outside, it says so, and the old configuration stays until a restart.",
    },
    Section {
        name: "bans",
        heading: "[bans]: how long, and by what",
        text: "There is no number of failures to set: evidence is weighed, and a ban follows from it. What can be set is \
               how long bans last and what carries them out.",
    },
    Section {
        name: "limits",
        heading: "[limits.NAME]: how much one source may do at a time",
        text: "Each [limits.NAME] is a group of ports with a limit of open connections, of new ones, or of both, for each IPv4 \
               address and each IPv6 /64. fairban-fw counts them in the kernel. Who is over a limit is refused at that moment and not \
               banned; the allowlist, the machine's own addresses and hubs are exempt. A limit only counts what it would refuse until \
               enforce says otherwise. There are at most 16. fairban limits suggest finds numbers in your own logs, fairban limits show \
               tells what came of them; what fairban limits set and off say counts above the configuration.",
    },
    Section {
        name: "control",
        heading: "[control]: who may ask and act",
        text: "The verbs of fairban talk to the service over a Unix socket, and the kernel tells the service who calls.",
    },
    Section {
        name: "history",
        heading: "[history]: what is remembered",
        text: "Verdicts, bans and what the operator did, with the evidence. What is in force is never forgotten.",
    },
];

const fn key(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    example: &'static str,
    applies: Applies,
    text: &'static str,
) -> Key {
    Key { name, kind, default, example, applies, text }
}

/// The keys, by table, in the order of the documents.
pub(crate) const KEYS: [Key; 43] = [
    key(
        "mode",
        "\"shadow\" or \"live\"",
        "\"shadow\"",
        "\"live\"",
        Applies::FreshState,
        "What a service without any state begins in. In shadow mode it decides, records and shows; live, it also shuts out. \
         Afterwards `fairban mode` says which it is, and that is kept over restarts.",
    ),
    key(
        "services",
        "a list of service names",
        "all of them",
        "[\"sshd\", \"dovecot\"]",
        Applies::Reload,
        "Only these services are judged: vpopmail, tcpserver, sslserver, dovecot, postfix, sshd, pam.",
    ),
    key(
        "allow",
        "a list of prefixes, DNS names and files",
        "[]",
        "[\"192.0.2.0/24\", \"2001:db8:7::/48\", \"monitor.example.net\", \"/etc/fairban/offices\"]",
        Applies::Reload,
        "Who is never judged and never banned. A prefix must have no host bits. A name is looked up again and again. A file \
         (an absolute path) holds one prefix or name a line, with comments after #. Lists of all files add up. Rarely needed: \
         an address at which your users log in defends itself by that.",
    ),
    key(
        "allow_refresh",
        "a time, at least \"10s\"",
        "\"10m\"",
        "\"1h\"",
        Applies::Reload,
        "How often the DNS names in allow are looked up again. A name that cannot be looked up keeps its last addresses.",
    ),
    key(
        "admins",
        "a list of user names",
        "[]",
        "[\"alice\"]",
        Applies::Reload,
        "Administrators of this machine, besides root and the members of sudo, wheel and admin. While one of them is logged in over \
         SSH, the address of that very connection is not shut out, whatever the evidence.",
    ),
    key(
        "timezone",
        "the name of a time zone",
        "the system's",
        "\"Europe/Berlin\"",
        Applies::Reload,
        "The zone of stamps that name none, such as Europe/Berlin, UTC or +02:00.",
    ),
    key(
        "discover",
        "true or false",
        "true without any [[input]], else false",
        "false",
        Applies::Reload,
        "Search the usual places for logs: mail.log, maillog, auth.log, secure, syslog, messages, dovecot*.log, every other \
         file in /var/log that shows logins, multilog folders there and of supervised services, and the journal where there are \
         no such files.",
    ),
    key(
        "read_back",
        "a time, or \"0s\" for not at all",
        "\"30d\"",
        "\"7d\"",
        Applies::Restart,
        "How far back a log is read that was never read before, rotated and compressed files too. Whoever logged in during that \
         time is familiar from the first minute on.",
    ),
    key(
        "state_dir",
        "an absolute path",
        "\"/var/lib/fairban\"",
        "\"/srv/fairban\"",
        Applies::Restart,
        "Folder of the database, the journal of inputs and the engine's snapshots. It belongs to the service's user alone.",
    ),
    key(
        "key_file",
        "an absolute path",
        "the file key in state_dir",
        "\"/etc/fairban/key\"",
        Applies::Restart,
        "File with the 16 random bytes that key secret tags and tables. It is made when it does not exist. Whoever has it and \
         the state can try passwords against the tags; with another key what was learnt is lost.",
    ),
    key(
        "user",
        "the name of a user",
        "\"fairban\"",
        "\"logwatch\"",
        Applies::Restart,
        "Started as root, the service becomes this user, with the groups that /etc/group gives him, before it reads the first \
         line. Started as anybody else, it stays who it is.",
    ),
    key(
        "group",
        "the name of a group",
        "the main group of user",
        "\"logs\"",
        Applies::Restart,
        "The main group that the service takes with user.",
    ),
    key(
        "input.file",
        "an absolute path, or a pattern with *, ? and [...]",
        "none",
        "\"/var/log/mail.log\"",
        Applies::Reload,
        "A log file, followed over every kind of rotation; it need not exist yet. With a pattern, all files that match now or \
         later. Name the file that is written to: rotated ones are found by its name.",
    ),
    key(
        "input.multilog",
        "an absolute path",
        "none",
        "\"/var/log/qmail/pop3d\"",
        Applies::Reload,
        "A folder that multilog writes, with `current` in it.",
    ),
    key(
        "input.journal",
        "a list of matches",
        "none",
        "[\"_SYSTEMD_UNIT=ssh.service\", \"_SYSTEMD_UNIT=dovecot.service\"]",
        Applies::Reload,
        "The journal of systemd. Matches are those of journalctl: FIELD=value; the same field again means or, another field \
         and, a single + or. An empty list reads everything. Lines count only if the fields that the journal itself \
         vouches for fit the service.",
    ),
    key(
        "input.syslog",
        "\"unix:PATH\", \"udp:ADDRESS:PORT\" or \"tcp:ADDRESS:PORT\"",
        "none",
        "\"udp:127.0.0.1:5514\"",
        Applies::Reload,
        "Listen for syslog here. Any other address than one of this machine's own (127.0.0.1, ::1) also needs from.",
    ),
    key(
        "input.pipe",
        "an absolute path",
        "none",
        "\"/run/fairban/log\"",
        Applies::Reload,
        "A named pipe that a syslog daemon writes to. Made with mkfifo; what is written while nobody reads is the writer's to \
         keep.",
    ),
    key(
        "input.from",
        "a list of prefixes",
        "this machine",
        "[\"192.0.2.0/28\"]",
        Applies::Reload,
        "From whom a syslog listener takes lines. The sender of a UDP packet can be made up by anybody who can reach the port: \
         whoever can, writes your log.",
    ),
    key(
        "input.services",
        "a list of service names",
        "those of services",
        "[\"sshd\"]",
        Applies::Reload,
        "Only lines of these services are believed in this input.",
    ),
    key(
        "input.timezone",
        "the name of a time zone",
        "that of timezone",
        "\"UTC\"",
        Applies::Reload,
        "The zone of this input's stamps where they name none.",
    ),
    key(
        "bans.first",
        "a time, at least \"1m\"",
        "\"1h\"",
        "\"30m\"",
        Applies::Reload,
        "The length of a first ban whose evidence just reaches the limit; the more evidence, the longer. No ban is shorter.",
    ),
    key(
        "bans.longest",
        "a time, at most \"365d\"",
        "\"1w\"",
        "\"30d\"",
        Applies::Reload,
        "The longest ban of a source at which nobody ever logged in.",
    ),
    key(
        "bans.longest_familiar",
        "a time, at most that of longest",
        "\"1d\"",
        "\"4h\"",
        Applies::Reload,
        "The longest ban of a source at which somebody ever logged in. Addresses change hands, many of them daily.",
    ),
    key(
        "bans.ladder",
        "a whole number from 1 to 16",
        "4",
        "2",
        Applies::Reload,
        "How many times longer each further ban of the same source is: with 4 and a first of 1h they last 1 h, 4 h, 16 h and so \
         on. With 1 they do not grow.",
    ),
    key(
        "bans.enforcer",
        "\"nftables\", \"file\", \"hosts.deny\", \"tcprules\" or \"none\"",
        "nftables where fairban-fw can be reached or started, else none",
        "\"nftables\"",
        Applies::Restart,
        "What shuts sources out when the mode is live. nftables: the kernel, through fairban-fw, which root starts or which \
         listens at bans.socket. file: a list that another program reads. hosts.deny: a block of lines for TCP wrappers. \
         tcprules: the rules of tcpserver. none: nobody, bans are only decided and recorded, and fairban mode live is \
         refused.",
    ),
    key(
        "bans.all_ports",
        "true or false",
        "false",
        "true",
        Applies::Reload,
        "Close everything to banned sources, and not the ports of login services alone. This also drops the answers to our \
         own connections, so a banned mail server cannot even be written to.",
    ),
    key(
        "bans.ports",
        "a list of TCP ports from 1 to 32767",
        "those that fairban-fw closes: 22, 110, 143, 465, 587, 993, 995 and 4190",
        "[22, 110, 995]",
        Applies::Restart,
        "The ports of login services, closed by a ban. Port 25 is closed besides for who tried passwords there and sent no \
         mail. Counts where the service itself starts fairban-fw; where systemd does, systemctl edit fairban-fw says it.",
    ),
    key(
        "bans.socket",
        "an absolute path",
        "\"/run/fairban-fw.socket\"",
        "\"/run/fw.socket\"",
        Applies::Restart,
        "Where a fairban-fw listens that a service manager starts.",
    ),
    key(
        "bans.file",
        "an absolute path",
        "none; for hosts.deny /etc/hosts.deny",
        "\"/var/lib/fairban/banned\"",
        Applies::Restart,
        "The file that the enforcers file, hosts.deny and tcprules write. It is replaced, so the user of the service must be \
         able to write its folder. Bans in it end only while the service runs.",
    ),
    key(
        "bans.nft_table",
        "a family and the name of a table",
        "none",
        "\"inet filter\"",
        Applies::Restart,
        "With the enforcer file: write what nft -f takes, for the sets fairban4 and fairban6 of this table, instead of one \
         prefix a line.",
    ),
    key(
        "bans.daemons",
        "names of daemons, with commas",
        "\"ALL\"",
        "\"sshd, vsftpd\"",
        Applies::Restart,
        "With the enforcer hosts.deny: for which daemons.",
    ),
    key(
        "bans.rules",
        "an absolute path",
        "none",
        "\"/etc/tcp.pop3\"",
        Applies::Restart,
        "With the enforcer tcprules: your own rules, as tcprules takes them. They and the bans go into bans.file, which \
         tcpserver reads with -x. It knows IPv4 alone.",
    ),
    key(
        "limits.ports",
        "a list of TCP ports from 1 to 65535",
        "none: it must be said",
        "[110, 995]",
        Applies::Reload,
        "The ports of the group: a source's connections to any of them count together.",
    ),
    key(
        "limits.concurrent",
        "a whole number from 1 to 1000000",
        "none",
        "40",
        Applies::Reload,
        "So many connections a source may have open at a time.",
    ),
    key(
        "limits.new",
        "a number, a slash and \"1s\", \"1m\", \"1h\" or \"1d\"",
        "none",
        "\"60/1m\"",
        Applies::Reload,
        "So many new connections a source may make in that time.",
    ),
    key(
        "limits.burst",
        "a whole number from 1 to 1000000",
        "the number in new",
        "20",
        Applies::Reload,
        "So many of the new connections may come at once; what is used up comes back at the rate of new.",
    ),
    key(
        "limits.hold",
        "a time from \"1s\" to \"1d\"",
        "none",
        "\"1m\"",
        Applies::Reload,
        "Who made too many new connections stays refused until so much time has passed without a try.",
    ),
    key(
        "limits.enforce",
        "true or false",
        "false",
        "true",
        Applies::Reload,
        "Refuse what is over. Without it, and in shadow mode, and until the first live mode is confirmed, it is only counted.",
    ),
    key(
        "control.socket",
        "an absolute path",
        "\"/run/fairban/control.sock\"",
        "\"/var/run/fairban.sock\"",
        Applies::Restart,
        "Where the service listens for its verbs.",
    ),
    key(
        "control.group",
        "the name of a group",
        "nobody but root",
        "\"adm\"",
        Applies::Restart,
        "Whose members may do what root may: ban, unban, allow, change the mode, reload.",
    ),
    key(
        "control.status_for_all",
        "true or false",
        "false",
        "true",
        Applies::Reload,
        "Whether every local user may read what `fairban status` shows. Nobody but root and the group may do more.",
    ),
    key(
        "history.keep",
        "a time, at least \"1d\"",
        "\"90d\"",
        "\"365d\"",
        Applies::Restart,
        "How long verdicts and bans that are over are remembered.",
    ),
    key(
        "history.megabytes",
        "a whole number from 8 to 65536",
        "64",
        "256",
        Applies::Restart,
        "The most that the state takes on disk, in MB; the oldest history goes first.",
    ),
];

/// The key of this full name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// The table it belongs to; empty outside of tables.
    pub(crate) fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within the table.
    pub(crate) fn short(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, short)| short)
    }
}

/// What other programs of this kind call it, and what is to be said to whoever types that.
const FOREIGN: [(&str, &str); 14] = [
    ("backend", "fairban reads what [[input]] names: file, multilog, journal, syslog or pipe"),
    ("banaction", "what shuts sources out is enforcer in [bans]"),
    ("bantime", "the length of a first ban is first in [bans]; it grows by itself"),
    ("dbfile", "the state is kept in state_dir"),
    ("dbpurgeage", "how long history is kept is keep in [history]"),
    ("enabled", "services are found in the logs by themselves; services names the only ones to judge"),
    ("failregex", "grammars are part of fairban"),
    ("filter", "services are found in the logs by themselves; services names the only ones to judge"),
    ("findtime", "there is no window to set: evidence fades over days"),
    ("ignoreip", "whom fairban never bans stands in allow"),
    ("jail", "services are found in the logs by themselves; services names the only ones to judge"),
    ("logpath", "logs are named by file in [[input]]"),
    ("maxretry", "there is no number of failures to set: evidence is weighed"),
    ("whitelist", "whom fairban never bans stands in allow"),
];

/// What to say to whoever typed a key that does not exist, within a table.
pub(crate) fn hint(section: &str, typed: &str) -> Option<String> {
    let lower = typed.to_lowercase();
    if let Some((_, text)) = FOREIGN.iter().find(|(foreign, _)| *foreign == lower) {
        return Some((*text).to_owned());
    }
    let here = KEYS.iter().filter(|key| key.section() == section).map(Key::short);
    let sections =
        SECTIONS.iter().map(|section| section.name).filter(|name| section.is_empty() && !name.is_empty());
    if let Some(near) = nearest(&lower, here.chain(sections)) {
        return Some(format!("did you mean {near}?"));
    }
    let elsewhere = KEYS.iter().find(|key| key.short() == lower);
    elsewhere.map(|key| match key.section() {
        "" => format!("{} stands before the first table", key.name),
        "input" => format!("{} belongs in an [[input]]", key.short()),
        section => format!("{} belongs in [{section}]", key.short()),
    })
}

/// The candidate that differs least, if it differs by little.
pub(crate) fn nearest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, near) = candidates
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + typed.len() / 4).then_some(near)
}
