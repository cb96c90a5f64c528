//! How each service spells the account that a client typed, and which key it becomes: one account has one key, however
//! its name was typed, by whichever service it is told, and a name that was cut is never taken for a whole one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

use fairban_core::account::{ACCOUNT_BYTES_MAX, Account, AccountKey};
use fairban_core::escape::escaped;
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};

/// The account that a line tells of.
fn account(line: &[u8]) -> Account {
    match Parser::new([7; 16]).line(line, &mut Health::default()) {
        Parsed::Event(_, event) => event.account,
        other => panic!("{other:?}: {}", escaped(line)),
    }
}

/// Puts each spelling into the line at `{}`, and compares the account.
#[track_caller]
fn check(line: &str, table: &[(&[u8], Account)]) {
    let (before, after) = line.split_once("{}").expect("a place for the name");
    for (spelling, expected) in table {
        let line = [before.as_bytes(), spelling, after.as_bytes()].concat();
        assert_eq!(account(&line), *expected, "{}", escaped(&line));
    }
}

fn known(key: &[u8]) -> Account {
    let account = Account::Known(AccountKey::new(key));
    assert_eq!(account.key().map(AccountKey::as_bytes), Some(key), "the key itself, not a spelling of it");
    account
}

fn cut(key: &[u8]) -> Account {
    Account::Cut(AccountKey::new(key))
}

#[test]
fn vpopmail_writes_user_and_domain_split_and_in_lower_case() {
    for line in [
        "Nov 23 18:44:24 mx vpopmail[1]: vchkpw-pop3: vpopmail user not found {}:192.0.2.1",
        "Nov 23 18:44:24 mx vpopmail[1]: vchkpw-pop3: password fail (pass: 'x') {}:192.0.2.1",
        "Nov 23 18:44:24 mx vpopmail[1]: vchkpw-pop3: (PLAIN) login success {}:2001_db8__1",
    ] {
        check(
            line,
            &[
                (b"dan@d.example", known(b"dan@d.example")),
                // What a build that keeps the case would write.
                (b"DAN@D.Example", known(b"dan@d.example")),
                // No domain, no user, neither.
                (b"dan@", known(b"dan")),
                (b"@d.example", known(b"@d.example")),
                (b"@", Account::Hidden),
                // Already split: what parts the two elsewhere belongs to the user's name here.
                (b"dan/x@d.example", known(b"dan/x@d.example")),
                (b"dan+tag@d.example", known(b"dan+tag@d.example")),
            ],
        );
    }
}

#[test]
fn vpopmail_writes_a_name_that_it_has_not_split_as_it_came() {
    check(
        "Nov 23 18:44:24 mx vpopmail[1]: vchkpw-submission: null password given {}:192.0.2.1",
        &[
            (b"dan@d.example", known(b"dan@d.example")),
            (b"Dan@D.example", known(b"dan@d.example")),
            // `@`, `%` and `/` part user and domain alike.
            (b"dan%d.example", known(b"dan@d.example")),
            (b"dan/d.example", known(b"dan@d.example")),
            // vchkpw of today prints `%` so. A name may hold it itself, or rsyslog may have written a tab with it.
            (b"dan#d.example", known(b"dan#d.example")),
            (b"a/b%d.example", known(b"a/b@d.example")),
            (b"dan/x@d.example", known(b"dan/x@d.example")),
            // Blanks around it are no part of it, blanks within are.
            (b" dan@d.example\t", known(b"dan@d.example")),
            (b"dan smith@d.example", known(b"dan smith@d.example")),
            (b"dan", known(b"dan")),
            (b"", Account::Hidden),
            (b" ", Account::Hidden),
            // No UTF-8.
            (b"caf\xe9@d.example", known(b"caf\xe9@d.example")),
            (&[b'z'; 149], known(&[b'z'; 149])),
            (&[b'z'; 150], cut(&[b'z'; 150])),
            (&[b'z'; 155], cut(&[b'z'; 155])),
        ],
    );
    check(
        "Nov 23 18:44:24 mx vpopmail[1]: vchkpw-pop3: system user not found {}:192.0.2.1",
        &[(b"dan", known(b"dan")), (b"Dan", known(b"dan"))],
    );
    check(
        "Nov 23 18:44:24 mx vpopmail[1]: vchkpw-submission: null user name given {}:192.0.2.1",
        &[(b"", Account::Hidden)],
    );
}

