//! Each way in which a log can be rotated, cut, replaced or missed, by name.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_for_each,
    clippy::incompatible_msrv,
    reason = "a test fails where its files do, and prints its seed"
)]

mod kit;

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use fairban_follow::{Loss, Source, Start, State, What};
use kit::{Bench, become_ordinary, pack};

fn following(first: &str) -> Bench {
    let mut bench = Bench::new();
    bench.append("log", first);
    bench.follow_file("log");
    bench
}

#[test]
fn lines_come_once() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    assert_eq!(bench.told(), [""; 0]);
    bench.append("log", "b\nc\n");
    assert_eq!(bench.told(), ["b", "c"]);
}

#[test]
fn the_start_of_a_log_without_a_position_is_as_asked() {
    let rotated = |start| {
        let mut bench = Bench::new();
        bench.start = start;
        bench.append("log", "old\n");
        bench.rotate("log");
        bench.append("log", "a\nb\nhalf");
        bench.follow_file("log");
        let mut lines = bench.lines();
        bench.append("log", " c\n");
        lines.extend(bench.lines());
        lines
    };
    assert_eq!(rotated(Start::End), ["half c"]);
    assert_eq!(rotated(Start::Beginning), ["a", "b", "half c"]);
    let epoch = std::time::UNIX_EPOCH;
    assert_eq!(rotated(Start::Since(epoch)), ["old", "a", "b", "half c"]);
    assert_eq!(rotated(Start::Since(epoch + Duration::from_secs(1 << 35))), ["a", "b", "half c"]);
}

#[test]
fn a_partial_last_line_waits_for_its_rest() {
    let mut bench = following("a\nhal");
    assert_eq!(bench.told(), ["a"]);
    bench.append("log", "f");
    assert_eq!(bench.told(), [""; 0]);
    assert_eq!(bench.status().lag_bytes, 4);
    bench.append("log", "!\nb\n");
    assert_eq!(bench.told(), ["half!", "b"]);
}

#[test]
fn a_line_that_is_too_long_is_counted_and_skipped() {
    let mut bench = following("a\n");
    bench.chunk_bytes_max = 4_000;
    bench.kill();
    bench.follow_file("log");
    assert_eq!(bench.told(), ["a"]);
    bench.append("log", &"x".repeat(30_000));
    assert_eq!(bench.told(), [""; 0]);
    bench.append("log", "y\nb\n");
    assert_eq!(bench.told(), ["<too long 30002 line 2>", "b"]);
    bench.append("log", &format!("c\n{}\nd\n{}\n", "z".repeat(1_000), "z".repeat(1_001)));
    assert_eq!(bench.told(), ["c", &"z".repeat(1_000), "d", "<too long 1002 line 7>"]);
    assert_eq!(bench.status().too_long, 2);
}

#[test]
fn a_restart_within_a_line_that_is_too_long_counts_it_once() {
    let mut bench = following("a\n");
    bench.append("log", &"x".repeat(3_000));
    assert_eq!(bench.told(), ["a"]);
    bench.kill();
    bench.append("log", "\nb\n");
    bench.follow_file("log");
    assert_eq!(bench.told(), ["<too long 3001 line 2>", "b"]);
}

#[test]
fn after_a_rotation_by_rename_the_rest_of_the_old_file_comes_first() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.append("log", "b\n");
    bench.rotate("log");
    bench.append("log", "c\n");
    bench.append("log.1", "b2\n");
    assert_eq!(bench.told(), ["<rotated>", "b", "b2", "c"]);
}

#[test]
fn a_writer_that_has_not_noticed_the_rotation_is_still_read() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.rotate("log");
    bench.append("log", "c\n");
    assert_eq!(bench.told(), ["<rotated>", "c"]);
    bench.append("log.1", "late\n");
    assert_eq!(bench.told(), ["late"]);
    bench.kill();
    bench.append("log.1", "later\n");
    bench.append("log", "d\n");
    bench.follow_file("log");
    assert_eq!(bench.lines(), ["later", "d"]);
}

