use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::keys::{self, KEYS, SECTIONS};
use super::*;

/// The main file and drop-ins, loaded.
fn load(main: &str, drop_ins: &[(&str, &str)]) -> (tempfile::TempDir, Result<Loaded, Report>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("fairban.toml");
    fs::write(&path, main).expect("a temporary file");
    let paths = Paths::new(Some(&path));
    fs::create_dir(&paths.drop_ins).expect("a folder for drop-ins");
    for (name, text) in drop_ins {
        fs::write(paths.drop_ins.join(name), text).expect("a drop-in");
    }
    let loaded = Config::load(&paths);
    (folder, loaded)
}

fn good(main: &str) -> Config {
    match load(main, &[]).1 {
        Ok(loaded) => loaded.config,
        Err(report) => panic!("{main}:\n{}", report.render(false)),
    }
}

fn bad(main: &str) -> Report {
    load(main, &[]).1.expect_err(main)
}

/// Exactly one thing is wrong, at this line and column, and what is told holds these parts.
fn check_bad(main: &str, place: (u32, u32), parts: &[&str]) {
    let report = bad(main);
    assert_eq!(report.problems.len(), 1, "{main}:\n{}", report.render(false));
    let (_, line, column) = report.problems[0].place().expect("a place");
    let text = report.render(false);
    assert_eq!((line, column), place, "{main}:\n{text}");
    // Long texts are broken into lines.
    let flat = text.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(flat.contains(part), "'{part}' is missing for {main}:\n{text}");
    }
}

/// A file that says nothing but one key.
fn file_with(key: &keys::Key) -> String {
    match key.section() {
        "" => format!("{} = {}\n", key.short(), key.example),
        "input" => {
            let beside = match key.short() {
                "from" => "syslog = \"udp:192.0.2.9:514\"\n",
                "services" | "timezone" => "file = \"/var/log/x.log\"\n",
                _ => "",
            };
            format!("[[input]]\n{beside}{} = {}\n", key.short(), key.example)
        }
        "limits" => {
            let beside = match key.short() {
                "ports" => "concurrent = 5\n",
                "enforce" => "ports = [22]\nconcurrent = 5\n",
                "burst" | "hold" => "ports = [22]\nnew = \"9/1m\"\n",
                _ => "ports = [22]\n",
            };
            format!("[limits.x]\n{beside}{} = {}\n", key.short(), key.example)
        }
        section => format!("[{section}]\n{} = {}\n", key.short(), key.example),
    }
}

/// The one example that names a file is given one that exists.
fn with_a_real_file(text: &str, folder: &Path) -> String {
    let offices = folder.join("offices");
    fs::write(&offices, "198.51.100.0/24 # the office\n\nhome.example.net\n").expect("a temporary file");
    text.replace("/etc/fairban/offices", offices.to_str().expect("plain names"))
}

#[test]
fn without_any_file_the_defaults_count() {
    let nowhere = Path::new("/nonexistent/fairban.toml");
    let paths = Paths { main: nowhere.to_owned(), named: false, drop_ins: nowhere.with_extension("d") };
    let loaded = Config::load(&paths).expect("nothing is wrong with nothing");
    assert!(loaded.files.is_empty());
    assert!(loaded.config.values().iter().all(|shown| shown.origin == Origin::Default));
    assert_eq!(diff(&Config::default(), &loaded.config), []);
    assert_eq!(loaded.config.mode.value, Mode::Shadow);
    assert!(loaded.config.discover.value);
    assert_eq!(loaded.config.ban_lengths(), BanLengths::default());
    let named = Config::load(&Paths { named: true, ..paths }).expect_err("it was asked for");
    assert!(named.problems[0].message().contains("/nonexistent/fairban.toml"));
}

#[test]
fn documented_defaults_are_the_real_ones() {
    for shown in Config::default().values() {
        let key = keys::find(shown.key).expect("it is a key");
        if documents::is_toml(key.default) {
            let value = shown.value.replace("[]", "").trim().to_owned();
            assert_eq!(value, key.default.replace("[]", ""), "{}", key.name);
        }
    }
}

