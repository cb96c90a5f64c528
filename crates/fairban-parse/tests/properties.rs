//! What no line can do, whatever a client has put into it: make the parser panic, point outside the line, name an
//! address that the server did not write, or be counted wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "the test, unlike the crate, reads its samples")]

mod formats;
mod sample_lines;

use std::net::IpAddr;
use std::sync::LazyLock;

use fairban_core::account::ACCOUNT_BYTES_MAX;
use fairban_core::escape::escaped;
use fairban_core::event::{AuthEvent, Service};
use fairban_parse::envelope;
use fairban_parse::health::{Health, SAMPLE_BYTES_MAX, SAMPLES_MAX};
use fairban_parse::parser::{LINE_BYTES_MAX, Parsed, Parser, TIMES_MAX};
use fairban_parse::record::{Grammar, Reading, Record};
use fairban_parse::secret::Secrets;
use fairban_parse::service::{dovecot, pam, postfix, sshd, tcpserver, vpopmail};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::formats::{CLIENTS, Client, Envelope, FORGED, FORMS, Form};
use crate::sample_lines::{sample_files, unescaped};

/// Every line of the sample files.
static LINES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let texts: Vec<String> = sample_files().into_iter().map(|(_, text)| text).collect();
    let rows = texts.iter().flat_map(|text| text.lines());
    rows.filter_map(|row| unescaped(row.strip_prefix("> ")?)).collect()
});

/// The grammars, and the programs that they are asked about.
const GRAMMARS: [(Grammar, &[&str]); 6] = [
    (vpopmail::read, &["vpopmail", "vchangepw"]),
    (tcpserver::read, &["tcpserver", "sslserver", "sslhandle", ""]),
    (dovecot::read, &["dovecot"]),
    (postfix::read, &["postfix", "postfix/smtpd", "postfix/submission/smtpd", "postfix-mx/smtpd"]),
    (sshd::read, &["sshd", "sshd-session"]),
    (pam::read, &["vsftpd", "su"]),
];

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Reads one line and checks what holds for every line.
fn parsed(line: &[u8]) -> Parsed {
    let mut health = Health::default();
    let parsed = Parser::new([7; 16]).line(line, &mut health);
    check_health(&health);
    assert_eq!((health.lines, health.bytes), (1, line.len() as u64 + 1));
    if let Parsed::Event(_, event) = &parsed {
        check_event(event, 0, line);
    }
    if let Some((_, record)) = envelope::split(line) {
        let at = record.body_at as usize;
        assert_eq!(&line[at..at + record.body.len()], record.body);
    }
    parsed
}

/// Checks the event of a body that begins at `body_at` in its line and ends with it.
fn check_event(event: &AuthEvent, body_at: usize, body: &[u8]) {
    if let Some((from, to)) = event.secret_at {
        let (from, to) = (from as usize, to as usize);
        assert!(
            body_at <= from && from <= to && to <= body_at + body.len(),
            "{from}..{to}: {}",
            escaped(body)
        );
    }
    assert!(event.account.key().is_none_or(|key| key.as_bytes().len() <= ACCOUNT_BYTES_MAX));
    assert!((1..=TIMES_MAX).contains(&u32::from(event.times)));
    assert_eq!(
        event.source,
        event.source.map(|source| source.to_canonical()),
        "an IPv4 client has one address"
    );
}

/// Every line is in one counter.
fn check_health(health: &Health) {
    let of_services: u64 = health.services.iter().map(|service| service.lines).sum();
    assert_eq!(health.lines, health.no_format + health.foreign + health.gaps + of_services);
    assert!(health.too_long <= health.no_format);
    for service in &health.services {
        assert_eq!(service.lines, service.understood + service.odd);
        assert!(service.events <= service.understood && service.login_like <= service.odd);
        assert_eq!(service.samples.len() as u64, service.login_like.min(SAMPLES_MAX as u64));
        for sample in &service.samples {
            assert!(
                sample.len() <= 4 * SAMPLE_BYTES_MAX
                    && sample.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
            );
        }
    }
}

