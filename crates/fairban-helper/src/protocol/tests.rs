use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::config::{Journal, Listener, Syslog};

fn arbitrary_counts() -> impl Strategy<Value = Counts> {
    any::<[u64; 7]>().prop_map(|[lines, forged, set_aside, too_long, unreadable, refused, strangers]| {
        Counts { lines, forged, set_aside, too_long, unreadable, refused, strangers }
    })
}

fn arbitrary_batch() -> impl Strategy<Value = Batch> {
    let line = vec(any::<u8>().prop_filter("one line", |byte| *byte != b'\n'), 0..200);
    let peers = vec((any::<IpAddr>(), any::<u32>()), 0..=BATCH_PEERS_MAX);
    let cursor = option::of("s=[0-9a-f]{32};i=[0-9a-f]{1,8}");
    let job = prop_oneof![Just(Job::Journal), Just(Job::Syslog)];
    let of_network = (0..config::Syslog::LISTENERS_MAX as u16, peers, any::<Option<IpAddr>>());
    (job, vec(line, 0..20), cursor, arbitrary_counts(), option::of(".{0,90}"), of_network).prop_map(
        |(job, lines, cursor, counts, forged, (listener, peers, stranger))| Batch {
            job,
            listener,
            lines,
            cursor,
            counts,
            forged,
            peers,
            stranger,
        },
    )
}

fn arbitrary_message() -> impl Strategy<Value = Message> {
    let ready = (".{0,90}", vec(".{0,90}", 0..4), vec((any::<bool>(), any::<(IpAddr, u16)>()), 0..4))
        .prop_map(|(wall, wall_lacks, listening)| {
            let transport = |udp| if udp { Transport::Udp } else { Transport::Tcp };
            let listening = listening
                .into_iter()
                .map(|(udp, address)| (transport(udp), SocketAddr::from(address)))
                .collect();
            Message::Ready(Ready { wall, wall_lacks, listening })
        });
    let found = vec(any::<IpAddr>(), 0..=Resolve::ADDRESSES_MAX);
    prop_oneof![
        (any::<u32>(), any::<u32>(), option::of(".{0,90}")).prop_map(|(worker, pid, after)| Message::Hello {
            worker,
            pid,
            after
        }),
        ready,
        arbitrary_batch().prop_map(Message::Batch),
        ("[a-z]{1,9}", prop_oneof![found.prop_map(Ok), ".{0,90}".prop_map(Err)])
            .prop_map(|(name, addresses)| Message::Resolved { name, addresses }),
        ".{0,90}".prop_map(|why| Message::Restarted { job: Job::Journal, why }),
        ".{0,90}".prop_map(|text| Message::Said { job: Job::Helper, text }),
    ]
}

