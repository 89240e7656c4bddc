//! Five hundred pods on one node: what they cost, and how fast a cached answer is.

#![expect(clippy::disallowed_macros, reason = "the figures are the report")]

use std::time::Duration;

use tokio::time::Instant;

use crate::binary::Binary;
use crate::client::{pod, request, send, token};
use crate::fake_vault::FakeVault;

const PODS: u16 = 500;

/// What the `DaemonSet` requests for the agent.
const REQUESTED_KIB: u64 = 24 * 1024;

#[tokio::test]
async fn five_hundred_pods_that_ask_at_once_stay_within_the_memory_that_is_requested() {
    let vault = FakeVault::start().await;
    // all of them at once, on a machine that may be busy with other tests
    let mut agent = Binary::start(&vault.url, &["--answer-timeout", "10"]).await;
    agent.is_ready().await;
    let at_rest = agent.memory();
    let texts: Vec<_> = (0..PODS)
        .map(|number| request(agent.agent, "/v1/credentials", &token("crowd", &format!("n{number}"))))
        .collect();
    let began = Instant::now();
    let first = texts.iter().zip(0..).map(|(text, number)| send(agent.agent, pod(number), text.as_bytes()));
    for answered in futures_util::future::join_all(first).await {
        answered.unwrap().ok();
    }
    let cold = began.elapsed();

    let mut took = Vec::new();
    for _ in 0..4 {
        for (text, number) in texts.iter().zip(0..) {
            let asked = Instant::now();
            send(agent.agent, pod(number), text.as_bytes()).await.unwrap().ok();
            took.push(asked.elapsed());
        }
    }

    took.sort();
    let percentile = |percent: usize| took[(took.len() - 1) * percent / 100];
    let after = agent.memory();
    println!(
        "{PODS} pods: first sessions of all in {cold:.2?}; {} cached answers: p50 {:.2?}, p99 {:.2?}; private {} KiB at rest, {} KiB after; \
         resident {} and {} KiB",
        took.len(),
        percentile(50),
        percentile(99),
        at_rest.0,
        after.0,
        at_rest.1,
        after.1
    );
    assert_eq!(vault.logins(), usize::from(PODS), "one login for each pod");
    assert!(after.0 < REQUESTED_KIB, "{after:?}");
    assert!(percentile(50) < Duration::from_millis(50));
    agent.ends().await;
}
