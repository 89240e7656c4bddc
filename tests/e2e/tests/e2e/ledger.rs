//! Who has which session outlives the plugin's process, the Vault and the leader: `sessions` shows it, and `revoke` works from it.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::users::Names;
use e2e::{engine_on, say};
use harness::{Api, Emulator, ROLE_ARN, RaftCluster, Reply, caller, kill, manage_anchor, until};
use serde_json::{Value, json};

const USERS: usize = 20;
const SESSIONS_EACH: usize = 10;
const POLICY: &str = r#"path "iamra/creds/app" { capabilities = ["read"] }"#;

/// Three Vaults, an AWS, and a token for each of [`USERS`] callers, who share no session.
struct Fleet {
    cluster: RaftCluster,
    aws: Emulator,
    tokens: Vec<String>,
}

impl Fleet {
    async fn begin() -> Fleet {
        let cluster = RaftCluster::start().await;
        let aws = engine_on(&cluster).await;
        let leader = cluster.member(cluster.leader().await);
        manage_anchor(leader.root(), aws.url()).await;
        let limits = json!({ "rate_limit": 1000, "rate_burst": 1000 });
        let _ = leader.root().patch("iamra/config", limits).await.ok();
        let role = json!({ "role_arn": ROLE_ARN, "session_sharing": "none" });
        let _ = leader.root().write("iamra/roles/app", role).await.ok();
        let names = Names::enable(leader.root(), POLICY).await;
        let mut tokens = Vec::new();
        for number in 0..USERS {
            tokens.push(names.token(&format!("user-{number}")).await);
        }
        Fleet { cluster, aws, tokens }
    }

    /// The leader's API, for root.
    async fn root(&self) -> Api {
        self.cluster.member(self.cluster.leader().await).root().clone()
    }

    /// Sessions of each caller, made since the last call.
    async fn read(&self, each: usize) -> Vec<Vec<Reply>> {
        let root = self.root().await;
        let mut all = Vec::new();
        for token in &self.tokens {
            let user = root.with_token(token);
            let mut own = Vec::new();
            for _ in 0..each {
                own.push(user.read("iamra/creds/app").await.ok());
            }
            all.push(own);
        }
        all
    }

    /// Waits until the leader's plugin has stored what it knows.
    async fn recorded(&self) {
        let root = self.root().await;
        until("the record of sessions to be stored", Duration::from_secs(30), async || {
            root.read("iamra/metrics").await.text.contains("iamra_ledger_waiting 0\n").then_some(())
        })
        .await;
    }

    /// How many sessions the mount lists with these parameters.
    async fn listed(&self, filter: &str) -> usize {
        let reply = self.root().await.list(&format!("iamra/sessions{filter}")).await;
        if reply.status == 404 {
            return 0;
        }
        reply.ok().data()["keys"].as_array().map_or(0, Vec::len)
    }

    async fn lives(&self, session: &Reply) -> bool {
        caller(self.aws.url(), session).await.is_ok()
    }
}

/// The entity behind a token.
async fn entity_of(root: &Api, token: &str) -> String {
    let own = root.with_token(token).read("auth/token/lookup-self").await;
    // the policy of the callers allows nothing else, so root looks
    let looked = if own.status == 200 {
        own
    } else {
        root.write("auth/token/lookup", json!({ "token": token })).await.ok()
    };
    looked.string("entity_id").to_owned()
}

#[tokio::test]
async fn a_callers_sessions_of_before_a_kill_a_restart_and_a_change_of_leader_are_found_and_denied_and_no_others()
 {
    let mut fleet = Fleet::begin().await;
    let mut sessions: Vec<Vec<Reply>> = fleet.read(SESSIONS_EACH / 2).await;
    fleet.recorded().await;

    let first = fleet.cluster.leader().await;
    fleet.cluster.member(first).live_plugins().into_iter().for_each(kill);
    let root = fleet.root().await;
    until("the next process of the plugin", Duration::from_secs(60), async || {
        (root.read("iamra/config").await.status == 200).then_some(())
    })
    .await;
    let after_kill = fleet.listed("").await;
    for (own, more) in sessions.iter_mut().zip(fleet.read(SESSIONS_EACH / 2).await) {
        own.extend(more);
    }
    fleet.recorded().await;
    fleet.cluster.kill(first);
    let second = fleet.cluster.leader().await;
    until("the mount on the next leader", Duration::from_secs(60), async || {
        (fleet.cluster.member(second).root().read("iamra/config").await.status == 200).then_some(())
    })
    .await;
    let after_change = fleet.listed("").await;
    fleet.cluster.start_again(first).await;

    let entity = entity_of(&fleet.root().await, &fleet.tokens[7]).await;
    let own = fleet.listed(&format!("?entity_id={entity}")).await;
    let reply = fleet.root().await.write("iamra/revoke", json!({ "entity_id": entity })).await.ok();

    let revoked = reply.data()["revoked"].as_array().map_or(0, Vec::len);
    let mut lives: BTreeMap<bool, usize> = BTreeMap::new();
    for (number, own) in sessions.iter().enumerate() {
        for session in own {
            let is_live = fleet.lives(session).await;
            assert_eq!(is_live, number != 7, "a session of user {number}");
            *lives.entry(is_live).or_default() += 1;
        }
    }
    say(&format!(
        "ledger: {after_kill} sessions known after the kill, {after_change} after the next leader, {own} of the caller; {revoked} denied, alive afterwards: {lives:?}"
    ));
    assert_eq!((after_kill, after_change), (USERS * SESSIONS_EACH / 2, USERS * SESSIONS_EACH));
    assert_eq!((own, revoked), (SESSIONS_EACH, SESSIONS_EACH));
    let denied = fleet.listed(&format!("?entity_id={entity}&limit=3")).await;
    assert_eq!(denied, 3, "a page");
}

#[tokio::test]
async fn a_list_shows_who_has_what_and_one_session_shows_every_receipt() {
    let stage = harness::Stage::dev().await;
    let one = stage.creds("demo").await.ok();
    let name = one.string("serial_number").replace(':', "");

    let listed =
        stage.vault.cli(&["read", "-format=json", "iamra/sessions", "list=true", "role=demo"]).await.ok();
    let list: Value = serde_json::from_str(&listed).unwrap();
    let shown = stage.vault.cli(&["read", "-format=json", &format!("iamra/sessions/{name}")]).await.ok();
    let session: Value = serde_json::from_str(&shown).unwrap();
    say(&listed);
    say(&shown);

    assert_eq!(list["data"]["keys"], json!([name]));
    assert_eq!(list["data"]["key_info"][&name]["access_key"], json!(one.string("access_key")));
    assert_eq!(session["data"]["serial_number"], json!(one.string("serial_number")));
    assert_eq!(session["data"]["holders"][0]["request_id"], one.body["request_id"]);
    assert!(!shown.contains(one.string("secret_key")) && !shown.contains(one.string("session_token")));
    let unknown = stage.root().read("iamra/sessions/7a2b").await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    let wrong = stage.root().list("iamra/sessions?limit=0").await;
    assert_eq!((wrong.status, wrong.errors().contains("1 to 10000")), (400, true), "{wrong:?}");
}
