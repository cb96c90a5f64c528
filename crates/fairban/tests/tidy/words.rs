//! The form of a file, and what its text may not speak of.
//!
//! A reader has the project and nothing else: a path of the machine it was written on, the number of a ticket, a
//! document that is not in the tree tell him nothing.

/// Most lines in a source.
const LINES_MAX: usize = 800;

/// Most lines in a source that is a table, and which ones are.
const TABLE_LINES_MAX: usize = 1_500;
const TABLES: [&str; 0] = [];

/// What a text may not hold, in lower case, and why.
const FORBIDDEN: [(&str, &str); 20] = [
    ("/work/", "a path of the machine it was written on"),
    ("/root/", "a path of the machine it was written on"),
    ("/bash_jobs", "a path of the machine it was written on"),
    ("../shared", "a path outside the project"),
    ("shared/corpus", "a path outside the project"),
    ("shared/arena", "a path outside the project"),
    ("index.crates.io", "a host that files are fetched from"),
    ("static.crates.io", "a host that files are fetched from"),
    ("deb.debian.org", "a host that files are fetched from"),
    ("registry.npmjs", "a host that files are fetched from"),
    ("pypi.org", "a host that files are fetched from"),
    ("://mirror", "a host that files are fetched from"),
    ("design.md", "a document that is not in the tree"),
    ("science.md", "a document that is not in the tree"),
    ("requirements.md", "a document that is not in the tree"),
    ("brief.md", "a document that is not in the tree"),
    ("subagent", "how it was written"),
    ("worktree", "how it was written"),
    ("work tree", "how it was written"),
    ("helper's branch", "how it was written"),
];

/// A word that a number makes a reference to something outside the tree: `issue 3`, `DESIGN 5.3`, `(#12)`.
const NUMBERED: [(&str, usize, &str); 5] = [
    ("issue ", 3, "a ticket"),
    ("issue #", 4, "a ticket"),
    ("(#", 2, "a ticket"),
    (" #", 2, "a ticket"),
    ("design ", 2, "a document that is not in the tree"),
];

/// Homes that log lines name.
const HOMES_IN_LOGS: [&str; 3] = ["a b", "user", "vpopmail"];

/// Complaints about length, head, line ends and blanks.
pub(crate) fn form_complaints(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let is_rust = crate::is_rust(path);
    let lines = text.lines().count();
    let most = if TABLES.contains(&path) { TABLE_LINES_MAX } else { LINES_MAX };
    if is_rust && lines > most {
        complaints.push(format!("{lines} lines, more than {most}: give a part of it a file of its own"));
    }
    // The tests of a module stand beside it: its head is theirs.
    let beside = path.contains("/src/") && crate::purity::is_test_file(path);
    if is_rust && !beside && !text.starts_with("//! ") {
        complaints.push("does not begin with a `//!` comment that says what it is".to_owned());
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        complaints.push("does not end in one line feed".to_owned());
    }
    for (index, line) in text.split('\n').enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            complaints.push(format!("line {} ends in a blank", index + 1));
        }
    }
    complaints
}

/// Complaints about what the text speaks of.
pub(crate) fn word_complaints(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        let words = FORBIDDEN.iter().filter(|(word, _)| lower.contains(word));
        let numbers = NUMBERED.iter().filter(|(word, digits, _)| is_numbered(&lower, word, *digits));
        let mut reasons: Vec<&str> = words.map(|(_, reason)| *reason).collect();
        reasons.extend(numbers.map(|(_, _, reason)| *reason));
        if names_a_home(&lower) {
            reasons.push("somebody's home");
        }
        complaints.extend(reasons.iter().map(|reason| format!("line {}, {reason}: {line}", index + 1)));
    }
    complaints
}

/// Whether `word` is followed by a number of one to `digits_max` digits.
fn is_numbered(line: &str, word: &str, digits_max: usize) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let rest = &line.as_bytes()[at + word.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let ends = !rest.get(digits).is_some_and(u8::is_ascii_alphanumeric);
        (1..=digits_max).contains(&digits) && ends
    })
}

fn names_a_home(line: &str) -> bool {
    let mut homes = line.match_indices("/home/").map(|(at, home)| &line[at + home.len()..]);
    homes.any(|owner| !HOMES_IN_LOGS.iter().any(|logged| owner.starts_with(logged)))
}

#[test]
fn bad_form_is_found() {
    let check = |path: &str, text: &str, expected: &[&str]| {
        assert_eq!(form_complaints(path, text), expected, "{path}");
    };
    check("a.rs", "//! A.\nfn f() {}\n", &[]);
    check("a.rs", "fn f() {}\n", &["does not begin with a `//!` comment that says what it is"]);
    check("c/src/a/tests.rs", "fn f() {}\n", &[]);
    check("a.md", "a", &["does not end in one line feed"]);
    check("a.md", "a\n\n", &["does not end in one line feed"]);
    check(
        "a.md",
        "a \nb\t\nc\r\n",
        &["line 1 ends in a blank", "line 2 ends in a blank", "line 3 ends in a blank"],
    );
    let long = format!("//! A.\n{}", "\n".repeat(LINES_MAX)) + "x\n";
    check("a.rs", &long, &["802 lines, more than 800: give a part of it a file of its own"]);
    check("a.md", &long, &[]);
}

#[test]
fn words_about_the_workplace_are_found() {
    let bad = [
        "see /work/main",
        "cat /root/.cargo/config",
        "in /home/anna/fairban",
        "copied from ../shared/corpus",
        "As issue 3 says",
        "see Issue #12.",
        "fixed (#7)",
        "closes #31",
        "// DESIGN 5.3 no. 1",
        "as DESIGN.md has it",
        "fetched from index.crates.io",
    ];
    for line in bad {
        assert!(!word_complaints(line).is_empty(), "{line}");
    }
    let good = [
        "a session ends when the helper process closes it",
        "rsyslog writes #012 for a line feed",
        "/home/vpopmail/domains",
        "#[derive(Clone)]",
        "an issue 2038 will bring",
        "the colour #31a0ff and r#\"raw\"#",
        "design is 4-fold",
    ];
    for line in good {
        assert_eq!(word_complaints(line), Vec::<String>::new(), "{line}");
    }
}
