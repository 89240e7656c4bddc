//! Reads that each make a session do not wait for each other, if the rate allows it, nor for strangers at the plugin's socket.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use harness::{Memory, Stage, sockets_of, until};
use serde_json::json;
use tokio::task::{JoinSet, spawn_blocking};

/// The number of strangers who connect, send nothing and stay.
const MUTE: usize = 100;

/// The memory that all strangers together may cost the plugin, in KiB.
const MAY_COST: u64 = 16 << 10;

/// How long ten reads may take. Where they wait for strangers they end no sooner than these go, after 10 s, and others come at once. The bound
/// is far from what they take, because the machine may be busy.
const HELD_UP: Duration = Duration::from_secs(10);

/// How long AWS takes for an answer: far longer than ten reads need to get there on a busy machine.
const LATENCY: Duration = Duration::from_secs(4);

#[tokio::test]
async fn ten_reads_in_parallel_are_ten_calls_in_flight_at_aws() {
    let stage = stage().await;
    let before = stage.aws.most_in_flight();
    stage.knobs(json!({ "latency_ms": LATENCY.as_millis() })).await;

    let took = timed(&stage, 10).await;

    assert!(took >= LATENCY, "the latency is not felt: {took:?}");
    assert_eq!((before, stage.aws.most_in_flight()), (1, 10));
}

/// A stage with a rate that delays no read.
async fn stage() -> Stage {
    let stage = Stage::dev().await;
    let mut config = stage.config();
    config["rate_limit"] = json!(100);
    config["rate_burst"] = json!(100);
    let _ = stage.root().write("iamra/config", config).await.ok();
    let _ = stage.creds("demo").await.ok();
    stage
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

#[tokio::test]
async fn readers_do_not_notice_strangers_at_the_plugins_socket() {
    let stage = stage().await;
    let (pid, socket) = listening(&stage).await;
    let memory = || Memory::of(pid).expect("the plugin runs");
    let (before, over) = (memory(), Arc::<AtomicBool>::default());
    Memory::forget_peak(pid).unwrap();
    let strangers = spawn_blocking({
        let over = Arc::clone(&over);
        move || keep_coming(&socket, &over)
    });

    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        slowest = slowest.max(timed(&stage, 10).await);
    }
    over.store(true, Relaxed);
    let came = strangers.await.unwrap();

    let cost = memory().peak.saturating_sub(before.resident);
    assert!(cost < MAY_COST, "{cost} KiB");
    assert!(slowest < HELD_UP, "ten reads took {slowest:?}");
    assert!(came > 2 * MUTE, "{came} strangers");
    // past the capture of the test runner
    writeln!(
        std::io::stderr(),
        "100 reads over Vault, ten at a time, and none failed, the slowest ten took {slowest:?}; {came} strangers cost {cost} KiB at most"
    )
    .expect("stderr is open");
}

/// The plugin's process and the socket it listens on.
async fn listening(stage: &Stage) -> (u32, PathBuf) {
    // the one that Vault asked for the plugin's version may still be ending
    until("one process", Duration::from_secs(60), async || match stage.vault.plugin_pids()[..] {
        [pid] => Some((pid, sockets_of(pid).into_iter().find(|socket| socket.exists())?)),
        _ => None,
    })
    .await
}

/// Strangers who stay, and then, until it is over, some who speak out of turn and go; how many there were.
fn keep_coming(socket: &Path, over: &AtomicBool) -> usize {
    let mute: Vec<_> = (0..MUTE).map(|_| UnixStream::connect(socket)).collect();
    let long = vec![0x16; 64 << 10];
    let words: [&[u8]; 3] = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &long, &[0x16, 3, 1, 0x40, 0, 1, 0xff]];
    let mut came = mute.len();
    while !over.load(Relaxed) {
        if let Ok(mut stranger) = UnixStream::connect(socket) {
            let _soon = stranger.set_write_timeout(Some(Duration::from_millis(100)));
            let _heard_or_not = stranger.write_all(words[came % words.len()]);
            came += 1;
        }
    }
    came
}
