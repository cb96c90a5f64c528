use proptest::prelude::*;

use super::*;

/// Messages of a stream that arrives in `pieces`.
fn messages(pieces: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
    let mut framer = Framer::default();
    let mut messages = Vec::new();
    for piece in pieces {
        framer.push(piece, |message, cut| messages.push((message.to_vec(), cut)));
    }
    framer.finish(|message, cut| messages.push((message.to_vec(), cut)));
    messages
}

fn texts(stream: &[u8]) -> Vec<String> {
    messages(&[stream])
        .into_iter()
        .map(|(message, _)| String::from_utf8_lossy(&message).into_owned())
        .collect()
}

#[test]
fn each_message_says_how_it_is_framed() {
    assert_eq!(texts(b"5 <1>ab<2>cd\n5 <3>ef\n\n<4>gh"), ["<1>ab", "<2>cd", "<3>ef", "<4>gh"]);
    assert_eq!(texts(b"10 <1>a\n<2>b\n"), ["<1>a\n<2>b\n"], "a length holds line feeds too");
    assert_eq!(texts(b"2026-11-23T10:00:00Z mx x: y\n"), ["2026-11-23T10:00:00Z mx x: y"]);
    assert_eq!(texts(b"12345678 x\n"), ["12345678 x"], "no message is so long");
    assert_eq!(texts(b"0 <1>a\n"), ["", "<1>a"]);
    assert_eq!(texts(b"12"), ["12"]);
    assert_eq!(texts(b"9 <1>"), ["<1>"], "the sender left in the middle");
}

#[test]
fn what_is_too_long_is_cut_and_the_next_message_is_whole() {
    let long = vec![b'x'; LINE_BYTES_MAX + 5];
    let mut framed = long.clone();
    framed.extend(b"\n<1>a\n");
    let mut counted = format!("{} ", long.len()).into_bytes();
    counted.extend(&long);
    counted.extend(b"4 <1>a");
    for stream in [framed, counted] {
        let messages = messages(&[&stream]);
        assert_eq!((messages[0].0.len(), messages[0].1), (LINE_BYTES_MAX, true));
        assert_eq!(messages[1], (b"<1>a".to_vec(), false));
    }
}

proptest! {
    #[test]
    fn pieces_make_no_difference(stream in "[0-9 <>a\n]{0,60}", at in any::<prop::sample::Index>()) {
        let whole = messages(&[stream.as_bytes()]);
        let (left, right) = stream.as_bytes().split_at(at.index(stream.len() + 1));
        prop_assert_eq!(&messages(&[left, right]), &whole);
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        prop_assert_eq!(&messages(&bytes), &whole);
    }

    #[test]
    fn no_stream_makes_it_hold_more_than_a_line(stream in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut framer = Framer::default();
        for _ in 0..20 {
            framer.push(&stream, |message, _| assert!(message.len() <= LINE_BYTES_MAX));
            prop_assert!(framer.message.len() <= LINE_BYTES_MAX);
        }
    }
}
