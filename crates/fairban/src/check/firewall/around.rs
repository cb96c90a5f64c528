//! What of this host the test's namespaces cannot show, and what may defeat a ban.

use std::fs;
use std::process::Command;

use super::hosts::{Hosts, nft};
use crate::check::findings::{Finding, Level};
use crate::error::{Failure, Kind};

const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// Whether we may try at all.
///
/// # Errors
/// We are not root, or in a container that lacks a capability: which, and what to do.
pub(super) fn rights() -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        let failure = Failure::new(Kind::Environment, "only root can make the networks that this test needs");
        return Err(failure.hint("sudo fairban check --firewall"));
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    match lacking(&status) {
        None => Ok(()),
        Some((what, remedy)) => Err(Failure::new(Kind::Environment, what).hint(remedy)),
    }
}

/// What the capabilities in `status` lack, and what to do.
fn lacking(status: &str) -> Option<(&'static str, &'static str)> {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())?;
    let has = |capability: u32| effective & 1 << capability != 0;
    if !has(CAP_NET_ADMIN) {
        let what = "there is no CAP_NET_ADMIN here, as in most containers: fairban-fw could shut nobody out";
        let remedy = "run fairban-fw on the host, or give the container the right: docker run --cap-add NET_ADMIN (bans then \
                      count for the container's own network)";
        return Some((what, remedy));
    }
    if !has(CAP_SYS_ADMIN) {
        let what = "there is no CAP_SYS_ADMIN here, which this test needs to make networks; fairban-fw itself does not";
        return Some((what, "for this test alone: docker run --cap-add SYS_ADMIN --cap-add NET_ADMIN"));
    }
    None
}

/// Whether this kernel can count connections by source, as limits do: tried in the namespace.
pub(super) fn counts_connections(hosts: &Hosts) -> String {
    const RULES: &str = "table inet fairban_probe {\n set s { type ipv4_addr; flags dynamic; }\n \
                         chain c { add @s { ip saddr ct count over 5 } drop; }\n}\n";
    if !is_there("nft") {
        return "ct count: not tried, for it takes the program nft".to_owned();
    }
    let text = if nft(hosts, RULES).is_ok() {
        "ct count: connections of a source can be counted"
    } else {
        "ct count: missing (modprobe nft_connlimit): connections of a source cannot be counted"
    };
    text.to_owned()
}

/// What may defeat a ban on this host.
pub(super) fn look() -> Vec<Finding> {
    let links = told("ip", &["-d", "-o", "link", "show"]).unwrap_or_default();
    let mut findings = about_links(&links);
    match told("nft", &["list", "flowtables"]) {
        Some(tables) => findings.extend(about_flowtables(&tables)),
        None => findings.push(Finding::new(
            Level::Advice,
            "",
            "the program nft is not here: fairban needs it not, but flowtables could not be looked for",
        )),
    }
    findings
}

fn about_flowtables(tables: &str) -> Option<Finding> {
    if !tables.contains("flowtable ") {
        return None;
    }
    let offload = if tables.contains("offload") { ", in hardware" } else { "" };
    let text = format!(
        "there is a flowtable{offload}: connections through this host to others (containers, virtual machines) that are in it \
         pass by all rules until they end, bans too; connections to this host itself do not"
    );
    let remedy = "nft list flowtables    # keep the login services' ports out of them".to_owned();
    Some(Finding::new(Level::Warning, "", text).with([remedy]))
}

