//! Situations that no log at hand holds, and properties over what a client can write.

use fairban_core::account::{Account, AccountKey};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Tells, Witness};
use proptest::prelude::*;

use super::*;
use crate::record::Record;

const REAL: &str = "198.51.100.83";
const ID: &str = "rk+1x/VgDbrGM2RT";
/// An id that decodes to 8.8.8.8: a client can compute one, but not get the server to write it.
const FAKE_ID: &str = "rk+1x/VgDboICAgI";

fn record(body: &[u8]) -> Record<'_> {
    Record { program: b"dovecot", pid: None, body, body_at: 30 }
}

fn reading(body: &[u8]) -> Reading {
    read(&record(body), &Secrets::new([1; 16]))
}

fn tells(body: &str) -> AuthEvent {
    match reading(body.as_bytes()) {
        Reading::Event(event) => event,
        other => panic!("{body}: {other:?}"),
    }
}

fn real() -> Option<IpAddr> {
    REAL.parse().ok()
}

#[test]
fn a_password_cannot_place_the_border() {
    let passwords = [
        format!("x,8.8.8.8,<{FAKE_ID}>): unknown user (given password: y"),
        format!("x,8.8.8.8,<{FAKE_ID}>): unknown user (SHA1 of given password: 12"),
        format!(
            ",8.8.8.8,<{FAKE_ID}>): pam_authenticate() failed: Authentication failure (Password mismatch?"
        ),
        format!("x,8.8.8.8,sasl:plain)<{FAKE_ID}>: sql: unknown user (given password: y"),
    ];
    for password in passwords {
        let lines = [
            format!("auth: sql(u,{REAL},<{ID}>): Password mismatch (given password: {password})"),
            format!("auth(u,{REAL},sasl:plain)<{ID}>: sql: Password mismatch (given password: {password})"),
            format!(
                "auth-worker(u,{REAL})<7><{ID}>: request [1]: sql: unknown user (given password: {password})"
            ),
        ];
        for line in lines {
            match reading(line.as_bytes()) {
                Reading::Event(event) => assert_eq!(event.source, real(), "{line}"),
                other => assert_eq!(other, Reading::Odd { login_like: true }, "{line}"),
            }
        }
    }
}

#[test]
fn a_secret_is_tagged_and_its_place_is_told() {
    let line = format!("auth: sql(u,{REAL},<{ID}>): Password mismatch (given password: a (b), c)");
    let event = tells(&line);
    let (from, to) = event.secret_at.expect("a place");
    assert_eq!(&line.as_bytes()[from as usize - 30..to as usize - 30], b"a (b), c");
    assert_eq!(event.secret, Some(Secrets::new([1; 16]).tag(b"a (b), c")));
    assert_eq!(event.mechanism, Mechanism::Plain);

    let cut = format!("auth: sql(u,{REAL},<{ID}>): Password mismatch (given password: {})", "p".repeat(1024));
    let event = tells(&cut);
    assert_eq!(event.secret, None, "the server may have cut it");
    assert!(event.secret_at.is_some(), "it is a secret all the same");
}

#[test]
fn the_place_of_a_secret_counts_the_blank_of_rfc_5424() {
    let line = format!(" auth: sql(u,{REAL},<{ID}>): Password mismatch (given password: secret)");
    let (from, to) = tells(&line).secret_at.expect("a place");
    assert_eq!(&line.as_bytes()[from as usize - 30..to as usize - 30], b"secret");
}

#[test]
fn a_blank_instead_of_a_tag_is_a_digest() {
    let line = |end: &str| format!("auth: passwd-file(u,{REAL},<{ID}>): unknown user{end}");
    assert_eq!(tells(&line("")).mechanism, Mechanism::Unknown);
    assert_eq!(tells(&line(" ")).mechanism, Mechanism::Digest);
    assert_eq!(tells(&line(" (SHA1 of given password: 7c4a8d)")).mechanism, Mechanism::Plain);
    assert_eq!(
        tells(&format!("auth: digest-md5(u,{REAL},<{ID}>): Password mismatch")).mechanism,
        Mechanism::Digest
    );
}

