//! Three Vault servers as one raft cluster: one is active, two are standbys, and a test may kill any of them.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{Api, Member, Plugin, Settings, Storage, Vault, ports, until};

/// The others miss a lost leader after a second, and its successor has read its keys and started its plugins within five. The
/// rest is for a busy machine.
const ELECTION: Duration = Duration::from_secs(120);

/// An active member that accepted the command and is still active after this time will stay active.
const AGAIN: Duration = Duration::from_secs(15);

/// The pause between two checks of which member is active.
const LOOK: Duration = Duration::from_millis(100);

const NAMES: [&str; 3] = ["one", "two", "three"];

/// Three servers on loopback, each with a folder, a port pair and a `plugin_directory` of its own; all end on drop.
///
/// Members are named by their number, 0 to 2, which stays when they are killed and started again.
pub struct RaftCluster {
    members: Vec<Vault>,
    dead: [bool; NAMES.len()],
}

impl RaftCluster {
    /// A cluster whose three members all vote, with nothing in its catalog.
    ///
    /// # Panics
    /// When a server does not start or join.
    pub async fn start() -> RaftCluster {
        RaftCluster::start_with(Settings::of(Storage::Raft)).await
    }

    /// The same, with these settings for each member beside its membership.
    ///
    /// # Panics
    /// When a server does not start or join.
    pub async fn start_with(usual: Settings) -> RaftCluster {
        let first = Vault::bare(settings(&usual, NAMES[0], None)).await;
        until("an active first member", ELECTION, async || (first.health().await == Some(200)).then_some(()))
            .await;
        // A new member votes once it was healthy for this long.
        let eager = json!({ "server_stabilization_time": "1s" });
        let _ = first.root().write("sys/storage/raft/autopilot/configuration", eager).await.ok();
        let mut members = vec![first];
        for name in &NAMES[1..] {
            let joining = settings(&usual, name, Some(members[0].addr()));
            members.push(Vault::joining(joining, &members[0]).await);
        }
        let cluster = RaftCluster { members, dead: [false; NAMES.len()] };
        cluster.all_vote().await;
        cluster
    }

    async fn all_vote(&self) {
        until("three voters", ELECTION, async || {
            let reply = self.members[0].root().read("sys/storage/raft/configuration").await;
            let servers = reply.body["data"]["config"]["servers"].as_array().cloned().unwrap_or_default();
            let voters = servers.iter().filter(|server| server["voter"] == true).count();
            (voters == NAMES.len()).then_some(())
        })
        .await;
    }

    /// Puts a plugin's binary into the plugin folder of every member and registers it, as [`Vault::register`] does.
    pub async fn register(&self, binary: &Path) -> Plugin {
        let leader = self.leader().await;
        for standby in self.members.iter().enumerate().filter(|(number, _)| *number != leader) {
            let _ = standby.1.install(binary);
        }
        self.members[leader].register(binary).await
    }

    /// The member with this number.
    pub fn member(&self, number: usize) -> &Vault {
        &self.members[number]
    }

    /// The addresses of all members, alive or not.
    pub fn apis(&self) -> Vec<Api> {
        self.members.iter().map(|member| member.root().clone()).collect()
    }

    /// Waits for an active member.
    pub async fn leader(&self) -> usize {
        until("an active member", ELECTION, async || self.with_health(200).await.first().copied()).await
    }

    /// The members that are unsealed and not active.
    pub async fn standbys(&self) -> Vec<usize> {
        self.with_health(429).await
    }

    async fn with_health(&self, status: u16) -> Vec<usize> {
        let mut found = Vec::new();
        for (number, member) in self.members.iter().enumerate() {
            if !self.dead[number] && member.health().await == Some(status) {
                found.push(number);
            }
        }
        found
    }

    /// Kills a member with SIGKILL. Its plugins are not notified.
    pub fn kill(&mut self, number: usize) {
        self.members[number].kill9();
        self.dead[number] = true;
    }

    /// Restarts a killed member at its address and on its storage, and unseals it.
    pub async fn start_again(&mut self, number: usize) {
        self.members[number].start_again().await;
        self.dead[number] = false;
    }

    /// Makes the active member step down, and returns the member that follows it. Within seconds of an election Vault may accept the
    /// command and stay active: the command is then repeated.
    pub async fn step_down(&self) -> usize {
        let followed = self.step_down_within(ELECTION).await;
        followed.unwrap_or_else(|| {
            panic!("the active member was asked to step down for {ELECTION:?} and did not")
        })
    }

    /// The same, or none if the member stays active for that long. Vault 1.21.1 was seen to answer 204, to log "manual step-down
    /// operation already queued", and to go on serving without ever reading its queue.
    pub async fn step_down_within(&self, time: Duration) -> Option<usize> {
        let before = self.leader().await;
        let began = Instant::now();
        let mut sent: Option<Instant> = None;
        while began.elapsed() < time {
            if sent.is_none_or(|sent| sent.elapsed() > AGAIN) {
                let _ = self.members[before].api("PUT", "sys/step-down", None).await;
                sent = Some(Instant::now());
            }
            let next = self.with_health(200).await.into_iter().find(|&number| number != before);
            if next.is_some() {
                return next;
            }
            sleep(LOOK).await;
        }
        None
    }
}

fn settings(usual: &Settings, name: &str, join: Option<String>) -> Settings {
    let member = Member { node_id: name.to_owned(), port: ports::free_pair(), join };
    Settings { member: Some(member), ..usual.clone() }
}
