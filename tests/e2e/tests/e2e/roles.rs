//! `roles`: written, read, listed, patched, deleted, and what they refuse.

use e2e::{refused_write, unchanged_by};
use harness::{PROFILE_ARN, ROLE_ARN, Stage, TRUST_ANCHOR_ARN, Vault};
use serde_json::{Value, json};

const ROLE: &str = "iamra/roles/app";

/// A mount with a configuration and no CA: enough to write roles.
async fn stage() -> Stage {
    let stage = Stage::without_ca(Vault::dev().await).await;
    let _ = stage.root().write("iamra/config", stage.config()).await.ok();
    stage
}

fn role() -> Value {
    json!({ "role_arn": ROLE_ARN, "session_duration": 900, "certificate_ttl": "5m", "organization": ["a", "b"] })
}

async fn stage_with_role() -> Stage {
    let stage = stage().await;
    let _ = stage.root().write(ROLE, role()).await.ok();
    stage
}

#[tokio::test]
async fn what_was_written_is_read_back_beside_the_defaults() {
    let stage = stage_with_role().await;

    let read = stage.root().read(ROLE).await.ok();

    assert_eq!(read.string("role_arn"), ROLE_ARN);
    assert_eq!(read.data()["session_duration"], 900);
    assert_eq!(read.data()["certificate_ttl"], 300);
    assert_eq!(read.data()["organization"], json!(["a", "b"]));
    assert_eq!(read.string("key_type"), "ec-p256");
}

#[tokio::test]
async fn what_a_read_returns_a_write_takes() {
    let stage = stage_with_role().await;
    let read = stage.root().read(ROLE).await.ok();

    let _ = stage.root().write(ROLE, Value::Object(read.data().clone())).await.ok();

    assert_eq!(stage.root().read(ROLE).await.data(), read.data());
}

#[tokio::test]
async fn roles_are_listed_by_name() {
    let stage = stage_with_role().await;
    let _ = stage.root().write("iamra/roles/batch", json!({ "role_arn": ROLE_ARN })).await.ok();

    let keys = stage.root().list("iamra/roles").await.ok().keys();

    assert_eq!(keys, ["app", "batch"]);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let stage = stage_with_role().await;

    let _ = stage.root().patch(ROLE, json!({ "session_duration": "30m" })).await.ok();

    let read = stage.root().read(ROLE).await.ok();
    assert_eq!(read.data()["session_duration"], 1800);
    assert_eq!(read.data()["certificate_ttl"], 300);
}

#[tokio::test]
async fn a_null_in_a_patch_unsets_the_field() {
    let stage = stage_with_role().await;

    let _ = stage.root().patch(ROLE, json!({ "session_duration": null })).await.ok();

    assert_eq!(stage.root().read(ROLE).await.data()["session_duration"], 3600);
}

#[tokio::test]
async fn a_patch_that_does_not_fit_changes_nothing() {
    let stage = stage_with_role().await;

    unchanged_by(stage.root(), ROLE, async || {
        let text =
            stage.root().patch(ROLE, json!({ "certificate_ttl": "1h", "session_duration": 899 })).await;
        assert!(text.refused(400).contains("session_duration"), "{}", text.text);
    })
    .await;
}

#[tokio::test]
async fn a_patch_of_no_role_makes_none() {
    let stage = stage().await;

    let reply = stage.root().patch("iamra/roles/ghost", json!({ "session_duration": 900 })).await;

    assert!(matches!(reply.status, 400 | 404), "{} {}", reply.status, reply.text);
    assert_eq!(stage.root().read("iamra/roles/ghost").await.status, 404);
}

#[tokio::test]
async fn a_deleted_role_is_gone_and_deleting_it_again_is_fine() {
    let stage = stage_with_role().await;

    let _ = stage.root().delete(ROLE).await.ok();
    let _ = stage.root().delete(ROLE).await.ok();

    assert_eq!(stage.root().read(ROLE).await.status, 404);
    assert_eq!(stage.root().list("iamra/roles").await.status, 404);
}

#[tokio::test]
async fn the_command_line_writes_texts_for_times_and_lists() {
    let stage = stage().await;
    let arn = format!("role_arn={ROLE_ARN}");

    let run = ["write", ROLE, &arn, "session_duration=1h", "organization=a,b", "certificate_ttl=600"];
    let _ = stage.vault.cli(&run).await.ok();

    let read = stage.root().read(ROLE).await.ok();
    assert_eq!(read.data()["session_duration"], 3600);
    assert_eq!(read.data()["organization"], json!(["a", "b"]));
    assert_eq!(read.data()["certificate_ttl"], 600);
}

#[tokio::test]
async fn a_session_duration_out_of_bounds_is_refused_with_the_bound() {
    let stage = stage().await;

    for (duration, words) in [
        (json!(899), ["899", "900"]),
        (json!(43201), ["43201", "43200"]),
        (json!("abc"), ["abc", "session_duration"]),
        (json!(-900), ["-900", "session_duration"]),
    ] {
        let body = json!({ "role_arn": ROLE_ARN, "session_duration": duration });
        let text = refused_write(stage.root(), ROLE, body, &words).await;

        assert!(text.contains("session_duration"), "{text}");
    }
    assert_eq!(stage.root().read(ROLE).await.status, 404);
}

#[tokio::test]
async fn the_bounds_of_a_session_duration_are_taken() {
    let stage = stage().await;

    for duration in [900, 43_200] {
        let body =
            json!({ "role_arn": ROLE_ARN, "session_duration": duration, "max_session_duration": 43_200 });
        let _ = stage.root().write(ROLE, body).await.ok();

        assert_eq!(stage.root().read(ROLE).await.data()["session_duration"], duration);
    }
}

