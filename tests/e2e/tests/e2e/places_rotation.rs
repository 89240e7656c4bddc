//! A CA takes over from another, and one is compromised, where roles have two regions and one of them is dead meanwhile.

use std::time::{Duration, Instant};

use e2e::load::Load;
use e2e::say;
use harness::{
    REGION, ROLE_ARN, Reply, Stage, WEST, add_second_region, both_regions, managed_anchor_in_the_west,
};
use serde_json::{Value, json};

/// Vault's command line waits for a minute.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stage whose issuer `old` is in the anchors of two regions, each of them managed, and whose role `demo` has both.
async fn two_places() -> Stage {
    let stage = Stage::dev().await;
    stage.manage_anchor().await;
    let mut account = stage.admin("GET", "state", None).await;
    add_second_region(&mut account);
    stage.admin("PUT", "state", Some(account)).await;
    let mut config = both_regions();
    (config["rate_limit"], config["rate_burst"]) = (json!(1000), json!(1000));
    let _ = stage.root().patch("iamra/config", config).await.ok();
    write(&stage, "iamra/trust-anchors/west", managed_anchor_in_the_west()).await;
    write(&stage, "iamra/issuer/default", json!({ "issuer_name": "old" })).await;
    let fresh = json!({ "role_arn": ROLE_ARN, "session_sharing": "none" });
    write(&stage, "iamra/roles/demo", fresh).await;
    stage
}

async fn write(stage: &Stage, path: &str, body: Value) -> Reply {
    stage.root().write(path, body).await.ok()
}

async fn next(stage: &Stage) {
    let next = json!({ "common_name": "next", "issuer_name": "next" });
    write(stage, "iamra/root/generate/internal", next).await;
}

async fn sync(stage: &Stage, name: &str) -> Reply {
    stage.root().write(&format!("iamra/trust-anchors/{name}/sync"), json!({})).await
}

async fn with_region(stage: &Stage, region: &str, knobs: Value) {
    stage.knobs(json!({ "regions": { region: knobs } })).await;
}

/// The switch, as an operator commands it, and how long it took.
async fn switch(stage: &Stage) -> Reply {
    let began = Instant::now();
    let reply = stage.root().write("iamra/config/issuers", json!({ "default": "next" })).await;
    let took = began.elapsed();
    say(&format!("the switch: {} after {} ms: {}", reply.status, took.as_millis(), reply.errors()));
    assert!(took < PATIENCE, "{took:?}");
    reply
}

/// How many certificates the anchor of each region holds.
async fn held(stage: &Stage) -> [usize; 2] {
    let account = stage.admin("GET", "state", None).await;
    let held = |anchors: &Value| anchors[0]["certificates_pem"].as_str().unwrap().matches("BEGIN").count();
    [held(&account["trust_anchors"]), held(&account["regions"][WEST]["trust_anchors"])]
}

async fn next_step(stage: &Stage) -> String {
    stage.root().read("iamra/rotation").await.ok().string("next_step").to_owned()
}

/// The response to a compromise of the issuer `old`: its state and its steps.
async fn compromised(stage: &Stage, fields: Value) -> (String, String) {
    let began = Instant::now();
    let answer = stage.root().write("iamra/issuer/old/compromised", fields).await.ok();
    let took = began.elapsed();
    let steps = answer.data().iter().filter(|(name, _)| name.starts_with("step_"));
    let steps: Vec<&str> = steps.map(|(_, step)| step.as_str().unwrap()).collect();
    say(&format!(
        "compromised: {} after {} ms\n{}",
        answer.string("state"),
        took.as_millis(),
        steps.join("\n")
    ));
    assert!(took < PATIENCE, "{took:?}");
    (answer.string("state").to_owned(), steps.join("\n"))
}

#[tokio::test]
async fn the_switch_waits_for_the_region_that_is_dead_and_names_it_while_reads_go_on() {
    for (dead, its, other) in [(WEST, "west", "main"), (REGION, "main", "west")] {
        let stage = two_places().await;
        let load = Load::of(stage.root(), &["iamra/creds/demo"]);
        load.goes_on().await;
        with_region(&stage, dead, json!({ "dead": true })).await;
        next(&stage).await;
        let _ = sync(&stage, other).await.ok();
        load.goes_on().await;

        let early = switch(&stage).await;
        let waiting = next_step(&stage).await;
        let between = held(&stage).await;
        with_region(&stage, dead, json!({})).await;
        let behind = switch(&stage).await;
        let _ = sync(&stage, its).await.ok();
        let _ = switch(&stage).await.ok();
        load.goes_on().await;

        assert!(early.status == 503, "{early:?}");
        assert!(
            early.errors().contains(&format!("trust-anchors/{its} in {dead}: AWS could not be")),
            "{early:?}"
        );
        assert!(waiting.starts_with("let every trust anchor hold trust_bundle, then"), "{waiting}");
        assert_eq!(between, if dead == WEST { [2, 1] } else { [1, 2] });
        let lacks = format!("trust-anchors/{its} does not hold the issuer \"next\" yet");
        assert!(behind.errors().contains(&lacks), "{behind:?}");
        assert_eq!(held(&stage).await, [2, 2]);
        let failures = load.end().await;
        assert!(failures.is_empty(), "{} failed: {failures:?}", failures.len());
        for away in [WEST, REGION] {
            with_region(&stage, away, json!({ "dead": true })).await;
            assert_ne!(
                stage.creds("demo").await.ok().string("region"),
                away,
                "the next issuer signs in both"
            );
        }
    }
}

#[tokio::test]
async fn a_compromise_is_not_over_before_the_region_that_was_dead_has_dropped_the_issuer() {
    let stage = two_places().await;
    let leaked = stage.creds("demo").await.ok();
    next(&stage).await;
    for name in ["main", "west"] {
        let _ = sync(&stage, name).await.ok();
    }
    with_region(&stage, WEST, json!({ "dead": true })).await;

    let (waits, waiting) = compromised(&stage, json!({})).await;
    let before = held(&stage).await;
    let (forced, steps) = compromised(&stage, json!({ "force": true })).await;
    let between = held(&stage).await;
    let denied = stage.caller(&leaked).await;
    let read = stage.creds("demo").await.ok();
    with_region(&stage, WEST, json!({})).await;
    let (settling, rest) = compromised(&stage, json!({})).await;

    assert_eq!((waits.as_str(), before), ("incomplete", [2, 2]), "{waiting}");
    assert!(waiting.contains("trust-anchors/west in eu-west-1: AWS could not be"), "{waiting}");
    assert_eq!((forced.as_str(), between), ("incomplete", [1, 2]), "{steps}");
    assert!(denied.is_err(), "the sessions of the key end without the dead region");
    assert!(steps.contains("the engine looks again by itself at "), "{steps}");
    assert_eq!(read.string("region"), REGION);
    assert_eq!((settling.as_str(), held(&stage).await), ("settling", [1, 1]), "{rest}");
}
