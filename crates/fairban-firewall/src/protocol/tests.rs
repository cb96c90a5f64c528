use proptest::prelude::*;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn prefix() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<u32>(), 0..=32_u8).prop_map(|(address, len)| IpNet::new(IpAddr::V4(address.into()), len));
    // Mapped addresses come back as what they are.
    let unmapped =
        any::<u128>().prop_filter("mapped", |address| Ipv6Addr::from(*address).to_ipv4_mapped().is_none());
    let v6 = (unmapped, 0..=128_u8).prop_map(|(address, len)| IpNet::new(IpAddr::V6(address.into()), len));
    prop_oneof![v4, v6].prop_map(|net| net.expect("the length fits").trunc())
}

fn peer() -> impl Strategy<Value = SocketAddr> {
    let host = prefix().prop_map(|net| net.addr());
    (host, any::<u16>()).prop_map(|(host, port)| SocketAddr::new(host, port))
}

fn shut() -> impl Strategy<Value = Shut> {
    let doors = prop_oneof![Just(Doors::Logins), Just(Doors::LoginsAndSmtp), Just(Doors::All)];
    let seconds = prop_oneof![Just(None), (1..=u32::MAX).prop_map(Some)];
    (prefix(), seconds, doors).prop_map(|(prefix, seconds, doors)| Shut { prefix, seconds, doors })
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![Just(Part::First), Just(Part::Middle), Just(Part::Last), Just(Part::Whole)]
}

fn request() -> impl Strategy<Value = Request> {
    let shuts = || prop::collection::vec(shut(), 0..20);
    let prefixes = || prop::collection::vec(prefix(), 0..20);
    prop_oneof![
        shuts().prop_map(Request::Ban),
        prefixes().prop_map(Request::Unban),
        (part(), shuts()).prop_map(|(part, shuts)| Request::Sync(part, shuts)),
        prop::option::of(prefix()).prop_map(Request::List),
        (part(), prefixes()).prop_map(|(part, prefixes)| Request::Allow(part, prefixes)),
        Just(Request::Ping),
        prop::collection::vec(peer(), 0..20).prop_map(Request::Established),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let answer = prop_oneof![
        Just(Answer::Done),
        Just(Answer::Delayed),
        Just(Answer::Protected),
        Just(Answer::Failed("no room".to_owned()))
    ];
    let remarks = prop::collection::vec("[ -~]{0,40}", 0..5);
    let health = (any::<u64>(), any::<u32>(), remarks).prop_map(|(number, us, remarks)| Health {
        shut: number,
        waiting: number ^ 1,
        cut: number ^ 2,
        ban_us_p50: us,
        ban_us_p99: us ^ 1,
        remarks,
    });
    prop_oneof![
        prop::collection::vec(answer, 0..20).prop_map(Reply::Answers),
        (prop::collection::vec(shut(), 0..20), any::<bool>())
            .prop_map(|(shuts, more)| Reply::Shuts(shuts, more)),
        health.prop_map(Reply::Health),
        prop::collection::vec(any::<bool>(), 0..20).prop_map(Reply::Established),
        "[ -~]{0,40}".prop_map(Reply::Note),
        "[ -~]{0,40}".prop_map(Reply::Refused),
    ]
}

proptest! {
    #[test]
    fn what_is_asked_arrives(request in request(), id: u32) {
        prop_assert_eq!(Request::decode(&request.encode(id)), (id, Ok(request)));
    }

    #[test]
    fn what_is_answered_arrives(reply in reply(), id: u32) {
        prop_assert_eq!(Reply::decode(&reply.encode(id)), Ok((id, reply)));
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200), verb in 0..9_u8) {
        let _ = Request::decode(&bytes);
        let _ = Reply::decode(&bytes);
        let mut with_head = vec![VERSION, verb, 3, 0, 0, 0, 0, 0];
        with_head.extend(&bytes);
        let _ = Request::decode(&with_head);
        with_head[1] |= ANSWER;
        let _ = Reply::decode(&with_head);
    }

    #[test]
    fn what_was_cut_or_grew_is_no_request(request in request(), cut in 1..8_usize) {
        let bytes = request.encode(1);
        let shorter = Request::decode(&bytes[..bytes.len() - cut.min(bytes.len())]).1;
        prop_assert_ne!(shorter, Ok(request.clone()));
        let longer = [bytes, vec![9]].concat();
        prop_assert_eq!(Request::decode(&longer).1, Err(Malformed::Body));
    }
}

#[test]
fn host_bits_and_mapped_addresses_become_what_packets_carry() {
    let mut bytes = head(2, 0, 1);
    bytes.extend([4, 24, 192, 0, 2, 77]);
    put_prefix(&mut bytes, &net("::ffff:198.51.100.7/128"));
    let expected = Request::Unban(vec![net("192.0.2.0/24"), net("198.51.100.7/32")]);
    assert_eq!(Request::decode(&bytes), (1, Ok(expected)));
}

#[test]
fn more_than_a_piece_is_refused() {
    let piece = vec![net("192.0.2.1/32"); PIECE_MAX];
    let bytes = Request::Unban(piece.clone()).encode(3);
    assert_eq!(Request::decode(&bytes), (3, Ok(Request::Unban(piece))));
    let mut longer = bytes;
    put_prefix(&mut longer, &net("192.0.2.1/32"));
    assert_eq!(Request::decode(&longer), (3, Err(Malformed::Body)));
    let widest = Shut { prefix: net("2001:db8::/64"), seconds: Some(1), doors: Doors::All };
    assert!(Request::Sync(Part::Middle, vec![widest; PIECE_MAX]).encode(1).len() <= MESSAGE_MAX);
}

#[test]
fn another_version_is_told() {
    let mut bytes = Request::Ping.encode(3);
    bytes[0] = 2;
    assert_eq!(Request::decode(&bytes), (0, Err(Malformed::Version(2))));
}
