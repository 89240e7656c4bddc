//! A pod that holds on to many connections, beside one that works.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::{ANYBODY, MINUTE, Team, told};

const SOON: Duration = Duration::from_secs(180);

/// Opens so many connections at once, each with a head that never ends, and each anew once it is closed. Prints how often they were
/// told what: a status, or `reset`.
const SLOW_HEADS: &str = r#"
import asyncio, collections, json, sys, time
number, seconds = int(sys.argv[1]), int(sys.argv[2])
told = collections.Counter()
end = time.monotonic() + seconds
async def head():
    reader, writer = await asyncio.open_connection("169.254.170.23", 80)
    try:
        writer.write(b"GET /v1/credentials HTTP/1.1\r\nX-Slow: ")
        reading = asyncio.ensure_future(reader.readline())
        while time.monotonic() < end:
            done, _ = await asyncio.wait([reading], timeout=1)
            if done:
                line = reading.result().split()
                return line[1].decode() if line else "closed"
            writer.write(b"a")
        return "unanswered"
    finally:
        writer.close()
async def slow():
    while time.monotonic() < end:
        try:
            told[await head()] += 1
        except OSError:
            told["reset"] += 1
        await asyncio.sleep(1)
async def main():
    await asyncio.gather(*(slow() for _ in range(number)))
    print(json.dumps(told))
asyncio.run(main())
"#;
const CONNECTIONS: usize = 200;
/// Several times as long as the agent waits for a head.
const FLOOD: Duration = Duration::from_secs(40);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn slow_heads_on_200_connections_fail_no_call_of_another_pod() {
    let (flood, worker) = tokio::join!(
        Team::associated("agent-flood", ANYBODY),
        Team::associated_with_profile("agent-worker", MINUTE),
    );
    let flooding = flood.deploy_alone(&flood.manifests("pod-identity").await.idle()).await;
    let working = worker.deploy_alone(&worker.manifests("pod-identity").await.watching()).await;
    let before = worker.succeeds(&working, 5, SOON).await.len();
    let (number, seconds) = (CONNECTIONS.to_string(), FLOOD.as_secs().to_string());

    let program = ["/usr/bin/python3", "-c", SLOW_HEADS, &number, &seconds];
    let printed = flood.exec(&flooding, "app", &program).await.ok();

    // sessions of a minute: the SDK asks the agent for every call
    let calls = worker.calls(&working).await;
    cluster::never_failed(&calls);
    let during = &calls[before..];
    let slowest = during.iter().map(|call| call.at - call.began).max().unwrap_or_default();
    told(&format!(
        "slow heads were told {} beside {} calls, the slowest {slowest}",
        printed.trim(),
        during.len()
    ));
    assert!(during.len() > 15, "the worker worked: {} calls", during.len());
    let told: BTreeMap<String, usize> = serde_json::from_str(&printed).unwrap();
    let count = |what: &str| told.get(what).copied().unwrap_or_default();
    assert!(count("408") >= 64, "each connection that is let in has five seconds for its head: {told:?}");
    assert!(
        count("429") >= CONNECTIONS - 64,
        "a pod has 64 connections, and the others are told so: {told:?}"
    );
    // what was refused was the flood, and the pod itself is welcome once it is over
    let _ = flood.credentials(&flooding).await.ok();
}