#[test]
fn a_rotated_file_is_let_go_when_it_is_closed_and_quiet() {
    let mut bench = following("a\n");
    let mut writer = File::options().append(true).open(bench.path("log")).unwrap();
    assert_eq!(bench.told(), ["a"]);
    bench.rotate("log");
    bench.append("log", "b\n");
    assert_eq!(bench.told(), ["<rotated>", "b"]);
    bench.clock.step(Duration::from_secs(20));
    writer.write_all(b"still open\nhalf").unwrap();
    assert_eq!(bench.told(), ["still open"]);
    drop(writer);
    assert_eq!(bench.told(), [""; 0]);
    bench.clock.step(Duration::from_secs(20));
    assert_eq!(bench.told(), ["<lost 4 unfinished>"]);
    // Nobody watches it any more.
    bench.append("log.1", "\n");
    bench.append("log", "c\n");
    assert_eq!(bench.told(), ["c"]);
}

#[test]
fn several_rotations_while_not_running_are_read_in_order() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.kill();
    bench.append("log", "b\n");
    for generation in 0..15 {
        bench.rotate("log");
        bench.append("log", &format!("{generation}\n"));
    }
    for index in [15, 14, 12, 5] {
        pack(&bench.path(&format!("log.{index}")));
    }
    bench.follow_file("log");
    let expected: Vec<String> =
        std::iter::once("b".to_owned()).chain((0..15).map(|generation| generation.to_string())).collect();
    assert_eq!(bench.lines(), expected);
    assert_eq!(bench.status().losses, 0);
}

#[test]
fn several_rotations_while_nothing_was_taken_are_read_in_order() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    for generation in 0..12 {
        bench.rotate("log");
        bench.append("log", &format!("{generation}\n"));
        if generation == 3 {
            pack(&bench.path("log.2"));
        }
    }
    assert_eq!(bench.lines(), (0..12).map(|generation| generation.to_string()).collect::<Vec<_>>());
    assert_eq!(bench.status().losses, 0);
}

#[test]
fn rotated_files_may_be_named_by_date() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.kill();
    bench.rename("log", "log-20260118");
    bench.append("log-20260118", "b\n");
    bench.append("log-20260119", "c\n");
    pack(&bench.path("log-20260118"));
    bench.append("log", "d\n");
    bench.follow_file("log");
    assert_eq!(bench.lines(), ["b", "c", "d"]);
}

#[test]
fn a_file_that_is_created_some_time_after_the_rename_is_found() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.rotate("log");
    bench.append("log.1", "b\n");
    assert_eq!(bench.told(), ["b"]);
    assert_eq!(bench.status().state, State::Missing);
    bench.append("log", "c\n");
    assert_eq!(bench.told(), ["<rotated>", "c"]);
}

#[test]
fn copytruncate_what_was_not_read_is_taken_from_the_copy() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.append("log", "b\n");
    bench.copytruncate("log");
    bench.append("log", "c\n");
    assert_eq!(bench.told(), ["<truncated, copy log.1>", "b", "c"]);
}

#[test]
fn copytruncate_of_what_was_read_brings_nothing_twice() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.copytruncate("log");
    assert_eq!(bench.told(), ["<truncated, copy log.1>"]);
    bench.append("log", "b\n");
    assert_eq!(bench.told(), ["b"]);
    bench.kill();
    bench.append("log", "c\n");
    bench.follow_file("log");
    assert_eq!(bench.told(), ["c"]);
}

#[test]
fn copytruncate_of_a_file_of_which_nothing_was_read_yet_is_seen() {
    let mut bench = following("");
    assert_eq!(bench.told(), [""; 0]);
    bench.append("log", "a\n");
    bench.copytruncate("log");
    bench.append("log", "longer than a\n");
    assert_eq!(bench.lines(), ["a", "longer than a"]);
}

#[test]
fn a_line_read_between_copy_and_truncation_is_not_read_again() {
    let mut bench = following("a\n");
    fs::copy(bench.path("log"), bench.path("log.1")).unwrap();
    bench.append("log", "b\n");
    assert_eq!(bench.told(), ["a", "b"]);
    File::options().write(true).truncate(true).open(bench.path("log")).unwrap();
    assert_eq!(bench.told(), ["<truncated, copy log.1>"]);
    bench.append("log", "c\n");
    assert_eq!(bench.told(), ["c"]);
}

