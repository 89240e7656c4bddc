//! What the API server says to the manifests that users get, whole and as they are.

use std::process::{Command, Stdio};
use std::time::Duration;

use cluster::{Cluster, Manifests, Run, eventually};
use harness::binaries::workspace;

const KNOWN: Duration = Duration::from_secs(60);

/// The one way that the examples' namespace refuses, as its comment says.
const HOST_NETWORK: &str = "pod-identity-host-network";

/// Everything that a user may apply.
const FOLDERS: [&str; 28] = [
    "k8s/namespace",
    "k8s/base",
    "k8s/quick-start",
    "k8s/node-agent/deploy",
    "k8s/node-agent/admission",
    "k8s/overlays/pod-identity",
    "k8s/overlays/pod-identity-job",
    "k8s/overlays/pod-identity-init-container",
    "k8s/overlays/pod-identity-host-network",
    "k8s/overlays/container-credentials",
    "k8s/overlays/credential-process",
    "k8s/overlays/credentials-file",
    "k8s/overlays/job",
    "k8s/overlays/native-sidecar",
    "k8s/overlays/ci-runner",
    "k8s/overlays/vault-secrets-operator",
    "k8s/overlays/secrets-store-csi",
    "k8s/overlays/external-secrets",
    "k8s/overlays/local/node-agent",
    "k8s/overlays/local/pod-identity",
    "k8s/overlays/local/pod-identity-job",
    "k8s/overlays/local/pod-identity-init-container",
    "k8s/overlays/local/pod-identity-host-network",
    "k8s/overlays/local/container-credentials",
    "k8s/overlays/local/credential-process",
    "k8s/overlays/local/credentials-file",
    "k8s/overlays/local/job",
    "k8s/overlays/local/native-sidecar",
];

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn the_api_server_accepts_every_manifest_with_the_published_crds() {
    let cluster = Cluster::running();
    install_crds(&cluster).await;
    // where the namespace is not there yet, nothing in it can be tried
    let namespace = Manifests::of(&cluster, "k8s/namespace", "accepted").await;
    cluster.kubectl_with(&["apply", "--filename=-"], Some(namespace.list())).await.ok();

    for folder in FOLDERS {
        let manifests = Manifests::of(&cluster, folder, "accepted").await;
        let run = once_known(&cluster, &manifests).await;
        assert!(run.ok, "{folder}: {}", run.stderr);
        // Pod Security answers a workload that it would refuse pods of with a warning
        let is_refused = run.stderr.contains("Warning");
        assert_eq!(is_refused, folder.ends_with(HOST_NETWORK), "{folder}: {}", run.stderr);
        assert!(!is_refused || run.stderr.contains("host namespaces"), "{folder}: {}", run.stderr);
    }
}

/// The API server tells of a new kind a moment after it has established it.
async fn once_known(cluster: &Cluster, manifests: &Manifests) -> Run {
    let trial = ["apply", "--dry-run=server", "--validate=strict", "--filename=-"];
    eventually("an API server that knows every kind", KNOWN, async || {
        let run = cluster.kubectl_with(&trial, Some(manifests.list())).await;
        (run.ok || !run.stderr.contains("no matches for kind")).then_some(run)
    })
    .await
}

#[test]
#[ignore = "on a cluster: `make test-k8s`"]
fn no_overlay_is_left_out() {
    let overlays = workspace().join("k8s/overlays");
    for folder in [overlays.clone(), overlays.join("local")] {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it is readable").path();

            let tried = FOLDERS.iter().any(|folder| path.ends_with(folder));
            assert!(tried || path.ends_with("local"), "{} is not tried", path.display());
        }
    }
}

/// As the operators' own charts would bring them, from the modules pinned in tests/tools/crds.
async fn install_crds(cluster: &Cluster) {
    let mut list = Command::new(workspace().join("tests/cluster/crds"));
    list.stdin(Stdio::null());
    let list = tokio::task::spawn_blocking(move || list.output()).await.expect("the run is not aborted");
    let list = list.expect("the script runs");
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let files: Vec<String> = String::from_utf8_lossy(&list.stdout).lines().map(str::to_owned).collect();
    assert!(!files.is_empty(), "no CRDs");
    let mut arguments = vec!["apply".to_owned(), "--server-side".to_owned()];
    arguments.extend(files.into_iter().map(|file| format!("--filename={file}")));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    cluster.kubectl(&arguments).await.ok();
    let wait =
        ["wait", "--for=condition=Established", "--timeout=300s", "customresourcedefinitions", "--all"];
    cluster.kubectl(&wait).await.ok();
}
