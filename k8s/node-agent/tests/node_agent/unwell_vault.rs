//! A Vault that misbehaves: each time a clear refusal, never a crash, and never an answer that is kept and wrong.

use std::time::Duration;

use node_agent::cache::Limits;
use node_agent::clock::Clock;
use serde_json::json;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::client::{pod, token};
use crate::fake_vault::{FakeVault, Said, logged_in, now};
use crate::world::{World, until, vault_options};

const HTML: &[u8] = b"<!DOCTYPE html><html><body>Sign in</body></html>";

fn in_an_hour() -> OffsetDateTime {
    now() + time::Duration::hours(1)
}

/// Asks until the agent asks Vault again, and its session comes.
async fn recovers(world: &World) {
    world.vault.recovers();
    let token = token("payments", "api");
    until("a session once the fault is gone", || async {
        world.ask_with(&token, pod(1)).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn what_is_no_vault_is_told_and_forgotten_once_vault_is_back() {
    let huge = format!(r#"{{"auth":{{"client_token":"{}"}}}}"#, "a".repeat(10 << 20)).into_bytes();
    for (content_type, body, words) in [
        ("text/html", HTML.to_vec(), "answers status 200 with HTML"),
        ("application/json", br#"{"auth":{"client_to"#.to_vec(), "answered broken JSON"),
        ("application/json", b"{}".to_vec(), "answered JSON without `auth`"),
        ("application/json", Vec::new(), "answered no body"),
        ("application/json", huge, "answers more than 64 KiB"),
    ] {
        let world = World::new().await;
        world.vault.answers(move |_| Some(Said::bytes(200, content_type, body.clone())));

        let answered = world.ask("payments", "api").await;

        assert!([502, 503].contains(&answered.status), "{}", answered.body);
        assert_eq!(answered.code(), "VaultBadAnswer");
        assert!(answered.message().contains(words), "{}", answered.message());
        recovers(&world).await;
    }
}

#[tokio::test]
async fn what_is_no_session_is_told_and_forgotten_once_vault_is_back() {
    let half = br#"{"AccessKeyId":"ASIA","SecretAccessKey":"s","Tok"#.to_vec();
    let kv = json!({ "data": { "AccessKeyId": "ASIA" } });
    let tomorrow =
        json!({ "AccessKeyId": "A", "SecretAccessKey": "s", "Token": "t", "Expiration": "tomorrow" });
    for (said, code, words) in [
        (Said::bytes(200, "application/json", half), "VaultBadAnswer", "answered broken JSON"),
        (Said::json(200, &kv), "VaultBadAnswer", "answered JSON that is no session"),
        (Said::json(200, &tomorrow), "VaultBadAnswer", "without an Expiration in RFC 3339"),
        (
            Said::session("x", 1, now() - time::Duration::seconds(1)),
            "SessionTooShort",
            "a session that is over at",
        ),
    ] {
        let world = World::new().await;
        world.vault.answers(move |asked| {
            Some(if asked.path.ends_with("/login") { logged_in("payments.api") } else { said.clone() })
        });

        let answered = world.ask("payments", "api").await;

        assert!(answered.status >= 500, "{}", answered.body);
        assert_eq!(answered.code(), code);
        assert!(answered.message().contains(words), "{}", answered.message());
        recovers(&world).await;
    }
}

#[tokio::test]
async fn a_sealed_vault_one_without_a_leader_and_one_that_is_gone_are_told_apart() {
    for (said, code, words) in [
        (Some(Said::error(503, "Vault is sealed")), "VaultSealed", "is sealed: vault operator unseal"),
        (
            Some(Said::error(500, "local node not active but active cluster node not found")),
            "VaultNotActive",
            "has no active node",
        ),
        (Some(Said::bytes(502, "text/html", HTML.to_vec())), "VaultBadAnswer", "status 502 with HTML"),
    ] {
        let world = World::new().await;
        world.vault.answers(move |_| said.clone());

        let (found, message) = world.ask("payments", "api").await.refused(503);

        assert_eq!(found, code);
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_vault_that_nobody_runs_is_told_with_its_address() {
    let world = World::new().await;
    let (agent, url) = (world.agent, world.vault.url.clone());
    let gone = World::of(
        FakeVault::start().await,
        vault_options("http://127.0.0.1:9", &[]),
        Clock::of_this_machine(),
        Limits::default(),
    );

    let (code, message) = gone.ask("payments", "api").await.refused(503);

    assert_eq!(code, "VaultUnreachable");
    assert!(
        message.contains("Vault at http://127.0.0.1:9 cannot be reached: Connection refused"),
        "{message}"
    );
    assert!(agent.port() != 9 && !message.contains(&url));
}

#[tokio::test]
async fn a_silent_vault_costs_a_pod_no_more_than_three_seconds() {
    let world = World::new().await;
    world.vault.answers(|_| None);
    let began = Instant::now();

    let answered = world.ask("payments", "api").await;

    assert!(began.elapsed() < Duration::from_millis(3500), "{:?}", began.elapsed());
    assert!([503, 504].contains(&answered.status), "{}", answered.body);
    assert!(answered.header("retry-after").is_some());
}

#[tokio::test]
async fn a_clock_that_is_an_hour_ahead_is_named_and_one_behind_serves() {
    let ahead = World::at(|| now() + time::Duration::hours(1)).await;
    let behind = World::at(|| now() - time::Duration::hours(1)).await;

    let (code, message) = ahead.ask("payments", "api").await.refused(503);

    assert_eq!(code, "ClockSkew");
    assert!(
        message.contains("this node's clock is 36") && message.contains(" s ahead of Vault's"),
        "{message}"
    );
    behind.ask("payments", "api").await.ok();
}

#[tokio::test]
async fn a_vault_whose_clock_is_an_hour_behind_is_no_reason_to_keep_a_session_longer() {
    let world = World::new().await;
    world.vault.answers(|asked| {
        let session = Said::session("x", 1, in_an_hour()).dated(now() - time::Duration::hours(1));
        Some(if asked.path.ends_with("/login") { logged_in("payments.api") } else { session })
    });

    world.ask("payments", "api").await.ok();
}
