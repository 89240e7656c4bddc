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

    let one = timed(&stage, 1).await;
    let ten = timed(&stage, 10).await;

    assert!(one >= Duration::from_millis(200), "the latency is not felt: {one:?}");
    assert!(ten < one * 5, "one takes {one:?}, ten in parallel {ten:?}");
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
