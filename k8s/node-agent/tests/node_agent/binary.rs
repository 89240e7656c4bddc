//! The agent as a process of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::{Answered, request, send};
use crate::world::{SOON, until};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_iamra-node-agent");

/// A running agent; it is killed when it is dropped.
pub(crate) struct Binary {
    child: Child,
    log: JoinHandle<String>,
    pub(crate) agent: SocketAddr,
    pages: SocketAddr,
}

impl Binary {
    /// An agent on a free address of loopback in front of `vault`, once it serves.
    pub(crate) async fn start(vault: &str, more: &[&str]) -> Binary {
        Binary::start_at("127.0.0.1:0".parse().unwrap(), vault, more).await
    }

    /// The same on `agent`, beside others that serve there.
    pub(crate) async fn start_at(agent: SocketAddr, vault: &str, more: &[&str]) -> Binary {
        let (listen, pages) = (agent.to_string(), free_port());
        let mut child = Command::new(PROGRAM)
            .args([
                "serve",
                "--vault-addr",
                vault,
                "--listen",
                &listen,
                "--metrics-listen",
                &pages.to_string(),
            ])
            .args(more)
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (found, mut address) = watch::channel(None);
        let log = tokio::spawn(read_log(child.stderr.take().unwrap(), found));
        let agent = timeout(SOON, address.wait_for(Option::is_some)).await.expect("it serves soon");
        let agent = agent.expect("it serves").unwrap();
        Binary { child, log, agent, pages }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) async fn ask_with(&self, token: &str, source: IpAddr) -> Answered {
        let text = request(self.agent, "/v1/credentials", token);
        send(self.agent, source, text.as_bytes()).await.unwrap()
    }

    /// One of the operator's pages.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answered = self.page_with_status(path).await;
        answered.body.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn page_with_status(&self, path: &str) -> Answered {
        let text = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        send(self.pages, Ipv4Addr::LOCALHOST.into(), text.as_bytes()).await.unwrap()
    }

    /// Waits until it is ready.
    pub(crate) async fn is_ready(&self) {
        until("readiness", || async { self.page_with_status("/readyz").await.status == 200 }).await;
    }

    /// Sends SIGTERM, as a kubelet does.
    pub(crate) fn terminate(&self) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Ends it by SIGTERM, and returns its log.
    pub(crate) async fn ends(&mut self) -> String {
        self.terminate();
        self.has_ended().await
    }

    /// Waits for its end, which must be a success, and returns its log.
    pub(crate) async fn has_ended(&mut self) -> String {
        let log = timeout(SOON * 2, &mut self.log).await.expect("it ends soon").unwrap();
        let status = timeout(SOON, self.child.wait()).await.expect("it ends soon").unwrap();
        assert!(status.success(), "{status}: {log}");
        log
    }

    /// The memory of the process in KiB: private (heap and stacks), and resident in all.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let of = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        (of("RssAnon:"), of("VmRSS:"))
    }
}

/// Reads a log to its end, and finds the address in the line that says that it serves.
async fn read_log(stderr: ChildStderr, found: watch::Sender<Option<SocketAddr>>) -> String {
    let (mut lines, mut log) = (BufReader::new(stderr).lines(), String::new());
    while let Some(line) = lines.next_line().await.unwrap() {
        let logged: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if logged["message"] == "serving the pods of this node" {
            let listen = logged["listen"].as_str().unwrap();
            found.send_replace(Some(listen.trim_matches(['[', ']']).parse().unwrap()));
        }
        log.push_str(&line);
        log.push('\n');
    }
    log
}

/// A port of loopback that was free a moment ago.
fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Runs it with these arguments to its end: status, and what it wrote to stderr.
pub(crate) async fn run(arguments: &[&str]) -> (bool, String) {
    let run = Command::new(PROGRAM).args(arguments).env_clear().stdin(Stdio::null()).output();
    let output = timeout(SOON, run).await.expect("it ends soon").unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn an_address_of_no_link_is_refused_with_the_command_that_makes_one() {
    let (succeeds, text) =
        run(&["serve", "--vault-addr", "http://127.0.0.1:9", "--listen", "192.0.2.1:80"]).await;

    assert!(!succeeds);
    assert!(
        text.contains("192.0.2.1:80 cannot be listened on")
            && text.contains("iamra-node-agent link makes one"),
        "{text}"
    );
}

#[tokio::test]
async fn an_address_that_another_program_has_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let (succeeds, text) = run(&["serve", "--vault-addr", "http://127.0.0.1:9", "--listen", &address]).await;

    assert!(!succeeds);
    assert!(text.contains("another program has it"), "{text}");
}

#[tokio::test]
async fn a_ca_file_that_is_not_there_is_refused_at_the_start() {
    let (succeeds, text) = run(&[
        "serve",
        "--vault-addr",
        "https://127.0.0.1:9",
        "--vault-cacert",
        "/nowhere.pem",
        "--listen",
        "127.0.0.1:0",
    ])
    .await;

    assert!(!succeeds);
    assert!(text.contains("--vault-cacert: /nowhere.pem cannot be read"), "{text}");
}

#[tokio::test]
async fn an_agent_is_ready_once_vault_has_answered_and_alive_before() {
    let vault = crate::fake_vault::FakeVault::start().await;
    let ready = Binary::start(&vault.url, &[]).await;
    let waiting = Binary::start("http://127.0.0.1:9", &[]).await;

    ready.is_ready().await;
    let not_ready = waiting.page_with_status("/readyz").await;
    let alive = waiting.page_with_status("/healthz").await;

    assert_eq!((not_ready.status, alive.status), (503, 200));
    let text = not_ready.body.as_str().unwrap().to_owned();
    assert!(text.starts_with("not ready: Vault has not answered yet\nVault at http://127.0.0.1:9"), "{text}");
}
