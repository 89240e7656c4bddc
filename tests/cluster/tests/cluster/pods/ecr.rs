//! A pod whose image is only in a private registry of ECR: kubelet, credential provider, Vault, AWS and a registry with basic auth.

use std::time::Duration;

use cluster::{ANYBODY, ECR_IMAGE, PULLS, Team, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(300);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn an_image_of_ecr_is_pulled_as_a_service_account_that_may_and_as_no_other() {
    let team = Team::associated("ecr", PULLS).await;
    // an association whose IAM role may not pull, and a service account without an association
    let stranger = json!({ "role_arn": ANYBODY, "subject": "kubernetes" });
    let _ = team.cluster.vault().write("iamra/roles/ecr.stranger", stranger).await.ok();
    for account in ["api", "stranger", "unknown"] {
        let account =
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": account } });
        apply(&team, &account).await;
    }

    for account in ["stranger", "unknown"] {
        apply(&team, &pod(account)).await;
        let why =
            eventually("the refusal of the registry", SOON, async || refusal(&team, account).await).await;
        assert!(why.contains("no basic auth credentials") || why.contains("401"), "{account}: {why}");
    }
    // the image is not on the node, and others were refused it a moment ago
    apply(&team, &pod("api")).await;
    let wait = ["wait", "--for=condition=Ready", "--timeout=300s", "pod/api"];
    let run = team.kubectl(&wait).await;
    let said = team.kubectl(&["describe", "pod", "api"]).await.stdout;
    assert!(run.ok, "{}\n{said}", run.stderr);
    // now that it is there, the registry is still asked, and refuses
    let delete = ["delete", "pod", "stranger", "--grace-period=0", "--force"];
    team.kubectl(&delete).await.ok();
    apply(&team, &pod("stranger")).await;
    eventually("the second refusal", SOON, async || refusal(&team, "stranger").await).await;
}

/// A pod that runs the image as a service account of the same name, and holds no AWS variable and no pull secret.
fn pod(account: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": account },
        "spec": {
            "serviceAccountName": account,
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "securityContext": { "runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "app", "image": ECR_IMAGE,
                // else an image that another pod has brought to the node starts here too
                "imagePullPolicy": "Always",
                "command": ["/bin/sh", "-c", "sleep infinity"],
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        },
    })
}

async fn apply(team: &Team, object: &Value) {
    let arguments = ["--namespace", &team.namespace, "apply", "--filename=-"];
    team.cluster.kubectl_with(&arguments, Some(object.to_string())).await.ok();
}

/// Why the pod's image is not there, once the kubelet has said it.
async fn refusal(team: &Team, pod: &str) -> Option<String> {
    let pod: Value =
        serde_json::from_str(&team.kubectl(&["get", "pod", pod, "--output=json"]).await.ok()).ok()?;
    let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
    let is_refused = waiting["reason"] == "ErrImagePull" || waiting["reason"] == "ImagePullBackOff";
    let message = waiting["message"].as_str().unwrap_or_default();
    (is_refused && message.contains("failed")).then(|| message.to_owned())
}
