//! Which auth mount is which cluster, and that no pod passes for one of another.

use serde_json::json;

use super::callers::{
    DEV, PROD, clusters, entity, pod, pods, preview, refusal, refused_role, service_account, tag,
};
use crate::mounts::{ROLE, mount};

#[tokio::test]
async fn the_same_names_in_another_cluster_are_another_identity() {
    let reply = preview(pods(), pod(DEV, "payments", "api")).await;

    assert_eq!(tag(&reply, "x509Subject/CN"), "dev.payments.api");
    assert_eq!(tag(&reply, "x509SAN/URI"), "spiffe://dev/ns/payments/sa/api");
}

#[tokio::test]
async fn a_pod_of_an_auth_mount_that_is_not_registered_is_nobody() {
    let error = refusal(pods(), Some(pod("auth_kubernetes_ffffffff", "payments", "api"))).await;

    assert!(error.starts_with("common_name: {{kubernetes.cluster}}: "), "{error}");
    assert!(
        error
            .contains("no alias under the auth mount of a registered cluster, only auth_kubernetes_ffffffff"),
        "{error}"
    );
    assert!(
        error.contains("own Vault namespace") && error.contains("vault write test/clusters/<name>"),
        "{error}"
    );
}

#[tokio::test]
async fn a_mistyped_accessor_is_told_by_the_one_at_which_the_pod_logged_in() {
    let mount = clusters().await.asked_by(pod("auth_kubernetes_7d3f2a1b", "payments", "api"));
    mount.write("clusters/prod", json!({ "accessor": "auth_kubernetes_7d3f2ab1" })).await;
    mount.write("roles/app", pods()).await;

    let reply = mount.read("preview/app").await;

    assert_eq!(reply.status, 400);
    let cure = "vault write test/clusters/prod accessor=auth_kubernetes_7d3f2a1b";
    assert!(
        reply.error.contains("auth_kubernetes_7d3f2ab1") && reply.error.ends_with(cure),
        "{}",
        reply.error
    );
    mount.write("clusters/prod", json!({ "accessor": "auth_kubernetes_7d3f2a1b" })).await;
    assert_eq!(mount.read("preview/app").await.status, 200, "the cure cures");
}

#[tokio::test]
async fn an_accessor_unlike_vaults_is_taken_with_a_warning_and_one_of_no_auth_mount_refused() {
    let mount = clusters().await;

    let odd = mount.write("clusters/stage", json!({ "accessor": "auth_kubernetes_7d3f2a1" })).await;
    let usual = mount.write("clusters/stage", json!({ "accessor": "auth_kubernetes_7d3f2a1b" })).await;
    let path = mount.write("clusters/stage", json!({ "accessor": "kubernetes" })).await;

    assert!(odd.warnings[0].contains("eight hex digits") && odd.warnings[0].contains("no list"), "{odd:?}");
    assert!(!usual.warnings.iter().any(|warning| warning.contains("hex digits")), "{usual:?}");
    assert!(path.status == 400 && path.error.contains("begins with auth_"), "{path:?}");
}

#[tokio::test]
async fn a_caller_of_two_registered_clusters_is_refused() {
    let both =
        entity(vec![service_account(PROD, "payments", "api"), service_account(DEV, "payments", "api")]);

    let error = refusal(pods(), Some(both.clone())).await;

    assert!(error.contains("has aliases of prod and dev"), "{error}");
    let by_name = json!({ "common_name": "{{identity.entity.name}}" });
    assert_eq!(refusal(by_name, Some(both)).await, error, "whatever the role asks about the caller");
}

#[tokio::test]
async fn a_role_for_one_cluster_takes_no_caller_of_another() {
    let role = json!({ "common_name": "app", "clusters": ["prod"] });

    let error = refusal(role.clone(), Some(pod(DEV, "payments", "api"))).await;

    assert_eq!(error, "clusters: this role accepts only callers of prod, but this caller is of dev");
    assert!(
        refusal(role, None)
            .await
            .starts_with("clusters: this role accepts only callers of prod: this token belongs to no entity")
    );
}

