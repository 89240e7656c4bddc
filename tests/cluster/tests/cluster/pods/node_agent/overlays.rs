//! Each overlay of the node agent, with the AWS CLI, from the manifests that users get.

use cluster::{ANYBODY, Team};

use super::super::ways::{arn_in, caller, is_the_team};

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_deployment_without_sidecar_and_without_anything_of_vault_serves_the_cli_and_boto3() {
    let team = Team::associated("agent-deployment", ANYBODY).await;

    let pod = team.deploy_alone(&team.manifests("pod-identity").await).await;

    is_the_team(&team, &caller(&team, &pod).await).await;
    let program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])";
    let arn = team.exec(&pod, "app", &["/usr/bin/python3", "-c", program]).await.ok();
    is_the_team(&team, arn.trim()).await;
    has_nothing_of_vault(&team, &pod).await;
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_job_is_the_role_and_completes_because_nothing_runs_beside_it() {
    let team = Team::associated("agent-job", ANYBODY).await;

    let printed = team.complete(&team.manifests("pod-identity-job").await).await;

    is_the_team(&team, &arn_in(&printed).expect("the CLI prints who it is")).await;
    assert_eq!(containers(&team, "containers").await, ["app"]);
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn an_init_container_is_the_role_before_the_application_is() {
    let team = Team::associated("agent-init", ANYBODY).await;

    let pod = team.deploy_alone(&team.manifests("pod-identity-init-container").await).await;

    let prepared = team.logs(&pod, "prepare").await;
    is_the_team(&team, &arn_in(&prepared).expect("the init container's CLI prints who it is")).await;
    is_the_team(&team, &caller(&team, &pod).await).await;
    assert_eq!(containers(&team, "initContainers").await, ["prepare"]);
    has_nothing_of_vault(&team, &pod).await;
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_pod_on_the_nodes_network_is_the_role_too() {
    let team = Team::associated("agent-host", ANYBODY).await;
    let label = "pod-security.kubernetes.io/enforce=privileged";
    team.cluster.kubectl(&["label", "namespace", &team.namespace, label, "--overwrite"]).await.ok();

    let pod = team.deploy_alone(&team.manifests("pod-identity-host-network").await).await;

    assert_eq!(team.pods().await[0]["spec"]["hostNetwork"], true);
    is_the_team(&team, &caller(&team, &pod).await).await;
    has_nothing_of_vault(&team, &pod).await;
}

/// One container, no variable that names Vault, and no file with a token of it. A JSON web token may hold the letters of a token's
/// prefix, but not at its start.
async fn has_nothing_of_vault(team: &Team, pod: &str) {
    assert_eq!(containers(team, "containers").await, ["app"]);
    let variables = team.exec(pod, "app", &["env"]).await.ok();
    assert!(variables.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/"), "{variables}");
    assert!(!variables.contains("VAULT"), "{variables}");
    let search = r"grep -rlE '(^|[^A-Za-z0-9_.-])hv[sbr]\.' /tmp /run /var /home /etc /vault /proc/1/environ 2>/dev/null";
    let found = team.shell(pod, "app", search).await;
    assert_eq!(found.stdout, "", "a token of Vault");
}

/// The names of the pod's containers of one kind.
async fn containers(team: &Team, kind: &str) -> Vec<String> {
    let pods = team.pods().await;
    let containers = pods[0]["spec"][kind].as_array().cloned().unwrap_or_default();
    containers.iter().filter_map(|container| container["name"].as_str().map(str::to_owned)).collect()
}
