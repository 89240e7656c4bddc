//! The `whoami` program: its inputs, and the secrets that it never shows.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use harness::Stage;

fn whoami(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_whoami"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // it may end before it reads
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[tokio::test]
async fn the_json_of_vault_read_on_standard_input_gives_the_arn() {
    let stage = Stage::dev().await;
    let printed = stage.vault.cli(&["read", "-format=json", "iamra/creds/demo"]).await.ok();
    let endpoint = stage.aws.url().to_owned();

    let run = move || whoami(&["--endpoint", &endpoint], &[], &printed);
    let run = tokio::task::spawn_blocking(run).await.unwrap();

    assert!(run.status.success(), "{}", said(&run.stderr));
    assert!(
        said(&run.stdout).starts_with("arn:aws:sts::111122223333:assumed-role/demo/"),
        "{}",
        said(&run.stdout)
    );
}

#[tokio::test]
async fn the_environment_gives_the_arn_too() {
    let stage = Stage::dev().await;
    let answer = stage.creds("demo").await.ok();
    let endpoint = stage.aws.url().to_owned();

    let run = move || {
        let environment = [
            ("AWS_ACCESS_KEY_ID", answer.string("access_key")),
            ("AWS_SECRET_ACCESS_KEY", answer.string("secret_key")),
            ("AWS_SESSION_TOKEN", answer.string("session_token")),
        ];
        (
            whoami(&["--endpoint", &endpoint, "--from-environment"], &environment, ""),
            answer.string("arn").to_owned(),
        )
    };
    let (run, arn) = tokio::task::spawn_blocking(run).await.unwrap();

    assert_eq!(said(&run.stdout).trim(), arn, "{}", said(&run.stderr));
}

#[test]
fn credentials_without_a_token_are_refused_by_what_is_missing() {
    let run =
        whoami(&["--endpoint", "http://127.0.0.1:1"], &[], r#"{"access_key":"ASIA1","secret_key":"hush"}"#);

    assert!(!run.status.success());
    assert!(said(&run.stderr).contains("session_token"), "{}", said(&run.stderr));
    assert!(!said(&run.stderr).contains("hush"));
}

#[test]
fn an_unknown_argument_is_refused_with_the_usage() {
    let run = whoami(&["--secret-key", "x"], &[], "");

    assert!(!run.status.success());
    assert!(said(&run.stderr).contains("--secret-key") && said(&run.stderr).contains("usage:"));
}
