use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};

use super::*;
use crate::journal::entry::Field;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nvpopmail:x:89:89::/home/vpopmail:/sbin/nologin\n\
    dovecot:x:112:119::/usr/lib/dovecot:/usr/sbin/nologin\ndovenull:x:113:120::/nonexistent:/usr/sbin/nologin\n\
    postfix:x:105:110::/var/spool/postfix:/usr/sbin/nologin\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n\
    dan:x:1000:1000::/home/user:/bin/bash\nbroken\npostfix:x:y:\n";

/// Fields as `NAME=value` words; `_` stands for a blank in a message.
fn entry(fields: &str) -> Entry {
    let mut entry = Entry::default();
    for (name, value) in fields.split_whitespace().map(|field| field.split_once('=').unwrap()) {
        let value = Field::One(value.replace('_', " ").into_bytes());
        match name {
            "as" => entry.identifier = value,
            "uid" => entry.uid = value,
            "exe" => entry.exe = value,
            "comm" => entry.comm = value,
            "unit" => entry.unit = value,
            "says" => entry.message = value,
            _ => panic!("{name}"),
        }
    }
    entry
}

#[track_caller]
fn check(fields: &str, expected: Trust) {
    let users = Users::parse(PASSWD);
    assert_eq!(judge(&entry(fields), &users, &[]), expected, "{fields}");
}

#[test]
fn services_speak_for_themselves() {
    for fields in [
        "as=sshd uid=0 exe=/usr/sbin/sshd unit=ssh.service",
        "as=sshd uid=0 exe=/nix/store/abc-openssh-9.8/bin/sshd",
        "as=sshd-session uid=0 exe=/usr/lib/openssh/sshd-session unit=session-4.scope",
        "as=sshd-session uid=0 comm=sshd-session",
        "as=sshd uid=0 exe=/usr/sbin/sshd_(deleted)",
        "as=sshd uid=0",
        "as=dovecot uid=0 exe=/usr/lib/dovecot/log unit=dovecot.service",
        "as=dovecot uid=112 exe=/usr/libexec/dovecot/anvil",
        "as=dovecot uid=113 unit=dovecot.service",
        "as=dovecot uid=0 exe=/usr/sbin/dovecot",
        "as=postfix/smtpd uid=105 exe=/usr/lib/postfix/sbin/smtpd unit=postfix@-.service",
        "as=postfix/submission/smtpd uid=105 exe=/usr/libexec/postfix/smtpd",
        "as=postfix-out/smtpd uid=105 unit=postfix@out.service",
        "as=vpopmail uid=89 exe=/home/vpopmail/bin/vchkpw",
        "as=vpopmail uid=89",
        "as=vchkpw-pop3 uid=0 comm=vchkpw",
        "as=tcpserver uid=0 exe=/usr/local/bin/tcpserver unit=svscan.service",
        "as=run uid=0 exe=/usr/bin/tcpserver says=tcpserver:_pid_1_from_192.0.2.1",
        "as=tcpserver uid=89 exe=/usr/bin/logger",
        "as=tcpserver uid=0 exe=/var/qmail/bin/splogger",
        "as=systemd-journald uid=0 exe=/usr/lib/systemd/systemd-journald unit=systemd-journald.service",
        "as=vsftpd uid=0 exe=/usr/sbin/vsftpd",
    ] {
        check(fields, Trust::Counts);
    }
}

#[test]
fn users_do_not_speak_for_services() {
    for fields in [
        "as=sshd uid=1000 exe=/usr/bin/logger",
        "as=sshd uid=1000 comm=logger",
        "as=sshd uid=1000",
        "as=sshd uid=1000 comm=sshd",
        "as=sshd",
        "as=sshd uid=-1",
        "as=sshd uid=0 exe=/usr/bin/logger",
        "as=sshd uid=33 exe=/usr/bin/php unit=ssh.service",
        "as=dovecot uid=33 exe=/usr/bin/logger",
        "as=dovecot uid=0 exe=/usr/bin/logger unit=user@1000.service",
        "as=dovecot uid=1000 exe=/usr/bin/logger unit=dovecot.service.user",
        "as=dovecot uid=112 exe=/home/user/dovecot/log",
        "as=dovecot uid=1000 unit=dovecot.service",
        "as=postfix/smtpd uid=1000 exe=/usr/bin/logger",
        "as=postfix/smtpd uid=105 exe=/tmp/postfix/smtpd",
        "as=vpopmail uid=1000",
        "as=vpopmail uid=33",
        "as=anything uid=1000 says=vchkpw-pop3:_login_success",
        "as=tcpserver uid=1000 exe=/usr/bin/logger",
        "as=x uid=1000 says=tcpserver:_ok_1_a:192.0.2.1:110_b:192.0.2.2::5",
    ] {
        check(fields, Trust::Forged);
    }
}

#[test]
fn what_is_no_service_of_ours_is_no_alarm() {
    for fields in [
        // The part of a session that runs as the user says when it ends.
        "as=sshd uid=1000 exe=/usr/sbin/sshd says=Disconnected_from_user_dan",
        // Anybody may run these, with a configuration of his own.
        "as=dovecot uid=1000 exe=/usr/sbin/dovecot",
        "as=postfix/postdrop uid=1000 exe=/usr/lib/postfix/sbin/postdrop",
        "as=cron uid=1000 exe=/usr/sbin/cron",
        "as=kernel",
        "as=app uid=1000 unit=user@1000.service",
    ] {
        check(fields, Trust::SetAside);
    }
    check("as=nextcloud uid=33 unit=php-fpm.service", Trust::Counts);
    let su = Entry {
        message: Field::One(b"pam_unix(su:auth): authentication failure".to_vec()),
        ..entry("as=su uid=1000")
    };
    assert_eq!(judge(&su, &Users::default(), &[]), Trust::SetAside);
}

#[test]
fn a_site_may_name_users_of_its_own() {
    let own = entry("as=vpopmail uid=5000");
    assert_eq!(judge(&own, &Users::default(), &[]), Trust::Forged);
    assert_eq!(judge(&own, &Users::default(), &[5000]), Trust::Counts);
}

#[test]
fn every_name_that_a_grammar_claims_has_a_rule_here() {
    // Lines that the parser takes as a service's must not pass as any program's.
    let bodies =
        ["vchkpw-pop3: login success x", "pam_unix(x:auth): authentication failure; rhost=192.0.2.1", "x"];
    let names = [
        "vpopmail",
        "vchangepw",
        "dovecot",
        "sshd",
        "sshd-session",
        "sshd-auth",
        "tcpserver",
        "sslserver",
        "sslhandle",
        "postfix",
        "postfix/smtpd",
        "postfix-two/smtpd",
        "postfix/smtps/smtpd",
        "anything",
        "run",
    ];
    for name in names {
        for body in bodies {
            let line = format!("2026-11-23T18:31:08.628420+00:00 mx {name}[1]: {body}");
            let claimed =
                Parser::new([7; 16]).line(line.as_bytes(), &mut Health::default()) != Parsed::Foreign;
            let mut by_a_user = entry("uid=1000 exe=/usr/bin/logger unit=session-1.scope");
            by_a_user.identifier = Field::One(name.into());
            by_a_user.message = Field::One(body.into());
            let trust = judge(&by_a_user, &Users::parse(PASSWD), &[]);
            assert!(!claimed || trust != Trust::Counts, "{line}");
        }
    }
}
