//! Who a caller is at AWS, in process: the engine is told of entities and shows in `preview/:role` what becomes of them.

mod associations;
mod callers;
mod clusters;
mod crowd;
mod hostile;
mod lost;
mod naming;
mod readers;
mod roles;
mod warm;

use serde_json::{Value, json};
use vault_backend::Entity;

use crate::mounts::{ANCHOR, PROFILE, ROLE, configured, on_a_standby};
use callers::{CN, GITLAB, PROD, SPIFFE, clusters, gitlab, pod, pods, preview, refusal, tag};

#[tokio::test]
async fn a_pod_is_its_cluster_namespace_and_service_account() {
    let reply = preview(pods(), pod(PROD, "payments", "api")).await;

    let expected = json!({
        "x509Subject/CN": "prod.payments.api", "x509Subject/O": "prod", "x509Subject/OU": "payments",
        "x509SAN/URI": "spiffe://prod/ns/payments/sa/api", "x509Issuer/CN": "test CA",
    });
    assert_eq!(reply.data["session_tags"], expected, "{reply:?}");
    assert_eq!(reply.data["source_identity"], "CN=prod.payments.api");
    assert_eq!(reply.data["subject"]["organizational_unit"], json!(["payments"]));
}

#[tokio::test]
async fn without_an_entity_the_error_names_the_reference_and_the_cure() {
    for field in ["common_name", "organization", "organizational_unit", "locality", "role_session_name"] {
        let error = refusal(json!({ field: "x-{{identity.entity.name}}" }), None).await;

        assert!(error.starts_with(&format!("{field}: {{{{identity.entity.name}}}}: ")), "{error}");
        assert!(error.contains("belongs to no entity") && error.contains("log in"), "{error}");
    }
}

#[tokio::test]
async fn a_caller_whose_entity_was_merged_away_is_told_to_log_in_again() {
    let mount = clusters().await.asked_by(pod(PROD, "payments", "api"));
    mount.write("roles/app", pods()).await;
    mount.system.change(|fixed| fixed.entities.clear());

    let reply = mount.read("creds/app").await;

    assert_eq!(reply.status, 400);
    assert!(
        reply.error.contains("knows no entity entity-1") && reply.error.contains("log in again"),
        "{}",
        reply.error
    );
}

#[tokio::test]
async fn an_alias_deleted_between_two_reads_ends_the_identity() {
    let mount = clusters().await.asked_by(pod(PROD, "payments", "api"));
    mount.write("roles/app", pods()).await;
    assert_eq!(mount.read("preview/app").await.status, 200);

    mount.system.change(|fixed| fixed.entities[0].aliases.clear());

    assert_eq!(mount.read("preview/app").await.status, 400);
}

#[tokio::test]
async fn a_disabled_entity_gets_nothing() {
    let who = Entity { disabled: true, ..pod(PROD, "payments", "api") };

    assert!(refusal(pods(), Some(who)).await.contains("is disabled"));
}

