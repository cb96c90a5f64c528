//! Prefixes as people type them: strictly read, and an answer that helps.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Why a text is no prefix, with what was probably meant: whoever wrote it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPrefix {
    /// Neither an address nor a prefix.
    #[error("not an IP address or prefix such as 203.0.113.7, 203.0.113.0/24 or 2001:db8:1::/48{hint}")]
    Unreadable {
        /// What is wrong with it, if that can be told; begins with `: `.
        hint: String,
    },
    /// The length is no number, or longer than the address.
    #[error("the length of an IPv{version} prefix is a whole number from 0 to {most}")]
    Length {
        /// 4 or 6.
        version: u8,
        /// 32 or 128.
        most: u8,
    },
    /// There are ones behind the prefix's length.
    #[error("{address}/{len} has bits behind its length; did you mean {prefix}, or {address} alone?")]
    HostBits {
        /// As typed.
        address: IpAddr,
        /// As typed.
        len: u8,
        /// Without these bits.
        prefix: IpNet,
    },
}

/// Reads an address or a prefix. An address alone is the prefix that holds it and nothing else; an IPv4 address within
/// IPv6 (`::ffff:203.0.113.7`) is IPv4. Bits behind the length are an error, for somebody meant something else.
///
/// ```
/// use fairban_control::parse_prefix;
/// assert_eq!(parse_prefix("203.0.113.7").unwrap().to_string(), "203.0.113.7/32");
/// let said = parse_prefix("203.0.113.7/24").unwrap_err().to_string();
/// assert!(said.contains("did you mean 203.0.113.0/24"));
/// ```
pub fn parse_prefix(text: &str) -> Result<IpNet, NotAPrefix> {
    let (address, len) = match text.split_once('/') {
        Some((address, len)) => (address, Some(len)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| NotAPrefix::Unreadable { hint: hint(address, len) })?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let version = if address.is_ipv4() { 4 } else { 6 };
    let wrong = NotAPrefix::Length { version, most };
    let len = match len {
        None => most,
        Some(len) if len.is_empty() || !len.bytes().all(|byte| byte.is_ascii_digit()) => return Err(wrong),
        Some(len) => len.parse().map_err(|_| wrong.clone())?,
    };
    let typed = IpNet::new(address, len).map_err(|_| wrong)?;
    let prefix = typed.trunc();
    if prefix != typed {
        return Err(NotAPrefix::HostBits { address, len, prefix });
    }
    Ok(canonical(prefix))
}

/// IPv4 within IPv6 as IPv4.
fn canonical(prefix: IpNet) -> IpNet {
    let IpNet::V6(v6) = prefix else { return prefix };
    let mapped = v6.addr().to_ipv4_mapped().filter(|_| v6.prefix_len() >= 96);
    let v4 = mapped.and_then(|v4| Ipv4Net::new(v4, v6.prefix_len() - 96).ok());
    v4.map_or(prefix, IpNet::V4)
}

fn hint(address: &str, len: Option<&str>) -> String {
    let parts: Vec<&str> = address.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let numeric = parts.iter().all(is_number);
    if address.contains('%') {
        ": leave out the interface behind the %".to_owned()
    } else if numeric && (2..4).contains(&parts.len()) {
        let zeros = ".0".repeat(4 - parts.len());
        let len = len.map_or_else(|| (parts.len() * 8).to_string(), ToOwned::to_owned);
        let meant = format!("{address}{zeros}/{len}");
        match parse_prefix(&meant) {
            Ok(_) => format!(": an IPv4 address has four numbers; did you mean {meant}?"),
            Err(_) => ": an IPv4 address has four numbers".to_owned(),
        }
    } else if numeric && parts.len() == 4 {
        if parts.iter().any(|part| part.len() > 1 && part.starts_with('0')) {
            ": numbers of an IPv4 address have no leading zeros".to_owned()
        } else {
            ": numbers of an IPv4 address go up to 255".to_owned()
        }
    } else if address.bytes().any(|byte| byte.is_ascii_alphabetic()) && !address.contains(':') {
        ": names are not looked up".to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefixes_are_read_strictly() {
        let read = |text: &str| parse_prefix(text).map(|prefix| prefix.to_string());
        let good = [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:DB8:1::/48", "2001:db8:1::/48"),
            ("::ffff:203.0.113.7", "203.0.113.7/32"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ];
        for (text, prefix) in good {
            assert_eq!(read(text).as_deref(), Ok(prefix), "{text}");
        }
    }

    #[test]
    fn errors_say_what_was_meant() {
        let check = |text: &str, said: &str| {
            let error = parse_prefix(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        };
        check("203.0.113.7/24", "did you mean 203.0.113.0/24, or 203.0.113.7 alone?");
        check("2001:db8::1/64", "did you mean 2001:db8::/64");
        check("203.0.113.0/33", "IPv4 prefix is a whole number from 0 to 32");
        check("2001:db8::/129", "from 0 to 128");
        check("203.0.113.0/", "from 0 to 32");
        check("203.0.113.0/+8", "from 0 to 32");
        check("203.0.113", "did you mean 203.0.113.0/24?");
        check("10.1/16", "did you mean 10.1.0.0/16?");
        check("203.0.113.256", "up to 255");
        check("203.000.113.1", "leading zeros");
        check("mail.example.com", "names are not looked up");
        check("fe80::1%eth0", "leave out the interface");
        check("", "not an IP address or prefix");
        check("203.0.113.7 ", "not an IP address or prefix");
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_and_read_again(text in "[0-9a-f:./]{0,24}") {
            if let Ok(prefix) = parse_prefix(&text) {
                prop_assert_eq!(parse_prefix(&prefix.to_string()), Ok(prefix));
            }
        }
    }
}
