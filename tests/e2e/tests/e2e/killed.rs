//! The plugin's process is killed under load, or asked to end in the middle of a call, and Vault starts another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use e2e::answers::is_vaults_own;
use harness::{Api, Reply, Stage, has_ended, kill, sockets_of, terminate, until};
use serde_json::json;
use tokio::task::JoinSet;

const READERS: usize = 4;
const KILLS: usize = 3;
/// A client's pause after an error. Vault needs a few milliseconds to notice that the process is gone.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The call itself would end after 15 seconds.
const BEFORE_THE_CALL: Duration = Duration::from_secs(12);

/// Counts across readers, and when to stop.
#[derive(Default)]
struct Load {
    succeeded: AtomicUsize,
    over: AtomicBool,
}

#[tokio::test]
async fn readers_of_a_killed_process_see_vaults_own_error_and_the_next_read_succeeds() {
    let stage = Stage::dev().await;
    let load = Arc::new(Load::default());
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(keep_reading(stage.root().clone(), Arc::clone(&load)));
    }

    for _ in 0..KILLS {
        some_reads(&load).await;
        let pids = stage.vault.live_plugins();
        pids.iter().copied().for_each(kill);
        until("a new plugin process", Duration::from_secs(60), async || {
            stage.vault.plugin_pids().iter().any(|pid| !pids.contains(pid)).then_some(())
        })
        .await;
    }
    some_reads(&load).await;
    load.over.store(true, Relaxed);

    let failures: Vec<Reply> = readers.join_all().await.into_iter().flatten().collect();
    assert!(failures.len() <= 5 * KILLS * READERS, "{} failures: {failures:?}", failures.len());
    for failure in &failures {
        assert!(is_vaults_own(failure.status, &failure.errors()), "{} {}", failure.status, failure.text);
    }
    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn a_process_that_is_asked_to_end_does_so_although_a_call_is_waiting_for_aws() {
    let stage = Stage::dev().await;
    stage.knobs(json!({ "answer": "silent" })).await;
    let api = stage.root().clone();
    let reading = tokio::spawn(async move { api.read("iamra/creds/demo").await });
    until("a call that waits for AWS", Duration::from_secs(60), async || {
        (!stage.aws_log().await.is_empty()).then_some(())
    })
    .await;
    let pids = stage.vault.live_plugins();
    let sockets: Vec<_> = pids.iter().flat_map(|&pid| sockets_of(pid)).collect();

    pids.iter().copied().for_each(terminate);

    for pid in pids {
        has_ended(pid, BEFORE_THE_CALL).await;
    }
    assert!(!sockets.is_empty() && !sockets.iter().any(|socket| socket.exists()), "{sockets:?}");
    let failure = reading.await.unwrap();
    assert!(is_vaults_own(failure.status, &failure.errors()), "{} {}", failure.status, failure.text);
    stage.knobs(json!({ "answer": "normal" })).await;
    let answer = until("a read that succeeds", Duration::from_secs(60), async || {
        Some(stage.creds("demo").await).filter(|reply| reply.status == 200)
    })
    .await;
    stage.caller(&answer).await.unwrap();
}

/// Reads until the load is over, and returns every answer that is not a success.
async fn keep_reading(api: Api, load: Arc<Load>) -> Vec<Reply> {
    let mut failures = Vec::new();
    while !load.over.load(Relaxed) {
        let reply = api.read("iamra/creds/demo").await;
        if reply.status == 200 {
            load.succeeded.fetch_add(1, Relaxed);
        } else {
            failures.push(reply);
            tokio::time::sleep(BACK_OFF).await;
        }
    }
    failures
}

async fn some_reads(load: &Load) {
    let before = load.succeeded.load(Relaxed);
    until("some reads that succeed", Duration::from_secs(60), async || {
        (load.succeeded.load(Relaxed) >= before + 20).then_some(())
    })
    .await;
}
