//! A third party's chart, which lets its users set variables and volumes of its one container, and nothing else.

use cluster::{ANYBODY, Manifests, Team};
use serde_json::{Value, json};

use super::super::ways::{caller, is_the_team};

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_chart_that_takes_only_variables_and_volumes_is_the_role() {
    let team = Team::associated("agent-chart", ANYBODY).await;
    let manifests = base(&team).await.with_pod(with_values);

    let pod = team.deploy_alone(&manifests).await;

    is_the_team(&team, &caller(&team, &pod).await).await;
}

/// The application that knows nothing of any way in, with an image and an AWS of this cluster.
pub(super) async fn base(team: &Team) -> Manifests {
    let base = Manifests::of(&team.cluster, "k8s/base", &team.namespace).await;
    let base = base.replacing("public.ecr.aws/aws-cli/aws-cli:2.31.0", "docker.io/local/aws-cli:1");
    base.with_pod(|pod| {
        for (name, value) in
            [("AWS_ENDPOINT_URL_STS", "http://aws.aws.svc"), ("AWS_DEFAULT_REGION", "eu-central-1")]
        {
            push(&mut pod["containers"][0]["env"], json!({ "name": name, "value": value }));
        }
    })
}

/// What a chart calls `extraEnv`, `extraVolumeMounts` and `extraVolumes`.
fn with_values(pod: &mut Value) {
    let container = &mut pod["containers"][0];
    for (name, value) in [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/var/run/secrets/iamra/token"),
    ] {
        push(&mut container["env"], json!({ "name": name, "value": value }));
    }
    let mount = json!({ "name": "iamra-token", "mountPath": "/var/run/secrets/iamra", "readOnly": true });
    push(&mut container["volumeMounts"], mount);
    let token = json!({ "path": "token", "audience": "iamra", "expirationSeconds": 86400 });
    let sources = json!([{ "serviceAccountToken": token }]);
    push(&mut pod["volumes"], json!({ "name": "iamra-token", "projected": { "sources": sources } }));
}

pub(super) fn push(list: &mut Value, value: Value) {
    list.as_array_mut().expect("the application has this list").push(value);
}
