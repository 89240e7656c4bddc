//! The active Vault of three is killed under load: readers go on through the next one, which has the same config and CA.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::clients::Clients;
use e2e::{engine_on, say};
use harness::{Api, Emulator, PROFILE_ARN, ROLE_ARN, RaftCluster, admin, caller, has_ended, until};
use serde_json::{Value, json};

const READERS: usize = 6;
const READ: &str = "iamra/creds/app";
const WRITTEN: [&str; 4] =
    ["iamra/config", "iamra/config/issuers", "iamra/issuer/default", "iamra/roles/app"];

/// A cluster whose mount gives all callers of `app` one session, and its AWS.
async fn stage() -> (RaftCluster, Emulator) {
    let cluster = RaftCluster::start().await;
    let aws = engine_on(&cluster).await;
    let leader = cluster.member(cluster.leader().await);
    let role = json!({ "role_arn": ROLE_ARN, "session_sharing": "identity" });
    let _ = leader.root().write("iamra/roles/app", role).await.ok();
    (cluster, aws)
}

#[tokio::test]
async fn readers_go_on_through_the_next_leader_when_the_leader_is_killed() {
    let (mut cluster, aws) = stage().await;
    let first = cluster.leader().await;
    let before = everything(cluster.member(first).root()).await;
    let load = Clients::start(&cluster.apis(), READ, READERS);
    load.some_reads().await;
    let sessions = made(aws.url()).await;
    let orphans = cluster.member(first).live_plugins();

    cluster.kill(first);
    let second = cluster.leader().await;
    load.some_reads().await;
    let tally = load.end().await;

    say(&format!("failover: member {first} was killed, member {second} followed\nfailover: {tally}"));
    assert_eq!(everything(cluster.member(second).root()).await, before);
    let answer = cluster.member(second).root().read(READ).await.ok();
    assert_eq!(caller(aws.url(), &answer).await.unwrap().arn, answer.string("arn"));
    let again = made(aws.url()).await - sessions;
    say(&format!(
        "failover: {sessions} session made before, {again} after: the next leader begins without one"
    ));
    assert_eq!((sessions, again), (1, 1));
    end(&orphans).await;

    cluster.start_again(first).await;

    forwards(&cluster, first).await;
    assert_eq!(
        made(aws.url()).await,
        sessions + again,
        "the session of the active member is the forwarded reader's"
    );
}

#[tokio::test]
async fn a_standby_runs_no_plugin_and_forwards_what_it_is_asked() {
    let (cluster, aws) = stage().await;
    let leader = cluster.leader().await;

    let mut keys = BTreeSet::new();
    for standby in cluster.standbys().await {
        keys.insert(forwards(&cluster, standby).await);
    }

    assert_eq!(keys.len(), 1, "one session, made where the plugin runs");
    assert_eq!(cluster.member(leader).plugin_pids().len(), 1);
    assert_eq!(made(aws.url()).await, 1);
    let role = json!({ "role_arn": ROLE_ARN, "profile_arn": PROFILE_ARN });
    let standby = cluster.member(cluster.standbys().await[0]).root();
    let _ = standby.write("iamra/roles/other", role).await.ok();
    assert_eq!(cluster.member(leader).root().read("iamra/roles/other").await.string("role_arn"), ROLE_ARN);
}

#[tokio::test]
async fn a_leader_that_steps_down_ends_its_plugin_and_the_next_one_knows_the_ca() {
    let (cluster, aws) = stage().await;
    let first = cluster.leader().await;
    let before = everything(cluster.member(first).root()).await;
    let plugins = cluster.member(first).live_plugins();

    let second = cluster.step_down().await;

    assert_eq!(everything(cluster.member(second).root()).await, before);
    let answer = cluster.member(second).root().read(READ).await.ok();
    caller(aws.url(), &answer).await.unwrap();
    end(&plugins).await;
    assert!(cluster.member(first).plugin_pids().is_empty(), "a standby runs a plugin");
}

/// Reads through a standby and returns the key; no plugin runs on it before or after.
async fn forwards(cluster: &RaftCluster, standby: usize) -> String {
    let member = cluster.member(standby);
    assert!(member.plugin_pids().is_empty());
    let answer = until("a read through a standby", Duration::from_secs(90), async || {
        Some(member.root().read(READ).await).filter(|reply| reply.status == 200)
    })
    .await;
    assert!(member.plugin_pids().is_empty());
    answer.string("access_key").to_owned()
}

/// Waits until the plugin processes of a former leader have ended.
async fn end(plugins: &[u32]) {
    for pid in plugins {
        has_ended(*pid, Duration::from_secs(90)).await;
    }
}

/// The operators' records, and the CA with its serial.
async fn everything(root: &Api) -> Vec<Value> {
    let mut read = Vec::new();
    for path in WRITTEN {
        read.push(Value::Object(root.read(path).await.ok().data().clone()));
    }
    read.push(json!(root.without_token().read("iamra/ca/pem").await.ok().text));
    read
}

/// The number of sessions that AWS has issued.
async fn made(aws: &str) -> usize {
    admin(aws, "GET", "sessions", None).await.as_array().map_or(0, Vec::len)
}
