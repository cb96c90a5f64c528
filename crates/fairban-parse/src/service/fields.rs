//! Taking fields out of bytes that a client may have written parts of.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use memchr::{memchr, memchr_iter, memrchr_iter};

/// Longest spelling of an address: an IPv6 address with an IPv4 tail.
const ADDRESS_BYTES_MAX: usize = 45;

/// An address as a daemon prints it; IPv4-mapped IPv6 addresses become IPv4.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    if bytes.is_empty() || bytes.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    if let Some(address) = ipv4(bytes) {
        return Some(IpAddr::V4(address));
    }
    let address = match ipv6(bytes) {
        Some(address) => IpAddr::V6(address),
        // An IPv4 address in IPv6 form, or none.
        None => core::str::from_utf8(bytes).ok()?.parse().ok()?,
    };
    Some(address.to_canonical())
}

/// Groups of hexadecimal digits, one run of zeros left out or none: what the standard library reads, at a tenth of the
/// price, but for those that end as an IPv4 address.
fn ipv6(bytes: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = [0_u16; 8];
    let (mut count, mut gap) = (0, None);
    let mut rest = bytes;
    if let Some(after) = rest.strip_prefix(b"::") {
        (gap, rest) = (Some(0), after);
    }
    while !rest.is_empty() {
        let (value, after) = group(rest)?;
        *groups.get_mut(count)? = value;
        count += 1;
        rest = match after {
            [] => after,
            [b':', b':', after @ ..] if gap.is_none() => {
                gap = Some(count);
                after
            }
            [b':', after @ ..] if after.first().is_some_and(u8::is_ascii_hexdigit) => after,
            _ => return None,
        };
    }
    match gap {
        None if count == 8 => {}
        Some(at) if count < 8 => {
            // What stands behind the gap moves to the end.
            groups.copy_within(at..count, 8 - (count - at));
            groups[at..8 - (count - at)].fill(0);
        }
        _ => return None,
    }
    Some(Ipv6Addr::from(groups))
}

/// One to four hexadecimal digits, and what follows them.
fn group(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (mut value, mut digits) = (0_u16, 0);
    while let Some(digit) = bytes.get(digits).and_then(|&byte| char::from(byte).to_digit(16)) {
        if digits == 4 {
            return None;
        }
        value = value << 4 | digit as u16;
        digits += 1;
    }
    (digits > 0).then_some((value, &bytes[digits..]))
}

/// Four numbers up to 255, without zeros before them, and the dots between: what the standard library reads, at a
/// tenth of the price. Nearly all addresses of a log are such.
fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = bytes;
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (mut value, mut digits) = (0_u32, 0);
        while let Some(digit) =
            rest.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9)
        {
            if digits == 3 || (digits == 1 && value == 0) {
                return None;
            }
            value = value * 10 + u32::from(digit);
            digits += 1;
        }
        if digits == 0 {
            return None;
        }
        *octet = u8::try_from(value).ok()?;
        rest = &rest[digits..];
    }
    rest.is_empty().then(|| Ipv4Addr::from(octets))
}

/// The number that these bytes are, whole: decimal digits alone, no sign; `None` for anything else and for what does not
/// fit. Zeros before it change nothing, however many: a forwarder that pads a pid means the same process.
pub(crate) fn number<N: TryFrom<u32>>(bytes: &[u8]) -> Option<N> {
    if bytes.is_empty() {
        return None;
    }
    let value = bytes.iter().try_fold(0_u32, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u32::from(digit))
    })?;
    N::try_from(value).ok()
}

/// What stands before and after the first `delimiter`.
pub(crate) fn split_once<'a>(bytes: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(bytes, delimiter)?;
    Some((&bytes[..at], &bytes[at + delimiter.len()..]))
}

/// What stands before and after the last `delimiter`.
pub(crate) fn rsplit_once<'a>(bytes: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = rfind(bytes, delimiter)?;
    Some((&bytes[..at], &bytes[at + delimiter.len()..]))
}

/// What stands before the first `byte`, or everything.
pub(crate) fn until(bytes: &[u8], byte: u8) -> &[u8] {
    &bytes[..memchr(byte, bytes).unwrap_or(bytes.len())]
}

/// Whether `needle` occurs.
pub(crate) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    find(bytes, needle).is_some()
}

/// Where `needle`, a short one, begins first: by its rarest byte, which costs a line of a log a fraction of what the
/// preparations of a general search do.
#[inline]
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (at, byte) = rarest(needle)?;
    memchr_iter(byte, bytes).find_map(|found| begins(bytes, needle, found.checked_sub(at)?))
}

