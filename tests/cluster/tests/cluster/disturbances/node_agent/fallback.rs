//! An engine role for the pods whose service account has none.

use cluster::{ANYBODY, CLUSTER, Cluster, Team};
use serde_json::Value;

use super::put_back_after;
use crate::pods::ways::{caller, is_the_team};

const FALLBACK: &str = "local-pods";

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_service_account_without_an_engine_role_is_itself_by_the_fallback_and_nobody_without_it() {
    put_back_after(fallback(), async || {
        let cluster = Cluster::running();
        let setup = ["--cluster", CLUSTER, "--associations", "--fallback", "default"];
        cluster.script("kubernetes/setup.sh", &setup).await;
        cluster.agent().set("IAMRA_FALLBACK_ROLE-").await;
    })
    .await;
}

async fn fallback() {
    let cluster = Cluster::running();
    let (without, with) = ("fallback-without", "fallback-with");
    let templates =
        ["--cluster", CLUSTER, "--templates", "--way", "container", "--role-arn", ANYBODY, without];
    cluster.script("kubernetes/setup.sh", &templates).await;
    let setup = ["--cluster", CLUSTER, "--associations", "--fallback", FALLBACK];
    cluster.script("kubernetes/setup.sh", &setup).await;
    cluster.agent().set(&format!("IAMRA_FALLBACK_ROLE={FALLBACK}")).await;

    let own = Team::associated(with, ANYBODY).await;
    let none = Team::unassociated(without).await;
    for (team, role) in [(&own, "fallback-with.api"), (&none, FALLBACK)] {
        let pod = team.deploy_alone(&team.manifests("pod-identity").await).await;

        is_the_team(team, &caller(team, &pod).await).await;
        assert_eq!(role_of(&cluster, &team.namespace).await, role);
    }

    let setup = ["--cluster", CLUSTER, "--associations", "--fallback", "default"];
    cluster.script("kubernetes/setup.sh", &setup).await;
    // a new agent, which has kept no session
    cluster.agent().roll().await;
    let answered = none.credentials(&none.pod().await).await;
    let (code, message) = answered.refused(403);
    assert_eq!(code, "PolicyDenied");
    assert!(message.contains("no engine role fallback-without.api"), "{message}");
    assert!(message.contains("by the fallback role local-pods: Vault's policies do not let"), "{message}");
}

/// The engine role by which the agent has answered a namespace.
async fn role_of(cluster: &Cluster, namespace: &str) -> String {
    let log = cluster.agent().log().await;
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["namespace"] == namespace && line["role"].is_string());
    line.expect("it has answered")["role"].as_str().unwrap_or_default().to_owned()
}