#[test]
fn every_key_is_read_and_shown_with_its_origin() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for key in &KEYS {
        let text = with_a_real_file(&file_with(key), folder.path());
        let config = good(&text);
        let values = config.values();
        let shown =
            values.iter().find(|shown| shown.key == key.name).unwrap_or_else(|| panic!("{}", key.name));
        let line = text.lines().count() as u32;
        assert!(
            matches!(shown.origin, Origin::File { line: l, drop_in: false, .. } if l == line),
            "{shown:?}"
        );
        let changes: BTreeSet<&str> = diff(&Config::default(), &config).iter().map(|c| c.key).collect();
        assert_eq!(changes.contains(key.name), key.example != key.default, "{}: {changes:?}", key.name);
        let beside = |name: &str| name.starts_with("input.") || name.starts_with("limits.");
        let others = changes.iter().filter(|name| **name != key.name && !beside(name));
        // Without inputs the usual places are searched; another state folder has another key file in it.
        let follows =
            |name: &str| matches!((key.name, name), ("state_dir", "key_file")) || name == "discover";
        assert!(others.clone().all(|name| follows(name)), "{}: {changes:?}", key.name);
    }
}

#[test]
fn every_key_and_section_has_one_place_and_all_its_words() {
    let names: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(names.len(), KEYS.len());
    for key in &KEYS {
        assert!(SECTIONS.iter().any(|section| section.name == key.section()), "{}", key.name);
        assert!(key.text.ends_with('.') && !key.kind.is_empty() && !key.default.is_empty(), "{}", key.name);
    }
    let order: Vec<&str> = KEYS.iter().map(keys::Key::section).collect();
    let mut sections = order.clone();
    sections.dedup();
    assert_eq!(sections, SECTIONS.map(|section| section.name), "keys of a section stand together");
}

#[test]
fn the_documents_in_the_tree_are_made_from_the_keys() {
    let made = [
        ("docs/config.md", "config.md", documents::markdown()),
        ("docs/man/fairban.toml.5", "fairban.toml", documents::man_page()),
        ("contrib/fairban.toml", "example", documents::example()),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, page, made) in made {
        let in_tree = fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(made == in_tree, "{path} is old; run: cargo run -q -- man {page} > {path}");
        for key in &KEYS {
            assert!(made.replace("\\-", "-").contains(key.short()), "{path} does not name {}", key.name);
        }
    }
}

#[test]
fn the_example_is_right_as_it_is_and_line_by_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = with_a_real_file(&documents::example(), folder.path());
    assert_eq!(diff(&Config::default(), &good(&example)), []);
    let named: BTreeSet<&str> = example
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    let known: BTreeSet<&str> = KEYS.iter().map(keys::Key::short).collect();
    assert_eq!(named.iter().filter(|name| !name.contains(' ')).copied().collect::<BTreeSet<_>>(), known);
    // Without inputs, of which each has one source, all of it may count at once.
    let (before, after) = example.split_once("#[[input]]").expect("a table of inputs");
    let after = &after[after.find("# There is no number").expect("the next table")..];
    let active = |text: &str| -> String {
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') && (rest.contains(" = ") || rest.starts_with('[')) => rest,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    let whole = good(&(active(before) + &active(after)));
    assert!(whole.values().iter().all(|shown| shown.origin != Origin::Default));
}

#[test]
fn drop_ins_count_in_the_order_of_their_names_and_lists_add_up() {
    let main = "mode = \"live\"\nallow = [\"192.0.2.0/24\"]\n[bans]\nfirst = \"2h\"\n";
    let drop_ins = [
        ("20-b.toml", "bans.first = \"4h\"\nallow = [\"198.51.100.7\"]\n"),
        ("10-a.toml", "bans.first = \"3h\"\n[[input]]\nfile = \"/var/log/a.log\"\n"),
        ("30-c.toml.bak", "this is not even TOML"),
        (".hidden.toml", "nor is this"),
    ];
    let (_folder, loaded) = load(main, &drop_ins);
    let loaded = loaded.expect("all of it is right");
    let config = &loaded.config;
    assert_eq!(config.bans.first.value, Span::hours(4));
    assert!(config.bans.first.origin.to_string().ends_with("fairban.d/20-b.toml:1 (drop-in)"));
    assert!(config.mode.origin.to_string().ends_with("fairban.toml:1"));
    let allowed: Vec<String> = config.allowed.prefixes.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["192.0.2.0/24", "198.51.100.7/32"]);
    assert_eq!(config.inputs.len(), 1);
    assert!(!config.discover.value, "an input was named");
    assert_eq!(loaded.files.len(), 3);
}

