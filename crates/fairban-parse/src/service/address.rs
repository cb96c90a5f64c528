//! Addresses as daemons print them.

use core::net::IpAddr;

/// The address that these bytes are, whole; an IPv4 address in IPv6 form becomes plain IPv4, so that one client has
/// one address whichever socket it came through.
pub(super) fn ip(text: &[u8]) -> Option<IpAddr> {
    super::fields::address(text)
}

/// The number that these bytes are: decimal digits alone, no sign.
pub(super) fn number<N: core::str::FromStr>(text: &[u8]) -> Option<N> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}
