//! The plugin's process killed in its pod.

use std::path::Path;
use std::time::Duration;

use cluster::{MINUTE, Team, eventually};
use harness::{kill, running_from};
use tokio::time::sleep;

/// `plugin_directory` of k8s/vault/values.yaml: what the process is called, wherever it is looked at from.
const FOLDER: &str = "/usr/local/libexec/vault";
const SOON: Duration = Duration::from_secs(180);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_plugin_that_is_killed_again_and_again_fails_no_call_of_a_running_application() {
    let team = Team::with_profile("plugin-killed", "container", MINUTE).await;
    let manifests = team.manifests("container-credentials").await.watching();
    let pod = team.deploy(&manifests).await;
    team.succeeds(&pod, 5, SOON).await;

    for _ in 0..4 {
        let pid = eventually("the plugin's process", SOON, async || {
            running_from(Path::new(FOLDER)).first().copied()
        })
        .await;
        kill(pid);
        sleep(Duration::from_secs(5)).await;
    }

    let before = team.succeeds(&pod, 6, SOON).await.len();
    team.succeeds(&pod, before + 20, SOON).await;
}
