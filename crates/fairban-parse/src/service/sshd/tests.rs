//! Names, borders and forged lines of sshd.

use super::*;
use fairban_core::account::AccountKey;

fn reading(program: &str, body: &[u8]) -> Reading {
    let record = Record { program: program.as_bytes(), pid: Some(7), body, body_at: 0 };
    read(&record, &Secrets::new([0; 16]))
}

#[track_caller]
fn event(program: &str, body: &[u8]) -> AuthEvent {
    match reading(program, body) {
        Reading::Event(event) => event,
        other => panic!("{other:?} of {}", body.escape_ascii()),
    }
}

fn known(name: &[u8]) -> Account {
    Account::Known(AccountKey::new(name))
}

fn place(event: &AuthEvent) -> (String, Option<u16>) {
    (event.source.map(|source| source.to_string()).unwrap_or_default(), event.port)
}

/// The body as syslog gets it: cut at 500 bytes.
fn syslogged(body: &[u8]) -> &[u8] {
    &body[..body.len().min(500)]
}

#[test]
fn a_name_with_the_words_of_the_format_moves_no_border() {
    const NAME: &str = "root from 8.8.8.8 port 22 ssh2";
    for (body, tells) in [
        (format!("Failed password for invalid user {NAME} from 192.0.2.40 port 46347 ssh2"), Tells::Attempt),
        (
            format!(
                "Failed keyboard-interactive/pam for invalid user {NAME} from 192.0.2.40 port 46347 ssh2"
            ),
            Tells::Attempt,
        ),
        (format!("Invalid user {NAME} from 192.0.2.40 port 46347"), Tells::Refused),
        (format!("Connection closed by invalid user {NAME} 192.0.2.40 port 46347 [preauth]"), END),
        (format!("Disconnected from invalid user {NAME} 192.0.2.40 port 46347 [preauth]"), END),
        (
            format!(
                "ssh_dispatch_run_fatal: Connection from invalid user {NAME} 192.0.2.40 port 46347: incomplete message [preauth]"
            ),
            END,
        ),
        (
            format!(
                "Disconnecting invalid user {NAME} 192.0.2.40 port 46347: Too many authentication failures [preauth]"
            ),
            END,
        ),
    ] {
        let event = event("sshd", body.as_bytes());
        assert_eq!(event.tells, tells, "{body}");
        assert_eq!(place(&event), ("192.0.2.40".to_owned(), Some(46347)), "{body}");
        assert_eq!(event.account, known(NAME.as_bytes()), "{body}");
    }
}

#[test]
fn a_name_that_pushes_the_end_of_the_line_off_names_no_client() {
    // 187 bytes of the name are printed, escaped twice: the client chooses where the 500th byte falls.
    for forged in [" 8.8.8.8 port 22", " 8.8.8.8 port 22 [preauth]"] {
        let head = "Connection closed by invalid user ";
        let fill = 500 - head.len() - forged.len();
        let name = format!("{}{}{forged}", "\\\\303".repeat(fill / 5), "x".repeat(fill % 5));
        let body = format!("{head}{name} 192.0.2.40 port 46347 [preauth]");
        assert!(syslogged(body.as_bytes()).ends_with(forged.as_bytes()));
        let event = event("sshd", syslogged(body.as_bytes()));
        assert_eq!((event.source, event.tells, event.session), (None, END, Session::Pid(7)));
    }
    let name = "\\303".repeat(100);
    let body = format!(
        "Failed keyboard-interactive/pam for invalid user {name} from 2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff port 46347 ssh2"
    );
    assert!(body.len() > 500);
    let event = event("sshd", syslogged(body.as_bytes()));
    assert_eq!((event.source, event.outcome, event.tells), (None, Outcome::UnknownAccount, Tells::Attempt));
}

#[test]
fn a_message_that_holds_names_names_no_client() {
    let name = "yyyyyyy 8.8.8.8 port 2: Too many authentication failures";
    let body = format!(
        "Disconnecting invalid user {name} 192.0.2.40 port 5555: Change of username or service not allowed: ({name} [preauth]"
    );
    assert_eq!(event("sshd-session", body.as_bytes()).source, None);
}

