//! `subject=kubernetes`: a role that names an IAM role, and in AWS is the pod that reads it.

use engine::Engine;
use serde_json::{Value, json};
use vault_backend::Entity;
use vault_backend::testing::TestMount;

use super::callers::{CN, DEV, PROD, SPIFFE, clusters, clusters_calling, gitlab, pod, pods, preview, tag};
use crate::aws::Aws;
use crate::mounts::{ANCHOR, PROFILE, ROLE, configured, with_ca};

const NAME: &str = "roles/payments.api";

fn association() -> Value {
    json!({ "role_arn": ROLE, "subject": "kubernetes" })
}

/// The role of one service account, on a mount of two clusters.
fn of_prod() -> Value {
    json!({ "role_arn": ROLE, "subject": "kubernetes", "clusters": ["prod"] })
}

/// A mount with a CA, a configuration and the cluster `prod` alone.
async fn one_cluster() -> TestMount<Engine> {
    let mount = with_ca().await;
    let config = json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE });
    for (path, body) in [("config", config), ("clusters/prod", json!({ "accessor": PROD }))] {
        assert_eq!(mount.write(path, body).await.error, "", "{path}");
    }
    mount
}

/// A mount whose pod `payments/api` of `prod` has an association.
async fn associated() -> TestMount<Engine> {
    let mount = one_cluster().await.asked_by(pod(PROD, "payments", "api"));
    let written = mount.write(NAME, association()).await;
    assert_eq!((written.error.as_str(), &written.warnings[..]), ("", &[][..]));
    mount
}

#[tokio::test]
async fn with_one_cluster_an_iam_role_and_the_subject_are_all_that_a_role_needs() {
    let mount = associated().await;

    let shown = mount.read("preview/payments.api").await;

    let expected = json!({
        "x509Subject/CN": "prod.payments.api", "x509Subject/O": "prod", "x509Subject/OU": "payments",
        "x509SAN/URI": "spiffe://prod/ns/payments/sa/api", "x509Issuer/CN": "test CA",
    });
    assert_eq!(shown.data["session_tags"], expected, "{shown:?}");
    assert_eq!(shown.data["source_identity"], "CN=prod.payments.api");
    assert_eq!(shown.data["session_sharing"], "identity");
}

#[tokio::test]
async fn the_standard_subject_is_what_the_same_texts_give_when_they_are_written() {
    let written = json!({ "clusters": ["prod"] });
    for (namespace, name) in
        [("payments", "api"), ("payments", "api.v2"), ("kube-prometheus-stack", &"s".repeat(60))]
    {
        let mut explicit = pods();
        explicit.as_object_mut().unwrap().extend(written.as_object().unwrap().clone());

        let by_name = preview(of_prod(), pod(PROD, namespace, name)).await;
        let by_hand = preview(explicit, pod(PROD, namespace, name)).await;

        for part in ["subject", "uri_sans", "dns_sans", "session_tags", "source_identity", "session_sharing"]
        {
            assert_eq!(by_name.data[part], by_hand.data[part], "{part}");
        }
    }
}

#[tokio::test]
async fn a_read_shows_the_subject_and_what_it_amounts_to() {
    let read = associated().await.read(NAME).await.data;

    assert_eq!((&read["subject"], &read["clusters"]), (&json!("kubernetes"), &json!(["prod"])));
    assert_eq!((&read["common_name"], &read["uri_sans"]), (&json!(CN), &json!([SPIFFE])));
    assert_eq!(read["organization"], json!(["{{kubernetes.cluster}}"]));
    assert_eq!(read["organizational_unit"], json!(["{{kubernetes.namespace}}"]));
    assert_eq!(read["dns_sans"], json!([]));
}

#[tokio::test]
async fn what_a_read_shows_is_written_back_unchanged_and_makes_the_same_record_elsewhere() {
    let mount = associated().await;
    let stored: Value = mount.storage.get_json("role/payments.api").await.unwrap().unwrap();
    let read = mount.read(NAME).await.data;
    let puts = configured(&mount.storage);

    let again = mount.write(NAME, Value::Object(read.clone())).await;
    let elsewhere = one_cluster().await;
    let copied = elsewhere.write(NAME, Value::Object(read)).await;

    assert_eq!((again.error.as_str(), copied.error.as_str(), configured(&mount.storage)), ("", "", puts));
    assert_eq!(stored["subject"], "kubernetes");
    assert_eq!((stored.get("common_name"), &stored["organization"]), (None, &json!([])));
    assert_eq!(elsewhere.storage.get_json::<Value>("role/payments.api").await.unwrap().unwrap(), stored);
}

