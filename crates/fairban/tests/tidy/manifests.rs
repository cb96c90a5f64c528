//! What our crates may depend on, and under which licences.
//!
//! A new dependency is argued in the commit that adds it to [`ALLOWED`] here. The crates that read what attackers
//! wrote have short lists: every name on them can get its hands on a log line.

use std::process::Command;

use serde_json::Value;

/// Crates with a list of their own: name, what the product may use, what tests may use besides.
const ALLOWED: [(&str, &[&str], &[&str]); 2] = [
    ("fairban-core", &["ipnet", "postcard", "serde", "siphasher", "thiserror"], &["libm", "proptest"]),
    (
        "fairban-parse",
        &["aho-corasick", "fairban-core", "jiff", "memchr", "regex-automata", "serde", "siphasher"],
        &["flate2", "proptest"],
    ),
];

/// Dependencies of these crates whose default features reach for the system, with the features that do not.
const FEATURES: [(&str, &[&str]); 3] = [("hashbrown", &[]), ("jiff", &["alloc"]), ("postcard", &["alloc"])];

/// Licences that let everybody use, change and pass on the program, whatever else it is linked with.
const LICENCES: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "bzip2-1.0.6",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What cargo knows of the workspace and of everything it links on this machine's platform; asks no network.
pub(crate) fn metadata() -> Value {
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO")).args(arguments).current_dir(crate::root()).output().unwrap();
        assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let version = String::from_utf8(cargo(&["-vV"])).unwrap();
    let platform = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let arguments =
        ["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform", platform];
    serde_json::from_slice(&cargo(&arguments)).unwrap()
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn dependencies(package: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let list = package["dependencies"].as_array().into_iter().flatten();
    list.filter_map(|dependency| Some((dependency["name"].as_str()?, dependency)))
}

/// Dependencies that are not on the lists, and features that are not harmless.
pub(crate) fn dependency_complaints(metadata: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    for (crate_name, product, tests) in ALLOWED {
        let Some(package) = packages(metadata).find(|package| package["name"] == crate_name) else {
            complaints.push(format!("{crate_name} is not in the workspace"));
            continue;
        };
        for (name, dependency) in dependencies(package) {
            let in_tests = dependency["kind"] == "dev";
            let listed = product.contains(&name) || in_tests && tests.contains(&name);
            if !listed {
                complaints.push(format!("{crate_name} depends on {name}, which is not on its list"));
            }
            let harmless =
                FEATURES.iter().find(|(guarded, _)| *guarded == name).map(|(_, features)| *features);
            if let (Some(harmless), false) = (harmless, in_tests) {
                complaints.extend(feature_complaints(crate_name, name, dependency, harmless));
            }
        }
    }
    complaints
}

fn feature_complaints(crate_name: &str, name: &str, dependency: &Value, harmless: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    if dependency["uses_default_features"] != false {
        complaints.push(format!("{crate_name} takes the default features of {name}"));
    }
    let features = dependency["features"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let reaching = features.filter(|feature| !harmless.contains(feature));
    complaints.extend(reaching.map(|feature| format!("{crate_name} takes the feature {feature} of {name}")));
    complaints
}

/// Packages whose licence is missing or asks for more than our users can give.
pub(crate) fn licence_complaints(metadata: &Value) -> Vec<String> {
    assert!(packages(metadata).count() > 10, "cargo told of too few packages");
    let told = |package: &Value| {
        let licence = package["license"].as_str().unwrap_or_default();
        let named = format!("{} {}: {licence:?}", package["name"], package["version"]);
        (!is_free(licence)).then(|| format!("{named} is not a licence we can ship under"))
    };
    packages(metadata).filter_map(told).collect()
}

/// Whether one choice within an SPDX expression holds only listed licences. Reads `(A OR B) AND C` and the old `A/B`;
/// what is nested deeper is refused rather than guessed at.
fn is_free(expression: &str) -> bool {
    let choice = |choices: &str| {
        let choices = choices.trim().trim_start_matches('(').trim_end_matches(')');
        choices.split(" OR ").flat_map(|one| one.split('/')).any(|licence| LICENCES.contains(&licence.trim()))
    };
    expression.split(" AND ").all(choice)
}

/// A manifest that does not take the workspace's lints lets `unsafe` in.
pub(crate) fn lint_complaints(manifest: &str) -> Vec<String> {
    let taken = manifest.contains("\n[lints]\nworkspace = true\n");
    if taken { Vec::new() } else { vec!["does not take the lints of the workspace".to_owned()] }
}

#[cfg(test)]
fn bad_metadata() -> Value {
    let dependency = |name: &str, kind: Value, defaults: bool, features: &[&str]| serde_json::json!({"name": name, "kind": kind, "uses_default_features": defaults, "features": features});
    let list = [
        dependency("tokio", Value::Null, false, &[]),
        dependency("proptest", Value::Null, false, &[]),
        dependency("jiff", Value::Null, true, &["alloc", "tz-system"]),
        dependency("proptest", "dev".into(), true, &["std"]),
    ];
    serde_json::json!({"packages": [{"name": "fairban-parse", "dependencies": list}]})
}

#[test]
fn a_dependency_off_the_list_is_found() {
    let expected = [
        "fairban-core is not in the workspace",
        "fairban-parse depends on tokio, which is not on its list",
        "fairban-parse depends on proptest, which is not on its list",
        "fairban-parse takes the default features of jiff",
        "fairban-parse takes the feature tz-system of jiff",
    ];
    assert_eq!(dependency_complaints(&bad_metadata()), expected);
}

#[test]
fn licences_are_read_as_choices() {
    for free in [
        "MIT",
        "MIT OR Apache-2.0",
        "MIT/Apache-2.0",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "LGPL-2.1 OR MIT",
    ] {
        assert!(is_free(free), "{free}");
    }
    for bound in ["", "GPL-3.0-only", "AGPL-3.0", "MIT AND LGPL-3.0-or-later", "GPL-2.0 OR LGPL-2.1", "MITX"]
    {
        assert!(!is_free(bound), "{bound}");
    }
}

#[test]
fn a_manifest_without_lints_is_found() {
    assert_eq!(lint_complaints("[package]\nname = \"x\"\n").len(), 1);
}