/// Of `ip -d -o link`: a line a network interface.
fn about_links(links: &str) -> Vec<Finding> {
    let named = |wanted: &dyn Fn(&str, &str) -> bool| -> Vec<String> {
        let name = |line: &str| {
            let name = line.split(": ").nth(1)?.split('@').next()?.to_owned();
            wanted(&name, line).then_some(name)
        };
        links.lines().filter_map(name).collect()
    };
    let list = |names: &[String]| {
        let first =
            names.iter().take(8).map(|name| fairban_core::escape::escaped(name.as_bytes()).to_string());
        first.collect::<Vec<_>>().join(", ")
    };
    let advice = |text: String| Finding::new(Level::Advice, "", text);
    let mut findings = Vec::new();
    let docker = named(&|name, _| name == "docker0" || name.starts_with("br-") || name.starts_with("cni"));
    if !docker.is_empty() {
        findings.push(advice(format!(
            "container networks ({}): ports published from containers are covered, for bans come before address translation; \
             but the service's log must show the client's own address, and not the bridge's",
            list(&docker)
        )));
    }
    let direct = named(&|_, line| line.contains(" macvlan ") || line.contains(" ipvlan "));
    if !direct.is_empty() {
        findings.push(advice(format!(
            "{} give others (containers, virtual machines) addresses of their own past this host's rules: bans do not cover them",
            list(&direct)
        )));
    }
    let bridged = named(&|name, line| {
        line.contains(" bridge ") && line.contains("forward_delay") && !docker.iter().any(|one| one == name)
    });
    if !bridged.is_empty() {
        findings.push(advice(format!(
            "what passes the bridge {} between other machines is not covered; what is for this host itself is",
            list(&bridged)
        )));
    }
    let early = named(&|_, line| {
        line.contains(" xdp ") || line.contains(" xdpgeneric ") || line.contains("prog/xdp")
    });
    if !early.is_empty() {
        let text = format!(
            "a program stands before all rules on {} (XDP): what it hands on by itself passes by bans",
            list(&early)
        );
        findings.push(
            Finding::new(Level::Warning, "", text)
                .with(["ip link show    # and ask who loaded it".to_owned()]),
        );
    }
    findings
}

fn is_there(program: &str) -> bool {
    told(program, &["--version"]).is_some()
}

/// What a program printed; nothing if it is not there, or failed.
fn told(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_without_the_right_is_told_what_to_do() {
        let told = |hex: &str| lacking(&format!("Name:\tx\nCapEff:\t{hex}\n")).map(|(what, _)| what);
        // What Docker gives.
        assert!(told("00000000a80425fb").is_some_and(|text| text.contains("CAP_NET_ADMIN")));
        assert!(told("00000000a80435fb").is_some_and(|text| text.contains("CAP_SYS_ADMIN")));
        assert_eq!(told("000001ffffffffff"), None);
    }

    #[test]
    fn what_may_defeat_a_ban_is_seen() {
        let links = "\
1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue state UNKNOWN
2: eth0: <BROADCAST> mtu 1500 xdp qdisc mq state UP \\    link/ether 00:00:00:00:00:00 \\    prog/xdp id 7
3: docker0: <NO-CARRIER> mtu 1500 \\    link/ether 02:42 \\    bridge forward_delay 1500 hello_time 200
4: virbr0: <NO-CARRIER> mtu 1500 \\    link/ether 52:54 \\    bridge forward_delay 1500 hello_time 200
5: web@eth0: <BROADCAST> mtu 1500 \\    link/ether 52:54 \\    macvlan mode bridge
";
        let texts: Vec<String> = about_links(links).into_iter().map(|finding| finding.text).collect();
        for (at, part) in ["(docker0)", "web give", "bridge virbr0", "on eth0 (XDP)"].into_iter().enumerate()
        {
            assert!(texts[at].contains(part), "{part}: {texts:#?}");
        }
        assert_eq!(texts.len(), 4);
        assert_eq!(about_links("1: lo: <LOOPBACK,UP> mtu 65536\n"), []);
        let flow =
            about_flowtables("table inet f {\n\tflowtable ft {\n\t\tflags offload\n\t}\n}\n").expect("one");
        assert!(flow.text.contains("in hardware") && flow.level == Level::Warning);
        assert_eq!(about_flowtables(""), None);
    }
}
