//! Who a caller is at AWS, in process: the engine is told of entities and shows in `preview/:role` what becomes of them.

#![expect(clippy::large_futures, reason = "a test polls one future, and its size is of no matter")]

mod mounts;

use std::collections::BTreeMap;

use engine::Engine;
use mounts::{ANCHOR, PROFILE, ROLE, mount, on_a_standby, with_ca};
use serde_json::{Value, json};
use vault_backend::testing::{Probe, Reply};
use vault_backend::{Alias, Entity};

const PROD: &str = "auth_kubernetes_0000000a";
const DEV: &str = "auth_kubernetes_0000000b";
const GITLAB: &str = "auth_jwt_0000000c";
const CN: &str =
    "{{kubernetes.cluster}}.{{kubernetes.namespace | short}}.{{kubernetes.service_account | short}}";
const SPIFFE: &str =
    "spiffe://{{kubernetes.cluster}}/ns/{{kubernetes.namespace}}/sa/{{kubernetes.service_account}}";

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn service_account(accessor: &str, namespace: &str, name: &str) -> Alias {
    Alias {
        id: format!("alias-{accessor}"),
        mount_type: "kubernetes".to_owned(),
        mount_accessor: accessor.to_owned(),
        name: "0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01".to_owned(),
        metadata: map(&[
            ("service_account_name", name),
            ("service_account_namespace", namespace),
            ("service_account_uid", "0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01"),
            ("service_account_secret_name", ""),
        ]),
        ..Alias::default()
    }
}

fn entity(aliases: Vec<Alias>) -> Entity {
    let (id, name) = ("entity-1".to_owned(), "entity_5f0e".to_owned());
    Entity { id, name, aliases, metadata: map(&[("team", "payments")]), ..Entity::default() }
}

fn pod(accessor: &str, namespace: &str, name: &str) -> Entity {
    entity(vec![service_account(accessor, namespace, name)])
}

/// A mount with a CA, a configuration and the clusters `prod` and `dev`.
async fn clusters() -> Probe<Engine> {
    let mount = with_ca().await;
    let config = json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE });
    for (path, body) in [
        ("config", config),
        ("clusters/prod", json!({ "accessor": PROD })),
        ("clusters/dev", json!({ "accessor": DEV })),
    ] {
        let reply = mount.write(path, body).await;
        assert_eq!(reply.error, "", "{path}");
    }
    mount
}

fn pods() -> Value {
    json!({
        "role_arn": ROLE, "common_name": CN, "organization": "{{kubernetes.cluster}}",
        "organizational_unit": "{{kubernetes.namespace}}", "uri_sans": SPIFFE,
    })
}

/// What `who` sees in the preview of a role with these fields.
async fn preview(fields: Value, who: Entity) -> Reply {
    let mount = clusters().await.asked_by(who);
    let reply = mount.write("roles/app", fields).await;
    assert_eq!(reply.error, "");
    mount.read("preview/app").await
}

/// Why `who` gets nothing of a role with these fields beside its ARN: by preview and by a read alike.
async fn refusal(fields: Value, who: Option<Entity>) -> String {
    let mut mount = clusters().await;
    if let Some(who) = who {
        mount = mount.asked_by(who);
    }
    let mut role = json!({ "role_arn": ROLE });
    role.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let reply = mount.write("roles/app", role).await;
    assert_eq!(reply.error, "");
    let (preview, creds) = (mount.read("preview/app").await, mount.read("creds/app").await);
    assert_eq!((preview.status, creds.status), (400, 400), "{preview:?} {creds:?}");
    assert_eq!(preview.error, creds.error);
    preview.error
}

async fn refused_role(fields: Value) -> String {
    let mount = clusters().await;
    let mut role = json!({ "role_arn": ROLE });
    role.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let reply = mount.write("roles/app", role).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(mount.read("roles/app").await.status, 404, "nothing is half-stored");
    reply.error
}

fn tag<'a>(reply: &'a Reply, key: &str) -> &'a str {
    assert_eq!(reply.error, "");
    reply.data["session_tags"][key].as_str().unwrap_or_else(|| panic!("no {key} in {:?}", reply.data))
}

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
async fn the_same_names_in_another_cluster_are_another_identity() {
    let reply = preview(pods(), pod(DEV, "payments", "api")).await;

    assert_eq!(tag(&reply, "x509Subject/CN"), "dev.payments.api");
    assert_eq!(tag(&reply, "x509SAN/URI"), "spiffe://dev/ns/payments/sa/api");
}

