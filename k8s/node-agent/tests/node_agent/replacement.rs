#![expect(clippy::disallowed_macros, reason = "the counts are the report")]

//! An agent that ends, and one that takes over its address, while pods ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::binary::Binary;
use crate::client::{connect, pod, receive, request, send, token};
use crate::fake_vault::{FakeVault, well};
use crate::world::until;

#[tokio::test]
async fn sigterm_closes_the_listener_first_and_lets_the_requests_that_run_end() {
    let vault = FakeVault::start().await;
    vault.answers(|asked| Some(well(asked, 1).after(Duration::from_millis(700))));
    let mut agent = Binary::start(&vault.url, &[]).await;
    let mut stream = connect(agent.agent, pod(1)).await.unwrap();
    let text = request(agent.agent, "/v1/credentials", &token("payments", "api"));
    tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
    until("the login", || async { vault.logins() > 0 }).await;

    agent.terminate();
    let address = agent.agent;
    until("the end of the listener", || async { connect(address, pod(2)).await.is_err() }).await;
    let answered = receive(&mut stream).await.unwrap();

    answered.ok();
    agent.has_ended().await;
}

/// The clients of a run, and what became of their calls.
#[derive(Default)]
struct Calls {
    is_over: AtomicBool,
    made: AtomicUsize,
    repeated: AtomicUsize,
    failed: AtomicUsize,
}

/// An SDK's call: up to three tries, as botocore makes them.
async fn call(agent: std::net::SocketAddr, number: u16, text: &str, calls: &Calls) {
    for attempt in 0..3 {
        match send(agent, pod(number), text.as_bytes()).await {
            Ok(answered) if answered.status == 200 => {
                calls.made.fetch_add(1, Ordering::Relaxed);
                calls.repeated.fetch_add(attempt, Ordering::Relaxed);
                return;
            }
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    calls.failed.fetch_add(1, Ordering::Relaxed);
}

#[tokio::test]
async fn agents_that_take_over_one_address_under_load_fail_no_call() {
    let vault = FakeVault::start().await;
    let mut running = Binary::start(&vault.url, &[]).await;
    running.is_ready().await;
    let address = running.agent;
    let calls = Arc::<Calls>::default();
    let mut clients = JoinSet::new();
    for number in 0..30 {
        let (calls, text) = (
            Arc::clone(&calls),
            request(address, "/v1/credentials", &token("payments", &format!("n{number}"))),
        );
        clients.spawn(async move {
            while !calls.is_over.load(Ordering::Relaxed) {
                call(address, number, &text, &calls).await;
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        });
    }

    for _ in 0..5 {
        let next = Binary::start_at(address, &vault.url, &[]).await;
        next.is_ready().await;
        running.ends().await;
        running = next;
    }
    calls.is_over.store(true, Ordering::Relaxed);
    clients.join_all().await;

    let [made, repeated, failed] =
        [&calls.made, &calls.repeated, &calls.failed].map(|count| count.load(Ordering::Relaxed));
    println!("five replacements: {made} calls, {repeated} tries repeated, {failed} calls failed");
    assert!(made > 100, "only {made} calls");
    assert_eq!(failed, 0);
}

#[tokio::test]
async fn an_agent_that_cannot_reach_vault_leaves_the_pods_to_the_one_before_it_and_serves_them_once_that_ends()
 {
    let vault = FakeVault::start().await;
    let mut old = Binary::start(&vault.url, &[]).await;
    old.is_ready().await;
    let address = old.agent;
    let text = request(address, "/v1/credentials", &token("payments", "api"));
    let nobody = format!("http://{}", free_address().await);

    let next = tokio::spawn(async move { Binary::start_at(address, &nobody, &[]).await });
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        send(address, pod(1), text.as_bytes()).await.unwrap().ok();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!next.is_finished(), "it serves beside an agent that has sessions");
    old.ends().await;
    let mut next = next.await.unwrap();

    let answered = send(address, pod(1), text.as_bytes()).await.unwrap();
    assert_eq!(answered.refused(503).0, "VaultUnreachable");
    next.ends().await;
}

/// An address at which nobody answers.
async fn free_address() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