#[test]
fn two_spellings_are_one_account() {
    for (once, twice, name) in [
        (r"caf\303\251", r"caf\\303\\251", &b"caf\xc3\xa9"[..]),
        (r"tab\tesc\033[31mred", r"tab\\tesc\\033[31mred", b"tab\tesc\x1b[31mred"),
        (r"x\r\ny", r"x\\r\\ny", b"x\r\ny"),
        (r"CORP\\nathan", r"CORP\\\\nathan", b"corp\\nathan"),
        (r"\\303", r"\\\\303", b"\\303"),
    ] {
        let failed = format!("Failed password for invalid user {once} from 192.0.2.1 port 9 ssh2");
        assert_eq!(event("sshd", failed.as_bytes()).account, known(name), "{failed}");
        let closed = format!("Connection closed by invalid user {twice} 192.0.2.1 port 9 [preauth]");
        assert_eq!(event("sshd", closed.as_bytes()).account, known(name), "{closed}");
    }
}

#[test]
fn the_program_of_both_spellings_tells_them_apart() {
    // OpenSSH 10.2 escapes twice, 10.3 once, both as sshd-session.
    for (shown, name) in [
        (r"caf\\303\\251", &b"caf\xc3\xa9"[..]),
        (r"caf\303\251", b"caf\xc3\xa9"),
        (r"CORP\\\\nathan", b"corp\\nathan"),
        (r"CORP\\nathan", b"corp\\nathan"),
        (r"x\ny", b"x\ny"),
    ] {
        let closed = format!("Connection closed by authenticating user {shown} 192.0.2.1 port 9 [preauth]");
        assert_eq!(event("sshd-session", closed.as_bytes()).account, known(name), "{closed}");
    }
}

#[test]
fn a_long_name_is_cut_to_one_key() {
    let failed = format!("Failed password for invalid user {} from 192.0.2.1 port 9 ssh2", "u".repeat(100));
    let closed = format!("Connection closed by invalid user {} 192.0.2.1 port 9 [preauth]", "u".repeat(187));
    let cut = Account::Cut(AccountKey::new(&b"u".repeat(100)));
    assert_eq!(event("sshd", failed.as_bytes()).account, cut);
    assert_eq!(event("sshd", closed.as_bytes()).account, cut);
}

#[test]
fn a_success_is_read_past_what_the_key_says() {
    // The name in a certificate is its maker's.
    let body = b"Accepted publickey for dan from 192.0.2.9 port 77 ssh2: ED25519-CERT SHA256:abc ID x from 8.8.8.8 port 22 ssh2 (serial 0) CA ED25519 SHA256:def";
    let event = event("sshd-session", body);
    assert_eq!(place(&event), ("192.0.2.9".to_owned(), Some(77)));
    assert_eq!(
        (event.account, event.outcome, event.mechanism),
        (known(b"dan"), Outcome::Success, Mechanism::Unknown)
    );
}

#[test]
fn key_offers_are_not_guesses() {
    for body in [
        "Failed publickey for dan from 10.78.0.11 port 49935 ssh2: ED25519 SHA256:Lz",
        "Failed none for invalid user dan from 10.78.0.11 port 49935 ssh2",
        "Failed hostbased for dan from 10.78.0.11 port 49935 ssh2: RSA SHA256:Lz, client user \"x\", client host \"y\"",
        "Postponed publickey for dan from 10.78.0.11 port 49935 ssh2 [preauth]",
        "Partial publickey for dan from 10.78.0.11 port 49935 ssh2: ED25519 SHA256:Lz",
    ] {
        assert_eq!(reading("sshd", body.as_bytes()), Reading::Quiet, "{body}");
    }
}

#[test]
fn a_form_that_changes_is_noticed() {
    for body in [
        "Failed password for dan from somewhere else",
        "Failed password for dan, 192.0.2.1:9",
        "Accepted password for dan at 192.0.2.1 port 9",
        "drop connection of 192.0.2.1",
        "something new: authentication failure of dan",
    ] {
        assert_eq!(reading("sshd", body.as_bytes()), Reading::Odd { login_like: true }, "{body}");
    }
    assert_eq!(reading("sshd", b"some other news"), Reading::Odd { login_like: false });
}