#[tokio::test]
async fn an_explicit_field_goes_before_the_standard_text_and_unset_gives_it_back() {
    for (field, text, tag_name, standard) in [
        ("common_name", "{{kubernetes.cluster}}.api", "x509Subject/CN", "prod.payments.api"),
        ("organization", "example", "x509Subject/O", "prod"),
        ("organizational_unit", "team", "x509Subject/OU", "payments"),
        ("uri_sans", "urn:api", "x509SAN/URI", "spiffe://prod/ns/payments/sa/api"),
    ] {
        let mount = associated().await;
        let own = text.replace("{{kubernetes.cluster}}", "prod");

        assert_eq!(mount.patch(NAME, json!({ field: text })).await.error, "");
        let changed = mount.read("preview/payments.api").await;
        assert_eq!(mount.patch(NAME, json!({ field: "" })).await.error, "");
        let back = mount.read("preview/payments.api").await;

        assert_eq!((tag(&changed, tag_name), tag(&back, tag_name)), (own.as_str(), standard), "{field}");
        let same = changed.data["session_tags"].as_object().unwrap().iter();
        let others = same.filter(|(name, value)| back.data["session_tags"][*name] == **value).count();
        assert_eq!(others, 4, "{field} changes no other: {changed:?}");
    }
}

#[tokio::test]
async fn unset_in_any_way_the_subject_is_the_default_of_every_role() {
    for (is_patch, unset) in
        [(true, json!(null)), (true, json!("")), (false, json!(null)), (false, json!(""))]
    {
        let mount = associated().await;
        let body = json!({ "subject": unset });

        let reply = if is_patch { mount.patch(NAME, body).await } else { mount.write(NAME, body).await };

        assert_eq!(reply.error, "");
        assert!(reply.warnings.iter().any(|warning| warning.contains("common_name is not set")), "{reply:?}");
        let read = mount.read(NAME).await.data;
        assert_eq!((read.get("subject"), read.get("common_name")), (None, None));
        assert_eq!(read["organization"], json!([]));
        assert_eq!(read["clusters"], json!(["prod"]), "a write changes what it names");
        let shown = mount.read("preview/payments.api").await;
        assert_eq!(shown.data["source_identity"], "CN=payments.api", "{shown:?}");
    }
}

#[tokio::test]
async fn another_subject_is_refused_with_those_that_there_are() {
    let mount = one_cluster().await;

    for other in ["eks", "Kubernetes", "kubernetes "] {
        let refused = mount.write(NAME, json!({ "role_arn": ROLE, "subject": other })).await;

        assert_eq!(refused.error, format!("subject: {other:?} is not one of kubernetes"));
    }
    assert_eq!(mount.read(NAME).await.status, 404);
}

#[tokio::test]
async fn with_several_clusters_the_role_says_whose_pods_it_means() {
    let mount = clusters().await;

    let refused = mount.write(NAME, association()).await;
    let named = mount.write(NAME, of_prod()).await;
    let lifted = mount.patch(NAME, json!({ "clusters": "" })).await;
    let both = mount.patch(NAME, json!({ "clusters": "prod,dev" })).await;

    for reply in [&refused, &lifted] {
        assert_eq!(reply.status, 400);
        assert!(reply.error.starts_with("clusters: 2 are registered (dev, prod), "), "{reply:?}");
        assert!(reply.error.ends_with("give clusters=<name>"), "{reply:?}");
    }
    assert_eq!((named.error.as_str(), both.error.as_str()), ("", ""));
}

#[tokio::test]
async fn a_cluster_that_is_registered_later_is_not_admitted_unasked() {
    let mount = associated().await;
    assert_eq!(mount.write("clusters/dev", json!({ "accessor": DEV })).await.error, "");
    let dev = mount.beside(Entity { id: "entity-2".to_owned(), ..pod(DEV, "payments", "api") });

    let refused = dev.read("container/payments.api").await;
    let patched = mount.patch(NAME, json!({ "session_duration": 14_400 })).await;

    let text = String::from_utf8(refused.raw.unwrap()).unwrap();
    assert!(text.contains("this role accepts only callers of prod, but this caller is of dev"), "{text}");
    assert_eq!(patched.error, "", "a later change of the role need not name the cluster");
    assert_eq!(mount.read("preview/payments.api").await.status, 200);
}

#[tokio::test]
async fn without_a_cluster_the_role_is_refused_with_the_command_that_registers_one() {
    let mount = with_ca().await;

    let refused = mount.write(NAME, association()).await;

    assert_eq!(refused.status, 400);
    assert!(
        refused.error.starts_with("subject: kubernetes is for pods of a registered cluster"),
        "{refused:?}"
    );
    assert!(
        refused.error.ends_with("vault write test/clusters/<name> accessor=<accessor of its auth mount>"),
        "{refused:?}"
    );
    assert_eq!(mount.read(NAME).await.status, 404);
}