#[tokio::test]
async fn what_vault_does_not_know_of_the_caller_is_named_with_the_cure() {
    let alias = format!("identity.entity.aliases.{GITLAB}");
    for (reference, words) in [
        (
            "identity.entity.metadata.cost".to_owned(),
            "vault write identity/entity/id/entity-1 metadata=cost=<value>",
        ),
        (format!("{alias}.metadata.ref"), "the auth method sets it at login"),
        (
            format!("{alias}.custom_metadata.ref"),
            "vault write identity/entity-alias/id/alias-1 custom_metadata=ref=<value>",
        ),
        (format!("{alias}.metadata.empty"), "is empty"),
        (
            "identity.entity.aliases.auth_userpass_9.name".to_owned(),
            "no alias under the auth mount auth_userpass_9",
        ),
    ] {
        let error = refusal(
            json!({ "organizational_unit": format!("{{{{{reference}}}}}") }),
            Some(gitlab("group/app")),
        )
        .await;

        assert!(error.starts_with(&format!("organizational_unit: {{{{{reference}}}}}: ")), "{error}");
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn vaults_own_references_work() {
    let alias = format!("identity.entity.aliases.{GITLAB}");
    let role = json!({
        "role_arn": ROLE, "common_name": "{{identity.entity.name}}.{{role.name}}",
        "organization": "{{identity.entity.metadata.team}}", "organizational_unit": format!("{{{{ {alias}.name }}}}"),
        "locality": [format!("{{{{{alias}.metadata.branch}}}}"), format!("{{{{{alias}.custom_metadata.tier}}}}")],
        "uri_sans": "urn:vault:{{identity.entity.id}}", "dns_sans": format!("{{{{{alias}.metadata.branch}}}}.example.com"),
        "role_session_name": "{{identity.entity.id}},job", "country": "{{identity.entity.metadata.country}}",
    });

    let reply = preview(role, gitlab("group/app")).await;

    let expected = json!({
        "x509Subject/CN": "entity_5f0e.app", "x509Subject/O": "payments", "x509Subject/OU": "group/app",
        "x509Subject/L": "main/gold", "x509SAN/URI": "urn:vault:entity-1", "x509SAN/DNS": "main.example.com",
        "x509Issuer/CN": "test CA", "x509Subject/C": "DE",
    });
    assert_eq!(reply.data["session_tags"], expected, "{reply:?}");
    assert_eq!(reply.data["role_session_name"], "entity-1,job");
}

#[tokio::test]
async fn a_preview_says_where_each_value_comes_from() {
    let reply = preview(pods(), pod(PROD, "payments", "api")).await;

    let lines = reply.data.keys().filter(|key| key.starts_with("value_")).count();
    assert_eq!(lines, 8, "{reply:?}");
    assert_eq!(
        reply.data["value_02"],
        format!(
            "common_name: {{{{kubernetes.namespace}}}} is \"payments\", from cluster prod: the login at {PROD}"
        )
    );
    assert_eq!(reply.data["tenant_written"], json!([]));
}

#[tokio::test]
async fn an_operator_sees_what_a_caller_would_and_no_caller_that_vault_does_not_know() {
    let mount = clusters().await;
    let operator = mount.beside(Entity { id: "entity-op".to_owned(), ..Entity::default() });
    let caller = mount.beside(pod(PROD, "payments", "api"));
    assert_eq!(mount.write("roles/app", pods()).await.error, "");

    let own = operator.read("preview/app").await;
    let theirs = operator.write("preview/app", json!({ "entity_id": "entity-1" })).await;
    let nobodys = operator.write("preview/app", json!({ "entity_id": "nobody" })).await;

    assert_eq!(own.status, 400, "{own:?}");
    assert_eq!(theirs.data, caller.read("preview/app").await.data);
    assert_eq!(
        (nobodys.status, nobodys.error.as_str()),
        (400, "entity_id: Vault knows no entity \"nobody\"")
    );
}

#[tokio::test]
async fn long_names_are_shortened_from_the_right_until_the_whole_fits() {
    let (namespace, name) = ("kube-prometheus-stack", "kube-prometheus-stack-kube-state-metrics");
    assert_eq!(format!("{namespace}.{name}").len(), 62);

    let reply = preview(pods(), pod(PROD, namespace, name)).await;

    let common_name = tag(&reply, "x509Subject/CN");
    assert_eq!(common_name.len(), 61, "{common_name}");
    assert!(common_name.starts_with("prod.kube-prometheus-stack.kube-prom"), "{common_name}");
    let digits = common_name.rsplit('-').next().unwrap();
    assert!(digits.len() == 24 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{common_name}");
    assert_eq!(tag(&reply, "x509SAN/URI"), format!("spiffe://prod/ns/{namespace}/sa/{name}"));
}

#[tokio::test]
async fn the_longest_namespace_and_what_service_account_a_tag_holds_fit() {
    let (namespace, one, two) = ("n".repeat(63), "s".repeat(171), "s".repeat(172));

    let first = preview(pods(), pod(PROD, &namespace, &one)).await;
    let second = preview(pods(), pod(PROD, &namespace, &two)).await;

    let names = [tag(&first, "x509Subject/CN"), tag(&second, "x509Subject/CN")];
    assert!(names.iter().all(|name| name.len() <= 61 && name.starts_with("prod.nnn")), "{names:?}");
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn a_gitlab_path_becomes_a_common_name_by_short_and_stays_whole_elsewhere() {
    let path = "project_path:group/app:ref_type:branch:ref:main";
    let name = format!("{{{{identity.entity.aliases.{GITLAB}.name}}}}");
    let short = format!("{{{{identity.entity.aliases.{GITLAB}.name | short}}}}");
    let role = json!({ "role_arn": ROLE, "common_name": short, "organizational_unit": name });

    let reply = preview(role, gitlab(path)).await;

    assert!(tag(&reply, "x509Subject/CN").starts_with("project_path-"));
    assert_eq!(tag(&reply, "x509Subject/OU"), path);
    let error = refusal(json!({ "common_name": name }), Some(gitlab(path))).await;
    assert!(
        error.starts_with("common_name: \"project_path:group") && error.contains("not ':' (character 13)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_templated_role_is_read_as_it_was_written_and_an_identical_write_puts_nothing() {
    let mount = clusters().await;
    mount.write("roles/app", pods()).await;
    let read = mount.read("roles/app").await.data;
    let puts = configured(&mount.storage);

    let again = mount.write("roles/app", Value::Object(read.clone())).await;

    assert_eq!(again.error, "");
    assert_eq!(configured(&mount.storage), puts);
    assert_eq!((&read["common_name"], &read["uri_sans"]), (&json!(CN), &json!([SPIFFE])));
}

#[tokio::test]
async fn a_role_stored_before_templates_is_still_served() {
    let mount = clusters().await;
    let old = json!({
        "role_arn": ROLE, "session_duration": 3600, "certificate_ttl": 600, "key_type": "ec-p256", "issuer_ref": "default",
        "common_name": "app", "organization": [], "organizational_unit": [], "country": [], "locality": [], "uri_sans": [],
        "dns_sans": [], "instance_properties": {}, "allow_caller_ttl": false,
    });
    mount.storage.put("role/app", old.to_string().into_bytes()).await.unwrap();

    assert_eq!(tag(&mount.read("preview/app").await, "x509Subject/CN"), "app");
}

#[tokio::test]
async fn a_role_that_does_not_ask_who_is_asking_does_not_ask_vault_either() {
    let mount = clusters().await;
    mount.write("roles/app", json!({ "role_arn": ROLE, "common_name": "{{role.name}}" })).await;
    mount.system.change(|fixed| fixed.out_of_reach = true);

    assert_eq!(tag(&mount.read("preview/app").await, "x509Subject/CN"), "app");
}

#[tokio::test]
async fn a_system_view_out_of_reach_is_for_later() {
    let mount = clusters().await.asked_by(pod(PROD, "payments", "api"));
    mount.write("roles/app", pods()).await;
    mount.system.change(|fixed| fixed.out_of_reach = true);

    assert_eq!(mount.read("preview/app").await.status, 503);
}

#[tokio::test]
async fn a_standby_previews_by_itself() {
    let mount = on_a_standby().await;
    let config = json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE });
    mount.write("config", config).await;
    mount.write("roles/app", json!({ "role_arn": ROLE, "common_name": "app" })).await;

    assert_eq!(tag(&mount.read("preview/app").await, "x509Subject/CN"), "app");
}

#[tokio::test]
async fn a_service_account_made_anew_has_another_uid() {
    let role = json!({ "role_arn": ROLE, "common_name": "app", "locality": "{{kubernetes.uid}}" });

    let reply = preview(role, pod(PROD, "payments", "api")).await;

    assert_eq!(tag(&reply, "x509Subject/L"), "0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01");
}

#[tokio::test]
async fn a_country_of_three_letters_is_refused_for_the_caller_who_has_it() {
    let who = Entity { metadata: [("country".to_owned(), "DEU".to_owned())].into(), ..gitlab("x") };

    let error = refusal(json!({ "country": "{{identity.entity.metadata.country}}" }), Some(who)).await;

    assert!(error.starts_with("country: \"DEU\" has 3 characters, 1 to 2 are allowed"), "{error}");
}