#[test]
fn several_copytruncates_while_not_running_are_read_in_order() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.kill();
    for text in ["b\n", "c\n", "d\n", "e\n"] {
        bench.append("log", text);
        bench.copytruncate("log");
    }
    pack(&bench.path("log.4"));
    pack(&bench.path("log.2"));
    bench.append("log", "f\n");
    bench.follow_file("log");
    assert_eq!(bench.lines(), ["b", "c", "d", "e", "f"]);
}

#[test]
fn truncation_without_a_copy_says_how_much_was_lost() {
    let mut bench = following("a\n");
    bench.chunk_bytes_max = 10;
    bench.line_bytes_max = 4;
    bench.kill();
    bench.follow_file("log");
    assert_eq!(bench.told(), ["a"]);
    bench.append("log", "b1\nb2\nb3\nb4\nb5\nb6\nb7\n");
    let follower = bench.follower.as_mut().unwrap();
    follower.wait(Some(Duration::ZERO)).unwrap();
    let first = follower.try_next().unwrap();
    assert_eq!(kit::shown(&first), ["b1", "b2", "b3"]);
    File::options().write(true).truncate(true).open(bench.path("log")).unwrap();
    bench.append("log", "c\n");
    assert_eq!(bench.told(), ["<truncated>", "<lost 12 truncated>", "c"]);
    assert_eq!(bench.status().lost_bytes, 12);
}

#[test]
fn truncation_is_seen_although_the_file_grew_beyond_its_old_length() {
    let mut bench = following("a\nb\n");
    assert_eq!(bench.told(), ["a", "b"]);
    fs::write(bench.path("log"), "x\ny\nz\n").unwrap();
    assert_eq!(bench.told(), ["<truncated>", "x", "y", "z"]);
}

#[test]
fn an_unfinished_line_that_is_cut_away_is_not_joined_with_the_next() {
    let mut bench = following("a\nhalf");
    assert_eq!(bench.told(), ["a"]);
    File::options().write(true).open(bench.path("log")).unwrap().set_len(2).unwrap();
    bench.append("log", "other\n");
    assert_eq!(bench.lines(), ["other"]);
}

#[test]
fn a_file_cut_while_not_running_is_said() {
    let mut bench = following("a\nb\n");
    assert_eq!(bench.told(), ["a", "b"]);
    bench.kill();
    fs::write(bench.path("log"), "x\n").unwrap();
    bench.follow_file("log");
    assert_eq!(bench.told(), ["<lost ? gone>", "x"]);
}

#[test]
fn a_removed_file_is_read_to_its_end() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.append("log", "b\n");
    fs::remove_file(bench.path("log")).unwrap();
    assert_eq!(bench.told(), ["<missing>", "b"]);
    bench.append("log", "c\n");
    assert_eq!(bench.told(), ["<appeared>", "c"]);
}

#[test]
fn a_file_that_came_and_went_unseen_is_said() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    for text in ["b\n", "c\n"] {
        fs::remove_file(bench.path("log")).unwrap();
        bench.append("log", text);
    }
    assert_eq!(bench.told(), ["<rotated>", "<lost ? vanished>", "c"]);
}

#[test]
fn a_new_file_with_the_old_inode_is_not_mistaken_for_the_old_one() {
    let mut bench = following("a\nb\n");
    assert_eq!(bench.told(), ["a", "b"]);
    bench.kill();
    // Many file systems give the number away again at once.
    fs::remove_file(bench.path("log")).unwrap();
    bench.append("log", "x\ny\nz\n");
    bench.follow_file("log");
    assert_eq!(bench.told(), ["<lost ? gone>", "x", "y", "z"]);
}

