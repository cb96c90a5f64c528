//! How fast bans reach the kernel, beside a forked `nft add element`, in a network namespace of its own.
//!
//! Usage: `bench_firewall FAIRBAN_FW`, as root. Prints what `fairban-fw` measures from its read to the kernel's word, and
//! what its client measures around it.

#![expect(clippy::print_stdout, reason = "it prints figures")]
#![expect(clippy::unwrap_used, reason = "what cannot be measured ends it")]

use std::net::IpAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fairban_firewall::enforcer::{Answer, Enforcer as _, Order, Shut};
use fairban_firewall::{NftEnforcer, Reach};
use ipnet::IpNet;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const BACK_TO_BACK: u32 = 4_096;
const SPACED: u32 = 200;
const FORKED: u32 = 300;

fn main() {
    let program = std::env::args().nth(1).expect("usage: bench_firewall FAIRBAN_FW");
    let name = format!("fairban-b-{}", std::process::id());
    run("ip", &["netns", "add", &name]);
    // Its own thread moves, so that what fails below still cleans up.
    let measured = thread::spawn({
        let name = name.clone();
        move || {
            let namespace = std::fs::File::open(format!("/run/netns/{name}")).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).unwrap();
            measure(&program);
        }
    });
    let outcome = measured.join();
    run("ip", &["netns", "delete", &name]);
    assert!(outcome.is_ok(), "the measurement failed");
}

fn measure(program: &str) {
    println!(
        "  {:<44} {:>8} {:>8} {:>8} {:>8}",
        "one ban, microseconds", "fw p50", "fw p99", "all p50", "all p99"
    );
    for present in [0, 100_000, 1_000_000] {
        for (what, count, pause) in [
            ("back to back", BACK_TO_BACK, Duration::ZERO),
            ("one every 50 ms", SPACED, Duration::from_millis(50)),
        ] {
            let mut enforcer = start(program);
            fill(&mut enforcer, present);
            let mut took = Vec::new();
            for index in 0..count {
                thread::sleep(pause);
                let begin = Instant::now();
                let answers = enforcer.carry_out(&[Order::Ban(ban(0x2000_0000 + index))]).unwrap();
                took.push(begin.elapsed());
                assert_eq!(answers, [Answer::Done]);
            }
            let health = enforcer.ping().unwrap();
            let what = format!("{what}, {present} present");
            let (p50, p99) = percentiles(took);
            println!("  {what:<44} {:>8} {:>8} {p50:>8} {p99:>8}", health.ban_us_p50, health.ban_us_p99);
            clear(&mut enforcer);
        }
    }
    bulk(program);
    forked(program);
}

fn start(program: &str) -> NftEnforcer {
    let mut enforcer = NftEnforcer::new(Reach::Start { program: program.into(), arguments: Vec::new() });
    enforcer.open().unwrap();
    enforcer
}

fn ban(number: u32) -> Shut {
    Shut::new(IpNet::from(IpAddr::V4(number.into())), Some(3_600))
}

/// More than the cap lets through at once takes its time.
fn fill(enforcer: &mut NftEnforcer, count: u32) {
    let all: Vec<Shut> = (0..count).map(|index| ban(0x0B00_0000 + index)).collect();
    enforcer.carry_out(&[Order::Sync(all)]).unwrap();
    while enforcer.ping().unwrap().waiting > 0 {
        thread::sleep(Duration::from_millis(100));
    }
    // A process that starts finds them, and its figures are of what comes after.
}

fn clear(enforcer: &mut NftEnforcer) {
    enforcer.carry_out(&[Order::Sync(Vec::new())]).unwrap();
}

fn bulk(program: &str) {
    let mut enforcer = start(program);
    let all: Vec<Shut> = (0..100_000).map(|index| ban(0x0B00_0000 + index)).collect();
    let begin = Instant::now();
    assert_eq!(enforcer.carry_out(&[Order::Sync(all.clone())]), Ok(vec![Answer::Done]));
    println!("  {:<44} {:>8.0} ms", "100,000 bans as one list", begin.elapsed().as_secs_f64() * 1e3);
    let begin = Instant::now();
    assert_eq!(enforcer.carry_out(&[Order::Sync(all)]), Ok(vec![Answer::Done]));
    println!("  {:<44} {:>8.0} ms", "the same list again", begin.elapsed().as_secs_f64() * 1e3);
    run("nft", &["flush", "ruleset"]);
    let begin = Instant::now();
    while enforcer.notes().is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
    let repaired = begin.elapsed().as_secs_f64() * 1e3;
    println!("  {:<44} {repaired:>8.0} ms", "100,000 bans back after nft flush ruleset");
    clear(&mut enforcer);
}

/// The same table, written by a program that is started for each ban.
fn forked(program: &str) {
    let mut enforcer = start(program);
    clear(&mut enforcer);
    drop(enforcer);
    let mut took = Vec::new();
    for index in 0..FORKED {
        let address = IpAddr::V4((0x3000_0000 + index).into());
        let element = format!("{{ {address} timeout 1h }}");
        let begin = Instant::now();
        run("nft", &["add", "element", "inet", "fairban", "logins4_32", &element]);
        took.push(begin.elapsed());
    }
    let (p50, p99) = percentiles(took);
    println!("  {:<44} {:>8} {:>8} {p50:>8} {p99:>8}", "forked nft add element, empty table", "-", "-");
}

fn percentiles(mut took: Vec<Duration>) -> (u128, u128) {
    took.sort_unstable();
    let at = |hundredths: usize| took[(took.len() * hundredths / 100).min(took.len() - 1)].as_micros();
    (at(50), at(99))
}

fn run(program: &str, arguments: &[&str]) {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
