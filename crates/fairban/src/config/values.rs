//! One TOML value into one value of ours, or a sentence that says why not.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};

use fairban_core::event::Service;
use fairban_core::time::Span;
use ipnet::{IpNet, Ipv4Net};
use jiff::tz::TimeZone;
use toml_edit::Value;

use super::keys::nearest;
use crate::cli::{parse_span, parse_zone};

/// Why a value cannot be taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// What is wrong, to be put under the caret.
    pub(crate) why: String,
    pub(crate) help: Option<String>,
    /// Where, if not the whole value.
    pub(crate) span: Option<Range<usize>>,
    /// What else is wrong with the same value.
    pub(crate) more: Vec<Wrong>,
}

impl Wrong {
    fn new(why: impl Into<String>) -> Wrong {
        Wrong { why: why.into(), ..Wrong::default() }
    }

    fn help(mut self, help: impl Into<String>) -> Wrong {
        self.help = Some(help.into());
        self
    }
}

/// What a fresh state begins in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Shadow,
    Live,
}

impl Mode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Mode::Shadow => "shadow",
            Mode::Live => "live",
        }
    }
}

/// What shuts sources out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnforcerKind {
    /// The kernel, through `fairban-fw`.
    Nftables,
    /// A list that another program reads.
    File,
    /// A block of lines for TCP wrappers.
    HostsDeny,
    /// The rules of tcpserver.
    Tcprules,
    /// Nothing: bans are decided and recorded.
    None,
}

impl EnforcerKind {
    pub(crate) const ALL: [EnforcerKind; 5] = [
        EnforcerKind::Nftables,
        EnforcerKind::File,
        EnforcerKind::HostsDeny,
        EnforcerKind::Tcprules,
        EnforcerKind::None,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            EnforcerKind::Nftables => "nftables",
            EnforcerKind::File => "file",
            EnforcerKind::HostsDeny => "hosts.deny",
            EnforcerKind::Tcprules => "tcprules",
            EnforcerKind::None => "none",
        }
    }
}

/// A time zone and what it was called; without a name the system's.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) name: Option<String>,
    pub(crate) zone: TimeZone,
}

/// Where syslog is listened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Unix(PathBuf),
    Udp(SocketAddr),
    Tcp(SocketAddr),
}

/// An element of `allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allow {
    Prefix(IpNet),
    /// A DNS name, in lower case, without the last dot.
    Name(String),
    File(PathBuf),
}

/// What a value is, with its article.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}

fn is_a(value: &Value) -> Wrong {
    Wrong::new(format!("this is {}", kind(value)))
}

/// A text, without control characters.
fn text(value: &Value) -> Result<&str, Wrong> {
    let text = value.as_str().ok_or_else(|| is_a(value))?;
    match text.chars().find(|c| c.is_control()) {
        Some(_) => Err(Wrong::new("this has a control character in it")),
        None if text.is_empty() => Err(Wrong::new("this is empty")),
        None => Ok(text),
    }
}

pub(crate) fn flag(value: &Value) -> Result<bool, Wrong> {
    let quoted = || matches!(value.as_str(), Some("true" | "false" | "yes" | "no" | "on" | "off"));
    value.as_bool().ok_or_else(|| {
        if quoted() { is_a(value).help("write true or false without quotes") } else { is_a(value) }
    })
}

pub(crate) fn whole(value: &Value, from: i64, to: i64) -> Result<i64, Wrong> {
    let number = value.as_integer().ok_or_else(|| is_a(value))?;
    if (from..=to).contains(&number) {
        Ok(number)
    } else {
        Err(Wrong::new(format!("this is not between {from} and {to}")))
    }
}

fn one_of<T: Copy>(value: &Value, choices: &[(&'static str, T)]) -> Result<T, Wrong> {
    let text = text(value)?;
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*choice);
    }
    let wrong = Wrong::new("there is no such value");
    if let Some(near) = nearest(&text.to_lowercase(), choices.iter().map(|(name, _)| *name)) {
        return Err(wrong.help(format!("did you mean \"{near}\"?")));
    }
    let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    Err(wrong.help(format!("there is {}", names.join(", "))))
}

