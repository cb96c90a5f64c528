//! Tests of the grammar, by what can go wrong.

use super::*;

use fairban_core::event::SecretTag;
use proptest::prelude::*;

const KEY: [u8; 16] = *b"the engine's key";

fn read_bytes(body: &[u8]) -> Reading {
    let record = Record { program: b"vpopmail", pid: Some(638), body, body_at: 31 };
    read(&record, &Secrets::new(KEY))
}

#[track_caller]
fn event(body: &str) -> AuthEvent {
    match read_bytes(body.as_bytes()) {
        Reading::Event(event) => event,
        other => panic!("{body}: {other:?}"),
    }
}

fn known(name: &str) -> Account {
    Account::Known(AccountKey::new(name.as_bytes()))
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

fn tag_of(secret: &str) -> SecretTag {
    Secrets::new(KEY).tag(secret.as_bytes())
}

#[test]
fn every_attempt_of_the_source() {
    use Outcome::{BadSecret, Denied, Failed, Success, UnknownAccount};
    for (text, outcome, account) in [
        ("invalid user/domain characters a b@d.example:192.0.2.1", UnknownAccount, known("a b@d.example")),
        ("vpopmail user not found a@d.example:192.0.2.1", UnknownAccount, known("a@d.example")),
        ("null user name given :192.0.2.1", UnknownAccount, Account::Hidden),
        ("null password given A@d.example:192.0.2.1", Failed, known("a@d.example")),
        ("user has no password a@d.example:192.0.2.1", Denied, known("a@d.example")),
        ("password fail a@d.example:192.0.2.1", BadSecret, known("a@d.example")),
        ("password fail (pass: 'x') a@d.example:192.0.2.1", BadSecret, known("a@d.example")),
        ("pop access denied a@d.example:192.0.2.1", Denied, known("a@d.example")),
        ("smtp access denied a@d.example:192.0.2.1", Denied, known("a@d.example")),
        ("webmail access denied a@d.example:192.0.2.1", Denied, known("a@d.example")),
        ("imap access denied a@d.example:192.0.2.1", Denied, known("a@d.example")),
        ("(PLAIN) login success a@d.example:192.0.2.1", Success, known("a@d.example")),
        ("system user not found a:192.0.2.1", UnknownAccount, known("a")),
        ("system user shadow entry not found a:192.0.2.1", Denied, known("a")),
        ("system password fail a@d.example:192.0.2.1", BadSecret, known("a@d.example")),
        ("system password fail (pass: 'x') a:192.0.2.1", BadSecret, known("a")),
        ("system password login success a:192.0.2.1", Success, known("a")),
    ] {
        let event = event(&format!("vchkpw-pop3: {text}"));
        assert_eq!(event.tells, Tells::Attempt, "{text}");
        assert_eq!((event.outcome, &event.account), (outcome, &account), "{text}");
        assert_eq!((event.source, event.session), (address("192.0.2.1"), Session::Pid(638)), "{text}");
        assert_eq!(event.protocol, Protocol::Pop3, "{text}");
    }
}

#[test]
fn the_servers_trouble_is_no_attempt() {
    for text in [
        "setgid 89 failed errno 1 a@d.example:192.0.2.1",
        "setuid 89 failed errno 1 a@d.example:192.0.2.1",
        "autocreate dir errno 2 /home/vpopmail/domains/d.example/a a@d.example:192.0.2.1",
        "chdir failed errno 2 /var/mail/a b a@d.example:192.0.2.1",
        "putenv(USER) failed errno 12 a@d.example:192.0.2.1",
        "putenv(HOME) failed errno 12 a@d.example:192.0.2.1",
        "putenv(SHELL) failed errno 12 a@d.example:192.0.2.1",
        "putenv(VPOPUSER) failed errno 12 a@d.example:192.0.2.1",
        "dir auto create failed a@d.example:192.0.2.1",
        "failed to vauth_getpw() after dir auto create a@d.example:192.0.2.1",
    ] {
        let event = event(&format!("vchkpw-pop3: {text}"));
        assert_eq!((event.tells, event.outcome), (Tells::Fault, Outcome::ServerFault), "{text}");
        assert_eq!((event.source, &event.account), (address("192.0.2.1"), &known("a@d.example")), "{text}");
    }
    let database = event("vchkpw-pop3: no authentication database connection#012");
    assert_eq!((database.tells, database.source), (Tells::Fault, None));
    assert_eq!(read_bytes(b"vchkpw: can't write SQL logs"), Reading::Quiet);
}

#[test]
fn the_tag_names_the_protocol() {
    for (word, protocol) in [
        ("pop3", Protocol::Pop3),
        ("pop3s", Protocol::Pop3),
        ("imap", Protocol::Imap),
        ("imaps", Protocol::Imap),
        ("smtp", Protocol::Smtp),
        ("smtps", Protocol::Submission),
        ("submission", Protocol::Submission),
        ("webmail", Protocol::Webmail),
        ("1110", Protocol::Unknown),
        ("0", Protocol::Unknown),
    ] {
        assert_eq!(
            event(&format!("vchkpw-{word}: password fail a@b:192.0.2.1")).protocol,
            protocol,
            "{word}"
        );
    }
    for body in
        ["vchkpw-: password fail a@b:192.0.2.1", "vchkpw-999999: password fail a@b:192.0.2.1", "vchkpw-pop3"]
    {
        assert_eq!(read_bytes(body.as_bytes()), Reading::Odd { login_like: true }, "{body}");
    }
    assert_eq!(read_bytes(b"password fail a@b:192.0.2.1"), Reading::Odd { login_like: false });
    // RFC 5424 puts a blank before the text.
    let spaced = event("  vchkpw-pop3: password fail (pass: 'x') a@b:192.0.2.1");
    assert_eq!(spaced.secret_at, Some((31 + 2 + 35, 31 + 2 + 36)));
}

#[test]
fn how_the_secret_was_proved() {
    let digest = event(
        "vchkpw-pop3: password fail (pass: '257a2117dc3b42e16ef3263877ad6aaf') dann@d.example:192.0.2.1",
    );
    assert_eq!((digest.mechanism, digest.secret, digest.common_secret), (Mechanism::Digest, None, false));
    assert_eq!(digest.secret_at, Some((31 + 35, 31 + 35 + 32)));

    for (secret, name) in
        [("x", "a"), (" 257a2117dc3b42e16ef3263877ad6aaf", "a"), ("257A2117DC3B42E16EF3263877AD6AAF", "a")]
    {
        let event =
            event(&format!("vchkpw-pop3: password fail (pass: '{secret}') {name}@d.example:192.0.2.1"));
        assert_eq!((event.mechanism, event.secret), (Mechanism::Plain, Some(tag_of(secret))), "{secret}");
    }
    let unseen = event("vchkpw-pop3: password fail a@d.example:192.0.2.1");
    assert_eq!((unseen.mechanism, unseen.secret, unseen.secret_at), (Mechanism::Unknown, None, None));
    for (auth, mechanism) in [
        ("PLAIN", Mechanism::Plain),
        ("APOP", Mechanism::Digest),
        ("CRAM-MD5", Mechanism::Digest),
        ("XOAUTH", Mechanism::Unknown),
    ] {
        let event = event(&format!("vchkpw-smtp: ({auth}) login success a@d.example:192.0.2.1"));
        assert_eq!((event.mechanism, event.outcome), (mechanism, Outcome::Success), "{auth}");
    }
}

#[test]
fn a_secret_that_may_have_lost_its_end_has_no_tag() {
    let long = event(&format!(
        "vchkpw-pop3: password fail (pass: '{}') alice@bigcorp.example:192.0.2.1",
        "p".repeat(133)
    ));
    assert_eq!((long.mechanism, long.secret), (Mechanism::Unknown, None));
    assert!(long.secret_at.is_some());
    let room = event(&format!(
        "vchkpw-pop3: password fail (pass: '{}') alice@bigcorp.example:192.0.2.1",
        "p".repeat(100)
    ));
    assert!(room.secret.is_some());
}

#[test]
fn a_name_that_fills_the_buffer_is_cut() {
    let name = "a".repeat(155);
    let event = event(&format!("vchkpw-pop3: null password given {name}:192.0.2.1"));
    assert_eq!(event.account, Account::Cut(AccountKey::new(name.as_bytes())));
}

#[test]
fn spellings_of_one_account() {
    for (line, account) in [
        ("vpopmail user not found alice@", known("alice")),
        ("vpopmail user not found @d.example", known("@d.example")),
        ("vpopmail user not found @", Account::Hidden),
        ("null password given ALICE/d.example", known("alice@d.example")),
        ("invalid user/domain characters alice@d.example ", known("alice@d.example")),
        ("system password fail alice/d.example", known("alice@d.example")),
        ("vpopmail user not found o'hara@d.example", known("o'hara@d.example")),
        ("vpopmail user not found a/b@d.example", known("a/b@d.example")),
    ] {
        assert_eq!(event(&format!("vchkpw-pop3: {line}:192.0.2.1")).account, account, "{line}");
    }
}

#[test]
fn the_address_is_read_from_the_end() {
    for body in [
        "invalid user/domain characters user@dom:8.8.8.8:192.0.2.1",
        "invalid user/domain characters a@b:8.8.8.8 vpopmail[1]: vchkpw-pop3: (plain) login success a@b:8.8.4.4:192.0.2.1",
        "invalid user/domain characters (pass: 'x') a@b:8.8.8.8:192.0.2.1",
        "invalid user/domain characters a@b:2001_db8__1:192.0.2.1",
        "null password given a@b:8.8.8.8:192.0.2.1",
        "password fail (pass: 'x') m@b:8.8.8.8') a@b:192.0.2.1",
        "password fail (pass: 'x') a@b.c:1.1.1.1 vchkpw-pop3: (PLAIN) login success a@b:8.8.8.8') a@b:192.0.2.1",
        "system password fail (pass: 'x') m:8.8.8.8') a:192.0.2.1",
    ] {
        let event = event(&format!("vchkpw-pop3: {body}"));
        assert_eq!((event.tells, event.source), (Tells::Attempt, address("192.0.2.1")), "{body}");
        assert_ne!(event.outcome, Outcome::Success, "{body}");
    }
}

#[test]
fn ipv6_as_vchkpw_spoils_it() {
    for (text, source, account) in [
        ("password fail a@b:2001_db8_77__5", address("2001:db8:77::5"), known("a@b")),
        (
            "password fail (pass: '1') a@b:2001:db8:1234:5678:9abc:def0:1234:5678",
            address("2001:db8:1234:5678:9abc:def0:1234:5678"),
            known("a@b"),
        ),
        (
            "system password fail a:2001:db8:1234:5678:9abc::1234:5678",
            address("2001:db8:1234:5678:9abc::1234:5678"),
            known("a"),
        ),
        ("password fail a@b:", None, known("a@b")),
        ("password fail a@b:203.0.113.5", address("203.0.113.5"), known("a@b")),
        (
            "null password given a::2001:db8:1234:5678:9abc:def0:1234:5678",
            address("2001:db8:1234:5678:9abc:def0:1234:5678"),
            known("a:"),
        ),
        ("invalid user/domain characters a b:1:2001:db8:1234:5678:9abc::1234:5678", None, Account::Hidden),
    ] {
        let event = event(&format!("vchkpw-pop3: {text}"));
        assert_eq!((event.tells, event.source, event.account), (Tells::Attempt, source, account), "{text}");
    }
}

#[test]
fn a_record_that_a_line_feed_cut_is_torn() {
    for text in [
        "password fail (pass: 'x",
        "password fail (pass: 'x') not the end",
        "password fail (pass: 'x') a b@c:8.8.8.8",
        "invalid user/domain characters alice",
        "invalid user/domain characters alice:",
        "invalid user/domain characters alice:12",
        "null password given x",
        "system password fail (pass: 'x",
    ] {
        let event = event(&format!("vchkpw-submission: {text}"));
        assert_eq!((event.tells, event.source), (Tells::Torn, None), "{text}");
        assert_eq!(event.secret_at.is_some(), text.contains("pass:"), "{text}");
    }
    // The client has no say in these: what does not fit is not vchkpw's.
    for text in [
        "vpopmail user not found a@b",
        "vpopmail user not found a:192.0.2.1",
        "vpopmail user not found a b@c:192.0.2.1",
        "password fail a@b:192.0.2",
        "(PLAIN) login success a@b:192.0.2.1 ",
        "null user name given x:192.0.2.1",
        "setgid",
        "something new a@b:192.0.2.1",
    ] {
        assert_eq!(
            read_bytes(format!("vchkpw-pop3: {text}").as_bytes()),
            Reading::Odd { login_like: true },
            "{text}"
        );
    }
}

#[test]
fn the_password_changer_names_no_address() {
    let changer = |body: &'static [u8]| {
        read(&Record { program: b"vchangepw", pid: None, body, body_at: 0 }, &Secrets::new(KEY))
    };
    assert_eq!(changer(b"Wrong password for user <a@b>"), Reading::Quiet);
    assert_eq!(changer(b"User <vchkpw-pop3: password fail a@b:8.8.8.8> changed password"), Reading::Quiet);
    assert_eq!(changer(b"vchkpw-pop3: password fail a@b:8.8.8.8"), Reading::Odd { login_like: false });
}

