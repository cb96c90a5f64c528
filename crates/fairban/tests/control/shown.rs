//! What a person reads, to the letter.

use fairban_control::{About, ActionDone, BansPage, Mode, Request, Response, Shown, WhyReport};

use crate::support::{Service, example};

/// Answers with the example in the document that fits the question.
fn by_the_document(request: &Request) -> Response {
    example(|response| match (request, response) {
        (Request::Status, Response::Status(_))
        | (Request::Bans { .. }, Response::Bans(_))
        | (Request::AllowList, Response::AllowList(_))
        | (Request::Report { .. }, Response::Report(_)) => true,
        (Request::Why { about, .. }, Response::Why(report)) => {
            matches!(about, About::Prefix(_)) == matches!(report, WhyReport::Source(_))
        }
        (_, Response::Done(done)) => done.action.as_str() == request.name(),
        _ => false,
    })
}

const STATUS: &str = "\
fairban 0.1.0, process 812, since 2026-01-14 08:00:00 (7 days 2 h ago)
Mode shadow: decides and records, enforces nothing, since 2026-01-14 08:00:00

Alarms: 1
  Jan 21 09:30  account-under-attack  dan@d.example
      57 strangers failed at this account within a day

Services (counted since Jan 14 08:00)
  service   lines  understood  about logins  odd  last login
  dovecot  90,210      99.9 %        81,004    2  Jan 21 09:59:58
  sshd        512     100.0 %           498    0  none
  2 lines of dovecot look like logins and are not understood:
      Jan 21 09:12:44 mx dovecot: imap-login: Login odd: user=<a\\xff>

Inputs
  input              kind    state       behind      lines  last login
  /var/log/mail.log  file    following  nothing  1,204,331  Jan 21 09:59:58
  /srv/nfs/auth.log  file    following  nothing        512  none
  udp:192.0.2.1:514  syslog  restarted  unknown         77  none
  /srv/nfs/auth.log: looked at every 1000 ms, for its file system tells of no
  changes
  /srv/nfs/auth.log: this file system does not tell of changes
  udp:192.0.2.1:514: started again once, the last time because fairban-helper
  ended: it was killed by signal 9

Sources   1,840 suspects; 912 places of 655 accounts, 3 of them hubs
Bans      212 in force (1 by operators); 96 in the last day, 4,410 ever
Allowed   2 prefixes
Firewall  nftables: ready, 0 prefixes shut out
          kernel 6.12
Walls     no capabilities, Landlock in part (version 3 of 6: the kernel is old),
          seccomp up
State     /var/lib/fairban/fairban.db: healthy, 7.3 MB
Journal   at 81,502; snapshot at 81,000 of 2026-01-21 09:55:00
Memory    18.9 MB
";

#[test]
fn status_reads_well() {
    Service::answering(by_the_document).run(&["status"]).prints(STATUS);
}

const BANS: &str = "\
Bans in force: 2 (mode live)
  source          reason        since        time left   nats tries
  203.0.113.36    username-scan Jan 21 09:51 51 min 25 s 14.9     5
  2001:db8:7::/48 operator      Jan 21 09:52 for ever       -     0
  2001:db8:7::/48: abuse desk, ticket of Tuesday
  Why: fairban why 203.0.113.36
";

#[test]
fn bans_read_well() {
    let service = Service::answering(|request| match by_the_document(request) {
        Response::Bans(page) => Response::Bans(BansPage { next: None, total: 2, ..page }),
        other => other,
    });
    service.run(&["bans"]).prints(BANS);
    let service = Service::answering(|_| Response::Bans(BansPage::default()));
    service.run(&["bans"]).prints("Nobody is banned (mode shadow).\n");
}

const WHY_SOURCE: &str = "\
203.0.113.36 is banned
  Ban 17 (username-scan), from 2026-01-21 09:51:25 until 2026-01-21 10:51:25, 51
  min 25 s left.
  14.9 nats of 13.8 then, after 5 attempts at 5 accounts.
  The firewall keeps it out; 0 attempts since.
  5 attempts, from 2026-01-21 09:51:17 to 2026-01-21 09:51:25

