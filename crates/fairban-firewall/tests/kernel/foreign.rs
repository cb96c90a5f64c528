//! Other programs change our table, and it is put back, and said.

use fairban_firewall::enforcer::{Answer, Doors, Enforcer as _, Order};
use fairban_firewall::{NftEnforcer, remove_everything};

use crate::net::{IMAP, Net, ban, listed, prefix, shut, wait_for};

/// Waits for the note about a change that `nft` made.
fn note(enforcer: &mut NftEnforcer, about: &str) {
    let mut notes = Vec::new();
    wait_for(about, || {
        notes.extend(enforcer.notes());
        notes.iter().any(|note| note.contains("(nft)") && note.contains(about) && note.ends_with("repaired"))
    });
}

/// The names and the length of what nft sees of our table.
fn seen(net: &Net) -> (usize, usize) {
    let ruleset = net.nft(&["list", "table", "inet", "fairban"]);
    let rules = ruleset.lines().filter(|line| line.contains("counter") || line.contains("jump")).count();
    (rules, ruleset.matches(" expires ").count())
}

#[test]
fn whatever_others_break_is_repaired() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    for banned in ["10.77.1.2/32", "10.77.2.0/24", "10.77.8.0/21", "2001:db8:1:1::/64"] {
        ban(&mut enforcer, banned, Doors::LoginsAndSmtp);
    }
    let whole = seen(&net);
    assert_eq!(whole, (26, 8));
    let attacks: [(&[&str], &str); 9] = [
        (&["flush", "ruleset"], "the table"),
        (&["delete", "table", "inet", "fairban"], "the table"),
        (&["flush", "table", "inet", "fairban"], "the rules"),
        (&["flush", "chain", "inet", "fairban", "logins"], "the rules"),
        (&["insert", "rule", "inet", "fairban", "pre", "accept"], "the rules"),
        (&["flush", "set", "inet", "fairban", "logins"], "the table"),
        (&["delete", "element", "inet", "fairban", "logins4_32", "{ 10.77.1.2 }"], "1 bans"),
        (&["add", "element", "inet", "fairban", "logins4_32", "{ 10.77.1.3 }"], "1 bans"),
        (&["flush", "set", "inet", "fairban", "logins4_other"], "the table"),
    ];
    for (attack, about) in attacks {
        net.nft(attack);
        note(&mut enforcer, about);
        assert_eq!(seen(&net), whole, "{attack:?}");
        for hit in ["10.77.1.2", "10.77.2.2", "10.77.9.9", "2001:db8:1:1::3"] {
            assert!(!net.is_open(hit, IMAP), "{hit} after {attack:?}");
        }
        assert!(net.is_open("10.77.1.3", IMAP), "{attack:?}");
    }
    let status = enforcer.status();
    assert!(status.remarks.iter().any(|remark| remark.contains("repaired 9 times")), "{status:?}");
}

#[test]
fn a_ban_after_an_unheard_flush_is_carried_out() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    for round in 0..20 {
        ban(&mut enforcer, "10.77.1.2/32", Doors::Logins);
        net.nft(&["flush", "ruleset"]);
        // Whichever comes first, the event or the order.
        ban(&mut enforcer, "10.77.1.3/32", Doors::Logins);
        assert!(!net.is_open("10.77.1.3", IMAP), "round {round}");
        wait_for("the older ban is back", || !net.is_open("10.77.1.2", IMAP));
        enforcer.carry_out(&[Order::Sync(Vec::new())]).unwrap();
    }
}

#[test]
fn a_hundred_thousand_bans_are_back_within_a_second() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    let many = (0..100_000_u32).map(|index| {
        let address = std::net::IpAddr::V4((0x0B00_0000 + index).into());
        shut(&format!("{address}/32"), 3_600, Doors::Logins)
    });
    let begin = std::time::Instant::now();
    assert_eq!(enforcer.carry_out(&[Order::Sync(many.collect())]), Ok(vec![Answer::Done]));
    println!("100,000 bans in {:?}", begin.elapsed());
    // The newest is among the first that come back.
    ban(&mut enforcer, "10.77.1.2/32", Doors::Logins);
    let begin = std::time::Instant::now();
    net.nft(&["flush", "ruleset"]);
    note(&mut enforcer, "the table");
    println!("100,000 bans were back {:?} after nft began", begin.elapsed());
    assert!(!net.is_open("10.77.1.2", IMAP));
    let set = net.nft(&["list", "set", "inet", "fairban", "logins4_32"]);
    assert_eq!(set.matches(" expires ").count(), 100_001);
}