pub(crate) fn mode(value: &Value) -> Result<Mode, Wrong> {
    one_of(value, &[Mode::Shadow, Mode::Live].map(|mode| (mode.name(), mode)))
}

pub(crate) fn enforcer(value: &Value) -> Result<EnforcerKind, Wrong> {
    one_of(value, &EnforcerKind::ALL.map(|kind| (kind.name(), kind)))
}

/// Most ports that bans close: `fairban-fw` takes no more.
const PORTS_MAX: usize = 64;

/// From here on are ports that our own connections go out from: those must stay open for the answers.
const EPHEMERAL_MIN: i64 = 32_768;

pub(crate) fn ports(value: &Value) -> Result<Vec<u16>, Wrong> {
    let ports = list(value, PORTS_MAX, |one| whole(one, 1, EPHEMERAL_MIN - 1).map(|port| port as u16))?;
    if ports.is_empty() { Err(Wrong::new("this is empty")) } else { Ok(ports) }
}

/// Ports that a limit is of: none is ours to keep open.
pub(crate) fn any_ports(value: &Value) -> Result<Vec<u16>, Wrong> {
    let ports = list(value, PORTS_MAX, |one| whole(one, 1, 65_535).map(|port| port as u16))?;
    if ports.is_empty() { Err(Wrong::new("this is empty")) } else { Ok(ports) }
}

/// So many in so many seconds.
pub(crate) fn rate(value: &Value) -> Result<(u32, u32), Wrong> {
    crate::limits::parse_rate(text(value)?).map_err(|why| Wrong::new(why).help("for example \"60/1m\""))
}

/// A table as nft names it.
pub(crate) fn nft_table(value: &Value) -> Result<String, Wrong> {
    let text = text(value)?;
    let is_name = |name: &str| {
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
    };
    match text.split_once(' ') {
        Some(("inet" | "ip" | "ip6" | "netdev" | "bridge", name)) if is_name(name) => Ok(text.to_owned()),
        _ => Err(Wrong::new("this names no table").help("for example \"inet filter\"")),
    }
}

/// Daemons as `/etc/hosts.deny` names them.
pub(crate) fn daemons(value: &Value) -> Result<String, Wrong> {
    let text = text(value)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_., @".contains(&b);
    if text.bytes().all(plain) { Ok(text.to_owned()) } else { Err(Wrong::new("this is no list of daemons")) }
}
/// A length of time between two bounds, in seconds.
pub(crate) fn span(value: &Value, least_secs: i64, most_secs: i64) -> Result<Span, Wrong> {
    if let Some(number) = value.as_integer() {
        return Err(is_a(value).help(format!("say the unit: \"{number}s\" or \"{number}m\"")));
    }
    let text = text(value)?;
    let zero = text.strip_suffix(['s', 'm', 'h', 'd', 'w']) == Some("0");
    let bare = text.bytes().all(|b| b.is_ascii_digit());
    let parsed = if zero { Ok(Span::ZERO) } else { parse_span(text) };
    let span = match parsed {
        Ok(_) if bare => {
            return Err(Wrong::new("this has no unit").help(format!("\"{text}s\" or \"{text}m\"")));
        }
        Ok(span) => span,
        Err(_) => return Err(Wrong::new("this is no time").help("times are like 90s, 10m, 1h, 7d, 2w")),
    };
    if (least_secs..=most_secs).contains(&span.as_secs()) {
        return Ok(span);
    }
    let show = |secs| crate::cli::show_span(Span::secs(secs));
    Err(Wrong::new(format!("this is not between {} and {}", show(least_secs), show(most_secs))))
}