proptest! {
    #[test]
    fn messages_arrive_as_they_were_sent(message in arbitrary_message()) {
        let packet = encode(&message).unwrap();
        prop_assert_eq!(Message::decode(&packet), Ok(message));
    }

    #[test]
    fn no_packet_of_an_attacker_panics_or_passes_a_bound(packet in vec(any::<u8>(), 0..400)) {
        let mut versioned = vec![VERSION];
        versioned.extend(&packet);
        for packet in [packet, versioned] {
            if let Ok(message) = Message::decode(&packet) {
                prop_assert_eq!(message.check(), Ok(()));
            }
            let _ = Order::decode(&packet);
        }
    }

    #[test]
    fn a_packet_with_a_changed_byte_does_no_harm(
        message in arbitrary_message(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut packet = encode(&message).unwrap();
        let at = at.index(packet.len());
        packet[at] = byte;
        if cut {
            packet.truncate(at);
        }
        if let Ok(message) = Message::decode(&packet) {
            prop_assert_eq!(message.check(), Ok(()));
        }
    }
}

#[test]
fn orders_arrive_as_they_were_sent() {
    let config = Config {
        journal: Some(Journal::of_services()),
        syslog: Some(Syslog {
            listeners: vec![Listener {
                transport: Transport::Udp,
                address: "[::1]:514".parse().unwrap(),
                from: Vec::new(),
            }],
        }),
        resolve: None,
    };
    for order in [Order::Configure { worker: 7, config }, Order::Leave { worker: u32::MAX }] {
        assert_eq!(Order::decode(&encode(&order).unwrap()), Ok(order));
    }
}

#[test]
fn the_largest_configuration_is_one_packet() {
    let text = "A=".to_owned() + &"x".repeat(Journal::MATCH_BYTES_MAX - 2);
    let name = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    let config = Config {
        journal: Some(Journal {
            matches: vec![vec![text]; Journal::MATCHES_MAX],
            cursor: Some(format!("s={}", "0".repeat(Journal::CURSOR_BYTES_MAX - 2))),
            since: Some(i64::MIN),
            trusted_uids: vec![u32::MAX; Journal::UIDS_MAX],
        }),
        syslog: Some(Syslog {
            listeners: vec![
                Listener {
                    transport: Transport::Tcp,
                    address: "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap(),
                    from: vec!["ffff::/128".parse().unwrap(); Listener::FROM_MAX],
                };
                Syslog::LISTENERS_MAX
            ],
        }),
        resolve: Some(Resolve { names: vec![name; Resolve::NAMES_MAX], every_seconds: u32::MAX }),
    };
    assert_eq!(config.check(), Ok(()));
    encode(&Order::Configure { worker: u32::MAX, config }).unwrap();
}

#[test]
fn a_full_batch_is_one_packet() {
    let mut batch = Batch::new(Job::Syslog);
    while !batch.is_full() {
        batch.lines.push(vec![0xff; 63]);
    }
    // The last line may be the longest there is.
    batch.lines.pop();
    batch.lines.push(vec![0xff; LINE_BYTES_MAX]);
    batch.forged = Some("x".repeat(TEXT_BYTES_MAX));
    batch.cursor = Some(format!("s={}", "0".repeat(Journal::CURSOR_BYTES_MAX - 2)));
    batch.peers = vec![(IpAddr::from([0xff; 16]), u32::MAX); BATCH_PEERS_MAX];
    assert_eq!(batch.check(), Ok(()));
    encode(&Message::Batch(batch)).unwrap();
}

#[test]
fn another_version_is_told_apart_from_garbage() {
    let hello = Message::Hello { worker: 1, pid: 2, after: None };
    let mut packet = encode(&hello).unwrap();
    packet[0] = VERSION + 1;
    assert_eq!(Message::decode(&packet), Err(ProtocolError::Version(VERSION + 1)));
    packet[0] = VERSION;
    packet.push(0);
    assert_eq!(Message::decode(&packet), Err(ProtocolError::NoMessage(packet.len())));
    assert_eq!(Message::decode(&[]), Err(ProtocolError::NoMessage(0)));
}

#[test]
fn what_is_over_a_bound_is_refused() {
    let batch = |change: fn(&mut Batch)| {
        let mut batch = Batch::new(Job::Journal);
        change(&mut batch);
        Message::Batch(batch)
    };
    let addresses = Ok(vec![IpAddr::from([192, 0, 2, 1]); Resolve::ADDRESSES_MAX + 1]);
    let too_much = [
        batch(|batch| batch.job = Job::Helper),
        batch(|batch| batch.lines = vec![Vec::new(); BATCH_LINES_MAX + 1]),
        batch(|batch| batch.lines.push(vec![b'x'; LINE_BYTES_MAX + 1])),
        batch(|batch| batch.lines.push(b"one\nJan 21 10:00:00 mx sshd[1]: two".to_vec())),
        batch(|batch| batch.cursor = Some("--file".to_owned())),
        batch(|batch| batch.forged = Some("x".repeat(TEXT_BYTES_MAX + 1))),
        batch(|batch| batch.peers = vec![(IpAddr::from([1; 4]), 1); BATCH_PEERS_MAX + 1]),
        Message::Resolved { name: "a".to_owned(), addresses },
        Message::Resolved { name: "a b".to_owned(), addresses: Ok(Vec::new()) },
        Message::Said { job: Job::Syslog, text: "x".repeat(TEXT_BYTES_MAX + 1) },
        Message::Hello { worker: 1, pid: 1, after: Some("x".repeat(TEXT_BYTES_MAX + 1)) },
    ];
    for message in too_much {
        let decoded = Message::decode(&encode(&message).unwrap());
        assert!(matches!(decoded, Err(ProtocolError::Bound(_))), "{message:?}");
    }
    assert!(encode(&Message::Said { job: Job::Syslog, text: "x".repeat(PACKET_BYTES_MAX) }).is_err());
}

#[test]
fn texts_are_cut_between_letters() {
    assert_eq!(sentence("ü".repeat(TEXT_BYTES_MAX)).len(), TEXT_BYTES_MAX);
    assert_eq!(sentence("x".to_owned() + &"ü".repeat(TEXT_BYTES_MAX)).len(), TEXT_BYTES_MAX - 1);
    assert_eq!(text(&[0xff; TEXT_BYTES_MAX]).len(), TEXT_BYTES_MAX);
}
