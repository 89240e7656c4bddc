//! One rule for every document of a mount: a write changes what it names.

use std::collections::BTreeMap;

use engine::Engine;
use serde_json::{Map, Value, json};
use vault_backend::testing::{TestMount, TestResponse};

use crate::mounts::{ANCHOR, PROFILE, ROLE, mount, with_ca};

const OTHER_ROLE: &str = "arn:aws:iam::111122223333:role/other";
/// Said of the write itself: no read shows them.
const OF_THE_WRITE: [&str; 1] = ["force"];

/// They need a target, or tags.
const OF_A_HOP: [&str; 6] = [
    "external_id",
    "session_policy",
    "session_policy_arns",
    "standard_tags",
    "session_tags",
    "transitive_tag_keys",
];

/// What a path keeps: where, what it has at least, and a change of each other field that a read then shows.
struct Document {
    template: &'static str,
    path: &'static str,
    least: Value,
    changes: Value,
}

fn documents() -> Vec<Document> {
    vec![
        Document { template: "/config", path: "config", least: json!({}), changes: config_changes() },
        Document {
            template: "/roles/{name}",
            path: "roles/app",
            least: json!({ "role_arn": ROLE }),
            changes: role_changes(),
        },
        Document {
            template: "/clusters/{name}",
            path: "clusters/prod",
            least: json!({ "accessor": "auth_kubernetes_1a" }),
            changes: json!({}),
        },
        Document {
            template: "/trust-anchors/{name}",
            path: "trust-anchors/main",
            least: json!({ "trust_anchor_arn": ANCHOR, "profile_arn": PROFILE }),
            changes: json!({
                "management_role_arn": OTHER_ROLE, "revocation_role_arn": OTHER_ROLE, "check_role_arn": OTHER_ROLE,
            }),
        },
        Document {
            template: "/config/issuers",
            path: "config/issuers",
            least: json!({ "default": "default" }),
            changes: json!({ "force": true }),
        },
        Document {
            template: "/issuer/{ref}",
            path: "issuer/default",
            least: json!({ "force": true }),
            changes: json!({ "issuer_name": "two", "disabled": true, "force": true }),
        },
    ]
}

fn config_changes() -> Value {
    json!({
        "endpoint": "https://rolesanywhere.example.com", "sts_endpoint": "https://sts.example.com",
        "iam_endpoint": "https://iam.example.com", "endpoint_ca_pem": certificate(), "use_fips": true,
        "use_dualstack": true, "proxy_url": "http://me:hunter2@proxy.example.com:3128", "connect_timeout": "4s",
        "request_timeout": 11, "max_retries": 4, "rate_limit": 9, "rate_burst": 9, "max_cached_sessions": 5000,
        "assume_role_rate_limit": 90, "assume_role_rate_burst": 90,
        "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE, "default_place_policy": "spread",
        "allowed_role_arns": ["arn:aws:iam::111122223333:role/*", "arn:aws:iam::444455556666:role/*"],
    })
}

fn role_changes() -> Value {
    json!({
        "trust_anchor_arn": ANCHOR, "profile_arn": PROFILE, "place_policy": "spread", "session_duration": "4h", "max_session_duration": "5h",
        "certificate_ttl": 700, "key_type": "ec-p384", "issuer_ref": "one", "subject": "kubernetes", "common_name": "app",
        "organization": ["o"], "organizational_unit": "payments,api", "country": ["DE"], "locality": ["l"],
        "uri_sans": ["spiffe://prod/app"], "dns_sans": ["app.example.com"], "role_session_name": "app-session",
        "clusters": ["prod"], "allow_tenant_metadata": true, "instance_properties": { "a": "b" },
        "allow_caller_ttl": true, "session_sharing": "none", "lease": "static", "region": "us-east-1",
        "target_role_arn": "arn:aws:iam::444455556666:role/target", "external_id": "pool", "session_policy": "{}",
        "session_policy_arns": ["arn:aws:iam::aws:policy/A"], "standard_tags": "kubernetes",
        "session_tags": { "team": "a" }, "transitive_tag_keys": ["team"],
    })
}

/// A certificate that the endpoint may have.
fn certificate() -> String {
    let example = include_str!("../../stored/format-1.json");
    let example: Value = serde_json::from_str(example).unwrap();
    example["read"]["issuer/default"]["certificate"].as_str().unwrap().to_owned()
}