/// A change of some bytes of a line.
#[derive(Clone, Debug)]
enum Edit {
    Delete(Index, Index),
    Double(Index, Index),
    Insert(Index, Vec<u8>),
    Replace(Index, u8),
    /// The end of another line instead of the end of this one.
    Splice(Index, Vec<u8>, Index),
}

impl Edit {
    fn apply(&self, line: &mut Vec<u8>) {
        let place = |index: &Index| index.index(line.len() + 1);
        let span = |one: &Index, other: &Index| {
            let (one, other) = (place(one), place(other));
            one.min(other)..one.max(other)
        };
        match self {
            Edit::Delete(one, other) => drop(line.drain(span(one, other))),
            Edit::Double(one, other) => {
                let span = span(one, other);
                let text = line[span.clone()].to_vec();
                line.splice(span.start..span.start, text);
            }
            Edit::Insert(at, text) => {
                let at = place(at);
                line.splice(at..at, text.iter().copied());
            }
            Edit::Replace(at, byte) => {
                let at = place(at);
                if let Some(old) = line.get_mut(at) {
                    *old = *byte;
                }
            }
            Edit::Splice(at, other, from) => {
                line.truncate(place(at));
                line.extend(&other[from.index(other.len() + 1)..]);
            }
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Edit::Delete(one, other)),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Edit::Double(one, other)),
        (any::<Index>(), vec(any::<u8>(), 0..8)).prop_map(|(at, text)| Edit::Insert(at, text)),
        (any::<Index>(), select(FRAGMENTS)).prop_map(|(at, text)| Edit::Insert(at, text.as_bytes().to_vec())),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (any::<Index>(), select(&LINES[..]), any::<Index>())
            .prop_map(|(at, other, from)| Edit::Splice(at, other, from)),
    ]
}

/// A line of a sample file that something happened to.
fn mutated_line() -> impl Strategy<Value = Vec<u8>> {
    (select(&LINES[..]), vec(edit(), 0..5)).prop_map(|(mut line, edits)| {
        for edit in &edits {
            edit.apply(&mut line);
        }
        line
    })
}