#[test]
fn dovecot_cuts_names_at_64_bytes_before_a_message() {
    let shortened = [&[b'a'; 61][..], b"..."].concat();
    // A character is never cut in two: up to three bytes less are left.
    let before_a_character = [&[b'a'; 59][..], b"..."].concat();
    let too_short = [&[b'a'; 57][..], b"..."].concat();
    let lines = [
        "Nov 23 18:30:22 mx dovecot: auth: sql({},192.0.2.19,<LgpCyfVgDbrAAAIT>): unknown user",
        "Nov 23 18:30:22 mx dovecot: auth({},192.0.2.19,sasl:plain)<LgpCyfVgDbrAAAIT>: sql: unknown user",
        "Nov 23 18:30:22 mx dovecot: auth: passwd-file({},192.0.2.19): Password mismatch",
    ];
    for line in lines {
        check(
            line,
            &[
                (b"dan@example.org", known(b"dan@example.org")),
                (b"DAN@example.org", known(b"dan@example.org")),
                (b"dan", known(b"dan")),
                (b"dan@", known(b"dan@")),
                // Only `@` parts user and domain here.
                (b"dan%example.org", known(b"dan%example.org")),
                (b" dan@example.org ", known(b"dan@example.org")),
                (b"dan, smith", known(b"dan, smith")),
                (b"", Account::Hidden),
                (&[b'a'; 64], known(&[b'a'; 64])),
                (&shortened, cut(&[b'a'; 61])),
                (&before_a_character, cut(&[b'a'; 59])),
                (&too_short, known(&too_short)),
                // Somebody typed three dots.
                (b"dan...", known(b"dan...")),
            ],
        );
    }
}

#[test]
fn dovecot_cuts_names_at_80_bytes_between_angles_and_at_128_where_it_refuses_them() {
    let at_80 = [&[b'a'; 77][..], b"..."].concat();
    let at_128 = [&[b'a'; 125][..], b"..."].concat();
    check(
        "Nov 23 18:30:22 mx dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{}>, \
         method=PLAIN, rip=192.0.2.19, lip=10.0.0.1, session=<LgpCyfVgDbrAAAIT>",
        &[
            (b"Dan@example.org", known(b"dan@example.org")),
            (b"dan", known(b"dan")),
            (b"<dan>", known(b"<dan>")),
            (b"", Account::Hidden),
            (&[b'a'; 80], known(&[b'a'; 80])),
            (&at_80, cut(&[b'a'; 77])),
        ],
    );
    check(
        "Nov 23 18:30:22 mx dovecot: auth: plain(?,192.0.2.19,<LgpCyfVgDbrAAAIT>): Username character disallowed by \
         auth_username_chars: 0x20 (username: {})",
        &[
            (b"Dan Smith", known(b"dan smith")),
            (b"dan)", known(b"dan)")),
            (&at_80, known(&at_80)),
            (&at_128, cut(&[b'a'; 125])),
        ],
    );
}

#[test]
fn dovecot_names_only_the_last_of_several_tries() {
    let last = |name: &[u8], of| Account::Last { key: AccountKey::new(name), of };
    let line = "Nov 23 18:30:22 mx dovecot: imap-login: Disconnected: Inactivity (auth failed, 3 attempts in 9 secs): \
                user=<{}>, method=PLAIN, rip=192.0.2.19, lip=10.0.0.1, session=<LgpCyfVgDbrAAAIT>";
    let at_80 = [&[b'a'; 77][..], b"..."].concat();
    check(line, &[(b"Dan", last(b"dan", 3)), (b"", Account::Hidden), (&at_80, cut(&[b'a'; 77]))]);
}

#[test]
fn postfix_cuts_names_at_100_bytes_without_a_mark() {
    check(
        "Nov 23 18:43:10 mx postfix/smtpd[7]: warning: unknown[192.0.2.19]: SASL LOGIN authentication failed: \
         (reason unavailable), sasl_username={}",
        &[
            (b"dan@example.org", known(b"dan@example.org")),
            (b"DAN@Example.org", known(b"dan@example.org")),
            (b"dan", known(b"dan")),
            (b" dan ", known(b"dan")),
            (b"dan, sasl_username=x", known(b"dan, sasl_username=x")),
            (b"(unavailable)", Account::Hidden),
            (b"", Account::Hidden),
            (&[b'a'; 99], known(&[b'a'; 99])),
            (&[b'a'; 100], cut(&[b'a'; 100])),
        ],
    );
    check(
        "Nov 23 18:43:10 mx postfix/submission/smtpd[7]: 4XyZ12abCdE: client=unknown[192.0.2.19], sasl_method=PLAIN, sasl_username={}",
        &[(b"Dan@example.org", known(b"dan@example.org")), (&[b'a'; 100], cut(&[b'a'; 100]))],
    );
}

