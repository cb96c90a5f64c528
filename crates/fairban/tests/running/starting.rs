//! How long a start takes with many bans in force.
//!
//! The long form, a hundred thousand of them, is `scripts/bench start`.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use fairban_control::{Request, Response};

use crate::kit::{Home, from_env, status};

/// A start takes no longer, by the promise for a hundred thousand bans in a program that was optimized.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// So much slower is a program that was not optimized, on a machine that does much else.
const UNOPTIMIZED: u32 = 10;

#[test]
fn a_start_with_many_bans_in_force_is_quick() {
    let bans = from_env("FAIRBAN_START_BANS", 3_000);
    let home = Home::new();
    home.configure("discover = false", "");
    let mut service = home.start(&[]);
    let mut client = service.wait_ready();
    for n in 0..bans {
        // Spread over the addresses, none of which is anybody's here.
        let address = Ipv4Addr::from(0xc612_0000 + u32::try_from(n).expect("few") % 0x2_0000);
        let prefix = ipnet::IpNet::from(std::net::IpAddr::from(address));
        match client.ask(&Request::Ban { prefix, seconds: None, reason: None }) {
            Ok(Response::Done(_)) => {}
            other => panic!("no ban of {prefix}: {other:?}"),
        }
    }
    drop(client);
    for (end, how) in [(true, "after a kill"), (false, "after an orderly end")] {
        if end {
            service.kill();
        } else {
            let took = service.stop();
            println!("ended within {took:?}");
        }
        let begun = Instant::now();
        service = home.start(&[]);
        let mut client = service.wait_ready();
        let took = begun.elapsed();
        println!("ready {took:?} {how} with {bans} bans in force");
        assert_eq!(status(&mut client).bans.in_force, bans, "{how}");
        let limit = if cfg!(debug_assertions) { READY_WITHIN * UNOPTIMIZED } else { READY_WITHIN };
        assert!(took < limit, "{took:?} {how}");
    }
}
