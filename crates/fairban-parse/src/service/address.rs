//! Addresses as daemons print them.

use core::net::IpAddr;

/// The address that these bytes are, whole; an IPv4 address in IPv6 form becomes plain IPv4, so that one client has
/// one address whichever socket it came through.
pub(super) fn ip(text: &[u8]) -> Option<IpAddr> {
    super::fields::address(text)
}

/// The number that these bytes are: decimal digits alone, no sign.
pub(super) fn number<N: TryFrom<u32>>(text: &[u8]) -> Option<N> {
    crate::envelope::number(text)?.try_into().ok()
}
