//! The admission policy: the API server gives the pods of a labelled namespace what the component would.

use std::time::Duration;

use cluster::{ANYBODY, Team, eventually};
use harness::binaries::workspace;
use serde_json::{Value, json};

use super::super::ways::{caller, is_the_team};
use super::chart::base;

/// The API server reads a new policy a moment after it has taken it.
const IN_FORCE: Duration = Duration::from_secs(120);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_plain_pod_of_a_labelled_namespace_is_the_role_and_one_that_stays_out_is_as_it_was() {
    let team = Team::associated("agent-admission", ANYBODY).await;
    let folder = workspace().join("k8s/node-agent/admission").display().to_string();
    team.cluster.kubectl(&["apply", "-k", &folder]).await.ok();
    let label = ["label", "namespace", &team.namespace, "iamra-node-agent/inject=true"];
    team.cluster.kubectl(&label).await.ok();
    is_in_force(&team).await;
    let base = base(&team).await;
    let name = r#""app.kubernetes.io/name":"out""#;
    let out = base.clone().replacing("\"api\"", "\"out\"");
    let out = out.replacing(name, &format!(r#"{name},"iamra-node-agent/inject":"false""#));

    team.apply(&out).await;
    let pod = team.deploy_alone(&base).await;

    is_the_team(&team, &caller(&team, &pod).await).await;
    let pods = team.kubectl(&["get", "pods", "--selector=app.kubernetes.io/name=out", "--output=json"]).await;
    let pods: Value = serde_json::from_str(&pods.ok()).unwrap();
    assert_eq!(pods["items"].as_array().map(Vec::len), Some(1), "{pods}");
    let spec = pods["items"][0]["spec"].to_string();
    assert!(!spec.contains("iamra-token") && !spec.contains("AWS_CONTAINER_"), "{spec}");
}

/// Waits until a pod that has not even the lists gets them, with everything in them.
async fn is_in_force(team: &Team) {
    let limits = json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
    let security =
        json!({ "runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": { "type": "RuntimeDefault" } });
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "tried", "namespace": team.namespace },
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": security,
            "containers": [{ "name": "tried", "image": "docker.io/local/pause:1", "securityContext": limits }],
        },
    });
    let trial = ["create", "--dry-run=server", "--output=json", "--filename=-"];
    let spec = eventually("a policy in force", IN_FORCE, async || {
        let run = team.cluster.kubectl_with(&trial, Some(pod.to_string())).await;
        let pod: Value = serde_json::from_str(&run.ok()).expect("kubectl prints JSON");
        pod["spec"]["volumes"].is_array().then(|| pod["spec"].clone())
    })
    .await;
    let token = json!({ "audience": "iamra", "expirationSeconds": 86400, "path": "token" });
    assert_eq!(spec["volumes"][0]["projected"]["sources"], json!([{ "serviceAccountToken": token }]));
    assert_eq!(
        spec["containers"][0]["env"],
        json!([
            { "name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://169.254.170.23/v1/credentials" },
            { "name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "value": "/var/run/secrets/iamra/token" },
        ])
    );
    let mount = json!({ "mountPath": "/var/run/secrets/iamra", "name": "iamra-token", "readOnly": true });
    assert_eq!(spec["containers"][0]["volumeMounts"], json!([mount]));
}
