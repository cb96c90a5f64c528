//! Dovecot's session ids: base64 of the connection's start, the client's port and its address.
//!
//! 6 bytes microseconds since 1970 (the lowest 48 bits, little endian), 2 bytes port (little endian), 4 or 16 bytes
//! address. A client cannot choose one, so the id proves `rip=` of its line. Only a host in `login_trusted_networks`
//! hands over another id; such ids, and those of other makers, may have any shape.

use core::hash::Hasher as _;
use core::net::IpAddr;

use fairban_core::event::{Session, Witness};
use siphasher::sip::SipHasher13;

/// Bytes of time and port in front of the address.
const HEAD_BYTES: usize = 8;

/// Longest id taken as one, in bytes of text: what trusted proxies hand over is short too.
pub(super) const ID_BYTES_MAX: usize = 128;

/// When the connection of this id began: the lowest 48 bits of the microseconds since 1970 (they wrap every 8.9
/// years); `None` if it is no id of Dovecot's own shape.
pub fn session_start(id: &[u8]) -> Option<u64> {
    let (id, _) = decode(id)?;
    Some(id[..6].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// The key that joins the session's lines.
pub(super) fn key(id: &[u8]) -> Session {
    // Clients cannot choose ids, so a fixed key is enough.
    let mut hasher = SipHasher13::new();
    hasher.write(id);
    Session::Id(hasher.finish())
}

/// Whether the id speaks for `source`.
pub(super) fn witness(id: &[u8], source: IpAddr) -> Witness {
    match decode(id) {
        None => Witness::Absent,
        Some((_, address)) if address == source => Witness::Agrees,
        Some(_) => Witness::Contradicts,
    }
}

/// Whether it is the id of a mail delivery (LMTP): 22 characters, behind them a colon and a count of recipients.
pub(super) fn is_delivery(id: &[u8]) -> bool {
    const DELIVERY_BYTES: usize = 22;
    id.len() >= DELIVERY_BYTES
        && id[..DELIVERY_BYTES].iter().all(|&byte| sextet(byte).is_some())
        && matches!(id.get(DELIVERY_BYTES), None | Some(b':'))
}

/// The bytes of an id of Dovecot's own shape, and the address in them.
fn decode(id: &[u8]) -> Option<([u8; 24], IpAddr)> {
    let mut bytes = [0; 24];
    if !matches!(id.len(), 16 | 32) {
        return None;
    }
    for (group, out) in id.chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
        let mut value = 0_u32;
        for &byte in group {
            value = value << 6 | u32::from(sextet(byte)?);
        }
        out.copy_from_slice(&value.to_be_bytes()[1..]);
    }
    let address = if id.len() == 16 {
        IpAddr::from(<[u8; 4]>::try_from(&bytes[HEAD_BYTES..12]).ok()?)
    } else {
        IpAddr::from(<[u8; 16]>::try_from(&bytes[HEAD_BYTES..]).ok()?)
    };
    Some((bytes, address.to_canonical()))
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &[u8] = b"rk+1x/VgDbrGM2RT";

    #[test]
    fn an_id_holds_start_and_address() {
        // 2026-11-23T18:29:54.066350Z
        let micros: u64 = 1_795_458_594_066_350;
        assert_eq!(session_start(ID), Some(micros & 0xffff_ffff_ffff));
        assert_eq!(witness(ID, IpAddr::from([198, 51, 100, 83])), Witness::Agrees);
        assert_eq!(witness(ID, IpAddr::from([8, 8, 8, 8])), Witness::Contradicts);
        let six = b"XB8kx/VgHbYgAQ24ABgAAAAAAAAAAAAE";
        assert_eq!(witness(six, "2001:db8:18::4".parse().expect("an address")), Witness::Agrees);
    }

    #[test]
    fn other_shapes_prove_nothing() {
        for id in [&b""[..], b"AAAA", b"sess", b"rk+1x/VgDbrGM2R", b"rk+1x/VgDbrGM2R=", b"rk+1x/VgDbrGM2RT1"]
        {
            assert_eq!(session_start(id), None);
            assert_eq!(witness(id, IpAddr::from([198, 51, 100, 83])), Witness::Absent);
        }
        // Has the shape by chance; only its time tells that it is made up.
        assert!(session_start(b"b49e1d1cd874daae").is_some());
    }

    #[test]
    fn a_delivery_is_told_by_its_id() {
        assert!(is_delivery(b"MKMJDzS1OFTaOgAAfUhlpg"));
        assert!(is_delivery(b"MKMJDzS1OFTaOgAAfUhlpg:2"));
        assert!(!is_delivery(ID));
        assert!(!is_delivery(b"XB8kx/VgHbYgAQ24ABgAAAAAAAAAAAAE"));
    }
}