#[test]
fn what_is_not_ours_stays_as_it_is() {
    let net = Net::new();
    net.serve();
    net.nft(&["add", "table", "inet", "admins"]);
    net.nft(&["add", "chain", "inet", "admins", "early", "{ type filter hook prerouting priority -400; }"]);
    net.nft(&["add", "rule", "inet", "admins", "early", "accept"]);
    let before = net.nft(&["list", "table", "inet", "admins"]);
    let mut enforcer = net.enforcer(&[]);
    ban(&mut enforcer, "10.77.1.2/32", Doors::Logins);
    // Somebody's earlier accept does not save a banned source.
    assert!(!net.is_open("10.77.1.2", IMAP));
    net.nft(&["flush", "chain", "inet", "fairban", "pre"]);
    note(&mut enforcer, "the rules");
    net.on_server(remove_everything).unwrap();
    assert_eq!(net.nft(&["list", "ruleset"]), before);
}

#[test]
fn everything_is_removed_by_order_and_not_put_back() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    ban(&mut enforcer, "10.77.1.2/32", Doors::Logins);
    net.on_server(remove_everything).unwrap();
    assert!(net.is_open("10.77.1.2", IMAP));
    let mut notes = Vec::new();
    wait_for("the process heard of it", || {
        notes.extend(enforcer.notes());
        notes.iter().any(|note| note.contains("by order"))
    });
    assert_eq!(net.nft(&["list", "ruleset"]), "");
    assert_eq!(listed(&mut enforcer), [""; 0]);
    // Asked again, it bans again.
    assert!(enforcer.status().ready);
    ban(&mut enforcer, "10.77.1.3/32", Doors::Logins);
    assert_eq!([net.is_open("10.77.1.2", IMAP), net.is_open("10.77.1.3", IMAP)], [true, false]);
    // Where nobody lives it works as well, and where nothing is it is harmless.
    drop(enforcer);
    net.on_server(remove_everything).unwrap();
    net.on_server(remove_everything).unwrap();
    assert_eq!(net.nft(&["list", "ruleset"]), "");
}

#[test]
fn a_table_of_our_own_cannot_be_changed_by_others() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&["--own-table"]);
    assert!(enforcer.status().remarks.iter().any(|remark| remark.contains("ours alone")), "needs Linux 6.9");
    ban(&mut enforcer, "10.77.1.2/32", Doors::Logins);
    net.nft(&["flush", "ruleset"]);
    assert!(!net.is_open("10.77.1.2", IMAP));
    assert!(net.on_server(remove_everything).unwrap_err().to_string().contains("stop fairban-fw"));
    drop(enforcer);
    // Nobody owns it now: a new process takes it over, and so could an admin.
    assert!(!net.is_open("10.77.1.2", IMAP));
    let mut enforcer = net.enforcer(&["--own-table"]);
    assert_eq!(listed(&mut enforcer), ["10.77.1.2/32"]);
    enforcer.carry_out(&[Order::Unban(prefix("10.77.1.2/32"))]).unwrap();
    assert!(net.is_open("10.77.1.2", IMAP));
    ban(&mut enforcer, "10.77.1.3/32", Doors::Logins);
    drop(enforcer);
    net.on_server(remove_everything).unwrap();
    assert_eq!(net.nft(&["list", "ruleset"]), "");
    // Asked for no longer, a table that was somebody's own is taken over all the same.
    let mut enforcer = net.enforcer(&["--own-table"]);
    ban(&mut enforcer, "10.77.1.3/32", Doors::Logins);
    drop(enforcer);
    let mut enforcer = net.enforcer(&[]);
    assert_eq!(listed(&mut enforcer), ["10.77.1.3/32"]);
    assert!(!net.is_open("10.77.1.3", IMAP));
}