#[test]
fn everything_wrong_in_all_files_is_told_at_once() {
    let main =
        "mod = \"live\"\nallow = [\"192.0.2.5/24\", 7, \"monitor.example.net\"]\n[bans]\nladder = 99\n";
    let drop_ins = [("a.toml", "= 1\n"), ("b.toml", "[control]\nsocket = \"run/x\"\n")];
    let (_folder, loaded) = load(main, &drop_ins);
    let report = loaded.expect_err("all of it is wrong");
    let text = report.render(false);
    assert_eq!(report.problems.len(), 6, "{text}");
    for part in
        ["did you mean mode?", "192.0.2.0/24", "a whole number", "between 1 and 16", "not TOML", "absolute"]
    {
        assert!(text.contains(part), "'{part}' is missing in:\n{text}");
    }
    assert!(text.contains("b.toml:2:10"), "{text}");
}

#[test]
fn unknown_keys_are_told_with_the_nearest() {
    check_bad("alow = []", (1, 1), &["no key alow", "did you mean allow?"]);
    check_bad("\n[bans]\n  fist = \"1h\"", (3, 3), &["no key fist in bans", "did you mean first?"]);
    check_bad("[ban]\nfirst = \"1h\"", (1, 2), &["did you mean bans?"]);
    check_bad("first = \"1h\"", (1, 1), &["first belongs in [bans]"]);
    check_bad("[bans]\nmode = \"live\"", (2, 1), &["mode stands before the first table"]);
    check_bad("maxretry = 5", (1, 1), &["no number of failures"]);
    check_bad("ignoreip = [\"192.0.2.1\"]", (1, 1), &["stands in allow"]);
    check_bad("[[input]]\nfiles = \"/x\"", (2, 1), &["did you mean file?"]);
    check_bad("xyzzy = 1", (1, 1), &["no key xyzzy"]);
}

#[test]
fn wrong_types_and_values_are_told_with_a_remedy() {
    check_bad("mode = \"life\"", (1, 8), &["mode must be \"shadow\" or \"live\"", "did you mean \"live\"?"]);
    check_bad("mode = true", (1, 8), &["this is true or false"]);
    check_bad("discover = \"yes\"", (1, 12), &["without quotes"]);
    check_bad("[bans]\nfirst = 600", (2, 9), &["\"600s\""]);
    check_bad("[bans]\nfirst = \"600\"", (2, 9), &["no unit"]);
    check_bad("[bans]\nfirst = \"1 h\"", (2, 9), &["times are like"]);
    check_bad("[bans]\nfirst = \"5s\"", (2, 9), &["not between 1m and 365d"]);
    check_bad(
        "[bans]\nfirst = \"2d\"",
        (2, 9),
        &["bans.first (2d) is longer than bans.longest_familiar (1d)"],
    );
    check_bad("[bans]\nlongest = \"1h\"", (2, 11), &["longer than bans.longest (1h)"]);
    check_bad("timezone = \"Europe/Berlim\"", (1, 12), &["did you mean Europe/Berlin?"]);
    check_bad("services = \"sshd\"", (1, 12), &["[\"sshd\"]"]);
    check_bad("services = [\"sshd\", \"dovecott\"]", (1, 21), &["did you mean \"dovecot\"?"]);
    check_bad("services = []", (1, 12), &["this is empty"]);
    check_bad("state_dir = \"/var/../etc\"", (1, 13), &["goes up"]);
    check_bad("user = \"a b\"", (1, 8), &["no name of a user"]);
    check_bad("bans = 3", (1, 1), &["[bans] on a line of its own"]);
    check_bad("[mode]", (1, 2), &["mode is no table"]);
    check_bad("history = { megabytes = 4 }", (1, 25), &["between 8 and 65536"]);
}