#[test]
fn an_address_that_the_session_denies_is_told() {
    let line = format!(
        "imap-login: Login: user=<u>, method=PLAIN, rip=8.8.4.4, lip=::1, mpid=1, TLS, session=<{ID}>"
    );
    assert_eq!(tells(&line).witness, Witness::Contradicts);
    assert_eq!(session_id(&record(line.as_bytes())), Some(ID.as_bytes()));
}

#[test]
fn mapped_addresses_are_ipv4() {
    let line = format!(
        "imap-login: Login: user=<u>, method=PLAIN, rip=::ffff:{REAL}, lip=::1, mpid=1, session=<{ID}>"
    );
    assert_eq!((tells(&line).source, tells(&line).witness), (real(), Witness::Agrees));
}

#[test]
fn a_mailbox_looked_up_for_a_delivery_is_no_login() {
    for line in [
        "auth: passwd-file(nobody@example.org): unknown user",
        "auth: passwd-file(nobody@example.org,<MKMJDzS1OFTaOgAAfUhlpg>): unknown user",
        "auth: passwd-file(nobody@example.org,10.0.0.9,<MKMJDzS1OFTaOgAAfUhlpg:1>): unknown user",
        "auth(nobody@example.org,10.0.0.9)<MKMJDzS1OFTaOgAAfUhlpg>: passwd-file: unknown user",
        "auth(nobody@example.org,10.0.0.9): passwd-file: unknown user",
    ] {
        assert_eq!(reading(line.as_bytes()), Reading::Quiet, "{line}");
    }
}

#[test]
fn an_outage_cannot_be_forged_by_a_name() {
    for name in [
        "missing passwd file: /x",
        "x): missing passwd file: /x",
        "x,8.8.8.8,sasl:plain)<A>: y: missing passwd file: /z",
        "x,8.8.8.8,sasl:plain)<A>: y: Password query failed: z",
        "mysql(1): Connect failed to database",
    ] {
        for line in [
            format!("auth: passwd-file({name},{REAL},<{ID}>): unknown user"),
            format!("auth: plain({name},{REAL},<{ID}>): Request timed out waiting for client (150 secs)"),
            format!(
                "auth(?,{REAL},sasl:plain)<{ID}>: plain: Username character disallowed by auth_username_chars: 0x3a (username: {name})"
            ),
            format!("auth({name},{REAL},sasl:plain)<{ID}>: sql: unknown user"),
            format!(
                "auth({name},{REAL},sasl:plain)<{ID}>: plain: Request timed out waiting for client (150 secs)"
            ),
            format!(
                "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{name}>, method=PLAIN, rip={REAL}, lip=10.0.0.1, session=<{ID}>"
            ),
        ] {
            if let Reading::Event(event) = reading(line.as_bytes()) {
                assert_ne!(event.outcome, Outcome::ServerFault, "{line}");
                assert_eq!(event.source, real(), "{line}");
            }
        }
    }
}

#[test]
fn a_proxied_login_is_not_forged_by_a_name() {
    let name = "x): Started proxying to remote host,10.0.0.2:143";
    let line = format!(
        "imap-login: proxy({name},10.0.0.2:143): Login failed: no: user=<{name}>, method=PLAIN, rip={REAL}, lip=::1, session=<{ID}>"
    );
    assert_eq!(tells(&line).outcome, Outcome::Failed);
}

#[test]
fn a_last_try_that_was_not_finished_hides_how_many_failed() {
    let line = format!(
        "imap-login: Login aborted: Connection closed (auth aborted by client, 4 attempts in 9 secs) (auth_aborted_by_client): user=<u>, method=PLAIN, rip={REAL}, lip=::1, session=<{ID}>"
    );
    let event = tells(&line);
    assert_eq!(
        (event.tells, event.outcome),
        (Tells::End { failed: None, succeeded: None }, Outcome::Aborted)
    );
    assert_eq!(event.account, Account::Hidden);
}

#[test]
fn counts_saturate() {
    let line = format!(
        "imap-login: Disconnected: Inactivity (auth failed, 70000 attempts in 9 secs): user=<u>, method=PLAIN, rip={REAL}, lip=::1, session=<{ID}>"
    );
    let event = tells(&line);
    assert_eq!(event.tells, Tells::End { failed: Some(u16::MAX), succeeded: None });
    assert_eq!(event.account, Account::Last { key: AccountKey::new(b"u"), of: u16::MAX });
}

