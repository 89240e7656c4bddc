//! Outside Kubernetes: the shipped Proxy file answers the SDKs' container-credentials requests, and nothing else.

use std::time::Duration;

use e2e::host::{Host, in_document};
use harness::sts::caller_identity;
use harness::{REGION, Reply, Stage, until};
use serde_json::json;
use tokio::time::timeout;

const PATH: &str = "iamra/container/payments-api";
const AN_HOUR: [&str; 2] = ["1h", "24h"];
/// How long anything may take that a test waits for: far more than it does, because the machine may be busy.
const START: Duration = Duration::from_secs(90);
/// How often the Proxy asks Vault before an SDK has given up: it pauses a second before each retry, and no SDK but Go's waits longer than 5 s.
const PAST_ALL_SDKS: u32 = 6;

async fn listening(stage: &Stage) -> Host {
    answering(Host::start(stage, "proxy", "listener.hcl", AN_HOUR).await).await
}

async fn answering(host: Host) -> Host {
    until("a listener that answers", START, async || {
        host.ask(PATH, None).await.filter(|reply| reply.status == 200).map(|_| ())
    })
    .await;
    host
}

async fn ask(host: &Host, path: &str, token: Option<&str>) -> Reply {
    let answer = timeout(START, host.ask(path, token)).await;
    answer.expect("an answer in time").expect("the listener answers")
}

/// How many reads the engine has answered without a session.
async fn refusals(stage: &Stage) -> u32 {
    let metrics = stage.root().read("iamra/metrics").await.ok().text;
    let count = metrics.lines().find_map(|line| line.strip_prefix("iamra_answers_total{session=\"none\"} "));
    count.expect("the engine counts its answers").parse().expect("a number")
}

#[tokio::test]
async fn the_listener_answers_with_the_sdks_document() {
    let stage = Stage::dev().await;
    let host = listening(&stage).await;

    let reply = ask(&host, PATH, None).await;

    assert_eq!((reply.status, reply.content_type.as_str()), (200, "application/json"));
    let credentials = in_document(&reply.body, "Token").expect("AccessKeyId, SecretAccessKey and Token");
    let who = caller_identity(stage.aws.url(), REGION, None, &credentials).await.unwrap();
    assert!(who.arn.contains(":assumed-role/demo/"), "{}", who.arn);
    assert!(reply.body["Expiration"].as_str().unwrap().ends_with('Z'), "{}", reply.body["Expiration"]);
}