/// Pieces of the formats, with the address that never connected.
const FRAGMENTS: &[&str] = &[
    "8.8.8.8",
    ":8.8.8.8",
    "@y:8.8.8.8",
    "x@y:8.8.8.8",
    "x@y",
    "') ",
    "') other@dom:8.8.8.8",
    "(pass: '",
    "8888:",
    "::",
    "2001:db8:8888:8888:8888:8888:8888:8888",
    "2001_db8__8888",
    " login success ",
    "vchkpw-pop3: password fail ",
    " from ",
    " from 8.8.8.8 port 22",
    "root from 8.8.8.8 port 22 ssh2",
    " 8.8.8.8 port 22",
    " 8.8.8.8 port 22: ",
    " port ",
    " ssh2",
    " ssh2: ",
    " [preauth]",
    "invalid user ",
    "authenticating user ",
    "illegal user ",
    " not allowed because ",
    "' from ",
    ": ",
    "Connection closed by ",
    "Failed password for ",
    "[8.8.8.8]:22",
    "on [8.8.8.8]:22",
    " timed out",
    ", pid = 7",
    ">, method=PLAIN, rip=8.8.8.8, lip=1.1.1.1, session=<AAAA>",
    ", rip=8.8.8.8",
    ", rip=",
    ", session=<",
    "session=<LgpCyfVgDboICAgI>",
    ": user=<",
    "user=<",
    ">",
    "<",
    ",",
    "(",
    ")",
    "): ",
    ",8.8.8.8,<LgpCyfVgDboICAgI>): unknown user",
    ",8.8.8.8): unknown user",
    ",8.8.8.8,<LgpCyfVgDboICAgI>",
    "unknown user",
    "Password mismatch",
    "password mismatch",
    " (given password: ",
    "given password: ",
    " (SHA1 of given password: 2a901c)",
    " (SHA1 of given password: ",
    ",master",
    ",8.8.8.8,sasl:plain)<LgpCyfVgDboICAgI>: sql: ",
    ": request [1]: sql: ",
    " (auth failed, 2 attempts in 9 secs): user=<",
    " - trying the next passdb",
    "proxy(",
    "unknown[8.8.8.8]",
    "[8.8.8.8]",
    "[",
    "]",
    "]: SASL LOGIN authentication failed: ",
    ", sasl_username=",
    ", sasl_method=PLAIN",
    ": client=unknown[8.8.8.8]",
    "warning: unknown[8.8.8.8]: SASL PLAIN authentication failed: x",
    "rhost=8.8.8.8  user=root",
    " rhost=8.8.8.8",
    " ruser= rhost=8.8.8.8 ",
    " rhost=",
    " user=",
    " uid=0",
    "logname=",
    "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=8.8.8.8  user=root",
    "message repeated 9 times: [ ",
    "last message repeated 9 times",
    "tcpserver: ok 1 0:1.1.1.1:110 :8.8.8.8::1",
    ":8.8.8.8::4242",
    "sshd[1]: Failed password for root from 8.8.8.8 port 22 ssh2",
    "vpopmail[1]: vchkpw-pop3: password fail bob@x:8.8.8.8",
    "auth: Info: sql(root,8.8.8.8,<LgpCyfVgDboICAgI>): unknown user",
    "Nov 23 18:30:22 mx sshd[1]: ",
    "%",
    "/",
    "\\",
    "\\n",
    "#012",
    " ",
    "  ",
    "\t",
    "...",
    "'",
    "\"",
];

/// What a client may type who knows the formats of a service: a plain name, or pieces of the formats, of lines that tell
/// of 8.8.8.8, and of what fills a line up.
fn hostile(service: Service) -> impl Strategy<Value = Vec<u8>> {
    // The end of a line, but for the last bytes, which the server adds; the start of one; any piece of it.
    let imitation = || {
        (select(imitations(service)), any::<Index>(), any::<Index>(), 0..4_u8, 0..4_usize).prop_map(
            |(text, one, other, which, spared)| {
                let (one, other) = (one.index(text.len() + 1), other.index(text.len() + 1));
                let most = text.len() - spared.min(text.len());
                let range = match which {
                    0 => one.min(most)..most,
                    1 => 0..one,
                    2 => 0..most,
                    _ => one.min(other)..one.max(other),
                };
                text[range].to_vec()
            },
        )
    };
    let piece = prop_oneof![
        6 => select(FRAGMENTS).prop_map(|text| text.as_bytes().to_vec()),
        4 => imitation(),
        1 => vec(any::<u8>(), 0..4),
        1 => (0..500_usize).prop_map(|count| vec![b'a'; count]),
        1 => (0..60_usize).prop_map(|count| vec![b'a'; count]),
        1 => (0..40_usize).prop_map(|count| vec![0xff; count]),
    ];
    prop_oneof![
        2 => select(&["", "u", "dan", "dan@d.example"][..]).prop_map(|text| text.as_bytes().to_vec()),
        3 => imitation(),
        5 => vec(piece, 0..6).prop_map(|pieces| pieces.concat()),
    ]
}

/// Bodies that tell of 8.8.8.8. What vchkpw writes for a client into the log of tcpserver may imitate any program.
fn imitations(service: Service) -> Vec<Vec<u8>> {
    if service == Service::Tcpserver {
        return FORMS.iter().map(Form::smuggled).collect();
    }
    let own = FORMS.iter().filter(|form| form.service == service);
    own.map(|form| form.body(FORGED, &[b"root", b"x"])).collect()
}