#[test]
fn a_file_that_was_moved_out_of_the_way_is_found_by_its_content() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.kill();
    bench.append("log", "b\n");
    // As after moving to another disk: another inode.
    fs::copy(bench.path("log"), bench.path("log.1")).unwrap();
    fs::remove_file(bench.path("log")).unwrap();
    bench.append("log", "c\n");
    bench.follow_file("log");
    assert_eq!(bench.told(), ["b", "c"]);
}

#[test]
fn a_file_that_is_replaced_by_a_longer_copy_goes_on_where_it_was() {
    let mut bench = following("a\nb\n");
    assert_eq!(bench.told(), ["a", "b"]);
    bench.append("new", "a\nb\nc\n");
    bench.rename("new", "log");
    assert_eq!(bench.lines(), ["c"]);
}

#[test]
fn a_symbolic_link_is_followed_wherever_it_points_to() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("other")).unwrap();
    bench.append("one", "a\n");
    symlink("one", bench.path("log")).unwrap();
    bench.follow_file("log");
    assert_eq!(bench.told(), ["a"]);
    bench.append("other/two", "b\n");
    symlink("other/two", bench.path("link")).unwrap();
    bench.append("one", "a2\n");
    bench.rename("link", "log");
    assert_eq!(bench.told(), ["<rotated>", "a2", "b"]);
    // What the link points to is rotated in its own folder.
    bench.append("other/two", "c\n");
    bench.rename("other/two", "other/two.1");
    bench.append("other/two", "d\n");
    assert_eq!(bench.told(), ["<rotated>", "c", "d"]);
    bench.kill();
    bench.append("other/two", "e\n");
    bench.rename("other/two", "other/two.2");
    bench.rename("other/two.1", "other/two.3");
    bench.append("other/two.1", "f\n");
    bench.append("other/two", "g\n");
    bench.follow_file("log");
    assert_eq!(bench.lines(), ["e", "f", "g"]);
}

#[test]
fn a_folder_that_appears_later_is_found() {
    let mut bench = Bench::new();
    bench.follow_file("one/two/log");
    assert_eq!(bench.told(), ["<missing>"]);
    fs::create_dir(bench.path("one")).unwrap();
    assert_eq!(bench.told(), [""; 0]);
    fs::create_dir(bench.path("one/two")).unwrap();
    bench.append("one/two/log", "a\n");
    assert_eq!(bench.told(), ["<appeared>", "a"]);
    // And one that is replaced.
    bench.rename("one", "zero");
    fs::create_dir_all(bench.path("one/two")).unwrap();
    bench.append("zero/two/log", "b\n");
    bench.append("one/two/log", "c\n");
    assert_eq!(bench.lines(), ["b", "c"]);
}

