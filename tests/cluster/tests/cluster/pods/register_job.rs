//! The register Job on the plugin that runs already, where it has nothing to change.

use cluster::{CLUSTER, Cluster, Manifests};

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn the_register_job_logs_in_as_its_service_account_and_finds_all_in_order() {
    let cluster = Cluster::running();
    cluster.script("kubernetes/setup.sh", &["--cluster", CLUSTER, "--register-job"]).await;
    let installed =
        cluster.kubectl(&["logs", "--namespace=vault", "vault-0", "--container=iamra"]).await.ok();
    let sha256 = installed.lines().find_map(|line| line.strip_prefix("sha256=")).expect("install prints it");
    let of_an_earlier_run = ["delete", "job", "--namespace=vault", "iamra-register", "--ignore-not-found"];
    cluster.kubectl(&of_an_earlier_run).await.ok();

    let manifests = Manifests::of(&cluster, "vault-config/plugin", "payments").await;
    let manifests = manifests
        .replacing(r#""PLUGIN_SHA256":"""#, &format!(r#""PLUGIN_SHA256":"{sha256}""#))
        .replacing("hashicorp/vault:", "docker.io/local/vault:")
        // Vault has no TLS on this cluster
        .replacing("https://vault.vault.svc", "http://vault.vault.svc")
        .with_pod(|pod| {
            let variables = pod["containers"][0]["env"].as_array_mut().expect("the Job has variables");
            variables.retain(|variable| variable["name"] != "VAULT_CACERT");
        });
    cluster.kubectl_with(&["apply", "--filename=-"], Some(manifests.list())).await.ok();
    let complete =
        ["wait", "--namespace=vault", "--for=condition=complete", "--timeout=300s", "job/iamra-register"];
    let run = cluster.kubectl(&complete).await;

    let said = cluster.kubectl(&["logs", "--namespace=vault", "job/iamra-register"]).await;
    assert!(run.ok, "{}{}{}", run.stderr, said.stdout, said.stderr);
    assert!(said.stdout.contains("iamra/ runs v0.1.0"), "{}", said.stdout);
}