#[tokio::test]
async fn a_pod_of_an_auth_mount_that_is_not_registered_is_nobody() {
    let error = refusal(pods(), Some(pod("auth_kubernetes_0000000f", "payments", "api"))).await;

    assert!(error.starts_with("common_name: {{kubernetes.cluster}}: "), "{error}");
    assert!(error.contains("no alias under the auth mount of a registered cluster"), "{error}");
    assert!(
        error.contains("own Vault namespace") && error.contains("vault write test/clusters/<name>"),
        "{error}"
    );
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

    assert_eq!(error, "clusters: this role is for prod only, the caller is of dev");
    assert!(refusal(role, None).await.starts_with("clusters: this token belongs to no entity"));
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
        reply.error.contains("no entity entity-1 any more") && reply.error.contains("log in again"),
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

/// A job of GitLab's, logged in by JWT.
fn gitlab(name: &str) -> Entity {
    entity(vec![Alias {
        id: "alias-1".to_owned(),
        mount_type: "jwt".to_owned(),
        mount_accessor: GITLAB.to_owned(),
        name: name.to_owned(),
        metadata: map(&[("branch", "main"), ("empty", "")]),
        custom_metadata: map(&[("tier", "gold")]),
        ..Alias::default()
    }])
}

#[tokio::test]
async fn vaults_own_references_work() {
    let alias = format!("identity.entity.aliases.{GITLAB}");
    let role = json!({
        "role_arn": ROLE, "common_name": "{{identity.entity.name}}.{{role.name}}",
        "organization": "{{identity.entity.metadata.team}}", "organizational_unit": format!("{{{{ {alias}.name }}}}"),
        "locality": [format!("{{{{{alias}.metadata.branch}}}}"), format!("{{{{{alias}.custom_metadata.tier}}}}")],
        "uri_sans": "urn:vault:{{identity.entity.id}}", "dns_sans": format!("{{{{{alias}.metadata.branch}}}}.example.com"),
        "role_session_name": "{{identity.entity.id}},job",
    });

    let reply = preview(role, gitlab("group/app")).await;

    let expected = json!({
        "x509Subject/CN": "entity_5f0e.app", "x509Subject/O": "payments", "x509Subject/OU": "group/app",
        "x509Subject/L": "main/gold", "x509SAN/URI": "urn:vault:entity-1", "x509SAN/DNS": "main.example.com",
        "x509Issuer/CN": "test CA",
    });
    assert_eq!(reply.data["session_tags"], expected, "{reply:?}");
    assert_eq!(reply.data["role_session_name"], "entity-1,job");
}

#[tokio::test]
async fn a_preview_says_where_each_value_comes_from() {
    let reply = preview(pods(), pod(PROD, "payments", "api")).await;

    let values = reply.data["values"].as_array().unwrap();
    assert_eq!(values.len(), 8);
    assert_eq!(values[1]["reference"], "kubernetes.namespace");
    assert_eq!((&values[1]["field"], &values[1]["value"]), (&json!("common_name"), &json!("payments")));
    assert!(values[1]["from"].as_str().unwrap().contains(PROD), "{values:?}");
    assert!(values.iter().all(|value| value["tenant_written"] == false));
}

#[tokio::test]
async fn long_names_are_shortened_from_the_right_until_the_whole_fits() {
    let (namespace, name) = ("kube-prometheus-stack", "kube-prometheus-stack-kube-state-metrics");
    assert_eq!(format!("{namespace}.{name}").len(), 62);

    let reply = preview(pods(), pod(PROD, namespace, name)).await;

    let common_name = tag(&reply, "x509Subject/CN");
    assert_eq!(common_name.len(), 61, "{common_name}");
    assert!(common_name.starts_with("prod.kube-prometheus-stack.kube-prometheus-sta"), "{common_name}");
    let digits = common_name.rsplit('-').next().unwrap();
    assert!(digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{common_name}");
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
async fn nobody_takes_the_short_name_of_another() {
    let long = "a".repeat(70);
    let victim = preview(pods(), pod(PROD, "n", &long)).await;
    let common_name = tag(&victim, "x509Subject/CN").to_owned();

    let thief = preview(pods(), pod(PROD, "n", common_name.strip_prefix("prod.n.").unwrap())).await;

    assert_ne!(tag(&thief, "x509Subject/CN"), common_name);
}

#[tokio::test]
async fn injected_values_stay_values_or_are_refused() {
    let role = json!({ "common_name": format!("{{{{identity.entity.aliases.{GITLAB}.name}}}}") });
    let huge = "a".repeat(10_000);
    for name in [
        "a,b",
        "a\nCN=admin",
        "a\0",
        "pаyments",
        "ａ",
        "a/CN=admin",
        "{{role.name}}",
        "a\u{202e}b",
        "a b",
        huge.as_str(),
    ] {
        let error = refusal(role.clone(), Some(gitlab(name))).await;

        assert!(error.starts_with("common_name: ") && error.len() < 500, "{name:?}: {error}");
        assert!(!error.contains(['\n', '\0']), "{error:?}");
    }
    let role = json!({ "role_arn": ROLE, "common_name": format!("x.{{{{identity.entity.aliases.{GITLAB}.name}}}}") });
    let reply = preview(role, gitlab("CN=admin+O=x")).await;
    assert_eq!(tag(&reply, "x509Subject/CN"), "x.CN=admin+O=x");
    assert!(reply.data["subject"].get("organization").is_none(), "{reply:?}");
}

#[tokio::test]
async fn a_value_that_holds_the_sign_that_ends_it_is_refused() {
    let role = json!({ "uri_sans": "spiffe://x/{{identity.entity.aliases.auth_jwt_0000000c.name}}/{{identity.entity.metadata.team}}" });

    let error = refusal(role, Some(gitlab("group/app"))).await;

    assert!(error.contains("its '/' could be taken for the one after it"), "{error}");
}

#[tokio::test]
async fn one_of_several_units_never_looks_like_two() {
    let units = ["{{identity.entity.aliases.auth_jwt_0000000c.name}}", "jobs"];

    let error = refusal(json!({ "organizational_unit": units }), Some(gitlab("group/app"))).await;

    assert!(error.contains("joins several values"), "{error}");
}

#[tokio::test]
async fn annotations_need_the_flag_and_are_marked() {
    let team = format!("{{{{identity.entity.aliases.{PROD}.metadata.team}}}}");
    let mut who = pod(PROD, "payments", "api");
    who.aliases[0].metadata.insert("team".to_owned(), "blue".to_owned());

    let error = refused_role(json!({ "organization": &team })).await;
    let reply =
        preview(json!({ "role_arn": ROLE, "organization": &team, "allow_tenant_metadata": true }), who).await;

    assert!(error.starts_with("organization: ") && error.contains("allow_tenant_metadata"), "{error}");
    assert_eq!(tag(&reply, "x509Subject/O"), "blue");
    assert_eq!(reply.data["values"][0]["tenant_written"], true);
}

#[tokio::test]
async fn annotations_never_reach_a_common_name() {
    let cn = |accessor: &str| {
        let text = format!("{{{{identity.entity.aliases.{accessor}.metadata.team}}}}");
        json!({ "common_name": text, "allow_tenant_metadata": true })
    };
    let odd = "auth_my-kubernetes_1";
    let mut who = pod(odd, "payments", "api");
    who.aliases[0].metadata.insert("team".to_owned(), "blue".to_owned());

    assert!(refused_role(cn(PROD)).await.contains("never becomes a common name"));
    let error = refusal(cn(odd), Some(who)).await;
    assert!(error.contains("never becomes a common name"), "{error}");
}

#[tokio::test]
async fn annotations_of_a_mount_of_another_name_need_the_flag_too() {
    let odd = "auth_my-kubernetes_1";
    let mut who = pod(odd, "payments", "api");
    who.aliases[0].metadata.insert("team".to_owned(), "blue".to_owned());
    let role = json!({ "locality": format!("{{{{identity.entity.aliases.{odd}.metadata.team}}}}") });

    let error = refusal(role, Some(who)).await;

    assert!(error.contains("vault patch test/roles/app allow_tenant_metadata=true"), "{error}");
}

#[tokio::test]
async fn service_accounts_are_never_named_without_their_cluster() {
    for field in ["common_name", "uri_sans", "role_session_name"] {
        let text = "spiffe.{{kubernetes.namespace}}.{{kubernetes.service_account}}"
            .replace("spiffe.", if field == "uri_sans" { "spiffe://" } else { "x." });

        let error = refused_role(json!({ field: &text })).await;

        assert!(error.starts_with(field) && error.contains("without {{kubernetes.cluster}}"), "{error}");
    }
    let one = json!({ "role_arn": ROLE, "common_name": "{{kubernetes.namespace}}.{{kubernetes.service_account}}", "clusters": "prod" });
    assert_eq!(tag(&preview(one, pod(PROD, "payments", "api")).await, "x509Subject/CN"), "payments.api");
}

#[tokio::test]
async fn a_templated_role_is_read_as_it_was_written_and_an_identical_write_puts_nothing() {
    let mount = clusters().await;
    mount.write("roles/app", pods()).await;
    let read = mount.read("roles/app").await.data;
    let puts = mount.storage.puts();

    let again = mount.write("roles/app", Value::Object(read.clone())).await;

    assert_eq!(again.error, "");
    assert_eq!(mount.storage.puts(), puts);
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
async fn a_malformed_template_in_any_field_is_refused_by_field_and_position() {
    for field in [
        "common_name",
        "organization",
        "organizational_unit",
        "country",
        "locality",
        "uri_sans",
        "dns_sans",
        "role_session_name",
    ] {
        let error = refused_role(json!({ field: "ab{{kubernetes.pod}}" })).await;

        assert!(error.starts_with(&format!("{field}: ")) && error.contains("at character 5: "), "{error}");
    }
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
    assert!(reply.error.contains("the cluster prod already"), "{}", reply.error);
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
