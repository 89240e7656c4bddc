//! What the API server says to the manifests that users get, whole and as they are.

use cluster::{Cluster, Manifests};

#[tokio::test]
async fn the_api_server_accepts_every_manifest_whose_api_it_has() {
    let cluster = Cluster::running();
    // where the namespace is not there yet, nothing in it can be tried
    let namespace = r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "accepted"}}"#;
    cluster.kubectl_with(&["apply", "--filename=-"], Some(namespace.to_owned())).await.ok();

    for folder in [
        "k8s/base",
        "k8s/overlays/container-credentials",
        "k8s/overlays/credential-process",
        "k8s/overlays/credentials-file",
        "k8s/overlays/job",
        "k8s/overlays/native-sidecar",
        "k8s/overlays/ci-runner",
    ] {
        let manifests = Manifests::of(&cluster, folder, "accepted").await;
        let trial = ["apply", "--dry-run=server", "--filename=-"];
        let run = cluster.kubectl_with(&trial, Some(manifests.list())).await;
        assert!(run.ok, "{folder}: {}", run.stderr);
        // Pod Security answers a workload that it would refuse pods of with a warning
        assert!(!run.stderr.contains("Warning"), "{folder}: {}", run.stderr);
    }
}
