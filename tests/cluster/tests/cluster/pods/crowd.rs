//! One engine role, one policy and one auth role for a whole cluster, and yet each service account is itself in AWS.

use cluster::{ANYBODY, CLUSTER, Cluster, Team};

use super::ways::{caller, is_the_team};

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn two_service_accounts_of_one_vault_role_are_two_identities_in_aws() {
    let cluster = Cluster::running();
    let teams = ["crowd-one", "crowd-two"];
    let options = ["--cluster", CLUSTER, "--templates", "--way", "container", "--role-arn", ANYBODY];
    cluster.script("kubernetes/setup.sh", &[&options[..], &teams].concat()).await;

    for namespace in teams {
        let team = Team::unknown_to_vault(namespace, "container").await;
        let manifests = team.manifests("container-credentials").await;
        let pod = team.deploy(&manifests.replacing(&team.role(), &format!("{CLUSTER}-pods"))).await;

        // role, and the tags that AWS has for this session: the namespace of this pod and no other
        is_the_team(&team, &caller(&team, &pod).await).await;
    }
}
