//! Vault's pod replaced, and unsealed again.

use std::time::Duration;

use cluster::{FOUR_MINUTES, Team, eventually, never_failed};

const SOON: Duration = Duration::from_secs(180);
/// An Agent replaces a session of four minutes after 102 to 114 seconds.
const RENEWAL: Duration = Duration::from_secs(300);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn running_applications_do_not_notice_that_vault_was_restarted() {
    let (container, process) = tokio::join!(
        Team::new("restart-container", "container"),
        Team::with_profile("restart-process", "file", FOUR_MINUTES),
    );
    let manifests = container.manifests("container-credentials").await.watching();
    let container_pod = container.deploy(&manifests).await;
    let manifests = process.manifests("credential-process").await.watching();
    let process_pod = process.deploy(&manifests).await;
    container.succeeds(&container_pod, 3, SOON).await;
    process.succeeds(&process_pod, 3, SOON).await;

    let cluster = &container.cluster;
    cluster.kubectl(&["delete", "pod", "--namespace=vault", "vault-0"]).await.ok();
    cluster.unseal().await;

    let file = ["cat", "/vault/secrets/aws.json"];
    let old = process.exec(&process_pod, "app", &file).await.ok();
    eventually("a session made by the new Vault", RENEWAL, async || {
        (process.exec(&process_pod, "app", &file).await.ok() != old).then_some(())
    })
    .await;
    never_failed(&process.calls(&process_pod).await);
    never_failed(&container.calls(&container_pod).await);
    container.kubectl(&["rollout", "restart", "deployment/api"]).await.ok();
    container.rolled_out().await;
    container.succeeds(&container.pod().await, 3, SOON).await;
}