#[test]
fn sshd_cuts_names_at_100_bytes_and_escapes_them() {
    for line in [
        "Nov 23 18:32:15 mx sshd[7]: Invalid user {} from 192.0.2.1 port 40022",
        "Nov 23 18:32:15 mx sshd[7]: Failed password for invalid user {} from 192.0.2.1 port 40022 ssh2",
        "Nov 23 18:32:15 mx sshd[7]: Failed keyboard-interactive/pam for {} from 192.0.2.1 port 40022 ssh2",
    ] {
        check(
            line,
            &[
                (b"dan", known(b"dan")),
                (b"Dan", known(b"dan")),
                (b"dan@example.org", known(b"dan@example.org")),
                (b"dan smith", known(b"dan smith")),
                (b"dan from 192.0.2.9", known(b"dan from 192.0.2.9")),
                (br"caf\303\251", known(b"caf\xc3\xa9")),
                (br"a\tb\nc", known(b"a\tb\nc")),
                (br"EXAMPLE\\dan", known(br"example\dan")),
                (&[b'a'; 99], known(&[b'a'; 99])),
                (&[b'a'; 100], cut(&[b'a'; 100])),
                // It is the name that was cut, not its spelling.
                (br"\377".repeat(99).as_slice(), known(&[0xff; 99])),
                (br"\377".repeat(100).as_slice(), cut(&[0xff; 100])),
            ],
        );
    }
}

#[test]
fn sshd_escapes_a_name_twice_where_it_relays_it() {
    let once = "Nov 23 18:32:22 mx sshd[7]: Invalid user {} from 192.0.2.40 port 42705";
    let twice =
        "Nov 23 18:32:22 mx sshd[7]: Connection closed by invalid user {} 192.0.2.40 port 42705 [preauth]";
    // Since 10.3 once; the program's name is older than that, so both are possible.
    let either = "Nov 23 18:32:22 mx sshd-session[7]: Connection closed by invalid user {} 192.0.2.40 port 42705 [preauth]";
    for (name, spelt_once, spelt_twice) in [
        (&b"caf\xc3\xa9"[..], &br"caf\303\251"[..], &br"caf\\303\\251"[..]),
        (b"\x1b[2j", br"\033[2J", br"\\033[2J"),
        (br"example\dan", br"EXAMPLE\\dan", br"EXAMPLE\\\\dan"),
        (b"dan", b"dan", b"Dan"),
    ] {
        check(once, &[(spelt_once, known(name))]);
        check(twice, &[(spelt_twice, known(name))]);
        check(either, &[(spelt_twice, known(name))]);
    }
    check(either, &[(br"caf\303\251", known(b"caf\xc3\xa9"))]);
    // In these lines names are cut at 187 bytes, but what is not whole in the line of the try is not whole here.
    check(twice, &[(&[b'a'; 187], cut(&[b'a'; 100]))]);
}

#[test]
fn pam_writes_names_as_they_came() {
    check(
        "Jan 21 08:31:02 mx sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= \
         rhost=192.0.2.1  user={}",
        &[(b"root", known(b"root")), (b"Root", known(b"root")), (br"EXAMPLE\dan", known(br"example\dan"))],
    );
    check(
        "Jan 21 08:31:02 mx vsftpd[7]: pam_sss(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser= \
         rhost=192.0.2.1 user={}",
        &[
            (b"Dan@example.org", known(b"dan@example.org")),
            (b"dan smith", known(b"dan smith")),
            (br"EXAMPLE\dan", known(br"example\dan")),
        ],
    );
}

#[test]
fn no_key_is_longer_than_any_account() {
    let line = [
        &b"Nov 23 18:44:24 mx vpopmail[1]: vchkpw-pop3: vpopmail user not found "[..],
        &[b'a'; 2 * ACCOUNT_BYTES_MAX],
        b"@d.example:192.0.2.1",
    ];
    assert_eq!(account(&line.concat()).key().map(|key| key.as_bytes().len()), Some(ACCOUNT_BYTES_MAX));
}
