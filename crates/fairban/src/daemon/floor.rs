//! What the machine itself says of whom never to ban: its own addresses, its gateways, its resolvers; and who its
//! administrators are.
//!
//! `fairban-fw` refuses its own addresses and gateways by itself, and follows them as they change. The service knows them too, as of
//! its start or the last reload: so that in shadow mode it does not claim what live mode would refuse. All of it is read from
//! files, which needs no right and still works behind the walls.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use fairban_core::account::AccountKey;
use fairban_core::engine::Config as EngineConfig;
use ipnet::IpNet;

use crate::accounts::Accounts;
use crate::config::Config;

/// Most bytes read of one file. A router's tables are longer: the rest is left to `fairban-fw`.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Most addresses of each kind, and most administrators.
const EACH_MAX: usize = 1_024;

/// Groups whose members may become root.
const ADMIN_GROUPS: [&str; 3] = ["sudo", "wheel", "admin"];

/// Resolvers stand here; the second is what systemd-resolved itself asks.
const RESOLVERS: [&str; 2] = ["etc/resolv.conf", "run/systemd/resolve/resolv.conf"];

/// See the module's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Floor {
    own: BTreeSet<IpAddr>,
    gateways: BTreeSet<IpAddr>,
    resolvers: BTreeSet<IpAddr>,
    admins: BTreeSet<String>,
}

impl Floor {
    /// Reads it below `root`. What cannot be read stays as it was `before`.
    pub(crate) fn read(root: &Path, before: Option<&Floor>) -> Floor {
        let net = root.join("proc/self/net");
        let [trie, if_inet6, route, ipv6_route] =
            ["fib_trie", "if_inet6", "route", "ipv6_route"].map(|name| text(&net.join(name)));
        let old = before.cloned().unwrap_or_default();
        let both = |v4: Option<BTreeSet<IpAddr>>, v6: Option<BTreeSet<IpAddr>>, old| match (v4, v6) {
            (None, None) => old,
            (v4, v6) => bounded(v4.into_iter().chain(v6).flatten()),
        };
        let own = both(trie.map(|text| own_v4(&text)), if_inet6.map(|text| own_v6(&text)), old.own);
        let gateways = both(
            route.map(|text| gateways_v4(&text)),
            ipv6_route.map(|text| gateways_v6(&text)),
            old.gateways,
        );
        let [first, second] = RESOLVERS.map(|path| text(&root.join(path)).map(|text| nameservers(&text)));
        let resolvers = both(first, second, old.resolvers);
        let admins = Accounts::read_below(root).map_or(old.admins, |accounts| admins(&accounts));
        Floor { own, gateways, resolvers, admins }
    }

    /// Folders that must be readable behind the walls, besides `/etc` and `/proc/self`: `resolv.conf` is a link on many
    /// machines.
    pub(crate) fn folders() -> Vec<PathBuf> {
        let linked = fs::canonicalize("/etc/resolv.conf").ok();
        let all = linked.into_iter().chain([PathBuf::from("/run/systemd/resolve/resolv.conf")]);
        all.filter_map(|path| path.parent().map(Path::to_owned)).filter(|folder| folder.exists()).collect()
    }

    /// The engine's configuration with all of it.
    pub(crate) fn added_to(&self, engine: EngineConfig, config: &Config) -> EngineConfig {
        let mut allow = engine.allow;
        allow.extend(self.prefixes());
        allow.sort_unstable();
        allow.dedup();
        let names = self.admins.iter().chain(&config.admins.value);
        let mut admins: Vec<AccountKey> = names.map(|name| AccountKey::new(name.as_bytes())).collect();
        admins.sort_unstable();
        admins.dedup();
        EngineConfig { allow, admins, ..engine }
    }

    fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        self.own.iter().chain(&self.gateways).chain(&self.resolvers).copied().map(IpNet::from)
    }

    /// What the prefix is, or holds, of the machine's; half a sentence.
    pub(crate) fn reason(&self, prefix: &IpNet) -> Option<&'static str> {
        let holds = |addresses: &BTreeSet<IpAddr>| addresses.iter().any(|address| prefix.contains(address));
        if holds(&self.own) {
            Some("an address of this machine")
        } else if holds(&self.gateways) {
            Some("a gateway of this machine")
        } else if holds(&self.resolvers) {
            Some("a resolver of this machine")
        } else {
            None
        }
    }
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn bounded(addresses: impl Iterator<Item = IpAddr>) -> BTreeSet<IpAddr> {
    // Loopback is nobody's concern: no packet from outside has such an address.
    addresses.filter(|address| !address.is_loopback() && !address.is_unspecified()).take(EACH_MAX).collect()
}

/// Of `fib_trie`: an address whose next line calls it local.
fn own_v4(trie: &str) -> BTreeSet<IpAddr> {
    let mut last = None;
    let mut own = BTreeSet::new();
    for line in trie.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            own.extend(last.map(IpAddr::from));
        }
    }
    own
}