#[tokio::test]
async fn a_certificate_ttl_out_of_bounds_is_refused() {
    let stage = stage().await;

    for ttl in ["59s", "25h"] {
        let body = json!({ "role_arn": ROLE_ARN, "certificate_ttl": ttl });
        refused_write(stage.root(), ROLE, body, &["certificate_ttl"]).await;
    }
}

#[tokio::test]
async fn a_malformed_role_arn_is_refused_with_its_text() {
    let stage = stage().await;

    for arn in
        ["demo", "arn:aws:iam::1111:role/demo", "arn:aws:iam::111122223333:user/demo", TRUST_ANCHOR_ARN]
    {
        refused_write(stage.root(), ROLE, json!({ "role_arn": arn }), &["role_arn", arn]).await;
    }
}

#[tokio::test]
async fn swapped_arns_are_refused_by_the_field_that_holds_the_wrong_one() {
    let stage = stage().await;

    let anchor = json!({ "role_arn": ROLE_ARN, "trust_anchor_arn": PROFILE_ARN });
    refused_write(stage.root(), ROLE, anchor, &["trust_anchor_arn", PROFILE_ARN]).await;
    let profile = json!({ "role_arn": ROLE_ARN, "profile_arn": TRUST_ANCHOR_ARN });
    refused_write(stage.root(), ROLE, profile, &["profile_arn", TRUST_ANCHOR_ARN]).await;
}

#[tokio::test]
async fn anchor_and_profile_of_two_regions_or_accounts_are_refused() {
    let stage = stage().await;

    for (from, to) in [("eu-central-1", "us-east-1"), ("111122223333", "444455556666")] {
        let body = json!({
            "role_arn": ROLE_ARN, "trust_anchor_arn": TRUST_ANCHOR_ARN, "profile_arn": PROFILE_ARN.replace(from, to),
        });
        refused_write(stage.root(), ROLE, body, &[from, to]).await;
    }
}

#[tokio::test]
async fn a_role_without_a_role_arn_is_refused() {
    let stage = stage().await;

    refused_write(stage.root(), ROLE, json!({ "session_duration": 900 }), &["role_arn"]).await;
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_its_name() {
    let stage = stage().await;

    refused_write(
        stage.root(),
        ROLE,
        json!({ "role_arn": ROLE_ARN, "sesion_duration": 900 }),
        &["sesion_duration"],
    )
    .await;
}

#[tokio::test]
async fn a_key_type_that_is_none_is_refused_with_those_that_are() {
    let stage = stage().await;

    let body = json!({ "role_arn": ROLE_ARN, "key_type": "dsa" });
    refused_write(stage.root(), ROLE, body, &["key_type", "dsa", "ec-p256"]).await;
}

#[tokio::test]
async fn one_wrong_field_leaves_the_right_ones_unwritten() {
    let stage = stage_with_role().await;

    unchanged_by(stage.root(), ROLE, async || {
        let body = json!({ "role_arn": ROLE_ARN, "certificate_ttl": "20m", "session_duration": 899 });
        refused_write(stage.root(), ROLE, body, &["session_duration"]).await;
    })
    .await;
}

#[tokio::test]
async fn credentials_of_a_role_that_does_not_exist_are_refused_by_its_name() {
    let stage = stage().await;

    let reply = stage.creds("ghost").await;

    assert!(matches!(reply.status, 400 | 404), "{} {}", reply.status, reply.text);
    assert!(reply.errors().contains("ghost"), "{}", reply.text);
}

#[tokio::test]
async fn a_role_with_an_at_sign_is_read_and_denied_by_its_own_name() {
    let stage = Stage::dev().await;
    let _ = stage.root().write("iamra/roles/deploy@payments", json!({ "role_arn": ROLE_ARN })).await.ok();
    let rules = r#"path "iamra/creds/*" { capabilities = ["read"] } path "iamra/creds/deploy@billing" { capabilities = ["deny"] }"#;
    let token = stage.vault.token("deploy", rules).await;
    let _ = stage.root().write("iamra/roles/deploy@billing", json!({ "role_arn": ROLE_ARN })).await.ok();

    let said = stage.vault.cli_with(&token, &["read", "iamra/creds/deploy@payments"]).await.ok();

    assert!(said.contains("CN=deploy@payments"), "{said}");
    let api = stage.root().with_token(&token);
    for spelling in ["deploy@billing", "deploy%40billing"] {
        assert_eq!(api.read(&format!("iamra/creds/{spelling}")).await.status, 403, "{spelling}");
    }
}

#[tokio::test]
async fn a_name_under_which_vault_stores_nothing_is_refused_with_the_rule_and_not_by_storage() {
    let stage = stage().await;
    let anchor = json!({ "trust_anchor_arn": TRUST_ANCHOR_ARN, "profile_arn": PROFILE_ARN });
    for (path, body) in [
        ("iamra/roles/a..b", role()),
        ("iamra/clusters/a..b", json!({ "accessor": "auth_kubernetes_1a2b3c4d" })),
        ("iamra/trust-anchors/a..b", anchor),
    ] {
        refused_write(stage.root(), path, body, &["name: \"a..b\""]).await;
        assert_eq!(stage.root().read(path).await.status, 404, "{path}");
        let _ = stage.root().delete(path).await.ok();
    }

    let error = stage.creds("a..b").await.refused(400);

    assert!(error.contains("there is no role \"a..b\""), "{error}");
}