#[tokio::test]
async fn namespaces_and_service_accounts_are_never_named_without_their_cluster() {
    for name in
        ["{{kubernetes.namespace}}", "{{kubernetes.service_account}}", "{{kubernetes.namespace | short}}.x"]
    {
        for (field, before) in [("common_name", "x."), ("uri_sans", "spiffe://"), ("role_session_name", "x.")]
        {
            let error = refused_role(json!({ field: format!("{before}{name}") })).await;

            assert!(error.starts_with(field) && error.contains("without {{kubernetes.cluster}}"), "{error}");
        }
    }
    let units =
        json!({ "role_arn": ROLE, "common_name": "app", "organizational_unit": "{{kubernetes.namespace}}" });
    assert_eq!(
        preview(units, pod(PROD, "payments", "api")).await.error,
        "",
        "O and OU are read beside the common name"
    );
    let one = json!({ "role_arn": ROLE, "common_name": "{{kubernetes.namespace}}.{{kubernetes.service_account}}", "clusters": "prod" });
    assert_eq!(tag(&preview(one, pod(PROD, "payments", "api")).await, "x509Subject/CN"), "payments.api");
}

#[tokio::test]
async fn clusters_are_written_read_listed_and_deleted() {
    let mount = clusters().await;

    assert_eq!(mount.list("clusters").await.data["keys"], json!(["dev", "prod"]));
    assert_eq!(mount.read("clusters/prod").await.data["accessor"], PROD);
    assert_eq!(mount.delete("clusters/prod").await.error, "");
    assert_eq!(mount.read("clusters/prod").await.status, 404);
}

#[tokio::test]
async fn one_auth_mount_is_one_cluster() {
    let mount = clusters().await;

    let reply = mount.write("clusters/other", json!({ "accessor": PROD })).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("already the auth mount of the cluster prod"), "{}", reply.error);
}

#[tokio::test]
async fn another_auth_mount_for_a_cluster_is_taken_with_a_warning() {
    let mount = clusters().await;

    let reply = mount.write("clusters/prod", json!({ "accessor": "auth_kubernetes_9" })).await;

    assert!(reply.warnings[0].contains(PROD) && reply.warnings[0].contains("from now on"), "{reply:?}");
    assert_eq!(mount.read("clusters/prod").await.data["accessor"], "auth_kubernetes_9");
}

#[tokio::test]
async fn a_cluster_that_a_role_names_is_not_deleted() {
    let mount = clusters().await;
    mount.write("roles/app", json!({ "role_arn": ROLE, "common_name": "app", "clusters": ["prod"] })).await;

    let reply = mount.delete("clusters/prod").await;

    assert!(reply.error.contains("the role \"app\" names the cluster prod"), "{}", reply.error);
    assert_eq!(mount.read("clusters/prod").await.status, 200);
}

#[tokio::test]
async fn a_role_for_a_cluster_that_is_not_registered_is_refused_with_the_command() {
    let error = refused_role(json!({ "clusters": ["stage"] })).await;

    assert!(error.contains("vault write test/clusters/stage accessor="), "{error}");
}

#[tokio::test]
async fn a_cluster_that_is_moved_or_deleted_counts_at_once() {
    let mount = clusters().await.asked_by(pod(PROD, "payments", "api"));
    mount.write("roles/app", pods()).await;
    assert_eq!(mount.read("preview/app").await.status, 200);

    mount.delete("clusters/prod").await;

    assert_eq!(mount.read("preview/app").await.status, 400);
}

#[tokio::test]
async fn a_role_of_pods_without_any_cluster_warns_and_serves_nobody() {
    let mount = mount().await;

    let reply = mount.write("roles/app", pods()).await;

    assert!(reply.warnings.iter().any(|warning| warning.contains("no cluster is registered")), "{reply:?}");
}
