//! Core and parse know no clock, file, socket, thread, environment, log and no random seed.
//!
//! The sources are read as tokens: comments and strings may speak of what they like, and `use std::{fmt, fs}` is seen
//! for what it is. Clippy bans the same things by type; this reading also sees what clippy's list does not name, such
//! as the rest of a module, a log macro, or the clock of a time-zone crate.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What must not be named, with all that lies below it. What ends in `::` is a crate: its bare name may be a variable's.
const FORBIDDEN: [(&str, &str); 29] = [
    ("alloc::alloc", "raw memory"),
    ("dbg!", "tells somebody"),
    ("eprint!", "tells somebody"),
    ("eprintln!", "tells somebody"),
    ("log::", "logs: return what was found"),
    ("print!", "tells somebody"),
    ("println!", "tells somebody"),
    ("rand::", "randomness"),
    ("std::alloc", "raw memory"),
    ("std::collections::HashMap", "its random seed reaches results"),
    ("std::collections::HashSet", "its random seed reaches results"),
    ("std::collections::hash_map", "its random seed reaches results"),
    ("std::collections::hash_set", "its random seed reaches results"),
    ("std::env", "an outside setting"),
    ("std::fs", "files"),
    ("std::hash::DefaultHasher", "differs between releases of std"),
    ("std::hash::RandomState", "its random seed reaches results"),
    ("std::io", "files and streams"),
    ("std::net", "sockets (addresses are fine)"),
    ("std::os", "the system"),
    ("std::process", "processes"),
    ("std::sync::mpsc", "threads"),
    ("std::thread", "threads"),
    ("std::time", "the clock: see fairban_core::time"),
    ("thread_local!", "hidden state"),
    ("tokio::", "a runtime"),
    ("tracing::", "logs: return what was found"),
    ("unsafe", "unsafe code"),
    ("std::*", "hides what it brings"),
];

/// What lies below a forbidden path and is harmless.
const HARMLESS: [&str; 4] =
    ["std::net::AddrParseError", "std::net::IpAddr", "std::net::Ipv4Addr", "std::net::Ipv6Addr"];

/// Ends of paths that ask the system through another crate, whatever the path's beginning is called here.
const FORBIDDEN_ENDS: [(&str, &str); 4] = [
    ("::now", "the clock"),
    ("TimeZone::get", "reads the system's zones: take a TimeZone as argument"),
    ("TimeZone::system", "the machine's zone: take a TimeZone as argument"),
    ("TimeZone::try_system", "the machine's zone: take a TimeZone as argument"),
];

/// Words that stand before a path and are no part of it, even if it begins with `::`.
const BEFORE_A_PATH: [&str; 12] =
    ["as", "break", "dyn", "else", "if", "impl", "in", "match", "mut", "return", "use", "while"];

/// Whether a file holds nothing but tests: these read samples.
pub(crate) fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("_tests.rs")
}

/// What in a source asks the world outside.
pub(crate) fn complaints(source: &str) -> Vec<String> {
    let tokens: TokenStream = match source.parse() {
        Ok(tokens) => tokens,
        Err(error) => return vec![format!("cannot be read: {error}")],
    };
    let mut paths = Vec::new();
    collect(tokens, "", &mut paths);
    paths.iter().filter_map(|path| Some(format!("`{path}`: {}", reason(path)?))).collect()
}

fn reason(path: &str) -> Option<&'static str> {
    if path == "std as" {
        return Some("another name for std hides what is taken from it");
    }
    if HARMLESS.iter().any(|harmless| lies_below(path, harmless)) {
        return None;
    }
    let by_beginning = FORBIDDEN.iter().find(|(forbidden, _)| lies_below(path, forbidden));
    let by_end = || FORBIDDEN_ENDS.iter().find(|(end, _)| path.ends_with(end));
    by_beginning.or_else(by_end).map(|(_, reason)| *reason)
}

fn lies_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || top.ends_with("::"))
}

