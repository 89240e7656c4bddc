//! Vault away for ten minutes, beside pods that ask the agent all the time.

use std::time::Duration;

use cluster::{ANYBODY, Answered, Cluster, MINUTE, Question, Team, eventually, told};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep};

use super::put_back_after;

const OUTAGE: Duration = Duration::from_secs(600);
/// Between two rounds of questions.
const PAUSE: Duration = Duration::from_secs(5);
/// The agent leaves a Vault that is away alone for half a minute at most; and the time of a busy machine on top.
const RECOVERY: Duration = Duration::from_secs(120);
/// The end of a session of a minute, a third of which the agent keeps back.
const LAST_SESSION: Duration = Duration::from_secs(75);
const VAULT_UP: &str = "iamra_agent_vault_up{address=\"http://vault.vault.svc:8200\"}";

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_vault_away_for_ten_minutes_nobody_fails_whose_session_has_more_than_five_and_all_recover() {
    put_back_after(outage(), async || {
        let cluster = Cluster::running();
        scale_vault(&cluster, 1).await;
        cluster.unseal().await;
    })
    .await;
}

/// The pods of a story, and what they were told.
struct Pods {
    /// Sessions of an hour.
    hour: (Team, String),
    /// Sessions of a minute.
    minute: (Team, String),
    served: usize,
    refused: usize,
    new_processes: usize,
}

async fn outage() {
    let mut pods = Pods::start().await;
    let cluster = Cluster::running();
    let stale = cluster.agent_requests("stale").await;
    let _ = pods.hour().await.ok();
    let _ = pods.minute().await.ok();

    scale_vault(&cluster, 0).await;
    let gone = cluster
        .kubectl(&["wait", "--namespace=vault", "--for=delete", "--timeout=120s", "pod/vault-0"])
        .await;
    gone.ok();
    let start = Instant::now();
    while start.elapsed() < OUTAGE {
        pods.ask(start.elapsed()).await;
        sleep(PAUSE).await;
    }

    pods.a_new_token_is_told_that_vault_is_away().await;
    assert_eq!(cluster.agent_metric(VAULT_UP).await, Some(0.0));
    let stale = cluster.agent_requests("stale").await - stale;
    let Pods { served, refused, new_processes, .. } = pods;
    told(&format!(
        "Vault away for {OUTAGE:?}: {served} answers to the pod with an hour, {stale} of all stale; {new_processes} new processes of the \
         CLI; {refused} refusals to the pod with a minute"
    ));
    assert!(served > 60 && stale > 60.0 && new_processes > 10 && refused > 40);
    cluster.agent_rolled_out().await; // it is ready without Vault, else a rollout would wait for it

    scale_vault(&cluster, 1).await;
    cluster.unseal().await;
    let back = Instant::now();
    eventually("a session of a minute", RECOVERY, async || (pods.minute().await.status == 200).then_some(()))
        .await;
    eventually("a look at Vault", RECOVERY, async || {
        (cluster.agent_metric(VAULT_UP).await == Some(1.0)).then_some(())
    })
    .await;
    told(&format!("all recovered {:?} after Vault was unsealed", back.elapsed()));
    let _ = pods.hour().await.ok();
    let token = pods.hour.0.loose_token("iamra").await;
    let (team, pod) = &pods.hour;
    let _ = team.ask(pod, Question { token: Some(&token), ..Question::default() }).await.ok();
}

impl Pods {
    async fn start() -> Pods {
        let (hour, minute) = tokio::join!(
            Team::associated("away-hour", ANYBODY),
            Team::associated_with_profile("away-minute", MINUTE),
        );
        let manifests = hour.manifests("pod-identity").await.idle();
        let hour_pod = hour.deploy_alone(&manifests).await;
        let manifests = minute.manifests("pod-identity").await.idle();
        let minute_pod = minute.deploy_alone(&manifests).await;
        Pods { hour: (hour, hour_pod), minute: (minute, minute_pod), served: 0, refused: 0, new_processes: 0 }
    }

    async fn hour(&self) -> Answered {
        self.hour.0.credentials(&self.hour.1).await
    }

    async fn minute(&self) -> Answered {
        self.minute.0.credentials(&self.minute.1).await
    }

    /// One round of questions, so long after Vault's end.
    async fn ask(&mut self, since: Duration) {
        let document = self.hour().await.ok();
        assert!(left(&document) > Duration::from_secs(300), "{document}");
        self.served += 1;
        let answered = self.minute().await;
        if answered.status == 200 {
            assert!(
                since < LAST_SESSION && !left(&answered.body).is_zero(),
                "after {since:?}: {}",
                answered.body
            );
        } else {
            let (code, message) = answered.refused(503);
            assert_eq!(code, "VaultUnreachable", "{message}");
            self.refused += 1;
        }
        if self.served.is_multiple_of(3) {
            let (team, pod) = &self.hour;
            team.exec(pod, "app", &["aws", "sts", "get-caller-identity"]).await.ok();
            self.new_processes += 1;
        }
    }

    async fn a_new_token_is_told_that_vault_is_away(&self) {
        let (team, pod) = &self.hour;
        let token = team.loose_token("iamra").await;
        let answered = team.ask(pod, Question { token: Some(&token), ..Question::default() }).await;
        let (code, message) = answered.refused(503);
        assert_eq!(code, "VaultUnreachable");
        assert!(message.contains("Vault at http://vault.vault.svc:8200 cannot be reached"), "{message}");
    }
}

async fn scale_vault(cluster: &Cluster, replicas: u32) {
    let replicas = format!("--replicas={replicas}");
    cluster.kubectl(&["scale", "--namespace=vault", "statefulset/vault", &replicas]).await.ok();
}

/// How much of a session is left.
#[expect(clippy::disallowed_methods, reason = "AWS says by the machine's clock when a session ends")]
fn left(document: &Value) -> Duration {
    let end = document["Expiration"].as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    Duration::try_from(end.expect("a session ends") - OffsetDateTime::now_utc()).unwrap_or_default()
}