pub(crate) fn absolute_path(value: &Value) -> Result<PathBuf, Wrong> {
    let text = text(value)?;
    if !text.starts_with('/') {
        let help = "a service has no folder that it stands in: begin with /";
        return Err(Wrong::new("this is not an absolute path").help(help));
    }
    if Path::new(text).components().any(|part| part == std::path::Component::ParentDir) {
        return Err(Wrong::new("this goes up with ..").help("name the folder itself"));
    }
    Ok(PathBuf::from(text))
}

/// A path that may be a pattern.
pub(crate) fn pattern(value: &Value) -> Result<PathBuf, Wrong> {
    let path = absolute_path(value)?;
    match path.to_str().map(glob::Pattern::new) {
        Some(Err(error)) => Err(Wrong::new(format!("this is no pattern: {}", error.msg))),
        _ => Ok(path),
    }
}

/// A name as `useradd` takes it.
pub(crate) fn account_name(value: &Value) -> Result<String, Wrong> {
    let text = text(value)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.len() <= 32 && text.bytes().all(plain) && !text.starts_with('-') {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new("this is no name of a user or group"))
    }
}

/// Most names of `admins`.
const ADMINS_MAX: usize = 256;

pub(crate) fn account_names(value: &Value) -> Result<Vec<String>, Wrong> {
    list(value, ADMINS_MAX, account_name)
}

pub(crate) fn zone(value: &Value) -> Result<Zone, Wrong> {
    let text = text(value)?;
    match parse_zone(text) {
        Ok(zone) => Ok(Zone { name: Some(text.to_owned()), zone }),
        Err(why) => Err(Wrong::new("there is no such time zone").help(why)),
    }
}

/// Every element of a list through `element`; whatever is wrong is told of each.
fn list<T>(value: &Value, max: usize, element: impl Fn(&Value) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    let Some(array) = value.as_array() else {
        let help = value.as_str().map(|text| format!("a list of one is [\"{}\"]", text.escape_default()));
        return Err(Wrong { help, ..is_a(value) });
    };
    if array.len() > max {
        return Err(Wrong::new(format!("there are more than {max}")));
    }
    let (mut good, mut bad) = (Vec::with_capacity(array.len()), Vec::new());
    for one in array {
        match element(one) {
            Ok(one) => good.push(one),
            Err(wrong) => bad.push(Wrong { span: wrong.span.or_else(|| one.span()), ..wrong }),
        }
    }
    match bad.pop() {
        None => Ok(good),
        Some(last) => Err(Wrong { more: bad, ..last }),
    }
}

/// A set of services, one bit each at [`Service::index`].
pub(crate) fn services(value: &Value) -> Result<u32, Wrong> {
    let choices = Service::ALL.map(|service| (service.name(), service));
    let named = list(value, Service::ALL.len(), |one| one_of(one, &choices))?;
    if named.is_empty() {
        return Err(Wrong::new("this is empty").help("without the key all services are judged"));
    }
    Ok(named.iter().fold(0, |mask, service| mask | 1 << service.index()))
}

/// Most prefixes that a listener takes lines from.
const SENDERS_MAX: usize = 256;

pub(crate) fn prefixes(value: &Value) -> Result<Vec<IpNet>, Wrong> {
    let prefixes = list(value, SENDERS_MAX, |one| prefix(text(one)?))?;
    if prefixes.is_empty() { Err(Wrong::new("this is empty")) } else { Ok(prefixes) }
}