#[test]
fn prefixes_are_strict_and_names_are_names() {
    let wrong = |text: &str, parts: &[&str]| check_bad(&format!("allow = [\"{text}\"]"), (1, 10), parts);
    wrong("192.0.2.5/24", &["did you mean the network 192.0.2.0/24, or the address 192.0.2.5?"]);
    wrong("2001:db8::1/64", &["2001:db8::/64"]);
    wrong("192.0.2.0/33", &["from 1 to 32"]);
    wrong("192.0.2.0/+8", &["from 1 to 32"]);
    wrong("0.0.0.0/0", &["everybody"]);
    wrong("192.0.2.300", &["no IP address"]);
    wrong("192.0.2", &["no IP address"]);
    wrong("010.0.0.1", &["no IP address"]);
    wrong("localhost", &["neither an address nor a DNS name"]);
    wrong("-a.example", &["neither"]);
    wrong("/nonexistent/list", &["/nonexistent/list cannot be read"]);
    let config = good("allow = [\"::ffff:192.0.2.0/120\", \"192.0.2.77\", \"Monitor.Example.NET.\"]");
    let allowed: Vec<String> = config.allowed.prefixes.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["192.0.2.0/24"], "one within another is left out");
    assert_eq!(config.allowed.names, ["monitor.example.net"]);
}

#[test]
fn files_of_allow_are_read_and_their_errors_have_places() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("list");
    fs::write(&list, "# offices\n192.0.2.0/24\n  198.51.100.9/24  # no\n/etc/more\n").expect("a file");
    let report = bad(&format!("allow = [\"{}\"]", list.display()));
    let places: Vec<_> =
        report.problems.iter().map(|p| p.place().map(|(_, line, column)| (line, column))).collect();
    assert_eq!(places, [Some((3, 3)), Some((4, 1))], "{}", report.render(false));

    fs::write(&list, "192.0.2.0/24\n").expect("a file");
    let text = format!("allow = [\"{}\"]", list.display());
    let before = good(&text);
    fs::write(&list, "192.0.2.0/25\n").expect("a file");
    let changes = diff(&before, &good(&text));
    assert_eq!(changes.iter().map(|change| change.key).collect::<Vec<_>>(), ["allow"]);
}

#[test]
fn inputs_have_one_source_and_listeners_say_whom_they_believe() {
    check_bad("[[input]]\nservices = [\"sshd\"]", (1, 1), &["exactly one of file"]);
    check_bad("[[input]]\nfile = \"/a\"\npipe = \"/b\"", (1, 1), &["several sources"]);
    check_bad("[input]\nfile = \"/a\"", (1, 2), &["[[input]], with two brackets"]);
    check_bad("[[input]]\nfile = \"mail.log\"", (2, 8), &["not an absolute path"]);
    check_bad("[[input]]\nfile = \"/var/log/[a\"", (2, 8), &["no pattern"]);
    check_bad("[[input]]\njournal = [\"unit=ssh\"]", (2, 12), &["no match"]);
    check_bad("[[input]]\nsyslog = \"udp:192.0.2.1:514\"", (1, 1), &["say from whom"]);
    check_bad("[[input]]\nsyslog = \"udp:localhost:514\"", (2, 10), &["no address and port"]);
    check_bad("[[input]]\nfile = \"/a\"\nfrom = [\"192.0.2.0/24\"]", (1, 1), &["only for syslog"]);
    check_bad("[[input]]\nfile = \"/a\"\n[[input]]\nfile = \"/a\"", (3, 1), &["there already"]);
    let config = good(
        "input = [{ file = \"/var/log/*.log\", services = [\"sshd\"] }, { syslog = \"tcp:[::1]:5514\" }]\nservices = [\"sshd\", \"pam\"]",
    );
    assert_eq!(config.inputs.len(), 2);
    assert_eq!(config.services_of(&config.inputs[0]), 1 << Service::Sshd.index());
    assert_eq!(config.services_of(&config.inputs[1]), config.services.value);
    assert!(config.zone_of(&config.inputs[0]).name.is_none());
}

