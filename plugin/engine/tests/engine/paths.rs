//! What the engine's paths answer, in process: no Vault, no AWS.

mod documents;
mod hints;
mod spellings;

use crate::mounts::{ANCHOR, PROFILE, ROLE, mount, on_a_standby, over, with_ca};
use engine::Engine;
use serde_json::{Value, json};
use vault_backend::Entity;
use vault_backend::testing::{TestMount, TestResponse};

async fn refused_role(fields: Value) -> String {
    let mount = mount().await;
    let reply = mount.write("roles/app", fields).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(mount.read("roles/app").await.status, 404, "nothing is half-stored");
    reply.error
}

fn role_with(field: &str, value: &str) -> Value {
    json!({ "role_arn": ROLE, field: value })
}

#[tokio::test]
async fn a_key_of_a_negative_size_is_refused_with_the_value_and_the_bound() {
    let mount = mount().await;

    let reply = mount.write("root/generate/internal", json!({ "common_name": "a", "key_bits": -1 })).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.error.starts_with("key_bits: -1 is outside 0 to"), "{}", reply.error);
    assert_eq!(mount.list("issuers").await.status, 404, "nothing is half-stored");
}

/// What a shell would run, and what would begin a line of its own.
const HOSTILE: &str = "n$(id)\nvault delete";

#[tokio::test]
async fn a_text_of_the_callers_is_quoted_short_and_in_no_command() {
    let mount = with_ca().await;
    let long = HOSTILE.to_owned() + &"x".repeat(2_000);
    let reader = TestMount::<Engine>::over(mount.storage.clone()).await.unwrap().asked_by(somebody());
    for (path, body) in [
        ("revoke", json!({ "entity_id": long })),
        ("revoke", json!({ "cluster": long })),
        ("revoke", json!({ "serial_number": long })),
        ("revoke", json!({ "serial_number": "0a", "role": long })),
        ("preview/app", json!({ "entity_id": long })),
        ("check/app", json!({ "entity_id": long })),
        ("roles/app", json!({ "role_arn": ROLE, "clusters": long })),
        ("roles/app", json!({ "role_arn": ROLE, "issuer_ref": long })),
        ("roles/app", json!({ "role_arn": ROLE, "instance_properties": { &long: "v" } })),
        ("clusters/prod", json!({ "accessor": long })),
        ("config/issuers", json!({ "default": long })),
        ("root/generate/internal", json!({ "common_name": "b", "issuer_name": long })),
        ("issuer/one", json!({ "issuer_name": long })),
    ] {
        let reply = mount.write(path, body).await;

        let lines = [vec![reply.error], reply.warnings].concat();
        assert!(lines.iter().any(|line| line.contains("\"n$(id)")), "{path}: {lines:?}");
        for line in lines {
            let rest = line.replace("\"n$(id)", "");
            assert!(line.len() < 600 && !rest.contains("$(id)"), "{path}: {line}");
            assert!(!line.contains(char::is_control), "{path}: {line}");
        }
    }
    let key = "{{identity.entity.metadata.n$(id)}}";
    let role = json!({ "role_arn": ROLE, "common_name": key, "issuer_ref": "one" });
    assert_eq!(mount.write("roles/app", role).await.status, 200);

    let error = reader.read("preview/app").await.error.replace("\"n$(id)\"", "").replace(key, "");

    assert!(error.contains("metadata=<key>=<value>") && !error.contains("$(id)"), "{error}");
}

#[tokio::test]
async fn a_role_to_revoke_is_named_as_roles_are() {
    let mount = with_ca().await;
    for odd in ["../config", "a/b", "..", ".", "a\nb", "a b", "@a", "a-", ".a"] {
        let reply = mount.write("revoke", json!({ "serial_number": "0a", "role": odd })).await;

        assert_eq!(reply.status, 400, "{odd:?}");
        let rule = "(letters, digits and _, inside also -, @ and single dots)";
        assert_eq!(reply.error, format!("role: {odd:?} is not a role name {rule}"));
    }
    for name in ["app", "a@b", "a..b"] {
        let reply = mount.write("revoke", json!({ "serial_number": "0a", "role": name })).await;

        assert!(reply.error.starts_with(&format!("role: there is no role {name:?}")), "{}", reply.error);
    }
}