/// Where the client's text stands in a line of each form that holds one, `N` for it.
const CLIENTS_TEXT: [&str; 5] = [
    "vchkpw-smtp: invalid user/domain characters N:",
    "vchkpw-smtp: null password given N:",
    "vchkpw-smtp: password fail (pass: 'N') a@d.example:",
    "vchkpw-smtp: system password fail (pass: 'N') a:",
    "vchkpw-smtp: system password fail (pass: 'N') a@d.example:",
];

proptest! {
    #[test]
    fn nothing_in_a_line_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_bytes(&body);
        for form in CLIENTS_TEXT {
            let before = form.split('N').next().unwrap_or_default();
            let _ = read_bytes(&[before.as_bytes(), &body].concat());
        }
    }

    #[test]
    fn no_text_of_the_client_moves_the_address(
        text in "(8\\.8\\.8\\.8|2001:db8:1:2:3:4:5:6|2001_db8__1|'\\) |a@b:|:|::|vchkpw-pop3: |[ -~]|\\n){0,12}",
        form in 0..CLIENTS_TEXT.len(),
        source in prop_oneof![
            Just(("192.0.2.1", "192.0.2.1")),
            Just(("2001_db8_77__5", "2001:db8:77::5")),
            Just(("2001:db8:1234:5678:9abc:def0:1234:5678", "2001:db8:1234:5678:9abc:def0:1234:5678")),
        ],
    ) {
        let body = format!("{}{}", CLIENTS_TEXT[form].replace('N', &text), source.0);
        let event = event(&body);
        prop_assert_eq!(event.tells, Tells::Attempt);
        prop_assert_eq!(event.source, address(source.1));
        prop_assert_ne!(event.outcome, Outcome::Success);
        if let Some((from, to)) = event.secret_at {
            prop_assert_eq!(&body[from as usize - 31..to as usize - 31], text);
        }
    }
}