/// A mount with a nameless CA, a cluster, and each document as small as it can be.
async fn with_least() -> TestMount<Engine> {
    let mount = mount().await;
    let ca = mount.write("root/generate/internal", json!({ "common_name": "test CA" })).await;
    assert_eq!(ca.status, 200, "{ca:?}");
    for document in documents() {
        done(&mount.write(document.path, document.least.clone()).await);
    }
    mount
}

/// The same with all that a document can have.
async fn with_all() -> TestMount<Engine> {
    let mount = with_ca().await;
    done(&mount.write("clusters/prod", json!({ "accessor": "auth_kubernetes_1a" })).await);
    for document in documents().iter().filter(|document| !document.template.contains("issuer")) {
        done(&mount.write(document.path, document.all()).await);
    }
    mount
}

impl Document {
    /// As much as fits into one: an endpoint of the operator's own is neither FIPS nor dual-stack.
    fn all(&self) -> Value {
        let mut all = with(&self.least, &self.changes);
        all.as_object_mut()
            .unwrap()
            .retain(|field, _| !["use_fips", "use_dualstack"].contains(&field.as_str()));
        all
    }
}

fn done(reply: &TestResponse) {
    assert!(reply.status < 300, "{reply:?}");
}

fn with(one: &Value, other: &Value) -> Value {
    let fields = [one, other].into_iter().flat_map(|part| part.as_object().unwrap().clone());
    Value::Object(fields.collect())
}