#[test]
fn pam_inside_sshd_believes_the_first_host() {
    let body = b"pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 user=x rhost=8.8.8.8";
    let event = event("sshd", body);
    assert_eq!(place(&event), ("192.0.2.7".to_owned(), None));
    assert_eq!((event.tells, event.outcome), (Tells::Echo, Outcome::Failed));
    // Here the name comes first.
    let body = b"pam_krb5(sshd:auth): authentication failure; logname=x ruser= rhost=8.8.8.8 uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7";
    assert_eq!(super::tests::event("sshd", body).source, None);
}

/// A fixed generator: the same bytes at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }
}

/// Names made of the format's own words around an address that is not the client's, with everything sshd does to a
/// name and to a line: never is that address the source.
#[test]
fn no_name_gets_another_address_believed() {
    const PARTS: [&[u8]; 18] = [
        b"8.8.8.8",
        b" ",
        b" from ",
        b" port ",
        b"22",
        b" ssh2",
        b" [preauth]",
        b"invalid user ",
        b": ",
        b"rhost=",
        b"user=",
        b"\xc3",
        b"\n",
        b"\\",
        b"x",
        b" 8.8.8.8 port 22",
        b"Too many authentication failures",
        b" not allowed because ",
    ];
    let mut dice = Dice(0x5eed_5eed_5eed_5eed);
    for _ in 0..60_000 {
        let mut name = Vec::new();
        for _ in 0..dice.roll(60) {
            name.extend_from_slice(PARTS[dice.roll(PARTS.len())]);
        }
        name.retain(|&b| b != b':' || dice.roll(2) == 0);
        let (short, long) = (&name[..name.len().min(100)], &name[..name.len().min(187)]);
        let (once, twice) = (escaped(short), escaped(&escaped(long)));
        let end = b" 192.0.2.40 port 46347";
        for parts in [
            [&b"Failed password for invalid user "[..], &once, b" from", end, b" ssh2"],
            [b"Invalid user ", &once, b" from", end, b""],
            [b"error: PAM: Authentication failure for illegal user ", &once, b" from 192.0.2.40", b"", b""],
            [b"Connection closed by invalid user ", &twice, end, b" [preauth]", b""],
            [b"Connection closed by invalid user ", &escaped(long), end, b" [preauth]", b""],
            [b"Disconnecting invalid user ", &twice, end, b": Too many authentication failures", b" [preauth]"],
            [b"ssh_dispatch_run_fatal: Connection from invalid user ", &twice, end, b": incomplete message", b" [preauth]"],
            [b"Failed none for invalid user ", &once, b" from", end, b" ssh2"],
            [b"Access denied for user ", &once, b" by PAM account configuration", b" [preauth]", b""],
            [b"pam_unix(sshd:auth): check pass; user (", &name, b") unknown", b"", b""],
            [b"pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.40 user=", &name, b"", b"", b""],
            [b"kex_exchange_identification: client sent invalid protocol identifier \"", &once, b"\"", b"", b""],
        ] {
            let body = parts.concat();
            if let Reading::Event(event) = reading("sshd", syslogged(&body)) {
                assert_ne!(event.source, address(b"8.8.8.8"), "{}", body.escape_ascii());
            }
        }
    }
}

/// What sshd does to a name.
fn escaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in name {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x20..=0x7e => out.push(byte),
            _ => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
    out
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let mut dice = Dice(1);
    let words: Vec<&[u8]> = FORMS.iter().map(|(words, _)| *words).chain(QUIET.iter().copied()).collect();
    for _ in 0..50_000 {
        let mut body = words[dice.roll(words.len())].to_vec();
        for _ in 0..dice.roll(12) {
            match dice.roll(4) {
                0 => body.extend_from_slice(b" port "),
                1 => body.extend_from_slice(b" from 192.0.2.1"),
                2 => body.push(u8::try_from(dice.roll(256)).expect("a byte")),
                _ => body.extend_from_slice(b": 1, pid = \\"),
            }
        }
        let _ = reading("sshd-session", &body);
        let _ = super::super::pam::read(
            &Record { program: b"x", pid: None, body: &body, body_at: 0 },
            &Secrets::new([0; 16]),
        );
    }
}
