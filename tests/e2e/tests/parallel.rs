//! Reads that make a session each do not wait for each other, where the rate allows it.

use std::time::{Duration, Instant};

use harness::Stage;
use serde_json::json;
use tokio::task::JoinSet;

#[tokio::test]
async fn ten_reads_in_parallel_take_about_as_long_as_one() {
    let stage = Stage::dev().await;
    let mut config = stage.config();
    config["rate_limit"] = json!(100);
    config["rate_burst"] = json!(100);
    let _ = stage.root().write("iamra/config", config).await.ok();
    let _ = stage.creds("demo").await.ok();
    stage.knobs(json!({ "latency_ms": 200 })).await;

    // a busy machine delays one comparison or the other, and not all
    let mut seen = Vec::new();
    while seen.len() < 10 && !seen.iter().any(is_alike) {
        seen.push((timed(&stage, 1).await, timed(&stage, 10).await));
    }

    let felt = seen.iter().all(|(one, _)| *one >= Duration::from_millis(200));
    assert!(felt, "the latency is not felt: {seen:?}");
    assert!(seen.iter().any(is_alike), "one, and ten in parallel: {seen:?}");
}

fn is_alike((one, ten): &(Duration, Duration)) -> bool {
    *ten < *one * 5
}

async fn timed(stage: &Stage, reads: usize) -> Duration {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..reads {
        let api = stage.root().clone();
        running.spawn(async move { api.read("iamra/creds/demo").await.ok() });
    }
    let answers = running.join_all().await;
    assert_eq!(answers.len(), reads);
    start.elapsed()
}