/// An address or a prefix without host bits; IPv4 written as IPv6 is IPv4.
pub(crate) fn prefix(text: &str) -> Result<IpNet, Wrong> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| Wrong::new("this is no IP address"))?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => bits,
        Some(length) => {
            let plain = length.bytes().all(|b| b.is_ascii_digit()) && !length.is_empty();
            let length = length.parse::<u8>().ok().filter(|length| plain && *length <= bits);
            length.ok_or_else(|| Wrong::new(format!("the length of such a prefix is from 1 to {bits}")))?
        }
    };
    if length == 0 {
        return Err(Wrong::new("this is everybody").help("to ban nobody, leave fairban in shadow mode"));
    }
    // The length is within the bits of the address.
    let written = IpNet::new(address, length).map_err(|_| Wrong::new("this is no prefix"))?;
    let net = match written {
        IpNet::V6(net) => match (net.addr().to_ipv4_mapped(), net.prefix_len().checked_sub(96)) {
            (Some(v4), Some(length @ 1..)) => Ipv4Net::new(v4, length).map_or(written, IpNet::V4),
            _ => written,
        },
        IpNet::V4(_) => written,
    };
    if net.trunc() != net {
        let help = format!("did you mean the network {}, or the address {}?", net.trunc(), net.addr());
        return Err(Wrong::new(format!("this has bits set after the first {}", net.prefix_len())).help(help));
    }
    Ok(net)
}

/// A prefix, a DNS name, or the absolute path of a file of them.
pub(crate) fn allow(text: &str) -> Result<Allow, Wrong> {
    if text.starts_with('/') {
        return Ok(Allow::File(PathBuf::from(text)));
    }
    let looks_numeric = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'/'));
    if looks_numeric || text.contains([':', '/']) {
        return prefix(text).map(Allow::Prefix);
    }
    dns_name(text).map(Allow::Name)
}

fn dns_name(text: &str) -> Result<String, Wrong> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_word = name.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()));
    if name.len() <= 253 && name.contains('.') && last_is_word && name.split('.').all(label) {
        return Ok(name);
    }
    let help =
        "allow holds prefixes (192.0.2.0/24), DNS names with a dot (monitor.example.net) and files (/etc/…)";
    Err(Wrong::new("this is neither an address nor a DNS name").help(help.replace('…', "...")))
}

/// Most elements of `allow` in one file of the configuration.
const ALLOW_MAX: usize = 4_096;

/// The elements of `allow`, each with its place.
pub(crate) fn allow_list(value: &Value) -> Result<Vec<(Allow, Range<usize>)>, Wrong> {
    list(value, ALLOW_MAX, |one| {
        let span = one.span().unwrap_or_default();
        Ok((allow(text(one)?)?, span))
    })
}

/// Most matches of a journal.
const MATCHES_MAX: usize = 64;

pub(crate) fn journal(value: &Value) -> Result<Vec<String>, Wrong> {
    list(value, MATCHES_MAX, |one| {
        let text = text(one)?;
        let field = text.split_once('=').map(|(field, _)| field).unwrap_or_default();
        let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if text == "+" || (!field.is_empty() && field.bytes().all(good)) {
            Ok(text.to_owned())
        } else {
            Err(Wrong::new("this is no match").help("a match is like _SYSTEMD_UNIT=ssh.service, or + alone"))
        }
    })
}

pub(crate) fn listen(value: &Value) -> Result<Listen, Wrong> {
    let text = text(value)?;
    let address = |text: &str| {
        let wrong = || {
            Wrong::new("this names no address and port")
                .help("for example udp:127.0.0.1:5514, tcp:[::1]:5514")
        };
        text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0).ok_or_else(wrong)
    };
    match text.split_once(':') {
        Some(("unix", path)) if path.starts_with('/') => Ok(Listen::Unix(PathBuf::from(path))),
        Some(("udp", rest)) => address(rest).map(Listen::Udp),
        Some(("tcp", rest)) => address(rest).map(Listen::Tcp),
        _ => Err(Wrong::new("this is no place to listen at")
            .help("unix:/run/fairban/syslog, udp:127.0.0.1:5514 or tcp:127.0.0.1:5514")),
    }
}

impl Listen {
    /// The address, where it is one of a network.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Listen::Unix(_) => None,
            Listen::Udp(address) | Listen::Tcp(address) => Some(*address),
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
            Listen::Udp(address) => write!(f, "udp:{address}"),
            Listen::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl std::fmt::Display for Allow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Allow::Prefix(net) => write!(f, "{net}"),
            Allow::Name(name) => f.write_str(name),
            Allow::File(path) => write!(f, "{}", path.display()),
        }
    }
}
