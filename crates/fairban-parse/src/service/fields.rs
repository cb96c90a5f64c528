//! Taking fields out of bytes that a client may have written parts of.

use core::net::IpAddr;

use memchr::{memchr, memmem};

/// Longest spelling of an address: an IPv6 address with an IPv4 tail.
const ADDRESS_BYTES_MAX: usize = 45;

/// An address as a daemon prints it; IPv4-mapped IPv6 addresses become IPv4.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    if bytes.is_empty() || bytes.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    let address: IpAddr = core::str::from_utf8(bytes).ok()?.parse().ok()?;
    Some(address.to_canonical())
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
    let at = memmem::find(bytes, delimiter)?;
    Some((&bytes[..at], &bytes[at + delimiter.len()..]))
}

/// What stands before and after the last `delimiter`.
pub(crate) fn rsplit_once<'a>(bytes: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memmem::rfind(bytes, delimiter)?;
    Some((&bytes[..at], &bytes[at + delimiter.len()..]))
}

/// What stands before the first `byte`, or everything.
pub(crate) fn until(bytes: &[u8], byte: u8) -> &[u8] {
    &bytes[..memchr(byte, bytes).unwrap_or(bytes.len())]
}

/// Whether `needle` occurs.
pub(crate) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    memmem::find(bytes, needle).is_some()
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
