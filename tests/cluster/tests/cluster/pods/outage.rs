//! AWS away for ten minutes, on a mount and an AWS of the story's own, so that it runs beside the others.

use std::net::SocketAddr;
use std::time::Duration;

use aws_emulator::{Emulator, Knobs, Launch, State};
use cluster::{Cluster, HOST_ADDRESS, MINUTE, Manifests, Team, eventually, state};
use harness::binaries::PLUGIN;
use harness::{PROFILE_ARN, TRUST_ANCHOR_ARN};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const FILE: &str = "/vault/secrets/credentials";
const OUTAGE: Duration = Duration::from_secs(600);
/// Within it a session from before, or from a call that was under way, may still be handed out, where sessions are shared.
const LAST_SESSION: Duration = Duration::from_secs(75);
/// The engine itself asks AWS again every half minute at the latest.
const REST: Duration = Duration::from_secs(120);
/// A template that has failed for long waits up to a minute before it tries again.
const RECOVERY: Duration = Duration::from_secs(300);
/// A template's twelve tries take minutes, and more of them on a slow machine.
const EXIT: Duration = Duration::from_secs(600);
/// Longer than the engine lets a pod wait, and far shorter than an Agent's own retries.
const AT_ONCE: Duration = Duration::from_secs(3);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_aws_away_for_ten_minutes_the_sidecar_stays_the_listener_is_clear_and_all_recovers_by_itself() {
    let aws = an_aws();
    let ca_pem = mount("outage", aws.url(), aws.ca_pem()).await;
    aws.set_state(serde_json::from_value(state(&ca_pem)).unwrap());
    let (stays, leaves) = tokio::join!(minute_team("outage-stays"), minute_team("outage-leaves"));
    let manifests = file_and_listener(&stays).await;
    let pod = stays.deploy(&manifests).await;
    let exiting = file_and_listener(&leaves).await.annotated("template-config-exit-on-retry-failure", "true");
    leaves.deploy(&exiting).await;
    let file = stays.exec(&pod, "app", &["cat", FILE]).await.ok();

    aws.set_knobs(Knobs { drop_next: u32::MAX, ..Knobs::default() });
    let start = Instant::now();
    let mut took = Vec::new();
    while start.elapsed() < OUTAGE {
        let without_session = start.elapsed() > LAST_SESSION;
        let answer = stays.listener(&pod, &stays.container_path(), "").await;
        took.push(answer.took);
        if without_session {
            assert_eq!(answer.status, 503, "{}", answer.body);
            let document: Value = serde_json::from_str(&answer.body).unwrap();
            assert!(document["message"].is_string(), "{}", answer.body);
        }
        sleep(Duration::from_secs(20)).await;
    }
    // a busy machine delays one answer or the other, and not half of them
    took.sort_unstable();
    assert!(took[took.len() / 2] < AT_ONCE, "{took:?}");
    eventually("the exit that is the injector's own default", EXIT, async || {
        (leaves.restarts("vault-agent").await > 0).then_some(())
    })
    .await;
    assert_eq!(stays.restarts("vault-agent").await, 0, "the sidecar stayed");
    aws.set_knobs(Knobs::default());

    eventually("credentials again", REST, async || {
        let answer = stays.listener(&pod, &stays.container_path(), "").await;
        (answer.status == 200).then_some(())
    })
    .await;
    eventually("a new key in the file", RECOVERY, async || {
        let now = stays.exec(&pod, "app", &["cat", FILE]).await.ok();
        (now.contains("ASIA") && now != file).then_some(())
    })
    .await;
    assert_eq!(stays.restarts("vault-agent").await, 0);
}

/// A mount of its own whose AWS is at `endpoint`; the certificate of its CA.
pub(crate) async fn mount(path: &str, endpoint: &str, endpoint_ca_pem: Option<&str>) -> String {
    let vault = Cluster::running().vault();
    let _ = vault.delete(&format!("sys/mounts/{path}")).await; // of an earlier run on this cluster
    let _ = vault.write(&format!("sys/mounts/{path}"), json!({ "type": PLUGIN })).await.ok();
    let root = json!({ "common_name": format!("{path} test CA") });
    let _ = vault.write(&format!("{path}/root/generate/internal"), root).await.ok();
    let mut config = json!({
        "endpoint": endpoint,
        "default_trust_anchor_arn": TRUST_ANCHOR_ARN,
        "default_profile_arn": PROFILE_ARN,
    });
    if let Some(pem) = endpoint_ca_pem {
        config["endpoint_ca_pem"] = json!(pem);
    }
    let _ = vault.write(&format!("{path}/config"), config).await.ok();
    vault.read(&format!("{path}/ca/pem")).await.ok().text
}

/// On the host's end of the link, where Vault's pod reaches it.
fn an_aws() -> Emulator {
    let address = SocketAddr::from((HOST_ADDRESS, 0));
    Emulator::launch(State::default(), Launch { address, tls: true, ..Launch::default() }).unwrap()
}

async fn minute_team(namespace: &str) -> Team {
    let team = Team::on_mount(namespace, "both", "outage").await;
    team.takes_profile(MINUTE).await;
    team
}

/// Both ways in one pod: the listener for the SDK, and a file whose renewal fails.
async fn file_and_listener(team: &Team) -> Manifests {
    let path = format!("outage/creds/{}", team.role());
    let template = format!(r#"{{{{ with secret "{path}" }}}}{{{{ .Data.credentials_file }}}}{{{{ end }}}}"#);
    let manifests = team.manifests("container-credentials").await.idle();
    manifests
        .annotated("agent-inject-secret-credentials", &path)
        .annotated("agent-inject-template-credentials", &template)
        .annotated("agent-inject-perms-credentials", "0400")
}
