//! The rules of tcpserver: the admin's, then a `deny` for each ban.
//!
//! tcpserver looks for the whole address first, then for `1.2.3.`, `1.2.`, `1.` and for nothing; of equal keys the first
//! counts. So a ban of an address beats a rule of the admin's for its network, and his rule for the address beats the ban.

use ipnet::{IpNet, Ipv4Net};

use super::cdb::Cdb;
use crate::enforcer::Shut;

/// What stands with an address that is refused.
const DENY: &[u8] = b"D\0";

/// Most records: a prefix of a length between whole bytes makes up to 128.
const RECORDS_MAX: usize = 500_000;

/// Records made of one range in a rule, at most.
const RANGE_LAST: u32 = 255;

/// Why a rule is not understood: line, and what it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is no rule of tcprules")]
pub(super) struct BadRule(usize);

/// The data base.
pub(super) fn render(rules: &[u8], shuts: &[Shut]) -> Result<Vec<u8>, String> {
    let mut cdb = Cdb::new();
    for (index, line) in rules.split(|byte| *byte == b'\n').enumerate() {
        rule(line, &mut cdb).ok_or_else(|| BadRule(index + 1).to_string())?;
    }
    for shut in shuts {
        if let IpNet::V4(net) = shut.prefix {
            for key in keys(net) {
                if cdb.len() >= RECORDS_MAX {
                    return Err(format!(
                        "the bans make more than {RECORDS_MAX} rules; use lengths of 8, 16, 24 and 32"
                    ));
                }
                cdb.add(key.as_bytes(), DENY);
            }
        }
    }
    cdb.finish().ok_or_else(|| "the rules do not fit into a cdb".to_owned())
}

/// The addresses and networks of whole bytes that make up a prefix.
fn keys(net: Ipv4Net) -> Vec<String> {
    let bytes = net.network().octets();
    let whole = usize::from(net.prefix_len()).div_ceil(8).clamp(1, 4);
    // Of the last byte that counts, as many values as bits are left open.
    let count = 1_u32 << (whole * 8 - usize::from(net.prefix_len())).min(8);
    let end = if whole == 4 { "" } else { "." };
    let first = u32::from(bytes[whole - 1]);
    let key = |last: u32| {
        let before = bytes[..whole - 1].iter().map(u8::to_string);
        before.chain([last.to_string()]).collect::<Vec<_>>().join(".") + end
    };
    (first..first + count).map(key).collect()
}

/// One rule of the admin's: `ADDRESS:allow` or `ADDRESS:deny`, and `,NAME="value"` as often as he likes.
fn rule(line: &[u8], cdb: &mut Cdb) -> Option<()> {
    let line = line.trim_ascii_end();
    if line.is_empty() || line.starts_with(b"#") {
        return Some(());
    }
    // A line without a colon says nothing, and never did.
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Some(()) };
    let (address, instructions) = (&line[..colon], &line[colon + 1..]);
    let mut data = Vec::new();
    let mut rest = if let Some(rest) = instructions.strip_prefix(b"deny") {
        data.extend(DENY);
        rest
    } else {
        instructions.strip_prefix(b"allow")?
    };
    while let Some((comma, setting)) = rest.split_first() {
        let equals = setting.iter().position(|byte| *byte == b'=').filter(|_| *comma == b',')?;
        let (quote, value) = setting[equals + 1..].split_first()?;
        let end = value.iter().position(|byte| byte == quote)?;
        data.push(b'+');
        data.extend(&setting[..=equals]);
        data.extend(&value[..end]);
        data.push(0);
        rest = &value[end + 1..];
    }
    for key in admin_keys(address) {
        cdb.add(&key, &data);
    }
    Some(())
}

/// An address of a rule, or as many as a range such as `1.2.3.37-53` in it names.
fn admin_keys(address: &[u8]) -> Vec<Vec<u8>> {
    let dash = address.iter().position(|byte| *byte == b'-');
    let Some(dash) = dash.filter(|_| !address.iter().any(|byte| b"=@".contains(byte))) else {
        return vec![address.to_vec()];
    };
    let left = address[..dash].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
    let right =
        address[dash + 1..].iter().position(|byte| *byte == b'.').map_or(address.len(), |dot| dash + 1 + dot);
    let number =
        |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
    let (Some(first), Some(last)) = (number(&address[left..dash]), number(&address[dash + 1..right])) else {
        return vec![address.to_vec()];
    };
    let key = |value: u32| [&address[..left], value.to_string().as_bytes(), &address[right..]].concat();
    (first..=last.min(RANGE_LAST)).map(key).collect()
}
