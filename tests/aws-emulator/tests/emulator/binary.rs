//! The emulator as a program: one line on stdout, a state from a file, and an end on request.

use crate::client::{Answer, Call, SignedCall};
use crate::two_accounts::{OTHER, other_account};
use crate::world::{ANCHOR, PROFILE, ROLE, ROOT, default_state};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running program and its first line; killed by its own id if a test fails.
struct Program {
    child: Child,
    announced: Value,
    rest: BufReader<std::process::ChildStdout>,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        Self::start_on("127.0.0.1:0", arguments)
    }

    fn start_on(address: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.json");
        std::fs::write(&file, default_state().to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-emulator"));
        command.args(["--listen", address, "--state"]).arg(&file).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        rest.read_line(&mut line).unwrap();
        let announced = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { child, announced, rest }
    }

    fn client(&self) -> reqwest::Client {
        let builder = reqwest::Client::builder().no_proxy();
        let Some(pem) = self.announced["ca_pem"].as_str() else { return builder.build().unwrap() };
        builder.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]).build().unwrap()
    }

    fn url(&self) -> String {
        self.announced["url"].as_str().unwrap().to_owned()
    }

    async fn create_session(&self) -> Answer {
        let call = Call::new(self.client(), &self.url(), &ROOT.device("payments"));
        call.set("trustAnchorArn", ANCHOR).set("profileArn", PROFILE).set("roleArn", ROLE).send().await
    }

    /// Waits for its end, and returns what else it wrote to stdout.
    fn end(&mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.rest.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn the_program_serves_the_state_of_its_file() {
    let program = Program::start(&["--until-stdin-closes"]);

    let answer = program.create_session().await;

    answer.session();
    assert_eq!(program.announced["ca_pem"], Value::Null);
    assert_eq!(program.announced["plain_url"], Value::Null);
}

#[tokio::test]
async fn the_plain_listener_knows_the_sessions_of_the_one_with_tls() {
    let program = Program::start(&["--tls", "--plain", "127.0.0.1:0", "--until-stdin-closes"]);
    let plain = program.announced["plain_url"].as_str().unwrap();
    let session = program.create_session().await.session();

    let who = SignedCall::caller_identity(program.client(), plain, (&session).into()).send().await;

    assert!(plain.starts_with("http://127.0.0.1:"), "{plain}");
    assert_eq!(who.status, 200, "{}", who.text());
    assert!(who.text().contains(&session.assumed_role_arn), "{}", who.text());
}

#[tokio::test]
async fn the_tls_certificate_is_for_the_address_that_is_listened_on() {
    let program = Program::start_on("127.9.8.7:0", &["--tls", "--until-stdin-closes"]);

    let answer = program.create_session().await;

    answer.session();
    assert!(program.url().starts_with("https://127.9.8.7:"), "{}", program.url());
}

#[tokio::test]
async fn another_account_is_served_beside_the_first_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.json");
    std::fs::write(&file, other_account().to_string()).unwrap();
    let program = Program::start(&["--beside", file.to_str().unwrap(), "--until-stdin-closes"]);

    let page = format!("{}/_admin/state?account={OTHER}", program.url());
    let state = Answer::read(program.client().get(page).send().await.unwrap()).await;

    assert_eq!(state.json()["roles"][0]["name"], "target", "{}", state.text());
    program.create_session().await.session();
}

#[test]
fn a_plain_address_that_is_none_is_named() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-emulator"));

    let output = command.args(["--plain", "localhost"]).output().unwrap();

    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(complaint.contains("--plain \"localhost\""), "{complaint}");
}

#[tokio::test]
async fn the_program_shows_the_ca_of_its_tls() {
    let program = Program::start(&["--tls", "--until-stdin-closes"]);

    let answer = program.create_session().await;

    answer.session();
    assert!(program.url().starts_with("https://127.0.0.1:"), "{}", program.url());
}

#[test]
fn the_program_ends_when_stdin_closes() {
    let mut program = Program::start(&["--until-stdin-closes"]);

    drop(program.child.stdin.take());

    let (status, rest) = program.end();
    assert!(status.success(), "{status}");
    assert_eq!(rest, "", "stdout carries one line");
}

#[test]
fn the_program_ends_on_a_signal() {
    let mut program = Program::start(&[]);

    let id = program.child.id().to_string();
    let sent = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().unwrap();

    assert!(sent.success());
    program.end();
}

#[test]
fn a_state_that_does_not_parse_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    std::fs::write(&file, r#"{ "acount": "111122223333" }"#).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-emulator"));

    let output = command.args(["--listen", "127.0.0.1:0", "--state"]).arg(&file).output().unwrap();

    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(complaint.contains("acount"), "{complaint}");
}