Evidence: 14.9 nats of 13.8 needed for a ban
   +12.6 nats     3 x unknown-account       the server knows no such account
    +2.3 nats     1 x second-account

Accounts
  account  failed  logs in  last          how it ended
  admin         1           Jan 21 09:51  an unknown account

Lines
  Jan 21 09:51:25 mx vpopmail[9]: vchkpw-pop3: vpopmail user not found
  admin@:203.0.113.36

Why
  Nobody has ever logged in here.

What would have changed it
  A success at any of the 3 failing accounts soon after would have taken its
  part back.

What was decided
  2026-01-21 09:51:25  ban 17: for 1 h, username-scan, 14.9 nats
";

const WHY_ACCOUNT: &str = "\
Account dan@d.example
  It logs in from 1 source(s).
  About 57 strangers failed at it within the last day.

Where it logs in
  source     last login           failed since
  192.0.2.7  2026-01-19 23:58:00             0

Devices with an old password
  source     failed  since                last
  192.0.2.7     412  2026-01-12 07:00:00  2026-01-19 23:59:00

Who failed at it and never logged in
  source        failed  last
  203.0.113.36       1  2026-01-19 20:00:00  banned
";

#[test]
fn explanations_read_well() {
    let service = Service::answering(by_the_document);
    service.run(&["why", "203.0.113.36"]).prints(WHY_SOURCE);
    service.run(&["why", "dan@d.example"]).prints(WHY_ACCOUNT);
}

const ALLOWED: &str = "\
Never banned: 2
  prefix        said by   since         why
  192.0.2.0/24  operator  Jan 20 12:00  the office
  198.51.100.9  machine
";

const REPORT: &str = "\
2026-01-14 10:00:00 to 2026-01-21 10:00:00 (7 days)
  81,004 attempts: 70,112 logins, 10,892 failures
  460 bans of 431 sources would have kept out 20,177 tries
  0 logins after guessing; 4 devices with an old password

Robots
  kind           sources  tries before the ban  kept out
  username-scan      402                 2,412    18,020

A counting rule of 5/10m/10m in that time
  612 bans, 37 of them of honest sources, which had lost 5,120 logins

Casualties: 1
  Banned, although a familiar account logged in there before or later.
  source      logins before  denied  later
  192.0.2.50              0       1      3

Do not go live yet
  1 banned source logged in later
  Next: fairban why 192.0.2.50
";

#[test]
fn lists_and_reports_read_well() {
    let service = Service::answering(by_the_document);
    service.run(&["allow", "list"]).prints(ALLOWED);
    service.run(&["report"]).prints(REPORT);
}

const LIVE: &str = "\
fairban is live: bans are enforced.
  Open a second connection to this machine now. If that works: fairban confirm.
  If you do not by 2026-01-21 10:05:00, fairban goes back to shadow mode by
  itself.
";