/// Where `needle` begins last.
#[inline]
pub(crate) fn rfind(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (at, byte) = rarest(needle)?;
    memrchr_iter(byte, bytes).find_map(|found| begins(bytes, needle, found.checked_sub(at)?))
}

/// All places, each behind the end of the one before, where `needle` begins.
pub(crate) fn find_iter<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let mut from = 0;
    core::iter::from_fn(move || {
        let at = from + find(bytes.get(from..)?, needle)?;
        from = at + needle.len();
        Some(at)
    })
}

#[inline]
fn begins(bytes: &[u8], needle: &[u8], at: usize) -> Option<usize> {
    bytes[at..].starts_with(needle).then_some(at)
}

/// The byte of a needle to look for, and its place: punctuation is rarer in logs than letters, and those than blanks.
#[inline]
fn rarest(needle: &[u8]) -> Option<(usize, u8)> {
    let rank = |byte: u8| match byte {
        b' ' => 0,
        _ if byte.is_ascii_alphanumeric() => 1,
        _ => 2,
    };
    let mut best = (0, *needle.first()?);
    for (at, &byte) in needle.iter().enumerate() {
        if rank(byte) > rank(best.1) {
            best = (at, byte);
        }
    }
    Some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_whole_or_not_at_all() {
        assert_eq!(address(b"192.0.2.1"), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(address(b"::ffff:192.0.2.1"), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(address(b"2001:db8::1"), "2001:db8::1".parse().ok());
        for wrong in [&b""[..], b"192.0.2", b"192.0.2.1 ", b"192.0.2.256", b"\xff", b"unknown", &[b'1'; 46]] {
            assert_eq!(address(wrong), None);
        }
    }

    #[test]
    fn ipv4_is_what_the_standard_library_reads() {
        let parts =
            ["", "0", "00", "01", "1", "9", "10", "99", "100", "255", "256", "1000", "-1", "a", " 1", "1."];
        for a in parts {
            for b in parts {
                for text in [
                    format!("{a}.{b}.7.8"),
                    format!("192.0.{a}.{b}"),
                    format!("{a}.2.3.{b}"),
                    format!("{a}.{b}"),
                    format!("1.2.3.{a}.{b}"),
                ] {
                    assert_eq!(ipv4(text.as_bytes()), text.parse().ok(), "{text}");
                }
            }
        }
    }

    #[test]
    fn ipv6_is_what_the_standard_library_reads() {
        let parts =
            ["", "0", "1", "abcd", "ABCD", "fffff", "g", ":", "::", "1:2", "1:2:3:4", "1:2:3:4:5:6:7", "-1"];
        for a in parts {
            for b in parts {
                for text in [
                    format!("{a}:{b}"),
                    format!("{a}::{b}"),
                    format!("{a}:3:{b}"),
                    format!("{a}::3:{b}"),
                    format!("{a}:1:2:3:4:{b}"),
                ] {
                    assert_eq!(ipv6(text.as_bytes()), text.parse().ok(), "{text}");
                }
            }
        }
        assert_eq!(ipv6(b"::ffff:192.0.2.1"), None, "left to others");
    }

    #[test]
    fn a_needle_is_found_where_a_general_search_finds_it() {
        let text = b"a for b for  for= rhost= rhost=x): y): ') ') , sasl_username=, sasl_username=z for";
        for needle in
            [&b" for "[..], b" rhost=", b"): ", b"') ", b", sasl_username=", b"for", b"=", b"zz", b" for b"]
        {
            for from in 0..text.len() {
                let text = &text[from..];
                assert_eq!(find(text, needle), memchr::memmem::find(text, needle));
                assert_eq!(rfind(text, needle), memchr::memmem::rfind(text, needle));
                let all: Vec<usize> = memchr::memmem::find_iter(text, needle).collect();
                assert_eq!(find_iter(text, needle).collect::<Vec<_>>(), all);
            }
        }
    }

    #[test]
    fn a_number_is_digits_alone() {
        assert_eq!(number(b"4294967295"), Some(u32::MAX));
        assert_eq!(number(b"65535"), Some(u16::MAX));
        assert_eq!(number::<u16>(b"65536"), None);
        for wrong in [&b""[..], b"4294967296", b"-1", b"+1", b"1 ", b"99999999999"] {
            assert_eq!(number::<u32>(wrong), None);
        }
    }

    #[test]
    fn zeros_before_a_number_change_nothing() {
        for (padded, value) in [(&b"0"[..], 0), (b"000", 0), (b"007", 7), (b"000000000000000000022", 22)] {
            assert_eq!(number(padded), Some(value));
            assert_eq!(number(padded), Some(value as u16));
        }
        assert_eq!(number::<u32>(b"0004294967296"), None);
    }
}