/// The optional fields that a write of each document takes, as its schema has them, by template.
async fn optional_fields(mount: &TestMount<Engine>) -> BTreeMap<String, Vec<String>> {
    let document = mount.help("").await.data["openapi"].clone();
    let paths = document["paths"].as_object().unwrap().clone();
    let kept = paths.into_iter().filter(|(_, item)| item.get("patch").is_some());
    kept.map(|(template, item)| {
        let body = &item["patch"]["requestBody"]["content"]["application/merge-patch+json"]["schema"];
        let schema = document.pointer(body["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap();
        let fields = schema["properties"].as_object().unwrap();
        let written = fields.iter().filter(|(_, field)| field.get("readOnly").is_none());
        (template, written.map(|(name, _)| name.clone()).collect())
    })
    .collect()
}

#[tokio::test]
async fn every_optional_field_of_every_document_is_unset_by_an_empty_text_and_by_null() {
    let mut walked = 0;
    let schema = optional_fields(&mount().await).await;
    let known: Vec<_> = documents().iter().map(|document| document.template.to_owned()).collect();
    assert!(schema.keys().all(|template| known.contains(template)), "a document is missing here: {schema:?}");
    for document in documents() {
        let mount = with_least().await;
        for field in &schema[document.template] {
            if document.least.get(field).is_some() && !OF_THE_WRITE.contains(&field.as_str()) {
                continue;
            }
            let set = document.changes.get(field);
            let set = set.unwrap_or_else(|| panic!("give {} a value of {field} here", document.template));
            check_unset(&mount, &document, field, set).await;
            walked += 1;
        }
    }
    assert!(walked > 40, "{walked} fields were set and unset");
}

/// Sets one field of the least document, and unsets it by a write and by a patch.
async fn check_unset(mount: &TestMount<Engine>, document: &Document, field: &str, set: &Value) {
    let path = document.path;
    let force = if document.changes.get("force").is_some() { json!({ "force": true }) } else { json!({}) };
    if field == "subject" {
        // which is for pods of clusters alone: the role has them already, so that the subject changes nothing else
        done(&mount.write(path, json!({ "clusters": ["prod"] })).await);
    }
    if OF_A_HOP.contains(&field) {
        let hop = json!({ "target_role_arn": OTHER_ROLE, "session_tags": { "team": "b" } });
        done(&mount.write(path, hop).await);
        if field == "session_tags" {
            done(&mount.write(path, json!({ "session_tags": "" })).await);
        }
    }
    let before = mount.read(path).await.data;
    for (patches, unset) in [(false, json!("")), (true, json!("")), (true, Value::Null)] {
        done(&mount.write(path, with(&force, &json!({ field: set }))).await);
        let after = mount.read(path).await.data;
        assert!(after != before || OF_THE_WRITE.contains(&field), "{path}: {field}={set} is not shown");

        let body = json!({ field: unset });
        done(&if patches { mount.patch(path, body).await } else { mount.write(path, body).await });

        assert_eq!(mount.read(path).await.data, before, "{path}: {field}={unset}, by a patch: {patches}");
    }
    if OF_A_HOP.contains(&field) {
        done(&mount.write(path, json!({ "target_role_arn": "", "session_tags": "" })).await);
    }
}

#[tokio::test]
async fn path_help_says_what_a_write_and_a_patch_do_where_nothing_is_stored() {
    for document in documents() {
        let mount = mount().await;
        let help = mount.help(document.path).await.data["help"].as_str().unwrap().to_owned();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");

        let patched = mount.patch(document.path, document.least.clone()).await;
        let written = mount.write(document.path, document.least.clone()).await;

        let creates = written.status < 300;
        assert_eq!(help.contains("creates what is not there, and a patch fails there"), creates, "{help}");
        assert_eq!(help.contains("delete first, then write"), creates, "{help}");
        assert_eq!(patched.status, 400, "{patched:?}");
    }
}

#[tokio::test]
async fn a_patch_makes_an_issuer_the_default_where_there_is_none() {
    let mount = with_ca().await;
    let next = json!({ "common_name": "next CA", "issuer_name": "two" });
    done(&mount.write("root/generate/internal", next).await);
    let deleted = mount.delete_with("issuer/default", json!({ "force": true })).await;
    done(&deleted);

    done(&mount.patch("config/issuers", json!({ "default": "two" })).await);

    assert_eq!(mount.read("issuer/default").await.data["issuer_name"], "two");
}

#[tokio::test]
async fn a_required_field_is_not_unset() {
    let mount = with_least().await;
    for document in documents() {
        for field in document.least.as_object().unwrap().keys().filter(|field| *field != "force") {
            for nothing in [json!(""), Value::Null] {
                let reply = mount.write(document.path, json!({ field: nothing })).await;

                assert_eq!((reply.status, reply.error), (400, format!("{field}: a value is required")));
            }
        }
    }
}

#[tokio::test]
async fn what_a_read_returns_a_write_and_a_patch_take_and_nothing_changes() {
    for mount in [with_least().await, with_all().await] {
        for document in documents() {
            let (path, read) = (document.path, mount.read(document.path).await.data);
            let stored = mount.storage.puts();

            let written = mount.write(path, Value::Object(read.clone())).await;
            let patched = mount.patch(path, Value::Object(read.clone())).await;

            assert_eq!([written.error.as_str(), patched.error.as_str()], ["", ""], "{path}");
            assert_eq!(mount.storage.puts(), stored, "{path}");
            assert_eq!(mount.read(path).await.data, read, "{path}");
        }
    }
}

#[tokio::test]
async fn a_mount_without_an_issuer_takes_its_own_answer_back() {
    let mount = mount().await;
    let read = mount.read("config/issuers").await.data;

    let reply = mount.write("config/issuers", Value::Object(read)).await;

    assert_eq!((reply.error.as_str(), mount.storage.puts().len()), ("", 0));
}

#[tokio::test]
async fn a_write_of_one_field_leaves_every_other_one_as_it_is() {
    for document in documents().iter().filter(|document| !document.template.contains("issuer")) {
        let mount = with_all().await;
        for (field, value) in document.all().as_object().unwrap() {
            let before = mount.read(document.path).await.data;

            done(&mount.write(document.path, json!({ field: value })).await);

            assert_eq!(mount.read(document.path).await.data, before, "{}: {field}", document.path);
        }
    }
}

#[tokio::test]
async fn a_write_of_the_rate_keeps_the_guard_rail() {
    let mount = mount().await;
    let guard = json!({ "allowed_role_arns": "arn:aws:iam::111122223333:role/pods/*", "connect_timeout": 7 });
    mount.write("config", guard).await;

    mount.write("config", json!({ "rate_limit": 15 })).await;

    let config = mount.read("config").await.data;
    assert_eq!((&config["rate_limit"], &config["connect_timeout"]), (&json!(15), &json!(7)));
    assert_eq!(mount.write("roles/app", json!({ "role_arn": ROLE })).await.status, 400);
}

#[tokio::test]
async fn a_patch_of_what_is_not_there_fails_and_stores_nothing() {
    for path in ["config", "roles/nobody", "clusters/prod", "trust-anchors/main"] {
        let mount = mount().await;
        let document =
            documents().into_iter().find(|document| path.starts_with(&document.template[1..5])).unwrap();

        let reply = mount.patch(path, document.least).await;

        assert_eq!(reply.status, 400, "{path}");
        assert_eq!(reply.error, format!("{path}: nothing is stored there to patch; a write makes it"));
        assert_eq!(mount.storage.puts().len(), 0, "{path}");
    }
}

#[tokio::test]
async fn delete_and_write_is_a_clean_slate() {
    for document in documents().iter().filter(|document| !document.template.contains("issuer")) {
        let (mount, path) = (with_all().await, document.path);
        let least = with_least().await.read(path).await.data;
        if path == "clusters/prod" {
            mount.delete("roles/app").await;
        }

        mount.delete(path).await;
        done(&mount.write(path, document.least.clone()).await);

        assert_eq!(mount.read(path).await.data, least, "{path}");
    }
}

/// The warnings of `changes`, each written after the one before.
async fn last_warnings(path: &str, changes: &[Value]) -> String {
    let mount = with_ca().await;
    for cluster in ["prod", "dev"] {
        let accessor = json!({ "accessor": format!("auth_kubernetes_{cluster}") });
        mount.write(&format!("clusters/{cluster}"), accessor).await;
    }
    let mut last = Vec::new();
    for change in changes {
        let reply = mount.write(path, change.clone()).await;
        done(&reply);
        last = reply.warnings;
    }
    last.join("\n")
}

#[tokio::test]
async fn a_write_that_lifts_a_guard_rail_says_so() {
    let arns = |globs: Value| json!({ "allowed_role_arns": globs });
    let clusters = |names: Value| json!({ "role_arn": ROLE, "clusters": names });
    for (path, before, after, said) in [
        ("config", arns(json!(["*:role/pods/*"])), arns(json!("")), "allowed_role_arns: lifted"),
        ("config", arns(json!(["*:role/pods/*"])), arns(json!(["*"])), "allowed_role_arns: widened by *"),
        ("roles/app", clusters(json!(["prod"])), clusters(json!([])), "clusters: lifted"),
        ("roles/app", clusters(json!(["prod"])), clusters(json!("prod,dev")), "clusters: widened by dev"),
        (
            "clusters/x",
            json!({ "accessor": "auth_kubernetes_1" }),
            json!({ "accessor": "auth_kubernetes_2" }),
            "x was the auth mount",
        ),
    ] {
        let lifted = last_warnings(path, &[before.clone(), after.clone()]).await;
        let the_same = last_warnings(path, &[before.clone(), before.clone()]).await;
        let narrowed = last_warnings(path, &[after, before]).await;

        assert!(lifted.contains(said), "{path}: {lifted}");
        assert!(
            !the_same.contains(said) && (path == "clusters/x" || !narrowed.contains("until now only")),
            "{path}: {narrowed}"
        );
    }
}

#[tokio::test]
async fn a_config_that_is_deleted_says_which_guard_rail_went() {
    let mount = mount().await;
    mount.write("config", json!({ "allowed_role_arns": "*:role/pods/*" })).await;

    let reply = mount.delete("config").await;

    assert!(reply.warnings[0].starts_with("allowed_role_arns: lifted"), "{reply:?}");
}

#[tokio::test]
async fn pairs_are_replaced_by_a_write_and_merged_by_a_patch() {
    let mount = mount().await;
    let of = |pairs: Value| json!({ "role_arn": ROLE, "instance_properties": pairs });
    let stored = async || mount.read("roles/app").await.data["instance_properties"].clone();
    mount.write("roles/app", of(json!({ "a": "1", "b": "2" }))).await;

    mount.patch("roles/app", of(json!({ "a": null, "c": "3" }))).await;
    assert_eq!(stored().await, json!({ "b": "2", "c": "3" }));

    mount.write("roles/app", of(json!({ "d": "4" }))).await;
    assert_eq!(stored().await, json!({ "d": "4" }));
}

#[tokio::test]
async fn what_reads_alone_show_of_an_issuer_is_not_written() {
    let mount = with_ca().await;

    let reply =
        mount.write("issuer/one", json!({ "key_id": "another", "disabled": true, "force": true })).await;

    assert_eq!(
        (reply.status, reply.error.as_str()),
        (400, "key_id: reads show it, and no write changes it; leave it out")
    );
    assert_eq!(mount.read("issuer/one").await.data["disabled"], false, "refused whole");
}

#[tokio::test]
async fn a_role_that_was_stored_with_an_empty_issuer_follows_the_default_after_any_write() {
    let mount = with_ca().await;
    mount.write("roles/app", json!({ "role_arn": ROLE, "issuer_ref": "default" })).await;
    let mut stored: Map<String, Value> = mount.storage.get_json("role/app").await.unwrap().unwrap();
    stored.insert("issuer_ref".to_owned(), json!(""));
    mount.storage.put_json("role/app", &stored).await.unwrap();

    done(&mount.write("roles/app", json!({ "certificate_ttl": 700 })).await);

    assert_eq!(mount.read("roles/app").await.data["issuer_ref"], "default");
}