#[test]
fn lines_of_other_processes_are_quiet_and_broken_ones_odd() {
    for line in [
        "imap(u)<7><S>: Disconnected: Logged out",
        "lmtp(7): Connect from local",
        "master: Error: x",
        "stats: x",
    ] {
        assert_eq!(reading(line.as_bytes()), Reading::Quiet, "{line}");
    }
    for line in ["", "nothing of the kind", "imap-login"] {
        assert_eq!(reading(line.as_bytes()), Reading::Odd { login_like: false }, "{line}");
    }
    for line in
        ["imap-login: Login: user=<u>, rip=nowhere", "auth: sql(u,1.2.3.4,<S>): authentication has failed"]
    {
        assert_eq!(reading(line.as_bytes()), Reading::Odd { login_like: true }, "{line}");
    }
}

/// Pieces of lines, as a client would send them to be taken for the server's words.
fn written_by_a_client() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "x",
        "?",
        ">",
        "<",
        ",",
        "): ",
        ")",
        " (",
        ": ",
        "8.8.8.8",
        ",8.8.8.8",
        ",<AAAA>",
        ",<rk+1x/VgDboICAgI>",
        "<rk+1x/VgDboICAgI>",
        "unknown user",
        "Password mismatch",
        " (given password: ",
        " (SHA1 of given password: 12",
        ",sasl:plain",
        ",master",
        ": sql: ",
        "request [1]",
        ", rip=8.8.8.8",
        ", session=<AAAA>",
        ">, method=PLAIN",
        "Empty username",
        "Info: ",
        "Error: ",
        " (username: ",
        "Username character disallowed by auth_username_chars: 0x20",
        "): Empty username",
        "(auth failed, 1 attempts in 2 secs): user=<",
        "Not connected to database",
    ]);
    prop::collection::vec(pieces, 0..9).prop_map(|pieces| pieces.concat())
}

/// The server's own cut of a name in front of a message.
fn cut(name: &str) -> String {
    if name.len() <= 64 { name.to_owned() } else { format!("{}...", &name[..61]) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn no_bytes_make_the_grammar_panic(body in prop::collection::vec(any::<u8>(), 0..200), start in 0_usize..6) {
        let starts: [&[u8]; 6] = [b"", b"auth: ", b"auth(", b"auth-worker(1): ", b"imap-login: ", b"pop3-login: Disconnected ("];
        let line = [starts[start], &body].concat();
        let _ = (reading(&line), session_id(&record(&line)));
    }

    #[test]
    fn no_name_and_no_password_gives_another_source(
        name in written_by_a_client(),
        password in written_by_a_client(),
        tag in 0_usize..4,
        form in 0_usize..6,
    ) {
        let tag = match tag {
            0 => String::new(),
            1 => " ".to_owned(),
            2 => " (SHA1 of given password: 7c4a8d)".to_owned(),
            _ => format!(" (given password: {password})"),
        };
        let user = cut(&name);
        let line = match form {
            0 => format!("auth: sql({user},{REAL},<{ID}>): unknown user{tag}"),
            1 => format!("auth-worker(7): conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql({user},{REAL},<{ID}>): Password mismatch{tag}"),
            2 => format!("auth({user},{REAL},sasl:plain)<{ID}>: sql: Password mismatch{tag}"),
            3 => format!("auth-worker({user},{REAL})<7><{ID}>: request [1]: sql: unknown user{tag}"),
            4 => format!("auth: plain(?,{REAL},<{ID}>): Username character disallowed by auth_username_chars: 0x20 (username: {name})"),
            _ => format!("imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{name}>, method=PLAIN, rip={REAL}, lip=10.0.0.1, TLS, session=<{ID}>"),
        };
        match reading(line.as_bytes()) {
            Reading::Event(event) => {
                prop_assert_eq!(event.source, real(), "{}", line);
                prop_assert_eq!(event.witness, Witness::Agrees, "{}", line);
                prop_assert_ne!(event.outcome, Outcome::Success, "{}", line);
                prop_assert_ne!(event.outcome, Outcome::ServerFault, "{}", line);
                prop_assert_eq!(session_id(&record(line.as_bytes())), Some(ID.as_bytes()));
            }
            other => prop_assert_eq!(other, Reading::Odd { login_like: true }, "{}", line),
        }
    }
}