/// Every path in `tokens`, groups unfolded, each with `prefix` before it; macros end in `!`.
fn collect(tokens: TokenStream, prefix: &str, paths: &mut Vec<String>) {
    let mut path = String::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                let name = name.trim_start_matches("r#");
                if name == "as" && path == "std" {
                    paths.push("std as".to_owned());
                } else if colons == 2 && !path.is_empty() && !BEFORE_A_PATH.contains(&path.as_str()) {
                    path = format!("{path}::{name}");
                } else {
                    flush(&mut path, paths);
                    path = format!("{prefix}{name}");
                }
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Punct(punct) => {
                match punct.as_char() {
                    '!' if !path.is_empty() => path.push('!'),
                    '*' if colons == 2 => path.push_str("::*"),
                    '*' if path.is_empty() && !prefix.is_empty() => path = format!("{prefix}*"),
                    _ => {}
                }
                flush(&mut path, paths);
                colons = 0;
            }
            TokenTree::Group(group) => {
                let unfolds = colons == 2 && group.delimiter() == Delimiter::Brace;
                let below = if unfolds { format!("{path}::") } else { String::new() };
                if unfolds {
                    path.clear();
                }
                flush(&mut path, paths);
                collect(group.stream(), &below, paths);
                colons = 0;
            }
            TokenTree::Literal(_) => {
                flush(&mut path, paths);
                colons = 0;
            }
        }
    }
    flush(&mut path, paths);
}

fn flush(path: &mut String, paths: &mut Vec<String>) {
    if !path.is_empty() {
        paths.push(std::mem::take(path));
    }
}

/// The bans that a `clippy.toml` of a pure crate must hold, one of each kind.
pub(crate) fn missing_bans(clippy: &str) -> Vec<String> {
    let needed = [
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "std::fs::read",
        "std::fs::File",
        "std::net::TcpStream",
        "std::net::UdpSocket",
        "std::thread::spawn",
        "std::env::var",
        "std::process::Command",
        "std::io::stdin",
        "std::collections::HashMap",
        "std::collections::HashSet",
    ];
    let ban = |path: &str| format!("path = \"{path}\", reason = ");
    let missing = needed.iter().filter(|path| !clippy.contains(&ban(path)));
    missing.map(|path| format!("no ban on {path}")).collect()
}

#[test]
fn impure_sources_are_found() {
    let check = |source: &str, found: &str| {
        let complaints = complaints(source).join("\n");
        assert!(complaints.contains(found), "{source:?} gives {complaints:?}, not {found:?}");
    };
    check("use std::fs;", "`std::fs`");
    check("use std::fs::File;", "`std::fs::File`");
    check("use std::{fmt, fs::{self, File}};", "`std::fs::File`");
    check("use ::std::{collections::{BTreeMap, HashMap}};", "`std::collections::HashMap`");
    check("fn f() { let t = std::time::Instant::now(); }", "`std::time::Instant::now`");
    check("fn f() { Zoned::now() }", "`Zoned::now`");
    check("fn f() { jiff::tz::TimeZone::system() }", "TimeZone::system");
    check("use std::net::{IpAddr, UdpSocket};", "`std::net::UdpSocket`");
    check("use std::net::*;", "`std::net::*`");
    check("use std::*;", "`std::*`");
    check("use std::{*};", "`std::*`");
    check("use std as s;", "another name");
    check("fn f() { log::warn!(\"x\") }", "`log::warn!`");
    check("fn f() { vec![std::env::var(\"X\")]; }", "`std::env::var`");
    check("fn f() { format!(\"{}\", std::thread::current().id()) }", "`std::thread::current`");
    check("fn f() { println!(\"x\") }", "`println!`");
    check("fn f() { unsafe { g() } }", "`unsafe`");
    check("fn f() { r#unsafe() } use r#std::r#process::exit;", "`std::process::exit`");
    check("fn f( {", "cannot be read");
}

#[test]
fn pure_sources_pass() {
    let pure = r#"
        //! Never asks std::fs or std::time::Instant::now().
        use core::net::IpAddr;
        use std::net::{Ipv4Addr, Ipv6Addr};
        use std::collections::{BTreeMap, VecDeque};
        /* println!("x") */
        fn process(env: u8, now: Time) -> &'static str { let log = env * now.secs(); "std::fs::read" }
    "#;
    assert_eq!(complaints(pure), Vec::<String>::new());
}

#[test]
fn a_clippy_file_without_its_bans_is_found() {
    assert!(missing_bans("too-many-lines-threshold = 70").len() > 10);
}
