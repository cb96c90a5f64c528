use super::*;

fn net(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn shut(text: &str, seconds: Option<u32>) -> Shut {
    Shut::new(net(text), seconds)
}

fn bans(all: &[(&str, Option<u32>)]) -> Bans {
    let mut bans = Bans::default();
    for (prefix, seconds) in all {
        bans.insert(&shut(prefix, *seconds), 0).expect("room");
    }
    bans
}

/// The interval set of the login ports as text: `start..end timeout`.
fn intervals(bans: &Bans, is_v6: bool) -> Vec<String> {
    let (_, elements) = bans.other_sets_of(is_v6, 0).swap_remove(1);
    let text = |element: &Element| match (element.is_end, element.timeout_ms) {
        (true, _) => format!("< {}", element.key),
        (false, Some(ms)) => format!("{} for {ms}", element.key),
        (false, None) => format!("{} for ever", element.key),
    };
    elements.iter().map(text).collect()
}

#[test]
fn prefixes_within_each_other_become_disjoint_segments() {
    let nested = bans(&[("10.0.0.0/8", Some(10)), ("10.1.0.0/16", Some(20)), ("10.1.1.0/25", Some(5))]);
    assert_eq!(
        intervals(&nested, false),
        [
            "10.0.0.0 for 10000",
            "< 10.1.0.0",
            "10.1.0.0 for 20000",
            "< 10.2.0.0",
            "10.2.0.0 for 10000",
            "< 11.0.0.0"
        ]
    );
    let neighbours = bans(&[("10.0.0.0/9", Some(10)), ("10.128.0.0/9", Some(10)), ("240.0.0.0/4", None)]);
    assert_eq!(intervals(&neighbours, false), ["10.0.0.0 for 10000", "< 11.0.0.0", "240.0.0.0 for ever"]);
    let v6 = bans(&[("2001:db8::/40", Some(1)), ("fffe::/15", None), ("2001:db8::/64", Some(9))]);
    assert_eq!(intervals(&v6, true), ["2001:db8:: for 1000", "< 2001:db8:100::", "fffe:: for ever"]);
}

#[test]
fn what_an_earlier_process_left_is_understood() {
    let before = bans(&[
        ("10.0.0.0/9", Some(10)),
        ("192.0.2.7/32", Some(3)),
        ("2001:db8::/64", None),
        ("2001:db8::/20", Some(7)),
        ("240.0.0.0/4", None),
    ]);
    let mut elements: Vec<(SetId, Element)> =
        before.all_edits(0).iter().map(|edit| (edit.set, edit.element)).collect();
    for (set, segments) in before.all_other_sets(0) {
        elements.extend(segments.into_iter().rev().map(|element| (set, element)));
    }
    assert_eq!(from_kernel(&elements), before.page(None, 100, 0).0);
}

#[test]
fn doors_that_change_leave_no_element_behind() {
    let mut bans = bans(&[("192.0.2.7/32", Some(10))]);
    let wider = Shut { doors: Doors::All, ..shut("192.0.2.7/32", Some(20)) };
    let before = bans.insert(&wider, 0).expect("room");
    let mut edits = Vec::new();
    bans.edits(&wider.prefix, before, 0, &mut edits);
    let told: Vec<_> = edits.iter().map(|edit| (edit.set.name(), edit.change)).collect();
    assert_eq!(told, [("all4_32".to_owned(), Change::Add), ("logins4_32".to_owned(), Change::Remove)]);
}

#[test]
fn a_list_keeps_what_is_as_it_should_be_and_tells_the_rest() {
    let mut bans = bans(&[("192.0.2.7/32", Some(10)), ("192.0.2.8/32", Some(10)), ("192.0.2.9/32", None)]);
    bans.begin_list();
    assert!(bans.is_listed_already(&shut("192.0.2.7/32", Some(9)), 0));
    assert!(!bans.is_listed_already(&shut("192.0.2.8/32", Some(100)), 0));
    assert!(!bans.is_listed_already(&shut("192.0.2.9/32", Some(100)), 0));
    assert_eq!(bans.unlisted(), [net("192.0.2.8/32"), net("192.0.2.9/32")]);
}

#[test]
fn uncommon_lengths_have_a_bound_of_their_own() {
    let mut bans = Bans::default();
    let odd =
        |index: u32| Shut::new(IpNet::new(IpAddr::V4((index << 8).into()), 25).expect("a length"), Some(10));
    for index in 0..OTHERS_MAX as u32 {
        bans.insert(&odd(index), 0).expect("room");
    }
    assert_eq!(bans.insert(&odd(5_000), 0), Err(Full::Others));
    assert!(bans.insert(&shut("192.0.2.7/32", None), 0).is_ok());
    bans.remove(&odd(3).prefix);
    assert!(bans.insert(&odd(5_000), 0).is_ok());
    bans.prune(11_000);
    assert_eq!((bans.all.len(), bans.others), (1, [0, 0]));
}

#[test]
fn who_overlaps_is_found_and_pages_go_on_where_they_ended() {
    let bans =
        bans(&[("10.0.0.0/8", None), ("10.1.2.0/24", None), ("10.1.2.3/32", Some(1)), ("11.0.0.0/8", None)]);
    assert_eq!(
        bans.overlapping(&net("10.1.2.0/25")),
        [net("10.1.2.3/32"), net("10.1.2.0/24"), net("10.0.0.0/8")]
    );
    let (page, has_more) = bans.page(None, 2, 0);
    assert!(has_more);
    let (rest, has_more) = bans.page(page.last().map(|shut| shut.prefix), 2, 1_000);
    assert!(!has_more);
    assert_eq!(rest.iter().map(|shut| shut.prefix).collect::<Vec<_>>(), [net("11.0.0.0/8")]);
}