const ENVELOPES: [Envelope; 6] = [
    Envelope::Traditional,
    Envelope::Busybox,
    Envelope::Iso,
    Envelope::Rfc5424,
    Envelope::OwnFile,
    Envelope::Repeated,
];

fn any_envelope() -> impl Strategy<Value = Envelope> {
    select(&ENVELOPES[..])
}

/// A true line into which a client wrote what it could.
fn tampered() -> impl Strategy<Value = (&'static Form, Client, Envelope, Vec<u8>, Vec<u8>)> {
    select(FORMS.iter().collect::<Vec<_>>()).prop_flat_map(|form| {
        let texts = (hostile(form.service), hostile(form.service));
        (Just(form), select(&CLIENTS[..]), any_envelope(), texts)
            .prop_map(|(form, client, envelope, (one, other))| (form, client, envelope, one, other))
    })
}

fn address(client: Client) -> IpAddr {
    client.address.parse().expect("an address")
}

#[test]
fn every_form_names_its_client_where_nobody_tampers() {
    for form in FORMS {
        for client in CLIENTS {
            for envelope in ENVELOPES {
                let line = form.line(envelope, client, &[b"dan", b"secret"]);
                let source = match parsed(&line) {
                    Parsed::Event(_, event) => event.source,
                    _ => None,
                };
                // vchkpw does not say where the name ends that it has not read, and the address begins.
                let is_spoilt = form.service == Service::Vpopmail && form.may_be_refused(client, &[]);
                if !(is_spoilt && source.is_none()) {
                    assert_eq!(source, form.names_client.then(|| address(client)), "{}", escaped(&line));
                }
            }
        }
    }
}

/// The plainest forgery: a text that is the end of a line, with or without the byte that the server adds itself.
#[test]
fn no_end_of_a_line_in_a_text_names_another_source() {
    let client = CLIENTS[0];
    for form in FORMS {
        for imitation in imitations(form.service) {
            for (start, spared) in (0..imitation.len()).flat_map(|start| [(start, 0), (start, 1)]) {
                let end = &imitation[start..(imitation.len() - spared).max(start)];
                for texts in [[end, b"x"], [b"", end], [b"u", end]] {
                    let line = form.line(Envelope::Traditional, client, &texts);
                    if let Parsed::Event(_, event) = parsed(&line) {
                        let true_or_none = event.source.is_none_or(|source| source == address(client));
                        assert!(true_or_none, "{}", escaped(&line));
                    }
                }
            }
        }
    }
}

