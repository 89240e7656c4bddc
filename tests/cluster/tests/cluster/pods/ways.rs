//! Each way in, with the AWS CLI, from the manifests that users get.

use std::time::Duration;

use cluster::{Cluster, Team, eventually};
use harness::{ACCOUNT, admin};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(300);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn the_examples_as_they_are_make_the_cli_the_role_of_their_service_account() {
    let team = Team::of_the_examples();

    for folder in ["k8s/namespace", "k8s/overlays/local/container-credentials"] {
        let folder = harness::binaries::workspace().join(folder).display().to_string();
        team.cluster.kubectl(&["apply", "-k", &folder]).await.ok();
    }
    team.rolled_out().await;
    let pod = team.pod().await;

    let arn = caller(&team, &pod).await;
    assert!(arn.starts_with(&format!("arn:aws:sts::{ACCOUNT}:assumed-role/payments-api/")), "{arn}");
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_credentials_file_appears_in_memory_with_the_mode_and_owner_asked_for() {
    let team = Team::new("file", "file").await;

    let pod = team.deploy(&team.manifests("credentials-file").await).await;

    let file = "/vault/secrets/credentials";
    let stat = team.exec(&pod, "app", &["stat", "-L", "-c", "%a %u", file]).await.ok();
    assert_eq!(stat.trim(), "400 10001");
    let mounts = team.exec(&pod, "app", &["cat", "/proc/mounts"]).await.ok();
    assert!(mounts.lines().any(|line| line.starts_with("tmpfs /vault/secrets tmpfs")), "{mounts}");
    is_the_team(&team, &caller(&team, &pod).await).await;
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn container_credentials_serve_the_cli_and_boto3() {
    let team = Team::new("container", "container").await;

    let pod = team.deploy(&team.manifests("container-credentials").await).await;

    is_the_team(&team, &caller(&team, &pod).await).await;
    let program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])";
    let arn = team.exec(&pod, "app", &["/usr/bin/python3", "-c", program]).await.ok();
    is_the_team(&team, arn.trim()).await;
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn credential_process_serves_the_cli() {
    let team = Team::new("process", "file").await;

    let pod = team.deploy(&team.manifests("credential-process").await).await;

    is_the_team(&team, &caller(&team, &pod).await).await;
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_job_completes_and_its_cli_was_the_role() {
    let team = Team::new("job", "file").await;

    let printed = team.complete(&team.manifests("job").await).await;

    is_the_team(&team, &arn_in(&printed).expect("the CLI prints who it is")).await;
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_native_sidecar_serves_init_containers_too_and_lets_its_job_complete() {
    let team = Team::new("sidecar", "container").await;

    let printed = team.complete(&team.manifests("native-sidecar").await).await;

    is_the_team(&team, &arn_in(&printed).expect("the CLI prints who it is")).await;
    let prepared = team.kubectl(&["logs", "--container=prepare", "job/api"]).await.ok();
    is_the_team(&team, &arn_in(&prepared).expect("so does the init container's")).await;
}

/// The ARN that the CLI in the pod has printed.
pub(crate) async fn caller(team: &Team, pod: &str) -> String {
    eventually("what the CLI prints", SOON, async || arn_in(&team.logs(pod, "app").await)).await
}

/// The ARN in the CLI's output.
pub(crate) fn arn_in(printed: &str) -> Option<String> {
    let first = serde_json::Deserializer::from_str(printed).into_iter::<Value>().next()?.ok()?;
    first["Arn"].as_str().map(str::to_owned)
}

/// The role is right, and AWS knows this very pod's service account by the tags of the session.
pub(crate) async fn is_the_team(team: &Team, arn: &str) {
    assert!(arn.starts_with(&format!("arn:aws:sts::{ACCOUNT}:assumed-role/anybody/")), "{arn}");
    let sessions = admin(Cluster::running().aws(), "GET", "sessions", None).await;
    let session =
        sessions.as_array().into_iter().flatten().find(|session| session["assumed_role_arn"] == arn);
    let tags = &session.expect("AWS has issued this session")["tags"];
    assert_eq!(tags["x509Subject/CN"], format!("local.{}.api", team.namespace));
    assert_eq!(tags["x509Subject/OU"], team.namespace);
}
