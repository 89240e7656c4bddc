//! Two service accounts on one node, and what the agent's pages and log say of them.

use std::collections::BTreeMap;

use cluster::{Cluster, Team};
use harness::admin;
use serde_json::{Value, json};

const ACCOUNTS: [&str; 2] = ["api", "web"];

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn two_service_accounts_of_one_namespace_are_two_identities_and_the_log_names_each_and_shows_no_token()
{
    let team = two_accounts("agent-two").await;
    let cluster = &team.cluster;
    let (requests, logins) = (cluster.agent().requests("new").await, granted_logins(cluster).await);
    let mut answered = BTreeMap::new();
    for account in ACCOUNTS {
        answered.insert(account, team.credentials(&format!("deployment/{account}")).await);
    }

    for account in ACCOUNTS {
        let cli = ["aws", "sts", "get-caller-identity", "--query=Arn", "--output=text"];
        let arn = team.exec(&format!("deployment/{account}"), "app", &cli).await.ok();
        assert_eq!(identity(cluster, arn.trim()).await, expected(account), "{arn}");
    }

    assert!(cluster.agent().requests("new").await >= requests + 2.0);
    assert!(granted_logins(cluster).await >= logins + 2.0);
    assert_eq!(
        cluster.agent().metric("iamra_agent_vault_up{address=\"http://vault.vault.svc:8200\"}").await,
        Some(1.0)
    );
    let log = cluster.agent().log().await;
    for (account, answered) in answered {
        let line = logged(&log, &answered.request_id);
        assert_eq!(line["namespace"], "agent-two");
        assert_eq!(line["service_account"], account);
        assert_eq!(line["role"], format!("agent-two.{account}"));
        let pod = line["pod"].as_str().unwrap_or_default();
        assert!(pod.starts_with(&format!("{account}-")), "{line}");
        let document = answered.ok();
        assert_eq!(line["access_key_id"], document["AccessKeyId"]);
        for secret in ["SecretAccessKey", "Token"] {
            assert!(!log.contains(document[secret].as_str().unwrap()), "the log shows a {secret}");
        }
    }
    // neither a service account's token nor a token of Vault
    for start in ["eyJ", "hvb.", "hvs."] {
        assert!(!log.contains(start), "the log shows a token: {start}");
    }
}

/// The same application twice, as `api` and as `web`, each with an engine role.
async fn two_accounts(namespace: &str) -> Team {
    let team = Team::unassociated(namespace).await;
    let manifests = team.manifests("pod-identity").await.idle();
    for account in ACCOUNTS {
        team.associate(account, json!({})).await;
        team.apply(&manifests.clone().replacing("\"api\"", &format!("\"{account}\""))).await;
    }
    for account in ACCOUNTS {
        let deployment = format!("deployment/{account}");
        team.kubectl(&["rollout", "status", "--timeout=300s", &deployment]).await.ok();
    }
    team
}

/// The tags by which AWS knows a session.
async fn identity(cluster: &Cluster, arn: &str) -> Value {
    let sessions = admin(cluster.aws(), "GET", "sessions", None).await;
    let mut sessions = sessions.as_array().into_iter().flatten();
    let session = sessions.find(|session| session["assumed_role_arn"] == arn).expect("AWS has issued it");
    let tag = |name: &str| session["tags"][name].clone();
    json!([tag("x509Subject/CN"), tag("x509Subject/O"), tag("x509Subject/OU"), tag("x509SAN/URI")])
}

fn expected(account: &str) -> Value {
    let uri = format!("spiffe://local/ns/agent-two/sa/{account}");
    json!([format!("local.agent-two.{account}"), "local", "agent-two", uri])
}

async fn granted_logins(cluster: &Cluster) -> f64 {
    let granted = cluster.agent().metric("iamra_agent_logins_total{outcome=\"granted\"}").await;
    granted.expect("every outcome has a series")
}

/// The line of one request.
fn logged(log: &str, request_id: &str) -> Value {
    assert_eq!(request_id.len(), 16, "{request_id}");
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["request_id"] == request_id).expect("the request is logged")
}