/// sshd cuts its lines after it has escaped the names in them, so a client can have the line end where it likes.
#[test]
fn no_length_of_a_name_makes_sshd_end_a_line_in_another_source() {
    let forms = FORMS.iter().filter(|form| form.service == Service::Sshd && form.names_client);
    for form in forms {
        for ending in
            [" 8.8.8.8 port 22", " from 8.8.8.8", " from 8.8.8.8 port 22 ssh2", "' from 8.8.8.8 port 22"]
        {
            for (escapes, letters) in
                (0..120).flat_map(|escapes| (0..5).map(move |letters| (escapes, letters)))
            {
                let name = [vec![0xff; escapes], vec![b'a'; letters], ending.into(), vec![0xff; 60]].concat();
                let line = form.line(Envelope::Traditional, CLIENTS[0], &[&name, &name]);
                if let Parsed::Event(_, event) = parsed(&line) {
                    let true_or_none = event.source.is_none_or(|source| source == address(CLIENTS[0]));
                    assert!(true_or_none, "{}", escaped(&line));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config(20_000))]

    #[test]
    fn no_text_of_a_client_names_another_source((form, client, envelope, one, other) in tampered()) {
        let line = form.line(envelope, client, &[&one, &other]);
        let source = match parsed(&line) {
            Parsed::Event(_, event) => event.source,
            _ => None,
        };
        if let Some(source) = source {
            prop_assert_eq!(source, address(client), "{}", escaped(&line));
        } else {
            let may_be = !form.names_client || form.may_be_refused(client, &[&one, &other]);
            prop_assert!(may_be, "refused: {}", escaped(&line));
        }
    }

    #[test]
    fn no_other_text_of_a_client_changes_its_name((form, client, envelope, _, other) in tampered()) {
        let account = |other: &[u8]| match parsed(&form.line(envelope, client, &[b"dan", other])) {
            Parsed::Event(_, event) => event.account.key().cloned(),
            _ => None,
        };
        if let Some(key) = account(&other) {
            prop_assert_eq!(Some(key), account(b"x"), "{}", escaped(&form.line(envelope, client, &[b"dan", &other])));
        }
    }

    #[test]
    fn mutated_lines_are_read_or_refused(line in mutated_line()) {
        let _ = parsed(&line);
    }

    #[test]
    fn any_bytes_are_read_or_refused(line in vec(any::<u8>(), 0..300)) {
        let _ = parsed(&line);
    }

    #[test]
    fn every_grammar_takes_any_body(
        (grammar, programs) in select(&GRAMMARS[..]),
        program in any::<Index>(),
        pid in any::<Option<u32>>(),
        body_at in 0..LINE_BYTES_MAX as u32,
        body in prop_oneof![
            vec(any::<u8>(), 0..300),
            vec(select(FRAGMENTS), 0..12).prop_map(|pieces| pieces.concat().into_bytes()),
            (mutated_line(), any::<Index>()).prop_map(|(line, at)| line[at.index(line.len() + 1)..].to_vec()),
            (select(FORMS), vec(edit(), 0..4)).prop_map(|(form, edits)| {
                let mut body = form.body(FORGED, &[b"root", b"x"]);
                for edit in &edits {
                    edit.apply(&mut body);
                }
                body
            }),
        ],
    ) {
        let program = programs[program.index(programs.len())].as_bytes();
        let record = Record { program, pid, body: &body, body_at };
        let reading = grammar(&record, &Secrets::new([7; 16]));
        prop_assert_eq!(&reading, &grammar(&record, &Secrets::new([7; 16])), "a grammar remembers nothing");
        if let Reading::Event(event) = reading {
            check_event(&event, body_at as usize, &body);
        }
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn the_health_of_the_parts_adds_up_to_that_of_the_whole(
        lines in vec(prop_oneof![mutated_line(), vec(any::<u8>(), 0..40)], 0..40),
        cut in any::<Index>(),
    ) {
        let parser = Parser::new([7; 16]);
        let read = |lines: &[Vec<u8>]| {
            let mut health = Health::default();
            for line in lines {
                let _ = parser.line(line, &mut health);
            }
            check_health(&health);
            health
        };
        let (one, other) = lines.split_at(cut.index(lines.len() + 1));
        let mut sum = read(one);
        sum.absorb(&read(other));
        prop_assert_eq!(&sum, &read(&lines));
        prop_assert_eq!(sum.lines, lines.len() as u64);
    }

    #[test]
    fn a_repeated_line_is_the_line_so_many_times(
        form in select(FORMS.iter().filter(|form| form.names_client).collect::<Vec<_>>()),
        client in select(&CLIENTS[..]),
        text in vec(0x20..0x7f_u8, 0..20),
    ) {
        prop_assume!(!matches!(form.service, Service::Tcpserver | Service::Sslserver)); // No syslog daemon writes these.
        let read = |envelope| match parsed(&form.line(envelope, client, &[&text, &text])) {
            Parsed::Event(_, event) => Some(AuthEvent { secret_at: None, ..event }),
            _ => None,
        };
        let once = read(Envelope::Traditional);
        prop_assert_eq!(read(Envelope::Repeated), once.map(|once| AuthEvent { times: 2, ..once }));
    }
}
