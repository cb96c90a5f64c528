use std::io::{BufReader, Cursor};

use super::*;

fn records(bytes: &[u8]) -> Records<Cursor<Vec<u8>>> {
    Records::new(Cursor::new(bytes.to_vec()))
}

#[test]
fn records_end_at_line_feeds_and_are_bounded() {
    let mut bytes = b"one\n\n".to_vec();
    bytes.extend(vec![b'x'; 3 * ENTRY_BYTES_MAX as usize]);
    bytes.extend(b"\ntwo\ncut off");
    let mut records = records(&bytes);
    assert_eq!(records.next_record(), Some(b"one".as_slice()));
    assert_eq!(records.next_record(), Some(b"".as_slice()));
    assert_eq!(records.next_record(), Some(b"".as_slice()), "too long");
    assert!(records.record.capacity() <= 2 * ENTRY_BYTES_MAX as usize);
    assert_eq!(records.next_record(), Some(b"two".as_slice()));
    assert_eq!(records.next_record(), Some(b"".as_slice()), "half an entry is none");
    assert_eq!(records.next_record(), None);
}

#[test]
fn whole_entries_that_are_there_already_are_waited_for_in_one_batch() {
    let mut records = Records::new(BufReader::new(Cursor::new(b"one\ntwo\nhalf".to_vec())));
    assert!(!records.has_another(), "nothing was read yet");
    records.next_record();
    assert!(records.has_another());
    records.next_record();
    assert!(!records.has_another());
}

fn entry(number: u64, uid: u32) -> String {
    format!(
        "{{\"__CURSOR\":\"i={number:x}\",\"__REALTIME_TIMESTAMP\":\"{number}\",\"MESSAGE\":\"m\",\"_UID\":\"{uid}\",\
         \"SYSLOG_IDENTIFIER\":\"sshd\",\"_EXE\":\"/usr/sbin/sshd\"}}\n"
    )
}

#[test]
fn the_cursor_moves_over_entries_that_are_dropped_and_not_over_garbage() {
    let users = Users::default();
    let mut follower = Follower::new(&users, &[]);
    let mut records = records((entry(1, 0) + &entry(2, 1000) + "{}\n").as_bytes());
    while follower.read(&mut records) {}
    let batch = follower.take_batch();
    assert_eq!((batch.lines.len(), batch.cursor.as_deref()), (1, Some("i=2")));
    assert_eq!((batch.counts.lines, batch.counts.set_aside, batch.counts.unreadable), (1, 1, 1));
    assert_eq!(follower.take_cursor().as_deref(), Some("i=2"));
    assert_eq!(follower.take_cursor(), None);
    assert!(follower.take_batch().is_empty());
}

#[test]
fn what_was_read_before_is_skipped_by_its_time() {
    let users = Users::default();
    let mut follower = Follower::new(&users, &[]);
    follower.skip_until(2);
    let mut records = records((entry(1, 0) + &entry(2, 0) + &entry(3, 0)).as_bytes());
    while follower.read(&mut records) {}
    assert_eq!(follower.take_batch().lines.len(), 1);
}

#[test]
fn parts_of_cursors_are_numbers() {
    let cursor = "s=253cc742a0ea462ca67b484536e969ec;i=158;b=c8;t=660f9dffc941e";
    assert_eq!(cursor_part(cursor, "i"), Some(0x158));
    assert_eq!(cursor_part(cursor, "t"), Some(0x6_60f9_dffc_941e));
    assert_eq!(cursor_part(cursor, "s"), Some(0x253c_c742_a0ea_462c));
    assert_eq!(cursor_part(cursor, "x"), None);
}

#[test]
fn a_sample_of_attackers_bytes_is_short_and_escaped() {
    let mut entry = Entry::default();
    entry.identifier = super::super::entry::Field::One(vec![0x1b; 5000]);
    entry.message = super::super::entry::Field::One(b"\n".repeat(5000));
    let sample = sample(&entry);
    assert!(
        sample.len() <= crate::protocol::TEXT_BYTES_MAX
            && !sample.bytes().any(|byte| byte.is_ascii_control())
    );
    assert!(sample.starts_with("user ?, program ?, claims to be \\x1b"), "{sample}");
}