#[test]
fn orders_are_confirmed_in_words() {
    let service = Service::answering(by_the_document);
    service.run(&["mode", "live"]).prints(LIVE);
    let banned = "203.0.113.0/24 is banned for 1 h.\n  shadow mode: recorded, not enforced\n";
    service.run(&["ban", "203.0.113.0/24"]).prints(banned);
    service.run(&["unban", "--all"]).prints("Nobody was banned.\n");
    let allowed = "192.0.2.0/24 is on the allowlist: never banned, never judged.\n";
    service.run(&["allow", "192.0.2.0/24"]).prints(allowed);
    service.run(&["confirm"]).prints("Confirmed: fairban stays live.\n");
    let resumed = "The breaker is closed: sources at which people log in are banned again where the\nevidence is enough.\n";
    service.run(&["resume"]).prints(resumed);
    let reloaded =
        "The configuration was read again; 2 settings are new.\n  control.group applies after a restart\n";
    service.run(&["reload"]).prints(reloaded);
    let nothing = Service::answering(|_| Response::Done(ActionDone::default()));
    let again = "203.0.113.7 is banned already until you unban it.\n";
    nothing.run(&["ban", "203.0.113.7", "--for", "forever"]).prints(again);
    let unlisted = "203.0.113.7 was not on the list. Which are: fairban allow list\n";
    nothing.run(&["allow", "remove", "203.0.113.7"]).prints(unlisted);
    nothing.run(&["confirm"]).prints("There was nothing to confirm; the mode is shadow.\n");
    nothing.run(&["resume"]).prints("The breaker was not open: nothing has changed.\n");
    nothing.run(&["reload"]).prints("The configuration is as it was.\n");
    let shadow = "fairban is in shadow mode, as before: it decides and records only.\n";
    nothing.run(&["mode", "shadow"]).prints(shadow);
    let many = Service::answering(|_| {
        let prefixes = ["203.0.113.7/32", "2001:db8::/64"].map(|text| text.parse().unwrap()).to_vec();
        Response::Done(ActionDone { changed: true, affected: 1_200, prefixes, ..ActionDone::default() })
    });
    many.run(&["unban", "--all"]).prints("Let in again: 203.0.113.7, 2001:db8::/64 and 1,198 more.\n");
}

#[test]
fn everything_long_keeps_within_the_edge() {
    let long = || Shown::of("\u{1b}[31mword ".repeat(60));
    let service = Service::answering(move |request| match by_the_document(request) {
        Response::Status(mut status) => {
            status.version = Shown::of("1.2.3");
            status.mode = Mode::Live;
            status.confirm_by = Some(status.at);
            for input in &mut status.inputs {
                input.name = long();
                input.remark = Some(long());
                input.lost_bytes = u64::MAX;
                input.lag_bytes = Some(u64::MAX);
            }
            for service in &mut status.services {
                (service.lines, service.understood) = (9_999_999_999_999, 9_999_999_999_999);
                service.blind = true;
                service.samples = vec![long()];
            }
            status.alarms[0].about = Some(long());
            status.alarms[0].text = long();
            status.store.path = long();
            Response::Status(status)
        }
        Response::Bans(mut page) => {
            page.next = None;
            for row in &mut page.rows {
                row.prefix = "2001:db8:1111:2222:3333:4444:5555:6666/128".parse().unwrap();
                row.reason = Shown::of("credential-stuffing");
                row.attempts = 4_000_000_000;
                row.note = Some(long());
                (row.weak, row.enforced) = (true, false);
            }
            Response::Bans(page)
        }
        Response::Why(WhyReport::Source(mut source)) => {
            source.samples = vec![long()];
            source.remarks = vec![long()];
            source.accounts[0].account = long();
            source.accounts[0].outcome = long();
            source.signals[0].meaning = Some(long());
            source.signals[0].count = u64::MAX;
            source.history[0].text = long();
            Response::Why(WhyReport::Source(source))
        }
        Response::Why(WhyReport::Account(mut account)) => {
            account.account = long();
            account.remarks = vec![long()];
            account.logins[0].source = "2001:db8:1111:2222:3333:4444:5555:6666/128".parse().unwrap();
            Response::Why(WhyReport::Account(account))
        }
        other => other,
    });
    for args in [&["status"][..], &["bans"], &["why", "203.0.113.36"], &["why", "dan"]] {
        let ran = service.run(args);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for line in ran.out.lines() {
            assert!(line.len() <= 80, "{args:?}: {} columns: {line}", line.len());
            assert!(line.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{line:?}");
        }
    }
}

#[test]
fn a_status_without_anything_reads_well() {
    let service = Service::answering(|_| Response::Status(Box::default()));
    let ran = service.run(&["status"]);
    ran.keeps_form();
    for part in
        ["fairban does not run", "Alarms: none", "no line of any was seen", "Inputs: none", "none is set up"]
    {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
}
