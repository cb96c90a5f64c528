use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Request, BadRequest> {
    Request::parse(text.as_bytes())
}

#[test]
fn errors_name_the_field_and_say_what_was_expected() {
    let check = |text: &str, field: Option<&str>, said: &str| {
        let error = parse(text).expect_err(text);
        assert_eq!(error.field.as_ref().map(Shown::as_str), field, "{text}: {error}");
        assert!(error.message.as_str().contains(said), "{text}: {error}");
    };
    check("", None, "not a JSON object");
    check("[1]", None, "not a JSON object");
    check(r#"{"v":1,"ask":"ping"} {}"#, None, "trailing");
    check(r#"{"v":1,"ask":"ping","ask":"status"}"#, None, "`ask` stands twice");
    check("{}", Some("v"), "is missing");
    check(r#"{"v":"1","ask":"ping"}"#, Some("v"), "expected the version");
    check(r#"{"v":1}"#, Some("ask"), "is missing");
    check(r#"{"v":1,"ask":"stauts"}"#, Some("ask"), "there is status, bans");
    check(r#"{"v":1,"ask":"ping","x":1}"#, Some("x"), "it takes nothing else");
    let ban = r#"{"v":1,"ask":"ban","prefix":"203.0.113.7","secnods":3600}"#;
    check(ban, Some("seconds"), "is missing");
    let ban = r#"{"v":1,"ask":"ban","prefix":"203.0.113.7","seconds":60,"secnods":3600}"#;
    check(ban, Some("secnods"), "it takes prefix, seconds, reason");
    let ban = |prefix: &str, seconds: &str| {
        format!(r#"{{"v":1,"ask":"ban","prefix":{prefix},"seconds":{seconds}}}"#)
    };
    check(&ban("7", "60"), Some("prefix"), "expected an address or prefix");
    check(&ban("\"203.0.113.7/24\"", "60"), Some("prefix"), "did you mean 203.0.113.0/24");
    check(&ban("\"0.0.0.0/0\"", "60"), Some("prefix"), "too wide");
    check(&ban("\"2000::/3\"", "60"), Some("prefix"), "too wide");
    for seconds in ["0", "-1", "1.5", "315360001", "\"1h\"", "true", "99999999999999999999"] {
        check(&ban("\"203.0.113.7\"", seconds), Some("seconds"), "from 1 to 315360000");
    }
    check(r#"{"v":1,"ask":"mode","mode":"alive"}"#, Some("mode"), "`live` or `shadow`");
    check(r#"{"v":1,"ask":"bans","most":0}"#, Some("most"), "from 1 to 500");
    check(r#"{"v":1,"ask":"why"}"#, Some("prefix"), "exactly one of `prefix` and `account`");
    check(r#"{"v":1,"ask":"why","account":"  "}"#, Some("account"), "a name");
    check(r#"{"v":1,"ask":"why","account":"a","at":"noon"}"#, Some("at"), "2026-01-21T09:51:25Z");
    check(r#"{"v":1,"ask":"unban","prefix":"203.0.113.7","all":true}"#, Some("prefix"), "exactly one");
    check(r#"{"v":1,"ask":"tail","only":["bann"]}"#, Some("only"), "stale-device");
    check(r#"{"v":1,"ask":"report"}"#, Some("since"), "is missing");
    let long = "x".repeat(NOTE_BYTES_MAX + 1);
    let allow = format!(r#"{{"v":1,"ask":"allow","prefix":"203.0.113.7","note":"{long}"}}"#);
    check(&allow, Some("note"), "at most 200 bytes");
}

#[test]
fn another_version_is_answered_as_such_whatever_else_stands_there() {
    let error = parse(r#"{"v":2,"ask":"dance","with":"me"}"#).unwrap_err();
    assert_eq!(error.problem, Problem::Version);
    assert!(error.message.as_str().contains("version 1"));
}

#[test]
fn what_an_error_repeats_is_escaped_and_cut() {
    let name = "\u{1b}[31m".repeat(2_000);
    let line = format!(r#"{{"v":1,"ask":"ping","{}":1}}"#, name.replace('\u{1b}', "\\u001b"));
    let error = parse(&line).unwrap_err();
    assert!(error.message.as_str().len() < 300 && error.message.as_str().contains("\\x1b[31m"));
}

fn prefixes() -> impl Strategy<Value = IpNet> {
    let v4 =
        (any::<u32>(), 8..=32u8).prop_map(|(bits, len)| format!("{}/{len}", std::net::Ipv4Addr::from(bits)));
    let v6 = (any::<u128>(), 16..=128u8)
        .prop_map(|(bits, len)| format!("{}/{len}", std::net::Ipv6Addr::from(bits | (1 << 125))));
    prop_oneof![v4, v6].prop_map(|text| text.parse::<IpNet>().unwrap().trunc())
}

fn moments() -> impl Strategy<Value = Moment> {
    let micros = -1_000_000_000_000_000..4_000_000_000_000_000_i64;
    micros.prop_map(|micros| fairban_core::time::Time::from_micros(micros).into())
}

fn accounts() -> impl Strategy<Value = Shown> {
    proptest::collection::vec(any::<u8>(), 0..40).prop_map(|mut bytes| {
        bytes.push(b'a');
        Shown::of(bytes)
    })
}

fn limit_names() -> impl Strategy<Value = Shown> {
    "[a-z0-9_-]{1,32}".prop_map(Shown::of)
}

fn limit_changes() -> impl Strategy<Value = LimitChange> {
    use proptest::option::of;
    let ports = of(proptest::collection::vec(1..=u16::MAX, 0..4));
    let numbers = (of(any::<u32>()), of(any::<u32>()), of(any::<u32>()), of(any::<u32>()), of(any::<u32>()));
    (ports, numbers, of(any::<bool>())).prop_map(|(ports, (concurrent, new, per, burst, hold), enforce)| {
        LimitChange { ports, concurrent, new, per, burst, hold, enforce }
    })
}

pub(crate) fn requests() -> impl Strategy<Value = Request> {
    let notes = || proptest::option::of("[ -~]{0,40}".prop_map(Shown::of));
    let about = prop_oneof![prefixes().prop_map(About::Prefix), accounts().prop_map(About::Account)];
    let whom =
        prop_oneof![prefixes().prop_map(Whom::Prefix), accounts().prop_map(Whom::Account), Just(Whom::All)];
    prop_oneof![
        Just(Request::Status),
        (proptest::option::of(prefixes()), proptest::option::of(prefixes()), 1..=ROWS_MAX)
            .prop_map(|(within, after, most)| Request::Bans { within, after, most }),
        (prefixes(), proptest::option::of(1..=BAN_SECONDS_MAX), notes())
            .prop_map(|(prefix, seconds, reason)| Request::Ban { prefix, seconds, reason }),
        (whom, any::<bool>()).prop_map(|(whom, forgive)| Request::Unban { whom, forgive }),
        (prefixes(), notes()).prop_map(|(prefix, note)| Request::Allow { prefix, note }),
        Just(Request::AllowList),
        prefixes().prop_map(|prefix| Request::AllowRemove { prefix }),
        (about, proptest::option::of(moments())).prop_map(|(about, at)| Request::Why { about, at }),
        proptest::collection::vec(proptest::sample::select(TailKind::ALL.to_vec()), 0..4)
            .prop_map(|only| Request::Tail { only }),
        proptest::sample::select(vec![Mode::Live, Mode::Shadow]).prop_map(|mode| Request::Mode { mode }),
        proptest::option::of(any::<u64>()).prop_map(|connected_ms| Request::Confirm { connected_ms }),
        Just(Request::Limits),
        (limit_names(), limit_changes()).prop_map(|(name, change)| Request::LimitSet { name, change }),
        proptest::option::of(limit_names()).prop_map(|name| Request::LimitOff { name }),
        proptest::option::of(limit_names()).prop_map(|name| Request::LimitReset { name }),
        Just(Request::Resume),
        Just(Request::Reload),
        Just(Request::Ping),
        moments().prop_map(|since| Request::Report { since }),
    ]
}

proptest! {
    #[test]
    fn requests_come_back(request in requests()) {
        let line = request.to_line();
        prop_assert!(line.iter().position(|&byte| byte == b'\n') == Some(line.len() - 1));
        prop_assert_eq!(Request::parse(&line), Ok(request));
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Request::parse(&bytes);
    }

    #[test]
    fn mutated_requests_are_read_or_refused(
        request in requests(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut line = request.to_line();
        for (at, byte) in changes {
            let at = at.index(line.len());
            line[at] = byte;
        }
        if let Err(error) = Request::parse(&line) {
            prop_assert!(!error.message.as_str().is_empty());
        }
    }

    #[test]
    fn deep_and_wide_values_are_refused(depth in 1..30_000usize) {
        let line = format!(r#"{{"v":1,"ask":{}"#, "[".repeat(depth));
        prop_assert!(Request::parse(line.as_bytes()).is_err());
        let line = format!(r#"{{"v":1,"ask":"ping","x":[{}0]}}"#, "0,".repeat(depth));
        prop_assert!(Request::parse(line.as_bytes()).is_err());
    }
}
