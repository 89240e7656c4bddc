//! Updates of the agent under load.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::{ANYBODY, MINUTE, Team, never_failed, sessions, told};
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(180);
const UPDATES: usize = 6;
/// Between two calls with boto3.
const OFTEN: Duration = Duration::from_millis(50);
/// Between two updates, so that each meets sessions of its own.
const PAUSE: Duration = Duration::from_secs(5);

/// Asks the agent 50 times a second, each time once, until there is a file `/tmp/stop` or ten minutes have passed. Prints how often it was
/// told what: a status, or what became of the connection.
const ASK_ON: &str = r#"
import collections, http.client, json, os, time
token = open("/var/run/secrets/iamra/token").read()
told = collections.Counter()
end = time.monotonic() + 600
while time.monotonic() < end and not os.path.exists("/tmp/stop"):
    connection = http.client.HTTPConnection("169.254.170.23", timeout=10)
    try:
        connection.request("GET", "/v1/credentials", headers={"Authorization": token})
        told[str(connection.getresponse().status)] += 1
    except Exception as error:
        told[type(error).__name__] += 1
    finally:
        connection.close()
    time.sleep(0.02)
print(json.dumps(told))
"#;

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn an_update_of_the_agent_fails_no_call_of_go_or_python_and_leaves_no_request_without_an_answer() {
    let (go, python, raw) = tokio::join!(
        Team::associated_with_profile("rolled-go", MINUTE),
        Team::associated_with_profile("rolled-python", MINUTE),
        Team::associated("rolled-raw", ANYBODY),
    );
    let go_pod = go.deploy_alone(&go.manifests("pod-identity").await.watching()).await;
    let manifests = python.manifests("pod-identity").await.calling_with_boto3(OFTEN);
    let python_pod = python.deploy_alone(&manifests).await;
    let raw_pod = raw.deploy_alone(&raw.manifests("pod-identity").await.idle()).await;
    go.succeeds(&go_pod, 5, SOON).await;
    python.succeeds(&python_pod, 5, SOON).await;

    let ask_on = ["/usr/bin/python3", "-c", ASK_ON];
    let (printed, ()) = tokio::join!(raw.exec(&raw_pod, "app", &ask_on), async {
        for _ in 0..UPDATES {
            go.cluster.agent().roll().await;
            sleep(PAUSE).await;
        }
        raw.exec(&raw_pod, "app", &["touch", "/tmp/stop"]).await.ok();
    });

    // sessions of a minute: both SDKs ask the agent for every call
    for (team, pod) in [(&go, &go_pod), (&python, &python_pod)] {
        let calls = team.calls(pod).await;
        never_failed(&calls);
        let (name, sessions) = (&team.namespace, sessions(&calls));
        told(&format!("{name}: {} calls by {sessions} sessions, {UPDATES} updates", calls.len()));
        assert!(calls.len() > 5 * UPDATES, "{} calls", calls.len());
    }
    let printed: BTreeMap<String, usize> = serde_json::from_str(&printed.ok()).unwrap();
    told(&format!("{UPDATES} updates: a program that asks once each time was told {printed:?}"));
    assert!(printed["200"] > 500, "{printed:?}");
    assert_eq!(printed.len(), 1, "{printed:?}");
}