#[test]
fn a_file_that_may_not_be_read_is_told_once_and_read_when_it_may() {
    become_ordinary();
    let mut bench = Bench::new();
    bench.append("log", "a\n");
    let set = |bench: &Bench, name: &str, mode| {
        fs::set_permissions(bench.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&bench, "log", 0);
    bench.follow_file("log");
    let told = bench.told();
    assert!(told.len() == 1 && told[0].contains("setfacl"), "{told:?}");
    assert!(matches!(bench.status().state, State::Unreadable(_)));
    fs::set_permissions(bench.path("log"), fs::Permissions::from_mode(0o200)).unwrap();
    bench.append("log", "b\n");
    assert_eq!(bench.told(), [""; 0]);
    set(&bench, "log", 0o600);
    assert_eq!(bench.told(), ["a", "b"]);
    assert_eq!(bench.status().state, State::Following);
}

#[test]
fn a_stored_position_waits_until_the_file_may_be_read_again() {
    become_ordinary();
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.kill();
    bench.append("log", "b\n");
    let mode = |bench: &Bench, mode| {
        fs::set_permissions(bench.path("log"), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&bench, 0);
    bench.follow_file("log");
    assert_eq!(bench.told().len(), 1);
    bench.kill();
    bench.follow_file("log");
    assert_eq!(bench.told().len(), 1);
    mode(&bench, 0o600);
    assert_eq!(bench.told(), ["b"]);
}

#[test]
fn a_file_that_may_not_be_read_does_not_hold_up_those_rotated_before_it() {
    become_ordinary();
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.kill();
    bench.append("log", "b\n");
    bench.rotate("log");
    bench.append("log", "c\n");
    fs::set_permissions(bench.path("log"), fs::Permissions::from_mode(0o0)).unwrap();
    bench.follow_file("log");
    assert_eq!(bench.lines(), ["b"]);
    fs::set_permissions(bench.path("log"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(bench.lines(), ["c"]);
}

#[test]
fn a_closed_folder_is_told_of_and_read_when_it_opens() {
    become_ordinary();
    let mut bench = Bench::new();
    fs::create_dir(bench.path("folder")).unwrap();
    bench.append("folder/current", "a\n");
    let mode = |bench: &Bench, mode| {
        fs::set_permissions(bench.path("folder"), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&bench, 0);
    bench.follow(vec![Source::Multilog(bench.path("folder"))]);
    let told = bench.told();
    assert!(told.iter().any(|text| text.starts_with("<unreadable")), "{told:?}");
    mode(&bench, 0o700);
    assert_eq!(bench.lines(), ["a"]);
    bench.append("folder/current", "b\n");
    assert_eq!(bench.lines(), ["b"]);
}

#[test]
fn multilog_folders_are_read_in_the_order_of_their_labels() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("m")).unwrap();
    bench.start = Start::Since(std::time::UNIX_EPOCH);
    bench.append("m/@40000000696f5a3c1f2b8d14.s", "a\n");
    bench.append("m/@40000000696f5a3d1f2b8d14.u", "b\n");
    bench.append("m/current", "c\n");
    bench.append("m/lock", "");
    bench.follow(vec![Source::Multilog(bench.path("m"))]);
    assert_eq!(bench.told(), ["a", "b", "c"]);
    bench.append("m/current", "d\n");
    bench.rename("m/current", "m/@40000000696f5a3e1f2b8d14.s");
    bench.append("m/current", "e\n");
    assert_eq!(bench.told(), ["<rotated>", "d", "e"]);
    bench.kill();
    bench.rename("m/current", "m/@40000000696f5a3f1f2b8d14.s");
    bench.append("m/@40000000696f5a401f2b8d14.s", "f\n");
    bench.append("m/current", "g\n");
    bench.follow(vec![Source::Multilog(bench.path("m"))]);
    assert_eq!(bench.lines(), ["f", "g"]);
}

#[test]
fn the_hole_of_a_writer_that_does_not_append_is_passed_over() {
    let mut bench = Bench::new();
    let mut writer = File::create(bench.path("log")).unwrap();
    writer.write_all(&[b"line\n".as_slice(); 200].concat()).unwrap();
    bench.follow_file("log");
    assert_eq!(bench.lines().len(), 200);
    for text in ["after\n", "again\n"] {
        bench.copytruncate("log");
        // At the old offset.
        writer.write_all(text.as_bytes()).unwrap();
        assert_eq!(bench.lines(), [text.trim()]);
    }
    assert_eq!(bench.status().losses, 0);
    // A large hole costs no reading.
    writer.seek(SeekFrom::Start(1 << 40)).unwrap();
    writer.write_all(b"far away\n").unwrap();
    assert_eq!(bench.lines(), ["far away"]);
    bench.kill();
    writer.write_all(b"end\n").unwrap();
    bench.follow_file("log");
    assert_eq!(bench.told(), ["end"]);
}

#[test]
fn room_that_a_writer_has_reserved_is_waited_for() {
    let mut bench = Bench::new();
    let mut writer = File::create(bench.path("log")).unwrap();
    writer.set_len(100_000).unwrap();
    bench.follow_file("log");
    assert_eq!(bench.told(), [""; 0]);
    writer.write_all(b"a\n").unwrap();
    assert_eq!(bench.told(), ["a"]);
    writer.write_all(b"b\n").unwrap();
    assert_eq!(bench.told(), ["b"]);
}

#[test]
fn an_overflow_of_the_kernels_queue_loses_nothing() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    for number in 0..most.trim().parse::<usize>().unwrap() / 2 + 100 {
        let path = bench.path(&format!("x{number}"));
        File::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
    }
    bench.append("log", "b\n");
    bench.rotate("log");
    bench.append("log", "c\n");
    assert_eq!(bench.lines(), ["b", "c"]);
}

#[test]
fn without_inotify_files_are_looked_at_once_a_second() {
    let mut bench = Bench::new();
    bench.inotify = false;
    bench.append("log", "a\n");
    bench.follow_file("log");
    assert_eq!(bench.told(), ["<polling>", "a"]);
    assert!(bench.status().polling.is_some());
    bench.append("log", "b\n");
    bench.rotate("log");
    bench.append("log", "c\n");
    bench.clock.step(Duration::from_millis(900));
    assert_eq!(bench.told(), [""; 0]);
    bench.clock.step(Duration::from_millis(100));
    assert_eq!(bench.told(), ["<rotated>", "b", "c"]);
}

#[test]
fn something_else_at_the_path_is_said_and_the_file_read_when_it_is_there() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("log")).unwrap();
    bench.follow_file("log");
    let told = bench.told();
    assert!(told[0].contains("is a folder"), "{told:?}");
    fs::remove_dir(bench.path("log")).unwrap();
    bench.append("log", "a\n");
    assert_eq!(bench.lines(), ["a"]);
}

