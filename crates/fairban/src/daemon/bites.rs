//! Proof that bans bite: who is shut out and still shows up in the log comes by a way that the ban does not close.

use fairban_core::effect::{Seen, Standing};
use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};
use ipnet::IpNet;

use crate::config::EnforcerKind;

/// Lines come so much later than what they tell of: sessions that were cut are logged when their daemon notices, and logs
/// pass through queues.
pub(crate) const GRACE_SECONDS: u32 = 60;

/// What is known of how sources are shut out.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) kind: EnforcerKind,
    /// Ports that bans close; `None` where another process decides that.
    pub(crate) ports: Option<Vec<u16>>,
    /// See [`GRACE_SECONDS`].
    pub(crate) grace: Span,
}

/// A ban as it is carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    pub(crate) prefix: IpNet,
    /// Since then packets do not come through.
    pub(crate) since: Time,
    /// Port 25 is closed too, since then at the earliest.
    pub(crate) closes_smtp: Option<Time>,
    /// Everything is closed.
    pub(crate) closes_all: bool,
}

impl Way {
    /// What is to be said when a try was seen that the ban should have kept out; `None` where it may have been seen.
    pub(crate) fn complaint(&self, seen: &Seen, ban: &Carried) -> Option<String> {
        let is_shut_out_by_port = seen.protocol == Protocol::Smtp && !ban.closes_all;
        let since = if is_shut_out_by_port { ban.since.max(ban.closes_smtp?) } else { ban.since };
        if seen.standing != Standing::KeptOut || seen.time <= since.plus(self.grace) {
            return None;
        }
        let length = crate::when::length(seen.time.since(ban.since));
        Some(format!(
            "{} has been shut out for {length}, and {} still logs it: the ban has no effect there. {}",
            ban.prefix,
            seen.service.name(),
            self.cause(seen, ban)
        ))
    }

    /// The likely cause, and what to do.
    fn cause(&self, seen: &Seen, ban: &Carried) -> String {
        let file = |who: &str| format!("Probably {who} does not read the file that fairban writes");
        match self.kind {
            EnforcerKind::Tcprules if seen.source.is_ipv6() => {
                "tcpserver's rules know no IPv6: shut out by nftables".to_owned()
            }
            EnforcerKind::Tcprules => file("tcpserver (its option -x)"),
            EnforcerKind::HostsDeny => {
                file("the daemon, as one not built with TCP wrappers, or left out in bans.daemons,")
            }
            EnforcerKind::File => file("the other program"),
            EnforcerKind::Nftables | EnforcerKind::None => self.cause_in_kernel(seen, ban),
        }
    }

    fn cause_in_kernel(&self, seen: &Seen, ban: &Carried) -> String {
        let usual = usual_ports(seen.protocol);
        if let Some(ports) =
            self.ports.as_ref().filter(|_| !ban.closes_all && seen.protocol != Protocol::Smtp)
        {
            let open: Vec<String> =
                usual.iter().filter(|port| !ports.contains(port)).map(u16::to_string).collect();
            if !open.is_empty() {
                return format!("bans.ports leaves {} open: add what is served there", open.join(" and "));
            }
        }
        let port = if usual.is_empty() {
            String::new()
        } else {
            let usual: Vec<String> = usual.iter().map(u16::to_string).collect();
            format!(
                ", or the service listens at another port than {} (bans.ports, all_ports)",
                usual.join(" and ")
            )
        };
        let proxy = "a proxy or load balancer takes the connections and hands its clients' addresses on (shut out there)";
        let wire = "a container, tunnel or bridge brings the packets past this host's own network (shut out in there)";
        if seen.protocol == Protocol::Webmail {
            return format!("Webmail logs in for its users and hands their addresses on: {proxy}");
        }
        format!("Probably {proxy}{port}, or {wire}")
    }
}

