//! The read, which is the purpose of the whole project.

use harness::Stage;
use serde_json::Value;

#[tokio::test]
async fn vault_read_prints_the_credentials_as_a_table() {
    let stage = Stage::dev().await;

    let table = stage.vault.cli(&["read", "iamra/creds/demo"]).await.ok();

    for key in
        ["lease_id", "lease_duration", "access_key", "secret_key", "session_token", "expiration", "arn"]
    {
        assert!(table.lines().any(|line| line.starts_with(key)), "no {key} in: {table}");
    }
}

#[tokio::test]
async fn aws_takes_the_credentials_for_the_role() {
    let stage = Stage::dev().await;
    let answer = stage.creds("demo").await.ok();

    let who = stage.caller(&answer).await.unwrap();

    assert!(who.arn.starts_with("arn:aws:sts::111122223333:assumed-role/demo/"), "{}", who.arn);
    assert_eq!(who.arn, answer.string("arn"));
    assert_eq!(who.account, answer.string("account_id"));
}

#[tokio::test]
async fn aws_refuses_credentials_whose_token_was_altered() {
    let stage = Stage::dev().await;
    let mut answer = stage.creds("demo").await.ok();
    answer.body["data"]["session_token"] = Value::from("not the token");

    let refused = stage.caller(&answer).await;

    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn sts_answers_as_creds_does() {
    let stage = Stage::dev().await;

    let creds = stage.creds("demo").await.ok();
    let sts = stage.root().read("iamra/sts/demo").await.ok();

    assert_eq!(creds.data().keys().collect::<Vec<_>>(), sts.data().keys().collect::<Vec<_>>());
    stage.caller(&sts).await.unwrap();
}

#[tokio::test]
async fn the_answer_has_the_keys_of_the_aws_engine_and_an_expiry() {
    let stage = Stage::dev().await;

    let answer = stage.creds("demo").await.ok();

    let data = answer.data();
    assert!(answer.string("access_key").starts_with("ASIA"));
    assert_eq!(answer.string("security_token"), answer.string("session_token"));
    assert!(data["ttl"].as_u64().is_some_and(|ttl| (3500..=3600).contains(&ttl)), "{}", data["ttl"]);
    assert!(answer.string("expiration").ends_with('Z'));
    assert_eq!(answer.string("region"), "eu-central-1");
    assert_eq!(answer.string("role_arn"), harness::ROLE_ARN);
    assert!(answer.string("serial_number").split(':').all(|pair| pair.len() == 2));
    assert!(!data.contains_key("certificate"), "consul-template would take it for a PKI secret");
}

#[tokio::test]
async fn the_answer_holds_finished_texts_for_sdks() {
    let stage = Stage::dev().await;

    let answer = stage.creds("demo").await.ok();

    let process: Value = serde_json::from_str(answer.string("credential_process")).unwrap();
    assert_eq!(process["Version"], 1);
    assert_eq!(process["AccessKeyId"], answer.string("access_key"));
    assert_eq!(process["Expiration"], answer.string("expiration"));
    let file = answer.string("credentials_file");
    assert!(file.starts_with("[default]\n"), "{file}");
    assert!(file.contains(&format!("aws_session_token = {}", answer.string("session_token"))), "{file}");
}

#[tokio::test]
async fn each_read_has_a_certificate_of_its_own() {
    let stage = Stage::dev().await;

    let first = stage.creds("demo").await.ok();
    let second = stage.creds("demo").await.ok();

    assert_ne!(first.string("serial_number"), second.string("serial_number"));
    let sessions = stage.sessions().await;
    assert_eq!(sessions.len(), 2, "{sessions:?}");
}

#[tokio::test]
async fn a_token_with_the_one_policy_may_read_and_nothing_else() {
    let stage = Stage::dev().await;
    let token = stage.vault.token("app", r#"path "iamra/creds/demo" { capabilities = ["read"] }"#).await;
    let app = stage.root().with_token(&token);

    let _ = app.read("iamra/creds/demo").await.ok();

    for path in ["iamra/config", "iamra/roles/demo", "iamra/issuers"] {
        assert_eq!(app.read(path).await.status, 403, "{path}");
    }
}
