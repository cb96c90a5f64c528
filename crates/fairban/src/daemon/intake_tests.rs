use super::*;

fn intake(keys: &[&str]) -> (Intake, Vec<Arc<str>>) {
    let mut intake = Intake::new([1; 16]);
    let keys: Vec<Arc<str>> = keys.iter().map(|key| Arc::from(*key)).collect();
    let now = "2026-06-01T00:00:00Z".parse().expect("a time");
    for key in &keys {
        intake.begin(key, Reading { zone: TimeZone::UTC, services: !0 }, now);
    }
    (intake, keys)
}

/// A position that is the same everywhere in a piece, or tells where in it.
#[derive(Debug)]
struct At(Option<u8>);

impl Positions for At {
    fn after(&self, bytes: usize, lines: u64) -> Vec<u8> {
        self.0.map_or_else(|| format!("{bytes} {lines}").into_bytes(), |at| vec![at])
    }
}

fn at(place: u8) -> Arc<dyn Positions> {
    Arc::new(At(Some(place)))
}

fn line(stamp: &str, account: &str) -> String {
    format!("{stamp} mx vpopmail[1]: vchkpw-pop3: vpopmail user not found {account}:192.0.2.1\n")
}

fn lines(brought: &[Brought]) -> Vec<(&str, &Line)> {
    let lines = brought.iter().filter_map(|one| match &one.item {
        Item::Line(line) => Some((&*one.key, &**line)),
        Item::Read(_) => None,
    });
    lines.collect()
}

#[test]
fn behind_two_logs_are_merged_by_time_and_live_they_are_taken_as_they_come() {
    let (mut intake, keys) = intake(&["/a", "/b"]);
    let log = |minute_of: &dyn Fn(u32) -> u32| -> String {
        (0..40)
            .map(|n| {
                line(&format!("May  1 10:{:02}:{:02}", minute_of(n) / 60, minute_of(n) % 60), "x@y.example")
            })
            .collect()
    };
    intake.lines("/a", log(&|n| n * 2).as_bytes(), 1, &at(1));
    assert_eq!(intake.wanted().map(|key| &**key), Some("/b"), "nothing of /a goes before /b was looked at");
    let mut out = Vec::new();
    intake.hand_out(&mut out);
    assert!(out.is_empty());
    intake.lines("/b", log(&|n| n * 2 + 1).as_bytes(), 1, &at(2));
    intake.hand_out(&mut out);
    assert!(!out.is_empty());
    for key in &keys {
        intake.caught_up(key);
    }
    intake.hand_out(&mut out);
    let told = lines(&out);
    assert_eq!(told.len(), 80);
    assert!(told.windows(2).all(|pair| pair[0].1.event.time <= pair[1].1.event.time));
    out.clear();
    intake.lines("/b", line("May  1 12:00:00", "late@y.example").as_bytes(), 41, &at(3));
    intake.hand_out(&mut out);
    intake.lines("/a", line("May  1 11:00:00", "early@y.example").as_bytes(), 41, &at(4));
    intake.hand_out(&mut out);
    assert_eq!(
        lines(&out).iter().map(|(key, line)| (*key, line.number)).collect::<Vec<_>>(),
        [("/b", 41), ("/a", 41)]
    );
}

#[test]
fn a_position_comes_after_all_its_lines_and_before_those_of_the_next() {
    let (mut intake, keys) = intake(&["/a"]);
    for chunk in 0..3_u8 {
        let text: String =
            (0..30).map(|n| line(&format!("May  1 10:{chunk:02}:{n:02}"), "x@y.example")).collect();
        intake.lines("/a", text.as_bytes(), 1 + u64::from(chunk) * 30, &at(chunk));
    }
    intake.caught_up(&keys[0]);
    let mut out = Vec::new();
    intake.hand_out(&mut out);
    let mut lines = 0;
    for one in &out {
        match &one.item {
            Item::Line(_) => lines += 1,
            Item::Read(position) => assert_eq!(lines, (usize::from(position[0]) + 1) * 30),
        }
    }
    assert_eq!(lines, 90);
}

#[test]
fn a_stamp_that_leaps_ahead_in_an_old_log_does_not_carry_the_time_with_it() {
    let (mut intake, keys) = intake(&["/a"]);
    let mut text: String = (0..20).map(|n| line(&format!("May  1 10:00:{n:02}"), "x@y.example")).collect();
    text.push_str(&line("May 20 10:00:00", "forged@y.example"));
    text.extend((20..50).map(|n| line(&format!("May  1 10:00:{n:02}"), "x@y.example")));
    intake.lines("/a", text.as_bytes(), 1, &at(1));
    let mut out = Vec::new();
    intake.hand_out(&mut out);
    intake.caught_up(&keys[0]);
    intake.hand_out(&mut out);
    let told = lines(&out);
    assert_eq!(told.len(), 51);
    assert!(told.windows(2).all(|pair| pair[1].1.event.time.since(pair[0].1.event.time).as_secs() <= 1));
}

#[test]
fn secrets_are_blanked_and_long_lines_cut() {
    let (mut intake, keys) = intake(&["/a"]);
    let secret = "s3cret";
    let text = format!(
        "May  1 10:00:00 mx vpopmail[1]: vchkpw-pop3: password fail (pass: '{secret}') {}@d.example:192.0.2.1\n",
        "n".repeat(100)
    );
    intake.lines("/a", text.as_bytes(), 1, &at(0));
    intake.caught_up(&keys[0]);
    let mut out = Vec::new();
    intake.hand_out(&mut out);
    let told = lines(&out);
    assert_eq!(told.len(), 1);
    let kept = String::from_utf8_lossy(&told[0].1.text);
    assert!(!kept.contains(secret) && kept.contains("******"), "{kept}");
    assert!(kept.len() <= TEXT_BYTES_MAX);
    assert_eq!(intake.take_health().lines, 1);
    assert_eq!(intake.take_health().lines, 0);
}

#[test]
fn behind_every_batch_ends_with_the_position_of_its_last_line() {
    let (mut intake, keys) = intake(&["/a", "/b"]);
    let log: String = (0..6_000)
        .map(|n| line(&format!("May  1 10:{:02}:{:02}", n / 100, n % 100 / 2), "x@y.example"))
        .collect();
    for key in &keys {
        intake.lines(key, log.as_bytes(), 1, &(Arc::new(At(None)) as Arc<dyn Positions>));
        intake.caught_up(key);
    }
    let length = log.len() / 6_000;
    let (mut taken, mut batches) = (BTreeMap::new(), 0);
    while intake.is_behind() {
        let mut out = Vec::new();
        intake.hand_out(&mut out);
        assert!(out.len() <= LINES_AT_ONCE + keys.len(), "{}", out.len());
        let mut told = BTreeMap::new();
        for one in &out {
            match &one.item {
                Item::Line(_) => *taken.entry(Arc::clone(&one.key)).or_insert(0) += 1,
                Item::Read(position) => drop(told.insert(Arc::clone(&one.key), position.clone())),
            }
        }
        for (key, position) in told {
            let lines = taken[&key];
            assert_eq!(String::from_utf8_lossy(&position), format!("{} {lines}", lines * length));
        }
        batches += 1;
    }
    assert!(batches >= 3 && taken.values().all(|lines| *lines == 6_000), "{batches} {taken:?}");
}