/// Of `if_inet6`: the first column, 32 digits.
fn own_v6(table: &str) -> BTreeSet<IpAddr> {
    table.lines().filter_map(|line| hex_v6(line.split_whitespace().next()?)).collect()
}

/// Of `route`: the third column, an address as it lies in memory.
fn gateways_v4(table: &str) -> BTreeSet<IpAddr> {
    let gateway = |line: &str| {
        let bits = u32::from_str_radix(line.split_whitespace().nth(2)?, 16).ok()?;
        Some(IpAddr::from(bits.to_ne_bytes()))
    };
    table.lines().skip(1).filter_map(gateway).collect()
}

/// Of `ipv6_route`: the fifth column.
fn gateways_v6(table: &str) -> BTreeSet<IpAddr> {
    table.lines().filter_map(|line| hex_v6(line.split_whitespace().nth(4)?)).collect()
}

fn hex_v6(digits: &str) -> Option<IpAddr> {
    (digits.len() == 32)
        .then(|| u128::from_str_radix(digits, 16).ok().map(Ipv6Addr::from_bits))?
        .map(IpAddr::from)
}

fn nameservers(text: &str) -> BTreeSet<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        // fe80::1%eth0
        address.split('%').next()?.parse::<IpAddr>().ok()
    };
    text.lines().filter_map(server).collect()
}

fn admins(accounts: &Accounts) -> BTreeSet<String> {
    let groups: Vec<_> = ADMIN_GROUPS.iter().filter_map(|name| accounts.group(name)).collect();
    let users = accounts.users.iter().filter(|user| {
        user.uid == 0
            || groups.iter().any(|group| group.gid == user.gid || group.members.contains(&user.name))
    });
    users.map(|user| user.name.clone()).take(EACH_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.9
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
";
    const ROUTE: &str = "\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	FE0200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
";
    const IPV6_ROUTE: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                              20010db8000000000000000000000001 00000400 00000000 00000000 00000003 eth0\n";

    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is ours");
            fs::write(path, text).expect("it is ours");
        };
        write("proc/self/net/fib_trie", TRIE);
        write("proc/self/net/if_inet6", "20010db8000000000000000000000009 02 40 00 80 eth0\n");
        write("proc/self/net/route", ROUTE);
        write("proc/self/net/ipv6_route", IPV6_ROUTE);
        write(
            "etc/resolv.conf",
            "# made by hand\nnameserver 198.51.100.53\nsearch example.net\nnameserver fe80::53%eth0\n",
        );
        write(
            "etc/passwd",
            "root:x:0:0::/r:/bin/sh\nalice:x:1000:1000::/h:/bin/sh\nbob:x:1001:27::/h:/bin/sh\neve:x:1002:1002::/h:/bin/sh\n",
        );
        write("etc/group", "root:x:0:\nsudo:x:27:\nwheel:x:10:alice,ghost\nstaff:x:50:eve\n");
        root
    }

    #[test]
    fn addresses_gateways_resolvers_and_administrators_are_found() {
        let root = machine();
        let floor = Floor::read(root.path(), None);
        let told: Vec<String> = floor.prefixes().map(|prefix| prefix.to_string()).collect();
        let expected = [
            "192.0.2.9/32",
            "2001:db8::9/128",
            "192.0.2.254/32",
            "2001:db8::1/128",
            "198.51.100.53/32",
            "fe80::53/128",
        ];
        assert_eq!(told, expected);
        assert_eq!(floor.admins.iter().collect::<Vec<_>>(), ["alice", "bob", "root"]);
        let reason = |text: &str| floor.reason(&text.parse().expect("a prefix"));
        assert_eq!(reason("192.0.2.0/24"), Some("an address of this machine"));
        assert_eq!(reason("192.0.2.254/32"), Some("a gateway of this machine"));
        assert_eq!(reason("198.51.100.53/32"), Some("a resolver of this machine"));
        assert_eq!(reason("198.51.100.54/32"), None);
    }

    #[test]
    fn what_cannot_be_read_any_more_stays_as_it_was() {
        let root = machine();
        let floor = Floor::read(root.path(), None);
        fs::remove_dir_all(root.path().join("proc")).expect("it is ours");
        fs::remove_file(root.path().join("etc/resolv.conf")).expect("it is ours");
        assert_eq!(Floor::read(root.path(), Some(&floor)), floor);
        fs::write(root.path().join("etc/resolv.conf"), "nameserver 198.51.100.99\n").expect("it is ours");
        let again = Floor::read(root.path(), Some(&floor));
        assert_eq!(again.resolvers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["198.51.100.99"]);
    }

    #[test]
    fn this_machine_has_an_administrator() {
        assert!(Floor::read(Path::new("/"), None).admins.contains("root"));
    }
}
