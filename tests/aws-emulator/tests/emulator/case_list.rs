//! Counts the cases: the table, the tests that exist in this very binary, and the emulator's own table must agree.

use crate::expectations::{CONTROLS, Evidence, all};
use std::collections::BTreeSet;
use std::process::Command;

/// The names of this binary's tests, as the test runner lists them with `arguments`.
fn tests_listed_with(arguments: &[&str]) -> Vec<String> {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this).arg("--list").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

fn case_number(test: &str) -> Option<u8> {
    let name = test.rsplit("::").next()?.strip_prefix("case_")?;
    name.split('_').next()?.parse().ok()
}

#[test]
fn each_of_the_63_cases_has_a_test() {
    let tested: BTreeSet<u8> = tests_listed_with(&[]).iter().filter_map(|test| case_number(test)).collect();

    assert_eq!(tested, (1..=63).collect());
}

#[test]
fn no_test_is_ignored() {
    let ignored = tests_listed_with(&["--ignored"]);

    assert_eq!(ignored, Vec::<String>::new());
}

#[test]
fn each_case_is_in_the_table_or_a_control() {
    let expected: BTreeSet<u8> = all().map(|row| row.number()).chain(CONTROLS).collect();

    assert_eq!(expected, (1..=63).collect());
}

/// The list of proven cases, as the fact sheet gives it.
#[test]
fn the_texts_marked_verbatim_are_those_that_were_seen() {
    let verbatim: BTreeSet<u8> =
        all().filter(|row| row.evidence == Evidence::Verbatim).map(|row| row.number()).collect();

    let seen = [1, 2, 3, 8, 9, 10, 12, 14, 15, 16, 17, 18, 20, 23, 24, 25, 30, 58, 59, 62];
    assert_eq!(verbatim, seen.into());
}

/// Two tables kept apart on purpose; where the emulator calls a text AWS's own, the tests must not call it inferred.
#[test]
fn the_emulators_rules_name_the_same_cases() {
    let rows = aws_emulator::Rule::ALL.iter().map(|rule| rule.row());
    let emulated: BTreeSet<(u8, &str)> =
        rows.flat_map(|row| row.cases.iter().map(move |case| (*case, row.id))).collect();

    let tested: BTreeSet<(u8, &str)> = all().map(|row| (row.number(), row.rule)).collect();

    assert_eq!(tested, emulated);
}

/// The text of every file of these tests.
fn sources() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/emulator");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn each_rule_of_the_emulator_is_named_by_a_test() {
    let sources = sources();
    let ids = aws_emulator::Rule::ALL.iter().map(|rule| rule.row().id);

    let unnamed: Vec<&str> = ids.filter(|id| !sources.contains(&format!("\"{id}\""))).collect();

    assert_eq!(unnamed, Vec::<&str>::new());
}
