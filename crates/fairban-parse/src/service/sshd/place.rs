//! Where a line says the client is: `R port P`, and addresses alone.

use core::net::IpAddr;

use crate::service::fields::{self, until};

/// A client's address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) source: IpAddr,
    pub(super) port: u16,
}

/// Reads an address as sshd and PAM print it: a link-local one with its zone (`fe80::1%eth0`), which is dropped.
pub(crate) fn address(text: &[u8]) -> Option<IpAddr> {
    fields::address(until(text, b'%'))
}

/// Splits `BEFORE ADDR port N` at the right-hand end; `BEFORE` comes without the blank that ends it.
///
/// Everything in `BEFORE` may be the client's text: nothing in it is looked at.
pub(super) fn at_end(text: &[u8]) -> Option<(&[u8], Place)> {
    let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (head, number) = text.split_at(text.len() - digits);
    let port = port(number)?;
    let head = head.strip_suffix(b" port ")?;
    let (before, word) = last_word(head);
    Some((before, Place { source: address(word)?, port }))
}

/// Splits `ADDR port N REST` at the left-hand end; `REST` begins right after the number.
pub(super) fn at_start(text: &[u8]) -> Option<(Place, &[u8])> {
    let end = text.iter().position(|&b| b == b' ')?;
    let rest = text[end..].strip_prefix(b" port ")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let place = Place { source: address(&text[..end])?, port: port(&rest[..digits])? };
    Some((place, &rest[digits..]))
}

/// The last blank-separated word and what stands before that blank; the whole text is the word where there is none.
pub(super) fn last_word(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b' ', text) {
        Some(blank) => (&text[..blank], &text[blank + 1..]),
        None => (&[], text),
    }
}

fn port(digits: &[u8]) -> Option<u16> {
    crate::service::fields::number(digits)
}
