//! What clippy cannot see, and no reviewer should have to look for.
//!
//! Each rule is a function from text to complaints with a test on text that breaks it; the tests in this file put
//! the whole tree through them. `purity` holds the wall around the crates that only compute, `manifests` what a crate
//! may depend on and under which licences, `words` the form of files and what the text may not speak of.

#![expect(clippy::unwrap_used, reason = "a tree that cannot be read fails the test, as it should")]

mod manifests;
mod purity;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// The crates that only compute.
const PURE: [&str; 2] = ["crates/fairban-core", "crates/fairban-parse"];

/// A text file of the tree, its path from the root.
struct SourceFile {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text that people write: sources, manifests, documents, scripts. Logs under `samples` are not ours to tidy.
fn tree() -> Vec<SourceFile> {
    let mut files = Vec::new();
    collect(&root(), "", &mut files);
    assert!(files.len() > 30, "the tree is not where it should be: {} files", files.len());
    files
}

fn collect(root: &Path, dir: &str, files: &mut Vec<SourceFile>) {
    let mut entries: Vec<_> = fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if !matches!(name.as_str(), ".git" | "target" | "proptest-regressions") {
                collect(root, &path, files);
            }
        } else if kind.is_file() && is_ours(&path) {
            let text = fs::read_to_string(entry.path()).unwrap_or_else(|error| panic!("{path}: {error}"));
            files.push(SourceFile { path, text });
        }
    }
}

fn is_ours(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    match extension {
        Some(extension) => matches!(extension, "rs" | "toml" | "md" | "sh" | "py" | "json"),
        None => path.starts_with("scripts/") || path.starts_with(".ci/"),
    }
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// Fails with all complaints at once.
fn expect_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// Complaints of `rule` about each file, the path put before.
fn over(files: &[SourceFile], rule: impl Fn(&SourceFile) -> Vec<String>) -> Vec<String> {
    let told = |file| rule(file).into_iter().map(move |complaint| format!("{}: {complaint}", file.path));
    files.iter().flat_map(told).collect()
}

#[test]
fn core_and_parse_only_compute() {
    let mut files = tree();
    files.retain(|file| PURE.iter().any(|dir| file.path.starts_with(&format!("{dir}/src/"))));
    files.retain(|file| is_rust(&file.path) && !purity::is_test_file(&file.path));
    assert!(files.len() > 15, "looked at {} files only", files.len());
    expect_none(&over(&files, |file| purity::complaints(&file.text)));
}

#[test]
fn clippy_guards_core_and_parse() {
    // Clippy reads the nearest file alone: one that lost its bans would hold nothing.
    for dir in PURE {
        let bans = fs::read_to_string(root().join(dir).join("clippy.toml")).unwrap();
        expect_none(&purity::missing_bans(&bans));
    }
}

#[test]
fn crates_depend_on_what_is_listed() {
    expect_none(&manifests::dependency_complaints(&manifests::metadata()));
}

#[test]
fn licences_let_everybody_use_us() {
    expect_none(&manifests::licence_complaints(&manifests::metadata()));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut files = tree();
    files.retain(|file| file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml"));
    assert!(files.len() >= 3, "found {} manifests only", files.len());
    expect_none(&over(&files, |file| manifests::lint_complaints(&file.text)));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    expect_none(&over(&tree(), |file| words::form_complaints(&file.path, &file.text)));
}

#[test]
fn text_speaks_of_the_project_alone() {
    let mut files = tree();
    // Its own rules are full of what it forbids.
    files.retain(|file| !file.path.starts_with("crates/fairban/tests/tidy/"));
    expect_none(&over(&files, |file| words::word_complaints(&file.text)));
}
