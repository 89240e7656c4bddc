//! The injector's own variants.

use cluster::Team;
use serde_json::json;

const FILE: &str = "/vault/secrets/credentials";

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_auto_auth_token_true_a_callers_own_token_is_used_and_without_one_the_agents() {
    let team = Team::new("auto-true", "container").await;
    let manifests = team.manifests("container-credentials").await;
    let manifests = manifests.annotated("agent-cache-use-auto-auth-token", "true").idle();

    let pod = team.deploy(&manifests).await;

    let path = format!("iamra/container/{}", team.role());
    assert_eq!(team.listener(&pod, &path, "").await.status, 200);
    let refused = team.listener(&pod, &path, r#""X-Vault-Token": "bogus""#).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    // what an SDK sends from AWS_CONTAINER_AUTHORIZATION_TOKEN is no Vault token to the Agent
    assert_eq!(team.listener(&pod, &path, r#""Authorization": "bogus""#).await.status, 200);
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_auto_auth_token_force_the_agents_token_is_used_whatever_a_caller_sends() {
    let team = Team::new("auto-force", "container").await;
    let manifests = team.manifests("container-credentials").await;
    let manifests = manifests.annotated("agent-cache-use-auto-auth-token", "force").idle();

    let pod = team.deploy(&manifests).await;

    let path = format!("iamra/container/{}", team.role());
    assert_eq!(team.listener(&pod, &path, r#""X-Vault-Token": "bogus""#).await.status, 200);
    let answer = team.listener(&pod, &path, "").await;
    let document: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert!(document["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn without_run_as_same_user_the_file_is_the_agents_and_the_application_cannot_read_it() {
    let team = Team::new("other-user", "file").await;
    let manifests = team.manifests("credentials-file").await;
    let manifests = manifests.annotated("agent-run-as-same-user", "false").idle();

    let pod = team.deploy(&manifests).await;

    let stat = team.exec(&pod, "app", &["stat", "-L", "-c", "%a %u %g", FILE]).await.ok();
    assert_eq!(stat.trim(), "400 100 1000");
    let read = team.exec(&pod, "app", &["cat", FILE]).await;
    assert!(!read.ok && read.stderr.contains("Permission denied"), "{}", read.stderr);
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_init_first_an_init_container_of_the_application_finds_the_file() {
    let team = Team::new("init-first", "file").await;
    let manifests = team.manifests("credentials-file").await.annotated("agent-init-first", "true").idle();
    let manifests = manifests.with_pod(|pod| {
        let mut early = pod["containers"][0].clone();
        early["name"] = json!("early");
        early["command"] = json!(["/bin/sh", "-c", "aws sts get-caller-identity"]);
        pod["initContainers"] = json!([early]);
    });

    let pod = team.deploy(&manifests).await;

    let printed = team.logs(&pod, "early").await;
    assert!(printed.contains(":assumed-role/anybody/"), "{printed}");
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn without_perms_the_file_is_readable_by_everybody_and_with_them_it_is_not() {
    let team = Team::new("perms", "file").await;
    let manifests = team.manifests("credentials-file").await.idle();

    let pod = team.deploy(&manifests.clone().without("agent-inject-perms-credentials")).await;
    let open = team.exec(&pod, "app", &["stat", "-L", "-c", "%a", FILE]).await.ok();
    let pod = team.deploy(&manifests.annotated("agent-inject-perms-credentials", "0440")).await;
    let closed = team.exec(&pod, "app", &["stat", "-L", "-c", "%a", FILE]).await.ok();

    assert_eq!((open.trim(), closed.trim()), ("644", "440"));
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn the_file_may_be_in_a_folder_of_the_users_choice() {
    let team = Team::new("folder", "file").await;
    let manifests = team.manifests("credentials-file").await;
    let manifests =
        manifests.annotated("secret-volume-path", "/run/aws").replacing(FILE, "/run/aws/credentials").idle();

    let pod = team.deploy(&manifests).await;

    let arn = team.exec(&pod, "app", &["aws", "sts", "get-caller-identity"]).await.ok();
    assert!(arn.contains(":assumed-role/anybody/"), "{arn}");
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_revoke_on_shutdown_ends_the_pods_token_and_leaves_its_session_to_its_other_holders() {
    let team = Team::new("revoke", "file").await;
    let manifests =
        team.manifests("credentials-file").await.annotated("agent-revoke-on-shutdown", "true").idle();
    // the injector's hook sleeps five seconds before it revokes, and kubelet ends it with the pod if it is not done by then
    let manifests = manifests.with_pod(|pod| pod["terminationGracePeriodSeconds"] = json!(120));
    let pod = team.deploy(&manifests).await;
    let token = team.token(&pod).await;
    let credentials = team.exec(&pod, "app", &["cat", FILE]).await.ok();
    let api = team.cluster.vault().with_token(&token);
    assert_eq!(api.read("auth/token/lookup-self").await.status, 200);

    team.kubectl(&["delete", "pod", &pod]).await.ok();
    team.rolled_out().await;

    assert_eq!(api.read("auth/token/lookup-self").await.status, 403, "the token has been revoked");
    let (_, holder) = team.holder(&credentials).await;
    assert!(holder.is_ok(), "the session was not: {holder:?}");
}
