//! Names of groups, for messages.

use fairban_core::escape::escaped;

/// Most bytes of the list of groups that are looked at.
const LIST_BYTES_MAX: u64 = 1 << 20;

/// A group's name, where the machine's own list has it; else its number. Only for people: nothing is decided by it.
pub(crate) fn named(group: u32) -> String {
    use std::io::Read as _;
    let mut list = Vec::new();
    let opened = std::fs::File::open("/etc/group");
    // Without the list there is the number.
    let _ = opened.and_then(|file| file.take(LIST_BYTES_MAX).read_to_end(&mut list));
    name_in(&list, group).unwrap_or_else(|| group.to_string())
}

fn name_in(list: &[u8], group: u32) -> Option<String> {
    let number = group.to_string();
    list.split(|&byte| byte == b'\n').find_map(|line| {
        let mut parts = line.split(|&byte| byte == b':');
        let (name, _, id) = (parts.next()?, parts.next()?, parts.next()?);
        (id == number.as_bytes()).then(|| escaped(name).to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_names() {
        let list = b"root:x:0:\nadm:x:4:anna\n\nodd\nmail:x:8:";
        assert_eq!(name_in(list, 4).as_deref(), Some("adm"));
        assert_eq!(name_in(list, 8).as_deref(), Some("mail"));
        assert_eq!(name_in(list, 9), None);
    }
}
