//! Account names as sshd writes them, and what the client typed.
//!
//! sshd escapes what it logs in the manner of `vis(3)`: `\ooo` for a byte outside printable ASCII, `\n`, `\t` and the
//! like, `\\` for the backslash. Lines of the process that holds the network (they end in ` [preauth]`) were escaped
//! twice up to OpenSSH 10.2, there and in the process that writes the log, and once since 10.3. Both spellings have to
//! become one key.

use std::borrow::Cow;

use fairban_core::account::{Account, AccountKey};

/// `Failed …` and `Invalid user …` cut names to this many bytes (`%.100s`); other lines print more of them. A name
/// that reaches it is taken as cut everywhere, so that it has one key in all lines.
const NAME_BYTES_MAX: usize = 100;

/// How often a name was escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Once.
    Once,
    /// Twice.
    Twice,
    /// Once or twice: the program has both versions.
    Either,
}

/// The account of a name as the line shows it. A `:style` never gets here: sshd drops it before it logs.
pub(super) fn account(shown: &[u8], spelling: Spelling) -> Account {
    let name = match spelling {
        Spelling::Once => undo(shown),
        Spelling::Twice => Cow::Owned(undo(&undo(shown)).into_owned()),
        Spelling::Either => {
            let name = undo(shown);
            if is_escaped(&name) { Cow::Owned(undo(&name).into_owned()) } else { name }
        }
    };
    raw(&name)
}

/// The account of a name that was not escaped (PAM's lines).
pub(super) fn raw(name: &[u8]) -> Account {
    match name.get(..NAME_BYTES_MAX) {
        Some(beginning) => Account::Cut(AccountKey::new(beginning)),
        None => Account::Known(AccountKey::new(name)),
    }
}

/// Undoes the escapes once. A backslash that begins none stays.
fn undo(shown: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', shown) else {
        return Cow::Borrowed(shown);
    };
    let (plain, mut rest) = shown.split_at(first);
    let mut name = plain.to_vec();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = if byte == b'\\' { octal(after).or_else(|| letter(after)) } else { None };
        let (value, taken) = escape.unwrap_or((byte, 0));
        name.push(value);
        rest = &after[taken..];
    }
    Cow::Owned(name)
}

/// Whether a name can only be the outcome of an escape: printable, and each backslash begins an octal escape or
/// doubles itself. `CORP\nathan` is not one: a domain and a name are likelier than a line feed in a name.
fn is_escaped(name: &[u8]) -> bool {
    let mut rest = name;
    let mut escapes = 0;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'\\' => {
                escapes += 1;
                match (octal(after), after.first()) {
                    (Some((value, taken)), _) if !(0x20..=0x7e).contains(&value) => &after[taken..],
                    (None, Some(b'\\')) => &after[1..],
                    _ => return false,
                }
            }
            0x20..=0x7e => after,
            _ => return false,
        };
    }
    escapes > 0
}

/// `ooo` after a backslash: the byte, and how many bytes it took.
fn octal(after: &[u8]) -> Option<(u8, usize)> {
    let digits = after.get(..3)?;
    if !digits.iter().all(|b| (b'0'..=b'7').contains(b)) {
        return None;
    }
    let value = digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
    Some((u8::try_from(value).ok()?, 3))
}

/// One letter after a backslash.
fn letter(after: &[u8]) -> Option<(u8, usize)> {
    let value = match after.first()? {
        b'\\' => b'\\',
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b's' => b' ',
        b'a' => 0x07,
        b'b' => 0x08,
        b'v' => 0x0b,
        b'f' => 0x0c,
        _ => return None,
    };
    Some((value, 1))
}
