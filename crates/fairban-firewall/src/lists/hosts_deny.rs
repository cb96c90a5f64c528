//! A block of lines for TCP wrappers.

use ipnet::IpNet;

use crate::enforcer::Shut;

const BEGIN: &str = "# fairban begins: what stands from here to its end is written by fairban";
const END: &str = "# fairban ends";

/// The file's content with our block in it: where the old one was, or at the end.
pub(super) fn render(before: &[u8], daemons: &str, shuts: &[Shut]) -> Result<Vec<u8>, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_., @".contains(&byte);
    if daemons.is_empty() || !daemons.bytes().all(is_name) {
        return Err(format!("{daemons:?} is no list of daemons such as sshd, vsftpd"));
    }
    let mut block = format!("{BEGIN}\n");
    for shut in shuts {
        block.extend([daemons, ": ", &pattern(&shut.prefix), "\n"]);
    }
    block.extend([END, "\n"]);
    let lines: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
    let is = |line: &[u8], text: &str| line.trim_ascii() == text.as_bytes();
    let begin = lines.iter().position(|line| is(line, BEGIN));
    let end = lines.iter().position(|line| is(line, END));
    let (head, tail) = match (begin, end) {
        (Some(begin), Some(end)) if begin < end => (&lines[..begin], &lines[end + 1..]),
        (None, None) => (&lines[..], &lines[lines.len()..]),
        _ => return Err(format!("only one of the lines {BEGIN:?} and {END:?} is there: remove it")),
    };
    let mut content = head.concat();
    if content.last().is_some_and(|byte| *byte != b'\n') {
        content.push(b'\n');
    }
    content.extend(block.into_bytes());
    content.extend(tail.concat());
    Ok(content)
}

fn pattern(prefix: &IpNet) -> String {
    match prefix {
        IpNet::V4(net) if net.prefix_len() == 32 => net.addr().to_string(),
        IpNet::V4(net) => format!("{}/{}", net.network(), net.netmask()),
        IpNet::V6(net) => format!("[{}]/{}", net.network(), net.prefix_len()),
    }
}