#[tokio::test]
async fn the_policy_opens_the_one_container_path_only() {
    let stage = Stage::dev().await;
    let host = listening(&stage).await;

    for path in [
        "iamra/creds/payments-api",
        "iamra/container/demo",
        "iamra/roles/payments-api",
        "sys/mounts",
        "auth/token/lookup-self",
        "cubbyhole/x",
    ] {
        let reply = ask(&host, path, None).await;

        assert_eq!(reply.status, 403, "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_token_that_the_application_sends_is_replaced() {
    let stage = Stage::dev().await;
    let host = listening(&stage).await;

    let wrong = ask(&host, PATH, Some("hvs.wrong")).await;
    let mighty = ask(&host, "sys/mounts", Some(stage.vault.root_token())).await;

    assert_eq!(wrong.status, 200, "{}", wrong.text);
    assert_eq!(mighty.status, 403, "{}", mighty.text);
}

#[tokio::test]
async fn with_aws_away_the_listener_says_so_at_once_and_recovers() {
    let stage = Stage::dev().await;
    let mut host = listening(&stage).await;
    let before = refusals(&stage).await;
    stage.knobs(json!({ "fail_next": { "count": 100_000, "status": 503 } })).await;

    for asked in 1..=3 {
        let refused = ask(&host, PATH, None).await;

        assert_eq!(
            (refused.status, refused.content_type.as_str()),
            (503, "application/json"),
            "{}",
            refused.text
        );
        assert!(refused.body["code"].is_string() && refused.body["message"].is_string(), "{}", refused.text);
        assert_eq!(
            refusals(&stage).await,
            before + asked,
            "the Proxy passes on the first answer of each read"
        );
    }
    stage.knobs(json!({})).await;
    until("credentials again", START, async || {
        host.ask(PATH, None).await.filter(|reply| reply.status == 200).map(|_| ())
    })
    .await;
    assert!(host.runs(), "the Proxy ended");
}

#[tokio::test]
async fn with_retries_in_the_proxy_no_sdk_would_learn_the_reason() {
    let stage = Stage::dev().await;
    let retrying = ["num_retries = -1", "num_retries = 12"];
    let host = answering(Host::start_edited(&stage, "proxy", "listener.hcl", AN_HOUR, retrying).await).await;
    let before = refusals(&stage).await;
    stage.knobs(json!({ "fail_next": { "count": 100_000, "status": 503 } })).await;

    let asking_on = until("a Proxy that asks again and again", START, async || {
        (refusals(&stage).await >= before + PAST_ALL_SDKS).then_some(())
    });
    tokio::select! {
        answer = host.ask(PATH, None) => {
            let text = answer.map(|reply| reply.text);
            panic!("the retry block of listener.hcl is not needed any more: {text:?}");
        }
        () = asking_on => {}
    }
}

#[tokio::test]
async fn the_variable_of_client_max_retries_outweighs_the_retry_block_of_agent_and_proxy() {
    let retrying = ["num_retries = -1", "num_retries = 12"];
    let none = [("VAULT_MAX_RETRIES", "0")];
    for program in ["agent", "proxy"] {
        let stage = Stage::dev().await;
        let host = Host::start_in(&stage, program, "listener.hcl", AN_HOUR, retrying, &none).await;
        let host = answering(host).await;
        let before = refusals(&stage).await;
        stage.knobs(json!({ "fail_next": { "count": 100_000, "status": 503 } })).await;

        let refused = ask(&host, PATH, None).await;

        assert_eq!(refused.status, 503, "{program}: {}", refused.text);
        assert_eq!(refusals(&stage).await, before + 1, "{program} passes on the first answer");
    }
}

#[tokio::test]
async fn before_its_login_the_listener_answers_403_and_not_with_the_applications_token() {
    let nobody = ["/etc/iamra/secret-id\"", "/etc/iamra/no-secret-id\""];
    for program in ["agent", "proxy"] {
        let stage = Stage::dev().await;
        let host = Host::start_edited(&stage, program, "listener.hcl", AN_HOUR, nobody).await;

        let reply =
            until("a listener", START, async || host.ask("sys/mounts", Some(stage.vault.root_token())).await)
                .await;

        assert_eq!(reply.status, 403, "{program}: {}", reply.text);
    }
}

#[tokio::test]
async fn vault_agent_takes_the_same_file() {
    let stage = Stage::dev().await;
    let host = answering(Host::start(&stage, "agent", "listener.hcl", AN_HOUR).await).await;

    let reply = ask(&host, PATH, None).await;

    assert!(in_document(&reply.body, "Token").is_some(), "{}", reply.status);
}

#[tokio::test]
async fn the_proxy_logs_in_again_when_its_token_ends() {
    let stage = Stage::dev().await;
    let host = answering(Host::start(&stage, "proxy", "listener.hcl", ["6s", "6s"]).await).await;

    until("three logins", START, async || {
        let reply = ask(&host, PATH, None).await;

        assert_eq!(reply.status, 200, "{}", reply.text);
        (host.log().matches("authentication successful").count() >= 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_disabled_entity_gets_nothing_through_the_listener_until_it_is_enabled_again() {
    let stage = Stage::dev().await;
    let mut host = listening(&stage).await;
    let root = stage.root();
    let entities = root.list("identity/entity/id").await.ok();
    let host_id = entities.data()["keys"][0].as_str().expect("the entity of the host");
    let entity = format!("identity/entity/id/{host_id}");

    let _ = root.write(&entity, json!({ "disabled": true })).await.ok();
    let refused = ask(&host, PATH, None).await;
    let _ = root.write(&entity, json!({ "disabled": false })).await.ok();

    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(in_document(&refused.body, "Token").is_none(), "{}", refused.text);
    until("credentials again", START, async || {
        host.ask(PATH, None).await.filter(|reply| reply.status == 200).map(|_| ())
    })
    .await;
    assert!(host.runs(), "the Proxy ended");
}
