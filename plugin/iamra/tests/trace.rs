//! `trace` by the binary itself, as an operator runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_vault-plugin-secrets-iamra");
const EVENT: &str = r#"{"eventTime":"2026-11-30T12:00:00Z","eventSource":"rolesanywhere.amazonaws.com","eventName":"CreateSession","awsRegion":"eu-central-1","responseElements":{"credentialSet":[{"credentials":{"accessKeyId":"ASIAIOSFODNN7EXAMPLE"},"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/app/4f0c6a11d2e34b5f8a907b1c2d3e4f50"}}]}}"#;

fn run(words: &[&str]) -> Output {
    Command::new(BINARY).arg("trace").args(words).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn file(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("events.json");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn a_file_and_stdin_give_one_report() {
    let (_folder, path) = file(EVENT);
    let mut piped = Command::new(BINARY)
        .args(["trace", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    piped.stdin.take().unwrap().write_all(EVENT.as_bytes()).unwrap();

    let (of_file, of_stdin) = (run(&[&path]), piped.wait_with_output().unwrap());

    assert!(of_file.status.success(), "{of_file:?}");
    assert!(said(&of_file.stdout).starts_with("session ASIAIOSFODNN7EXAMPLE\n"), "{of_file:?}");
    assert_eq!(of_file.stdout, of_stdin.stdout);
}

#[test]
fn json_is_one_document() {
    let (_folder, path) = file(EVENT);

    let output = run(&["--format", "json", &path]);

    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["sessions"][0]["access_key"], "ASIAIOSFODNN7EXAMPLE");
    assert_eq!(json["skipped"]["count"], 0);
}

#[test]
fn a_bad_line_is_named_on_stderr_and_is_no_failure() {
    let (_folder, path) = file(&format!("{EVENT}\n{{\"eventSource\": \n"));

    let output = run(&[&path]);

    let complaint = said(&output.stderr);
    assert!(output.status.success(), "{output:?}");
    assert!(complaint.contains(&format!("{path}: line 2: is not JSON")), "{complaint}");
    assert!(complaint.ends_with("lines skipped: 1\n"), "{complaint}");
}

#[test]
fn a_file_that_is_not_there_is_named_and_the_others_are_read() {
    let (_folder, path) = file(EVENT);

    let output = run(&["/nowhere/audit.log", &path]);

    assert!(output.status.success(), "{output:?}");
    assert!(said(&output.stderr).contains("/nowhere/audit.log: cannot be read: No such file"), "{output:?}");
    assert!(said(&output.stdout).contains("ASIAIOSFODNN7EXAMPLE"));
}

#[test]
fn a_run_that_could_read_nothing_fails() {
    let (_folder, path) = file("hello\n");

    for files in [&["/nowhere/audit.log"][..], &[&path]] {
        let output = run(files);

        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(said(&output.stderr).contains(files[0]), "{output:?}");
    }
}

#[test]
fn an_unknown_option_a_bad_value_and_no_file_are_answered_with_the_usage() {
    let (_folder, path) = file(EVENT);
    for (words, named) in [
        (&["--key", "x", &path][..], "--key"),
        (&["--serial", "4g", &path], "\"4g\" is not a serial number"),
        (&["--from", "yesterday", &path], "\"yesterday\" is not a time of RFC 3339"),
        (&["--format", "xml", &path], "xml"),
        (&[], "<FILE>"),
    ] {
        let output = run(words);

        let complaint = said(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(complaint.contains(named), "{complaint}");
        assert!(
            complaint.contains("vault-plugin-secrets-iamra trace") || complaint.contains("--help"),
            "{complaint}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_says_which_files_it_takes_and_what_each_option_means() {
    let output = run(&["--help"]);

    let help = said(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for word in [
        "--access-key <ID>",
        "--serial <HEX>",
        "--source-identity <TEXT>",
        "--from <TIME>",
        "--to <TIME>",
        "--format",
        "audit log",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
}
