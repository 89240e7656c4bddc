//! What never leaves the agent but in an answer.

use crate::binary::Binary;
use crate::client::{pod, token};
use crate::fake_vault::{FakeVault, Said};
use crate::world::World;

#[tokio::test]
async fn no_log_line_and_no_page_holds_a_token_or_a_secret() {
    let vault = FakeVault::start().await;
    let mut agent = Binary::start(&vault.url, &["--log-level", "trace"]).await;
    let token = token("payments", "api");
    agent.ask_with(&token, pod(1)).await.ok();
    agent.ask_with(&token, pod(1)).await.ok();
    vault.answers(|_| Some(Said::error(403, "permission denied")));
    let refused = crate::client::token("payments", "web");
    agent.ask_with(&refused, pod(1)).await.refused(403);
    let metrics = agent.page("/metrics").await;

    let log = agent.ends().await;

    for (name, text) in [("log", &log), ("metrics", &metrics)] {
        for secret in [token.as_str(), refused.as_str(), "wJalrXUtnFEMI", "IQoJb3JpZ2lu", "hvb."] {
            assert!(!text.contains(secret), "the {name} holds {secret}: {text}");
        }
    }
    assert!(log.contains(r#""namespace":"payments""#) && log.contains(r#""service_account":"api""#), "{log}");
    assert!(
        log.contains(r#""pod":"pod-0""#)
            && log.contains(r#""access_key_id":"ASIA"#)
            && log.contains(r#""request_id":""#),
        "{log}"
    );
    assert!(metrics.contains(r#"iamra_agent_requests_total{outcome="cached"} 1"#), "{metrics}");
}

#[tokio::test]
async fn a_refusal_shows_a_pod_no_token() {
    let world = World::new().await;
    world.vault.answers(|asked| Some(Said::error(400, &format!("bad jwt {}", asked.body["role"]))));
    let token = token("payments", "api");

    let refused = world.ask_with(&token, pod(1)).await;

    assert!(!refused.body.to_string().contains(&token), "{}", refused.body);
}

#[tokio::test]
async fn the_process_allows_no_core_dump() {
    let vault = FakeVault::start().await;
    let agent = Binary::start(&vault.url, &[]).await;

    let limits = std::fs::read_to_string(format!("/proc/{}/limits", agent.pid())).unwrap();

    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}