/// Where a protocol is served as a rule.
fn usual_ports(protocol: Protocol) -> &'static [u16] {
    match protocol {
        Protocol::Pop3 => &[110, 995],
        Protocol::Imap => &[143, 993],
        Protocol::Smtp => &[25],
        Protocol::Submission => &[465, 587],
        Protocol::Sieve => &[4190],
        Protocol::Ssh => &[22],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use fairban_core::account::Account;
    use fairban_core::event::{Outcome, Service};

    use super::*;

    const BANNED: Time = Time::from_secs(1_000);

    fn way(kind: EnforcerKind, ports: Option<&[u16]>) -> Way {
        Way { kind, ports: ports.map(<[u16]>::to_vec), grace: Span::secs(60) }
    }

    fn seen(protocol: Protocol, after_secs: i64, source: &str) -> Seen {
        Seen {
            time: BANNED.plus(Span::secs(after_secs)),
            source: source.parse().expect("an address"),
            service: Service::Dovecot,
            protocol,
            account: Account::Hidden,
            outcome: Outcome::Failed,
            secret: None,
            standing: Standing::KeptOut,
            familiar: false,
        }
    }

    fn ban(closes_smtp: bool, closes_all: bool) -> Carried {
        let prefix = "192.0.2.7/32".parse().expect("a prefix");
        let closes_smtp = closes_smtp.then_some(BANNED);
        Carried { prefix, since: BANNED, closes_smtp, closes_all }
    }

    #[test]
    fn lines_in_flight_and_ports_left_open_are_no_complaint() {
        let way = way(EnforcerKind::Nftables, None);
        let complaint =
            |protocol, after, ban: Carried| way.complaint(&seen(protocol, after, "192.0.2.7"), &ban);
        assert_eq!(complaint(Protocol::Imap, 60, ban(false, false)), None);
        assert!(complaint(Protocol::Imap, 61, ban(false, false)).is_some());
        assert_eq!(complaint(Protocol::Smtp, 61, ban(false, false)), None);
        assert!(complaint(Protocol::Smtp, 61, ban(true, false)).is_some());
        assert!(complaint(Protocol::Smtp, 61, ban(false, true)).is_some());
        let late = Carried { closes_smtp: Some(BANNED.plus(Span::secs(500))), ..ban(true, false) };
        assert_eq!(complaint(Protocol::Smtp, 560, late), None);
        assert!(complaint(Protocol::Smtp, 561, late).is_some());
        let judged = Seen { standing: Standing::Judged, ..seen(Protocol::Imap, 99, "192.0.2.7") };
        assert_eq!(way.complaint(&judged, &ban(false, false)), None);
    }

    #[test]
    fn the_likely_cause_is_told() {
        let told = |way: Way, protocol, source| {
            way.complaint(&seen(protocol, 600, source), &ban(false, false)).expect("a complaint")
        };
        let ports = told(way(EnforcerKind::Nftables, Some(&[22, 143])), Protocol::Imap, "192.0.2.7");
        assert!(
            ports.contains("192.0.2.7/32 has been shut out for 10 min") && ports.contains("leaves 993 open"),
            "{ports}"
        );
        let proxy = told(way(EnforcerKind::Nftables, None), Protocol::Imap, "192.0.2.7");
        assert!(
            proxy.contains("proxy") && proxy.contains("143 and 993") && proxy.contains("container"),
            "{proxy}"
        );
        let webmail = told(way(EnforcerKind::Nftables, None), Protocol::Webmail, "192.0.2.7");
        assert!(webmail.starts_with("192.0.2.7/32") && webmail.contains("Webmail logs in"), "{webmail}");
        let v6 = told(way(EnforcerKind::Tcprules, None), Protocol::Pop3, "2001:db8::7");
        assert!(v6.contains("no IPv6"), "{v6}");
        for kind in [EnforcerKind::Tcprules, EnforcerKind::HostsDeny, EnforcerKind::File] {
            let file = told(way(kind, None), Protocol::Pop3, "192.0.2.7");
            assert!(file.contains("does not read the file"), "{file}");
        }
    }
}
