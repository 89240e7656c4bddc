//! Vault's pod replaced, and unsealed again.

use std::time::Duration;

use cluster::{TWO_MINUTES, Team, sessions};

const SOON: Duration = Duration::from_secs(60);
/// A session of two minutes is replaced at 51 to 57 seconds.
const RENEWAL: Duration = Duration::from_secs(240);

#[tokio::test]
async fn running_applications_do_not_notice_that_vault_was_restarted() {
    let (container, process) = tokio::join!(
        Team::new("restart-container", "container"),
        Team::with_profile("restart-process", "file", TWO_MINUTES),
    );
    let manifests = container.manifests("container-credentials").await.watching();
    let container_pod = container.deploy(&manifests).await;
    let manifests = process.manifests("credential-process").await.watching();
    let process_pod = process.deploy(&manifests).await;
    container.succeeds(&container_pod, 3, SOON).await;
    let before = sessions(&process.succeeds(&process_pod, 3, SOON).await);

    let cluster = &container.cluster;
    cluster.kubectl(&["delete", "pod", "--namespace=vault", "vault-0"]).await.ok();
    cluster.unseal().await;

    let seen = process.calls(&process_pod).await.len();
    let calls = process.succeeds(&process_pod, seen + 150, RENEWAL).await;
    assert!(sessions(&calls) > before + 1, "sessions are renewed as before");
    let calls = container.calls(&container_pod).await;
    cluster::never_failed(&calls);
    container.kubectl(&["rollout", "restart", "deployment/api"]).await.ok();
    container.rolled_out().await;
    container.succeeds(&container.pod().await, 3, SOON).await;
}
