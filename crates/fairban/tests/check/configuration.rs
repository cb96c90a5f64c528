//! What is said of the configuration itself.

use crate::support::{Folder, fairban};

#[test]
fn a_mistake_is_shown_with_file_line_and_caret() {
    let folder = Folder::new();
    let config = folder.file("x.toml", "mode = \"shadow\"\n[bans]\nfist = \"2h\"\n");
    folder.file("x.d/10-more.toml", "allow = [\"192.0.2.5/24\"]\n");
    let ran = fairban(&["check", "--config", &config]);
    assert_eq!(ran.code, 78, "{}", ran.err);
    ran.tells(&[
        "x.toml:3:1",
        "fist",
        "did you mean first?",
        "10-more.toml:1:10",
        "192.0.2.0/24",
        "2 mistakes",
    ]);
    assert_eq!(ran.out, "");

    let ran = fairban(&["check", "--json", "--config", &config]);
    assert_eq!(ran.code, 78);
    let errors: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|error| error["action"] == "config-error" && error["v"] == 1));
    assert_eq!((errors[0]["line"].as_u64(), errors[0]["column"].as_u64()), (Some(3), Some(1)));
}

#[test]
fn a_configuration_that_was_named_must_be_there() {
    let ran = fairban(&["check", "--config", "/nonexistent/fairban.toml"]);
    assert_eq!(ran.code, 78);
    ran.tells(&["/nonexistent/fairban.toml"]);
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let folder = Folder::new();
    let config = folder.file("x.toml", "mode = \"live\"\n");
    folder.file("x.d/a.toml", "\nbans.first = \"2h\"\n");
    let ran = fairban(&["check", "--effective", "--config", &config]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = |start: &str| {
        ran.out
            .lines()
            .find(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("{start} in {}", ran.out))
    };
    assert!(line("mode = \"live\"").ends_with("x.toml:1"));
    assert!(line("bans.first = \"2h\"").ends_with("a.toml:2 (drop-in)"));
    assert!(line("bans.ladder = 4").ends_with("# default"));

    let ran = fairban(&["check", "--effective", "--json", "--config", &config]);
    let values: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let mode = values.iter().find(|value| value["key"] == "mode").expect("it is there");
    assert_eq!((&mode["value"], &mode["origin"]["line"]), (&"\"live\"".into(), &1.into()));
}

#[test]
fn help_and_man_page_tell_of_exit_codes_and_hide_what_is_not_for_people() {
    let help = fairban(&["check", "--help"]).out;
    for part in ["0   all is well", "1   something needs doing", "78", "--effective", "--json"] {
        assert!(help.contains(part), "{part} in {help}");
    }
    for text in [fairban(&["--help"]).out, fairban(&["man"]).out] {
        assert!(text.to_lowercase().contains("check") && !text.contains("try-inputs"), "{text}");
    }
}

#[test]
fn a_live_mode_that_shuts_nobody_out_is_warned_of() {
    let folder = Folder::new();
    let config = folder.file("x.toml", "mode = \"live\"\ndiscover = false\n[bans]\nenforcer = \"none\"\n");
    let ran = fairban(&["check", "--config", &config]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("nobody is shut out"), "{}", ran.out);
    assert!(ran.out.contains("nothing to read"), "{}", ran.out);
}
