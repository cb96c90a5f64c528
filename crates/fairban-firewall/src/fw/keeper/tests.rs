//! Random orders, with another program's hand in them: what the model says is what we list and what the kernel holds.

use proptest::prelude::*;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::*;
use crate::enforcer::{Doors, Enforcer as _, Order};
use crate::model::Model;
use crate::nft::{Element, Group, SetId};

/// Who may be named: few, so that they meet; nested, neighbours, of common and of uncommon lengths.
const PREFIXES: [&str; 17] = [
    "198.51.100.1/32",
    "198.51.100.2/32",
    "198.51.100.0/24",
    "198.51.100.0/25",
    "198.51.100.128/25",
    "198.51.96.0/20",
    "198.48.0.0/12",
    "203.0.113.9/32",
    "2001:db8::1/128",
    "2001:db8::/64",
    "2001:db8::/56",
    "2001:db8::/48",
    "2001:db8::/47",
    "2001:db8:0:2::/63",
    "2001:db8:ffff::/49",
    "192.0.2.1/32",
    "192.0.2.0/24",
];
const PROTECTED: &str = "192.0.2.1/32";

#[derive(Clone, Debug)]
enum Step {
    Order(Vec<Order>),
    /// Another program does this.
    Nft(&'static str),
}

fn shut() -> impl Strategy<Value = Shut> {
    let doors = prop_oneof![3 => Just(Doors::Logins), 1 => Just(Doors::LoginsAndSmtp), 1 => Just(Doors::All)];
    let seconds = prop_oneof![Just(None), (3_600..7_200_u32).prop_map(Some)];
    (prop::sample::select(&PREFIXES[..]), seconds, doors).prop_map(|(prefix, seconds, doors)| Shut {
        prefix: prefix.parse().expect("a prefix"),
        seconds,
        doors,
    })
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        6 => shut().prop_map(Order::Ban),
        3 => shut().prop_map(|shut| Order::Unban(shut.prefix)),
        1 => prop::collection::btree_map(prop::sample::select(&PREFIXES[..]), shut(), 0..9).prop_map(|all| {
            let named = |(prefix, shut): (&str, Shut)| Shut { prefix: prefix.parse().expect("a prefix"), ..shut };
            Order::Sync(all.into_iter().map(named).collect())
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    const ATTACKS: [&str; 6] = [
        "flush ruleset",
        "delete table inet fairban",
        "flush table inet fairban",
        "flush set inet fairban logins4_32",
        "flush set inet fairban all6_other",
        "add element inet fairban logins6_64 { 2001:db8:5:: }",
    ];
    prop_oneof![
        5 => prop::collection::vec(order(), 1..6).prop_map(Step::Order),
        1 => prop::sample::select(&ATTACKS[..]).prop_map(Step::Nft),
    ]
}

/// A namespace for this thread alone.
struct Alone(String);

impl Alone {
    fn new() -> Alone {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(rustix::process::getuid().is_root(), "this test needs root: it makes network namespaces");
        let name = format!("fairban-m-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        command("ip", &["netns", "add", &name]);
        let namespace = std::fs::File::open(format!("/run/netns/{name}")).unwrap();
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).unwrap();
        Alone(name)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = std::process::Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

fn command(program: &str, words: &[&str]) {
    let output = std::process::Command::new(program).args(words).output().unwrap_or_else(|error| {
        panic!("{program}: {error}");
    });
    assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn carry_out(keeper: &mut Keeper, orders: &[Order]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for order in orders {
        answers.extend(match order {
            Order::Ban(shut) => keeper.ban(&[*shut], 0).answers,
            Order::Unban(prefix) => keeper.unban(&[*prefix], 0).answers,
            Order::Sync(all) => keeper.sync(Part::Whole, all, 0).answers,
        });
    }
    answers
}

/// For each of many addresses the groups of sets that hold it, in the kernel.
fn held(elements: &[(SetId, Element)]) -> Vec<(IpAddr, Vec<Group>)> {
    let of_group = |group: Group| {
        let of_group: Vec<_> = elements.iter().filter(|(set, _)| set.group == group).copied().collect();
        (group, from_kernel(&of_group))
    };
    let groups = Group::ALL.map(of_group);
    let holds = |shuts: &[Shut], address: &IpAddr| shuts.iter().any(|shut| shut.prefix.contains(address));
    edges()
        .map(|address| {
            let held = groups.iter().filter(|(_, shuts)| holds(shuts, &address));
            (address, held.map(|(group, _)| *group).collect())
        })
        .collect()
}

/// The same, by the model.
fn should_be_held(shuts: &[Shut]) -> Vec<(IpAddr, Vec<Group>)> {
    edges()
        .map(|address| {
            let over = shuts.iter().filter(|shut| shut.prefix.contains(&address));
            let groups: BTreeSet<Group> = over.flat_map(|shut| Group::of(shut.doors)).copied().collect();
            (address, groups.into_iter().collect())
        })
        .collect()
}

/// The first and last addresses of all prefixes.
fn edges() -> impl Iterator<Item = IpAddr> {
    PREFIXES.into_iter().flat_map(|prefix| {
        let prefix: IpNet = prefix.parse().expect("a prefix");
        [prefix.network(), prefix.broadcast()]
    })
}

fn run(steps: &[Step], may_use: crate::nft::Features) {
    let alone = Alone::new();
    let protected: IpNet = PROTECTED.parse().unwrap();
    let settings = Settings { may_use, ..Settings::default() };
    let mut keeper = Keeper::open(settings.clone(), Guard::new(vec![protected]), 0).unwrap();
    let mut model = Model::new(vec![protected]);
    for step in steps {
        match step {
            Step::Order(orders) => {
                assert_eq!(carry_out(&mut keeper, orders), model.carry_out(orders).unwrap(), "{orders:?}");
            }
            Step::Nft(attack) => {
                let words: Vec<&str> =
                    ["netns", "exec", &alone.0, "nft"].into_iter().chain([*attack]).collect();
                command("ip", &words);
                // An attack that finds nothing to take leaves nothing to repair.
                keeper.repairs = Bucket::new(REPAIRS_BURST, REPAIRS_A_SECOND);
                keeper.repair(0).unwrap();
            }
        }
        let expected = model.list().unwrap();
        assert_eq!(keeper.page(None, 100, 0), (expected.clone(), false), "after {step:?}");
        let in_kernel = keeper.table.read().unwrap().unwrap_or_default();
        assert_eq!(held(&in_kernel), should_be_held(&expected), "after {step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_kernel_holds_what_the_model_says(
        steps in prop::collection::vec(step(), 1..25), destroys: bool, renews: bool,
    ) {
        let may_use = crate::nft::Features { destroys, renews, persists: true };
        std::thread::scope(|scope| scope.spawn(|| run(&steps, may_use)).join()).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            TestCaseError::fail(text)
        })?;
    }
}

#[test]
fn more_bans_than_the_cap_wait_and_come() {
    let bans = |from: u32, count: u32| -> Vec<Shut> {
        let address = |index: u32| IpAddr::V4((0x0B00_0000 + index).into());
        (from..from + count).map(|index| Shut::new(IpNet::from(address(index)), Some(3_600))).collect()
    };
    let work = || {
        let _alone = Alone::new();
        let mut keeper = Keeper::open(Settings::default(), Guard::new(Vec::new()), 0).unwrap();
        keeper.cap = Bucket::new(10, 4);
        let answers = keeper.ban(&bans(0, 15), 0).answers;
        assert_eq!(answers[9..], [&[Answer::Done][..], &vec![Answer::Delayed; 5]].concat());
        // One of those that wait is taken back, another asked for again.
        assert_eq!(keeper.unban(&[bans(10, 1)[0].prefix], 0).answers, [Answer::Done]);
        assert_eq!(keeper.ban(&bans(11, 1), 0).answers, [Answer::Delayed]);
        assert_eq!((keeper.in_force(0), keeper.waiting()), (10, 4));
        let (shut, wait_ms) = keeper.work_off(500);
        assert_eq!((shut.len(), wait_ms), (2, Some(250)));
        let (shut, wait_ms) = keeper.work_off(10_000);
        assert_eq!((shut.len(), wait_ms), (2, None));
        assert_eq!((keeper.in_force(10_000), keeper.waiting()), (14, 0));
        assert!(keeper.bans.holds(&bans(14, 1)[0].prefix) && !keeper.bans.holds(&bans(10, 1)[0].prefix));
    };
    std::thread::scope(|scope| scope.spawn(work).join().unwrap());
}