fn somebody() -> Entity {
    Entity { id: "entity-1".to_owned(), name: "somebody".to_owned(), ..Entity::default() }
}

#[tokio::test]
async fn an_identical_write_puts_nothing() {
    let mount = mount().await;
    mount.write("roles/app", role_with("common_name", "app")).await;
    let puts = mount.storage.puts();

    mount.write("roles/app", role_with("common_name", "app")).await;

    assert_eq!(mount.storage.puts(), puts);
}

#[tokio::test]
async fn a_duration_outside_awss_bounds_names_field_value_and_bound() {
    for (value, bound) in [("899", "below the minimum of 900"), ("43201", "above the maximum of 43200")] {
        let error = refused_role(role_with("session_duration", value)).await;

        assert!(
            error.contains("session_duration") && error.contains(value) && error.contains(bound),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_duration_that_is_none_is_refused_by_name() {
    for value in ["abc", "-5", "-1h"] {
        let error = refused_role(role_with("session_duration", value)).await;

        assert!(error.contains("session_duration") && error.contains(value), "{error}");
    }
}

#[tokio::test]
async fn swapped_and_malformed_arns_are_refused_by_field_and_told_whole() {
    for (field, value) in [
        ("trust_anchor_arn", PROFILE),
        ("profile_arn", ANCHOR),
        ("role_arn", ANCHOR),
        ("role_arn", "arn:aws:iam::1:role/x"),
    ] {
        let error = refused_role(role_with(field, value)).await;

        assert!(error.starts_with(field) && error.contains(value), "{error}");
    }
}

#[tokio::test]
async fn an_anchor_and_a_profile_of_two_regions_or_accounts_are_refused() {
    for other in
        [PROFILE.replace("eu-central-1", "us-east-1"), PROFILE.replace("111122223333", "444455556666")]
    {
        let error =
            refused_role(json!({ "role_arn": ROLE, "trust_anchor_arn": ANCHOR, "profile_arn": other })).await;

        assert!(error.contains("profile_arn"), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_name() {
    let error = refused_role(role_with("session_length", "900")).await;

    assert!(error.contains("session_length"), "{error}");
}

#[tokio::test]
async fn texts_that_aws_would_drop_never_reach_a_role() {
    for value in ["a,CN=admin", "a\nb", "a\0", "{identity.entity.name}"] {
        let error = refused_role(json!({ "role_arn": ROLE, "organization": [value] })).await;

        assert!(error.starts_with("organization"), "{error}");
    }
}

#[tokio::test]
async fn a_san_that_no_certificate_could_hold_is_refused_when_the_role_is_written() {
    for (field, value) in
        [("dns_sans", "a_b"), ("dns_sans", "10.0.0.1"), ("uri_sans", "no-scheme"), ("country", "DEU")]
    {
        let error = refused_role(json!({ "role_arn": ROLE, field: [value] })).await;

        assert!(error.starts_with(field) && error.contains(value), "{error}");
    }
}

#[tokio::test]
async fn a_role_without_a_common_name_warns_that_its_callers_look_alike() {
    let reply =
        mount().await.write("roles/app", json!({ "role_arn": ROLE, "session_duration": 14400 })).await;

    assert!(reply.warnings.iter().any(|warning| warning.contains("every caller")), "{reply:?}");
}

#[tokio::test]
async fn creds_before_a_ca_exists_end_with_the_command_that_cures_it() {
    let mount = mount().await;
    mount.write("roles/app", role_with("common_name", "app")).await;

    let reply = mount.read("creds/app").await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("vault write test/root/generate/internal"), "{}", reply.error);
}

#[tokio::test]
async fn creds_of_a_role_that_is_not_there_say_so() {
    let reply = with_ca().await.read("creds/nobody").await;

    assert_eq!((reply.status, reply.error.as_str()), (400, "role: there is no role \"nobody\""));
}

#[tokio::test]
async fn creds_without_an_anchor_name_the_command_that_sets_one() {
    let mount = with_ca().await;
    mount.write("roles/app", role_with("common_name", "app")).await;

    let reply = mount.read("creds/app").await;

    assert!(reply.error.contains("vault write test/config default_trust_anchor_arn="), "{}", reply.error);
}

#[tokio::test]
async fn a_caller_may_not_choose_a_ttl_unless_the_role_lets_it() {
    let mount = with_ca().await;
    let role = json!({ "role_arn": ROLE, "trust_anchor_arn": ANCHOR, "profile_arn": PROFILE });
    mount.write("roles/app", role).await;

    let reply = mount.write("creds/app", json!({ "ttl": "900" })).await;

    assert!(reply.error.contains("allow_caller_ttl"), "{}", reply.error);
}

#[tokio::test]
async fn a_standby_asks_vault_to_forward() {
    let reply = on_a_standby().await.read("creds/app").await;

    assert_eq!(reply.error, vault_backend::READ_ONLY);
}

#[tokio::test]
async fn key_issuer_and_pointer_are_put_in_this_order() {
    let puts = with_ca().await.storage.puts();

    let prefixes: Vec<&str> = puts.iter().map(|key| key.split('/').next().unwrap()).collect();
    assert_eq!(prefixes, ["key", "issuer", "config"]);
    assert_eq!(puts[2], "config/issuers");
}

#[tokio::test]
async fn the_issuer_key_is_seal_wrapped_and_the_issuer_is_not() {
    let storage = with_ca().await.storage;

    let puts = storage.puts();
    assert!(puts.iter().any(|key| key.starts_with("key/")), "{puts:?}");
    for key in puts {
        assert_eq!(storage.is_sealed(&key), key.starts_with("key/"), "{key}");
    }
}

#[tokio::test]
async fn a_ca_half_written_by_a_crash_is_mended_at_the_next_start() {
    for writes in 0..3 {
        let mount = mount().await;
        mount.storage.break_after(writes);
        mount.write("root/generate/internal", json!({ "common_name": "test CA" })).await;
        let survived = mount.storage.survived();

        let mount = over(survived).await;

        let default = mount.read("config/issuers").await.data["default"].clone();
        assert_eq!(default.is_string(), writes == 2, "after {writes} writes");
        if writes < 2 {
            let reply = mount.write("root/generate/internal", json!({ "common_name": "test CA" })).await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        assert_eq!(mount.read("issuer/default").await.status, 200, "after {writes} writes");
    }
}

#[tokio::test]
async fn a_second_ca_of_one_name_is_refused() {
    let mount = with_ca().await;

    let reply =
        mount.write("root/generate/internal", json!({ "common_name": "other", "issuer_name": "one" })).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.starts_with("issuer_name: \"one\""), "{}", reply.error);
}

#[tokio::test]
async fn no_answer_about_an_issuer_holds_a_key() {
    let mount = with_ca().await;
    mount.write("intermediate/generate/internal", json!({ "common_name": "sub" })).await;

    for path in
        ["issuer/default", "issuer/one", "config/issuers", "ca/pem", "ca_chain", "config", "roles/app"]
    {
        let reply: TestResponse = mount.read(path).await;
        assert!(!format!("{reply:?}").contains("PRIVATE"), "{path}");
    }
}

#[tokio::test]
async fn a_csr_answered_with_another_key_is_refused() {
    let mount = with_ca().await;
    mount.write("intermediate/generate/internal", json!({ "common_name": "sub" })).await;
    let stranger = with_ca().await.read("issuer/default").await.data["certificate"].clone();

    let reply = mount.write("intermediate/set-signed", json!({ "certificate": stranger })).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.starts_with("certificate:"), "{}", reply.error);
}

#[tokio::test]
async fn a_bundle_without_a_key_is_refused() {
    let certificate = with_ca().await.read("issuer/default").await.data["certificate"].clone();

    let reply = mount().await.write("issuers/import/bundle", json!({ "pem_bundle": certificate })).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("private key"), "{}", reply.error);
}

#[tokio::test]
async fn an_endpoint_in_clear_is_refused_unless_it_is_loopback() {
    let mount = mount().await;

    let far = mount.write("config", json!({ "endpoint": "http://rolesanywhere.example.com" })).await;
    let near = mount.write("config", json!({ "endpoint": "http://127.0.0.1:8080" })).await;

    assert_eq!(far.status, 400);
    assert!(far.error.contains("endpoint"), "{}", far.error);
    assert_eq!(near.error, "");
}

#[tokio::test]
async fn a_proxys_user_and_password_are_masked_on_read_and_kept_by_a_write_of_what_was_read() {
    let mount = mount().await;
    for (userinfo, shown) in
        [("t0ken:hunter2", "redacted:redacted"), ("t0ken", "redacted"), (":hunter2", ":redacted")]
    {
        let url = format!("http://{userinfo}@proxy.example.com:3128/");
        mount.write("config", json!({ "proxy_url": url })).await;

        let read = mount.read("config").await.data;
        let again = mount.write("config", Value::Object(read.clone())).await;

        assert_eq!(again.error, "");
        assert_eq!(read["proxy_url"], format!("http://{shown}@proxy.example.com:3128/"));
        let stored = mount.storage.get("config").await.unwrap().unwrap();
        assert!(String::from_utf8(stored).unwrap().contains(&url), "{userinfo}");
    }
}

#[tokio::test]
async fn half_a_mask_is_refused_whether_the_other_half_is_the_stored_one_or_not() {
    let mount = mount().await;
    mount.write("config", json!({ "proxy_url": "http://t0ken:hunter2@proxy.example.com" })).await;
    for (stored, other) in [
        ("http://t0ken:redacted@proxy.example.com", "http://other:redacted@proxy.example.com"),
        ("http://redacted:hunter2@proxy.example.com", "http://redacted:other@proxy.example.com"),
    ] {
        let right = mount.write("config", json!({ "proxy_url": stored })).await;
        let wrong = mount.write("config", json!({ "proxy_url": other })).await;

        assert_eq!((right.status, &right.error), (400, &wrong.error), "{stored}");
    }
}

#[tokio::test]
async fn no_masked_user_or_password_is_sent_to_another_proxy() {
    let mount = mount().await;
    mount.write("config", json!({ "proxy_url": "http://t0ken:hunter2@proxy.example.com" })).await;
    for url in [
        "http://redacted:redacted@elsewhere.example.com",
        "http://redacted@proxy.example.com",
        "http://redacted:other@proxy.example.com",
        "http://other:redacted@proxy.example.com",
    ] {
        let reply = mount.write("config", json!({ "proxy_url": url })).await;

        assert!(reply.error.contains("stands for the stored user or password"), "{url}: {reply:?}");
    }
}

#[tokio::test]
async fn a_refused_url_never_shows_its_user_or_password() {
    let mount = mount().await;
    for (field, url) in [
        ("endpoint", "https://t0ken:hunter2@example.com"),
        ("endpoint", "http://t0ken:hunter2@example.com:port"),
        ("proxy_url", "ftp://t0ken:hunter2@proxy.example.com"),
        ("proxy_url", "t0ken:hunter2@proxy.example.com:3128"),
        ("proxy_url", "http://t0ken:hunter2@proxy.example.com:port"),
    ] {
        let reply = mount.write("config", json!({ field: url })).await;

        assert_eq!(reply.status, 400, "{field} {url}: {reply:?}");
        assert!(reply.error.contains(field) && !reply.error.contains("hunter2"), "{}", reply.error);
        assert!(!reply.error.contains("t0ken"), "{}", reply.error);
    }
}

#[tokio::test]
async fn allowed_role_arns_keep_other_roles_from_being_written() {
    let mount = mount().await;
    mount.write("config", json!({ "allowed_role_arns": "arn:aws:iam::111122223333:role/pods/*" })).await;

    let reply = mount.write("roles/app", json!({ "role_arn": ROLE })).await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("allowed_role_arns"), "{}", reply.error);
}

#[tokio::test]
async fn invalidating_a_key_makes_the_next_read_see_the_new_state() {
    let mount = with_ca().await;
    mount.read("issuer/default").await;
    let pointer = json!({ "default": null }).to_string().into_bytes();
    mount.storage.put("config/issuers", pointer).await.unwrap();
    assert_eq!(mount.read("issuer/default").await.status, 200, "the snapshot is still the old one");

    vault_backend::Backend::invalidate(&*mount.backend, "config/issuers");

    assert_eq!(mount.read("issuer/default").await.status, 404);
}

#[tokio::test]
async fn a_bound_of_the_config_outside_its_range_is_refused_by_field_value_and_range() {
    for (field, value, range) in [
        ("rate_limit", 0, "1 to 10000"),
        ("rate_limit", -1, "1 to 10000"),
        ("rate_limit", 10_001, "1 to 10000"),
        ("rate_burst", 0, "1 to 10000"),
        ("rate_burst", i64::MAX, "1 to 10000"),
        ("assume_role_rate_limit", 0, "1 to 10000"),
        ("assume_role_rate_limit", 10_001, "1 to 10000"),
        ("assume_role_rate_burst", 0, "1 to 10000"),
        ("max_cached_sessions", 0, "1 to 1000000"),
        ("max_cached_sessions", 1_000_001, "1 to 1000000"),
    ] {
        let mount = mount().await;

        let reply = mount.write("config", json!({ field: value })).await;

        assert_eq!((reply.status, reply.error), (400, format!("{field}: {value} is outside {range}")));
        assert_eq!(mount.read("config").await.status, 404, "nothing is half-stored");
    }
}

#[tokio::test]
async fn every_list_of_names_gives_the_page_that_is_asked_for() {
    let mount = with_ca().await;
    for name in ["d", "b", "c", "a"] {
        assert_eq!(mount.write(&format!("roles/{name}"), json!({ "role_arn": ROLE })).await.error, "");
        let cluster = json!({ "accessor": format!("auth_kubernetes_{name}") });
        assert_eq!(mount.write(&format!("clusters/{name}"), cluster).await.error, "");
    }
    let page = json!({ "after": "a", "limit": "2" });

    let (roles, clusters) =
        (mount.list_with("roles", page.clone()).await, mount.list_with("clusters", page).await);
    let behind = mount.list_with("roles", json!({ "after": "d" })).await;
    let all = mount.list_with("roles", json!({ "limit": 0 })).await;
    let wrong = mount.list_with("issuers", json!({ "limit": "many" })).await;

    assert_eq!((&roles.data["keys"], roles.warnings.len()), (&json!(["b", "c"]), 0));
    assert_eq!(clusters.data["keys"], json!(["b", "c"]));
    assert_eq!(clusters.data["key_info"].as_object().unwrap().len(), 2);
    assert_eq!((behind.status, all.data["keys"].as_array().unwrap().len()), (404, 4));
    assert!(wrong.error.starts_with("limit: "), "{}", wrong.error);
    assert_eq!(mount.list_with("trust-anchors", json!({ "limit": 1 })).await.status, 404);
}
