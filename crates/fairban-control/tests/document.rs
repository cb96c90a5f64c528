//! `docs/control.md` is the contract: every example in it is read, and nothing is missing.

use std::collections::BTreeSet;

use fairban_control::{Request, Response};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../docs/control.md");

fn examples() -> Vec<(Value, &'static str)> {
    let blocks = DOCUMENT.split("```json\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().expect("a block").lines());
    lines.map(|line| (serde_json::from_str(line).expect(line), line)).collect()
}

fn names(values: &[(Value, &str)], field: &str) -> BTreeSet<String> {
    values.iter().filter_map(|(value, _)| Some(value[field].as_str()?.to_owned())).collect()
}

#[test]
fn every_example_is_what_the_program_reads_and_writes() {
    let examples = examples();
    assert!(examples.len() > 40, "{}", examples.len());
    for (value, line) in examples {
        if value.get("ask").is_some() {
            let request = Request::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(value["ask"], request.name());
            assert_eq!(Request::parse(&request.to_line()), Ok(request), "{line}");
        } else {
            let response = Response::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
            let written: Value = serde_json::from_slice(&response.to_line()).expect("what we write is JSON");
            // Equal in all fields: none in the document is misspelt, and none that is always written is missing.
            assert_eq!(written, value, "{line}");
        }
    }
}

#[test]
fn every_question_and_answer_has_an_example() {
    let examples = examples();
    let asks = "status bans ban unban allow allow-list allow-remove why tail mode confirm limits limit-set limit-off limit-reset resume reload ping report";
    assert_eq!(names(&examples, "ask"), asks.split(' ').map(ToOwned::to_owned).collect());
    let answers =
        "status bans allow-list limits why nothing-known tailing event missed done report pong error";
    assert_eq!(names(&examples, "answer"), answers.split(' ').map(ToOwned::to_owned).collect());
    // What is unknown is told with everything that is known: one list, held to the document's.
    let unknown = Request::parse(br#"{"v":1,"ask":"x"}"#).expect_err("there is none").message;
    let told = unknown.as_str().split_once("there is ").expect("a list").1;
    assert_eq!(told.split(", ").collect::<Vec<_>>(), asks.split(' ').collect::<Vec<_>>());
}

#[test]
fn the_bounds_in_the_document_are_the_programs() {
    let grouped = |number: usize| {
        let digits = number.to_string();
        let (head, tail) = digits.split_at(digits.len() - 3);
        format!("{head},{tail}")
    };
    for bound in [fairban_control::REQUEST_BYTES_MAX, fairban_control::RESPONSE_BYTES_MAX] {
        assert!(DOCUMENT.contains(&format!("| {} |", grouped(bound))), "{bound}");
    }
    assert!(DOCUMENT.contains(&format!("`most` is {} at", fairban_control::ROWS_MAX)));
    assert!(DOCUMENT.contains(&format!("| {} | `bad-request` |", fairban_control::NOTE_BYTES_MAX)));
}

#[test]
fn answers_with_more_fields_are_read() {
    let line = br#"{"v":1,"answer":"pong","version":"9.9","mood":"good"}"#;
    assert!(matches!(Response::parse(line), Ok(Response::Pong { .. })));
    let line = br#"{"v":1,"answer":"error","problem":"tired","message":"no"}"#;
    assert!(matches!(Response::parse(line), Ok(Response::Error(_))));
    assert!(Response::parse(br#"{"v":2,"answer":"pong"}"#).unwrap_err().to_string().contains("version 2"));
}
