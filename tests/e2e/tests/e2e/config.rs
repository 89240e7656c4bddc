//! `config`: written, read, deleted, and what it refuses.

use e2e::{refused_write, unchanged_by};
use harness::{PROFILE_ARN, Stage, TRUST_ANCHOR_ARN, Vault};
use serde_json::{Value, json};

const CONFIG: &str = "iamra/config";

async fn stage() -> Stage {
    Stage::without_ca(Vault::dev().await).await
}

#[tokio::test]
async fn what_was_written_is_read_back_beside_the_defaults() {
    let stage = stage().await;

    let _ = stage.root().write(CONFIG, stage.config()).await.ok();

    let read = stage.root().read(CONFIG).await.ok();
    assert_eq!(read.string("endpoint").trim_end_matches('/'), stage.aws.url().trim_end_matches('/'));
    assert_eq!(read.string("default_trust_anchor_arn"), TRUST_ANCHOR_ARN);
    assert_eq!(read.data()["connect_timeout"], 3);
    assert_eq!(read.data()["request_timeout"], 10);
    assert_eq!(read.data()["max_retries"], 3);
}

#[tokio::test]
async fn what_a_read_returns_a_write_takes() {
    let stage = stage().await;
    let _ = stage.root().write(CONFIG, stage.config()).await.ok();
    let read = stage.root().read(CONFIG).await.ok();

    let _ = stage.root().write(CONFIG, Value::Object(read.data().clone())).await.ok();

    assert_eq!(stage.root().read(CONFIG).await.data(), read.data());
}

#[tokio::test]
async fn a_deleted_config_is_gone() {
    let stage = stage().await;
    let _ = stage.root().write(CONFIG, stage.config()).await.ok();

    let _ = stage.root().delete(CONFIG).await.ok();

    let read = stage.root().read(CONFIG).await;
    assert!(!read.text.contains(TRUST_ANCHOR_ARN), "{}", read.text);
}

#[tokio::test]
async fn the_command_line_writes_texts_for_numbers_and_switches() {
    let stage = stage().await;

    let run = ["write", CONFIG, "max_retries=0", "request_timeout=1m", "use_fips=false", "connect_timeout=2"];
    let _ = stage.vault.cli(&run).await.ok();

    let read = stage.root().read(CONFIG).await.ok();
    assert_eq!(read.data()["request_timeout"], 60);
    assert_eq!(read.data()["max_retries"], 0);
    assert_eq!(read.data()["connect_timeout"], 2);
}

#[tokio::test]
async fn plain_http_is_refused_to_any_host_but_this_one() {
    let stage = stage().await;

    let text =
        refused_write(stage.root(), CONFIG, json!({ "endpoint": "http://192.0.2.1:80" }), &["endpoint"])
            .await;

    assert!(text.contains("192.0.2.1"), "{text}");
    assert!(!stage.root().read(CONFIG).await.text.contains("192.0.2.1"));
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_its_name() {
    let stage = stage().await;

    refused_write(stage.root(), CONFIG, json!({ "endpiont": "https://x.example" }), &["endpiont"]).await;
}

#[tokio::test]
async fn times_that_are_none_are_refused_with_field_and_value() {
    let stage = stage().await;

    for (value, shown) in [(json!("abc"), "abc"), (json!(-1), "-1"), (json!("-5s"), "-5")] {
        for field in ["connect_timeout", "request_timeout"] {
            refused_write(stage.root(), CONFIG, json!({ field: value }), &[field, shown]).await;
        }
    }
}

#[tokio::test]
async fn swapped_arns_are_refused_by_the_field_that_holds_the_wrong_one() {
    let stage = stage().await;

    let anchor = json!({ "default_trust_anchor_arn": PROFILE_ARN });
    refused_write(stage.root(), CONFIG, anchor, &["default_trust_anchor_arn", PROFILE_ARN]).await;
    let profile = json!({ "default_profile_arn": TRUST_ANCHOR_ARN });
    refused_write(stage.root(), CONFIG, profile, &["default_profile_arn", TRUST_ANCHOR_ARN]).await;
}

#[tokio::test]
async fn anchor_and_profile_of_two_regions_are_refused() {
    let stage = stage().await;
    let elsewhere = PROFILE_ARN.replace("eu-central-1", "us-east-1");

    let body = json!({ "default_trust_anchor_arn": TRUST_ANCHOR_ARN, "default_profile_arn": elsewhere });
    refused_write(stage.root(), CONFIG, body, &["eu-central-1", "us-east-1"]).await;
}

#[tokio::test]
async fn anchor_and_profile_of_two_accounts_are_refused() {
    let stage = stage().await;
    let others = PROFILE_ARN.replace("111122223333", "444455556666");

    let body = json!({ "default_trust_anchor_arn": TRUST_ANCHOR_ARN, "default_profile_arn": others });
    refused_write(stage.root(), CONFIG, body, &["111122223333", "444455556666"]).await;
}

#[tokio::test]
async fn one_wrong_field_leaves_the_right_ones_unwritten() {
    let stage = stage().await;
    let _ = stage.root().write(CONFIG, stage.config()).await.ok();

    unchanged_by(stage.root(), CONFIG, async || {
        let body = json!({ "max_retries": 1, "endpoint": "http://192.0.2.1:80" });
        refused_write(stage.root(), CONFIG, body, &["endpoint"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_ca_for_the_endpoint_that_is_no_pem_is_refused() {
    let stage = stage().await;

    refused_write(stage.root(), CONFIG, json!({ "endpoint_ca_pem": "not a PEM" }), &["endpoint_ca_pem"])
        .await;
}