#[tokio::test]
async fn who_is_no_pod_is_refused_with_a_cure() {
    let mount = one_cluster().await;
    assert_eq!(mount.write(NAME, association()).await.error, "");
    let job = mount.beside(gitlab("group/app"));

    let nobody = mount.read("creds/payments.api").await;
    let other = job.read("creds/payments.api").await;

    for (reply, words, cure) in [
        (&nobody, "belongs to no entity", "log in through an auth method"),
        (&other, "no alias under the auth mount of a registered cluster", "log in as a pod of one"),
    ] {
        assert_eq!(reply.status, 400);
        assert!(reply.error.starts_with("clusters: this role accepts only callers of prod: "), "{reply:?}");
        assert!(reply.error.contains(words) && reply.error.contains(cure), "{reply:?}");
    }
}

#[tokio::test]
async fn a_preview_says_which_text_is_the_standard_one() {
    let mount = associated().await;
    assert_eq!(mount.patch(NAME, json!({ "organizational_unit": "{{kubernetes.uid}}" })).await.error, "");

    let shown = mount.read("preview/payments.api").await.data;

    assert_eq!(
        shown["value_02"],
        format!(
            "common_name by subject=kubernetes: {{{{kubernetes.namespace}}}} is \"payments\", from cluster prod: the login at {PROD}"
        )
    );
    assert_eq!(
        shown["value_05"],
        format!(
            "organizational_unit: {{{{kubernetes.uid}}}} is \"0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01\", from cluster prod: the login at {PROD}"
        )
    );
}

#[tokio::test]
async fn a_check_says_whose_certificate_it_is_and_where_its_names_come_from() {
    let mount = associated().await;

    let shown = mount.read("check/payments.api").await;

    let certificate = shown.data.iter().find(|(link, _)| link.ends_with("_certificate"));
    let said = certificate.unwrap_or_else(|| panic!("{shown:?}")).1.as_str().unwrap();
    let expected = format!(
        "ok: CN=prod.payments.api by subject=kubernetes (from clusters/prod, the registration of {PROD}; cluster prod: the login at {PROD}), ec-p256, 600 s; "
    );
    assert!(said.starts_with(&expected), "{said}");
}

#[tokio::test]
async fn a_subject_that_names_nobody_any_more_shares_no_session_and_says_so() {
    let mount = one_cluster().await;
    let plain = json!({
        "role_arn": ROLE, "subject": "kubernetes", "common_name": "app", "organizational_unit": "team",
        "uri_sans": "urn:app",
    });

    let written = mount.write("roles/app", plain).await;

    assert!(
        written.warnings.iter().any(|warning| warning.contains("session_sharing is none")),
        "{written:?}"
    );
}

#[tokio::test]
async fn the_subject_in_place_of_the_same_texts_keeps_the_sessions() {
    let aws = Aws::granting();
    let mount = clusters_calling(&aws).await.asked_by(pod(PROD, "payments", "api"));
    let mut explicit = pods();
    explicit["clusters"] = json!(["prod"]);
    assert_eq!(mount.write(NAME, explicit).await.error, "");
    let before = mount.read("creds/payments.api").await.data;

    assert_eq!(mount.patch(NAME, json!({ "subject": "kubernetes" })).await.error, "");
    let after = mount.read("creds/payments.api").await.data;

    assert_eq!(
        mount.storage.get_json::<Value>("role/payments.api").await.unwrap().unwrap()["subject"],
        "kubernetes"
    );
    assert_eq!((&before["access_key"], aws.granted()), (&after["access_key"], 1));
}

#[tokio::test]
async fn a_role_that_is_deleted_gives_nothing_from_then_on_and_nobody_elses_ends() {
    let aws = Aws::granting();
    let mount = clusters_calling(&aws).await.asked_by(pod(PROD, "payments", "api"));
    for role in [NAME, "roles/payments.web"] {
        assert_eq!(mount.write(role, of_prod()).await.error, "");
    }
    for path in ["container/payments.api", "container/payments.web"] {
        assert_eq!(mount.read(path).await.status, 200, "{path}");
    }

    assert_eq!(mount.delete(NAME).await.error, "");
    let gone = mount.read("container/payments.api").await;
    let other = mount.read("container/payments.web").await;

    let text = String::from_utf8(gone.raw.unwrap()).unwrap();
    assert!(text.contains("RoleNotFound") && text.contains("payments.api"), "{text}");
    assert_eq!((other.status, aws.granted()), (200, 2));
}