#[test]
fn limits_are_read_by_name_and_what_is_wrong_has_its_place_and_remedy() {
    let config = good(
        "[limits.pop3]\nports = [110, 995]\nconcurrent = 40\nnew = \"60/1m\"\nhold = \"5m\"\nenforce = true\n\
         [limits.ssh]\nports = [22]\nnew = \"9/h\"\nburst = 3\n",
    );
    let specs = config.limit_specs();
    assert_eq!(specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>(), ["pop3", "ssh"]);
    let rates = specs.iter().map(|spec| spec.rate.expect("a rate")).collect::<Vec<_>>();
    assert_eq!((rates[0].burst, rates[0].hold_seconds, specs[0].enforce), (60, Some(300), true));
    assert_eq!((rates[1].seconds, rates[1].burst, specs[1].enforce), (3_600, 3, false));
    // A drop-in changes a part of it.
    let drop_in = ("20-x.toml", "limits.ssh.burst = 5");
    let (_folder, loaded) = load("[limits.ssh]\nports = [22]\nnew = \"9/1h\"\n", &[drop_in]);
    let Ok(loaded) = loaded else { panic!("it is right") };
    assert_eq!(loaded.config.limit_specs()[0].rate.map(|rate| (rate.count, rate.burst)), Some((9, 5)));
    check_bad("[limits]\nports = [110]\n", (2, 1), &["limits.ports is no limit", "write [limits.pop3]"]);
    check_bad("[limits.x]\nconcurrent = 3\n", (1, 9), &["limits.x: it has no ports", "ports = [110, 995]"]);
    check_bad("[limits.x]\nports = [1]\n", (1, 9), &["it limits nothing", "fairban limits suggest"]);
    check_bad("[limits.x]\nports = [1]\nnew = \"60/5m\"\n", (3, 7), &["1s, 1m, 1h or 1d", "\"60/1m\""]);
    check_bad("[limits.x]\nports = [1]\nmaxconn = 3\n", (3, 1), &["there is no key maxconn in limits"]);
    check_bad(
        "[limits.x]\nports = [1]\nconcurrent = 3\nburst = 3\n",
        (1, 9),
        &["no limit of new", "add new"],
    );
    check_bad("[limits.\"a b\"]\nports = [1]\nconcurrent = 3\n", (1, 9), &["is no name", "letters"]);
    let one = |n: u8| format!("[limits.n{n}]\nports = [1]\nconcurrent = 3\n");
    let many = (0..17).map(one).collect::<Vec<_>>().concat();
    assert!(bad(&many).render(false).contains("more than 16 limits"));
}

#[test]
fn files_that_are_no_text_are_told_and_not_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("fairban.toml");
    for (bytes, part) in
        [(vec![b'#'; 2 << 20], "longer than"), (b"a = 1\n\xff".to_vec(), "line 2 is not UTF-8")]
    {
        fs::write(&path, bytes).expect("a file");
        let report = Config::load(&Paths::new(Some(&path))).expect_err("it is no text");
        assert!(report.problems[0].message().contains(part), "{}", report.problems[0]);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 300, failure_persistence: None, ..proptest::prelude::ProptestConfig::default()
    })]

    /// Whatever stands in the file, every problem has a place in it and can be shown.
    #[test]
    fn any_text_is_read_or_told(
        lines in proptest::collection::vec((0..KEYS.len(), "[ -~\n\u{9b}é]{0,12}", 0_usize..4), 0..6)
    ) {
        let text: String = lines.iter().map(|(at, junk, how)| match how {
            0 => file_with(&KEYS[*at]),
            1 => format!("{} = {junk}\n", KEYS[*at].short()),
            2 => format!("{} = \"{junk}\"\n", KEYS[*at].name),
            _ => junk.clone(),
        }).collect();
        if let Err(report) = load(&text, &[]).1 {
            proptest::prop_assert!(!report.problems.is_empty());
            let shown = report.render(false);
            proptest::prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
