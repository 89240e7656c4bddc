//! A cluster of three whose mount manages an anchor of an emulated AWS, and its readers.

use std::sync::Arc;
use std::time::Duration;

use e2e::clients::{Client, Clients, beginning_at};
use e2e::users::Names;
use e2e::{engine_on, short_sessions_at};
use harness::{Emulator, ROLE_ARN, RaftCluster, Settings, Storage, manage_anchor};
use serde_json::{Value, json};

use super::figures::Figures;

const IDENTITIES: usize = 12;
/// Seconds. A shared session is made anew after half of it.
const SESSION: u32 = 90;
/// Between two reads of one reader.
const PAUSE: Duration = Duration::from_millis(500);
/// The kinds of readers: with a lease, as an SDK, without a lease.
const PATHS: [&str; 3] = ["iamra/creds/app", "iamra/container/app", "iamra/creds/static"];
const POLICY: &str = r#"
path "iamra/creds/*" { capabilities = ["read"] }
path "iamra/container/*" { capabilities = ["read"] }
"#;

/// The cluster, its AWS, and the tokens of those who read.
pub(crate) struct World {
    pub(crate) cluster: RaftCluster,
    pub(crate) aws: Emulator,
    pub(crate) template: String,
    users: Vec<(String, String)>,
}

impl World {
    pub(crate) async fn new() -> World {
        let cluster = {
            // at debug, half an hour of three servers is a log of gigabytes
            let quiet = Settings { log_level: "warn", ..Settings::of(Storage::Raft) };
            RaftCluster::start_with(quiet).await
        };
        let aws = engine_on(&cluster).await;
        let root = cluster.member(cluster.leader().await).root();
        manage_anchor(root, aws.url()).await;
        short_sessions_at(aws.url(), SESSION).await;
        let _ = root.write("iamra/issuer/default", json!({ "issuer_name": "ca-0" })).await.ok();
        let names = Names::enable(root, POLICY).await;
        let mut users = Vec::new();
        for number in 0..IDENTITIES {
            let name = format!("user-{number}");
            users.push((names.token(&name).await, name));
        }
        let template = names.template();
        for role in ["app", "static"] {
            let _ = root.write(&format!("iamra/roles/{role}"), self::role(&template, role, 0)).await.ok();
        }
        World { cluster, aws, template, users }
    }

    /// Asserts that no plugin logged an error of its own making.
    pub(crate) fn assert_no_bug(&self) {
        for member in 0..self.cluster.apis().len() {
            let log = self.cluster.member(member).log_text();
            let bug = log.lines().find(|line| line.contains("request failed: internal error"));
            assert_eq!(bug, None, "on member {member}");
        }
    }

    /// Starts one reader of each kind for each identity. Their sessions go to `figures`.
    pub(crate) fn readers(&self, figures: &Arc<Figures>) -> Clients {
        let mut clients = Vec::new();
        for (number, (token, name)) in self.users.iter().enumerate() {
            for path in PATHS {
                let apis = self.cluster.apis().iter().map(|api| api.with_token(token)).collect();
                let apis = beginning_at(number, apis);
                clients.push(Client { name: name.clone(), apis, path: path.to_owned() });
            }
        }
        let figures = Arc::clone(figures);
        Clients::of(clients, PAUSE, move |client, reply| figures.handed(client, reply))
    }
}

/// A role whose subject names the caller. Another `turn` makes other sessions.
pub(crate) fn role(template: &str, name: &str, turn: usize) -> Value {
    let lease = if name == "static" { "static" } else { "leased" };
    json!({
        "role_arn": ROLE_ARN,
        "common_name": template,
        "organizational_unit": format!("turn {turn}"),
        "lease": lease,
    })
}