#[test]
fn a_rotated_file_that_cannot_be_unpacked_is_said_and_the_rest_read() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    bench.kill();
    bench.rotate("log");
    fs::write(bench.path("log.2"), b"BZh91AY").unwrap();
    bench.rename("log.1", "log.3");
    bench.append("log.1", "c\n");
    bench.append("log", "d\n");
    bench.follow_file("log");
    assert_eq!(bench.told(), ["<lost ? unreadable log.2>", "c", "d"]);
}

#[test]
fn a_chunk_taken_in_parts_is_resumed_between_them() {
    for taken in 0..4_usize {
        let mut bench = following("zero\n");
        assert_eq!(bench.told(), ["zero"]);
        bench.append("log", "one\ntwo\nthree\n");
        let happening = bench.take().pop().unwrap();
        let What::Lines(chunk) = happening.what else { panic!("{happening:?}") };
        assert_eq!(chunk.first_line, 2);
        let bytes = chunk.bytes.split_inclusive(|&b| b == b'\n').take(taken).map(<[u8]>::len).sum();
        bench.stored[0].1 = chunk.position_after(bytes, taken as u64);
        assert_eq!(bench.stored[0].1.lines(), 1 + taken as u64);
        bench.kill();
        bench.rotate("log");
        pack(&bench.path("log.1"));
        bench.follow_file("log");
        assert_eq!(bench.lines(), ["one", "two", "three"][taken..]);
    }
}

#[test]
fn a_long_row_of_rotated_files_keeps_few_of_them_open() {
    let mut bench = following("a\n");
    assert_eq!(bench.told(), ["a"]);
    let here = bench.path("");
    let descriptors = || {
        let mine = fs::read_dir("/proc/self/fd").unwrap().flatten();
        mine.filter(|fd| fs::read_link(fd.path()).is_ok_and(|path| path.starts_with(&here))).count()
    };
    assert_eq!(descriptors(), 1);
    for generation in 0..19 {
        bench.rotate("log");
        bench.append("log", &format!("{generation}\n"));
    }
    let mut follower = bench.follower.take().unwrap();
    let mut lines = 0;
    loop {
        follower.wait(Some(Duration::ZERO)).unwrap();
        let Some(happening) = follower.try_next() else { break };
        lines += usize::from(matches!(happening.what, What::Lines(_)));
        assert!(descriptors() <= 9, "{}", descriptors());
    }
    assert_eq!((lines, descriptors()), (19, 5));
}

#[test]
fn losses_explain_themselves() {
    let loss = Loss::Unreadable { path: "/a\n/b".into(), error: "no".to_owned() };
    assert_eq!(loss.to_string(), r#""/a\n/b" cannot be read: no"#);
}
