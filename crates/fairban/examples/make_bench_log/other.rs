//! What the other daemons of a host say. Some of it looks like a login line to a careless eye.

use crate::random::Random;

/// One line, from the program's name on.
pub(crate) fn line(random: &mut Random) -> String {
    let (a, b) = (random.below(100_000), random.below(256));
    let (pid, id) = (random.pid(), random.bits() >> 24);
    match random.below(20) {
        0..3 => format!(
            "postfix/qmgr[811]: {id:010X}: from=<list{b}@news.example>, size={a}, nrcpt={} (queue active)",
            b % 7 + 1
        ),
        3..5 => format!("postfix/qmgr[811]: {id:010X}: removed"),
        5 => format!("postfix/cleanup[{pid}]: {id:010X}: message-id=<{a}.{id:X}@news.example>"),
        6 => format!(
            "postfix/smtp[{pid}]: {id:010X}: to=<user{a}@far.example>, relay=mx.far.example[192.0.2.{b}]:25, delay=0.{b}, delays=0.1/0/0.2/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {id:X})"
        ),
        7 => format!(
            "postfix/lmtp[{pid}]: {id:010X}: to=<u{a}@bigcorp.example>, relay=mx[private/dovecot-lmtp], dsn=2.0.0, status=sent"
        ),
        8..10 => format!(
            "named[412]: client @0x7f{a:06x} 10.0.0.{b}#{a} (h{a}.far.example): query: h{a}.far.example IN A + (10.0.0.1)"
        ),
        10 => format!("named[412]: client 10.0.0.{b}#5353: query: password fail example IN A"),
        11..13 => format!("CRON[{pid}]: (root) CMD (run-parts /etc/cron.hourly)"),
        13 => format!("kernel: [{a}.{b:06}] eth0: Flow control is off for TX and off for RX"),
        14 => format!(
            "kernel: [{a}.{b:06}] IN=eth0 OUT= SRC=198.51.100.{b} DST=10.78.0.1 LEN=40 TTL=244 PROTO=TCP SPT={a} DPT=23 SYN"
        ),
        15..17 => format!(
            "spamd[{pid}]: spamd: clean message (0.{b}/5.0) for filter:1003 in 0.9 seconds, {a} bytes."
        ),
        17 => format!("qmail: {a}.{b:06} delivery {a}: success: did_0+0+1/"),
        18 => format!("systemd[1]: Started Session {a} of user backup."),
        _ => format!("systemd-logind[388]: Removed session {a}."),
    }
}
