//! Who gets nothing, and where the reason is to be seen.

use std::time::Duration;

use cluster::{Team, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(300);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_service_account_that_is_not_bound_gets_nothing_and_the_init_container_says_why() {
    let team = Team::new("unbound", "file").await;
    let manifests = team.manifests("credentials-file").await;
    let manifests = manifests.with_pod(|pod| pod["serviceAccountName"] = json!("default"));

    team.apply(&manifests).await;

    let log = eventually("the refusal", SOON, async || {
        let pods = team.pods().await;
        let log = team.logs(pods.first()?["metadata"]["name"].as_str()?, "vault-agent-init").await;
        log.contains("not authorized").then_some(log)
    })
    .await;
    assert!(log.contains("auth/kubernetes/login") && log.contains("Code: 403"), "{log}");
    assert!(log.contains("service account name not authorized"), "{log}");
    // kubelet tells the API server a moment after the container has spoken
    let pod = eventually("the containers' state", SOON, async || {
        team.pods().await.into_iter().find(|pod| pod["status"]["containerStatuses"].is_array())
    })
    .await;
    assert_eq!(pod["status"]["phase"], "Pending");
    let waiting = |state: &Value| state["state"]["waiting"]["reason"] == "PodInitializing";
    assert!(pod["status"]["containerStatuses"].as_array().unwrap().iter().all(waiting), "{}", pod["status"]);
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn two_teams_cannot_read_each_others_roles() {
    let (one, other) = tokio::join!(Team::new("team-one", "container"), Team::new("team-other", "container"));
    let (ours, theirs) = (one.role(), other.role());
    let manifests = one.manifests("container-credentials").await.idle();

    let pod = one.deploy(&manifests).await;

    let own = one.listener(&pod, &format!("iamra/container/{ours}"), "").await;
    assert_eq!(own.status, 200, "{}", own.body);
    for path in
        [format!("iamra/container/{theirs}"), format!("iamra/creds/{theirs}"), format!("iamra/creds/{ours}")]
    {
        let refused = one.listener(&pod, &path, "").await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.body);
        assert!(refused.body.contains("permission denied"), "{}", refused.body);
    }
    let api = one.cluster.vault().with_token(&one.token(&pod).await);
    assert_eq!(api.read(&format!("iamra/container/{ours}")).await.status, 200);
    assert_eq!(api.read(&format!("iamra/container/{theirs}")).await.status, 403);
    assert_eq!(api.read(&format!("iamra/roles/{theirs}")).await.status, 403);
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_pod_cannot_log_in_under_the_name_of_another_team() {
    let (one, other) = tokio::join!(Team::new("login-one", "file"), Team::new("login-other", "file"));
    let manifests = one.manifests("credentials-file").await.annotated("role", &other.role());

    one.apply(&manifests).await;

    let log = eventually("the refusal", SOON, async || {
        let pods = one.pods().await;
        let log = one.logs(pods.first()?["metadata"]["name"].as_str()?, "vault-agent-init").await;
        log.contains("namespace not authorized").then_some(log)
    })
    .await;
    assert!(log.contains("Code: 403"), "{log}");
}
