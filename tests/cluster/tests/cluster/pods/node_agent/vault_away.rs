//! Vault away for ten minutes, beside pods that ask the agent all the time: an agent of the story's own, whose way to Vault is cut.

use std::time::Duration;

use cluster::{ANYBODY, Answered, Cluster, MINUTE, Question, Relay, Team, eventually, told};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep};

const OUTAGE: Duration = Duration::from_secs(600);
/// Between two rounds of questions.
const PAUSE: Duration = Duration::from_secs(5);
/// The agent leaves a Vault that is away alone for half a minute at most; and the time of a busy machine on top.
const RECOVERY: Duration = Duration::from_secs(120);
/// The end of a session of a minute, a third of which the agent keeps back.
const LAST_SESSION: Duration = Duration::from_secs(75);
/// The port of the story's agent.
const PORT: u16 = 8181;

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_vault_away_for_ten_minutes_nobody_fails_whose_session_has_more_than_five_and_all_recover() {
    let mut relay = Relay::start().await;
    let vault_up = format!("iamra_agent_vault_up{{address=\"{}\"}}", relay.url());
    let agent = Cluster::running().own_agent("away-agent", PORT, &relay.url()).await;
    let mut pods = Pods::start(relay.url()).await;
    let _ = pods.hour().await.ok();
    let _ = pods.minute().await.ok();

    relay.cut();
    let start = Instant::now();
    while start.elapsed() < OUTAGE {
        pods.ask(start.elapsed()).await;
        sleep(PAUSE).await;
    }

    pods.a_new_token_is_told_that_vault_is_away().await;
    assert_eq!(agent.metric(&vault_up).await, Some(0.0));
    let stale = agent.requests("stale").await;
    let Pods { served, refused, new_processes, .. } = pods;
    told(&format!(
        "Vault away for {OUTAGE:?}: {served} answers to the pod with an hour, {stale} of all stale; {new_processes} new processes of the \
         CLI; {refused} refusals to the pod with a minute"
    ));
    assert!(served > 60 && stale > 60.0 && new_processes > 10 && refused > 40);
    agent.rolled_out().await; // it is ready without Vault, else a rollout would wait for it

    relay.restore().await;
    let back = Instant::now();
    eventually("a session of a minute", RECOVERY, async || (pods.minute().await.status == 200).then_some(()))
        .await;
    eventually("a look at Vault", RECOVERY, async || {
        (agent.metric(&vault_up).await == Some(1.0)).then_some(())
    })
    .await;
    told(&format!("all recovered {:?} after Vault was back", back.elapsed()));
    let _ = pods.hour().await.ok();
    let token = pods.hour.0.loose_token("iamra").await;
    let (team, pod) = &pods.hour;
    let _ = team.ask(pod, Question { token: Some(&token), ..Question::default() }).await.ok();
}

/// The pods of a story, and what they were told.
struct Pods {
    /// Vault's URL, as the agent knows it.
    vault: String,
    /// Sessions of an hour.
    hour: (Team, String),
    /// Sessions of a minute.
    minute: (Team, String),
    served: usize,
    refused: usize,
    new_processes: usize,
}

impl Pods {
    async fn start(vault: String) -> Pods {
        let (mut hour, mut minute) = tokio::join!(
            Team::associated("away-hour", ANYBODY),
            Team::associated_with_profile("away-minute", MINUTE),
        );
        (hour.agent_port, minute.agent_port) = (PORT, PORT);
        let manifests = hour.manifests("pod-identity").await.idle();
        let hour_pod = hour.deploy_alone(&manifests).await;
        let manifests = minute.manifests("pod-identity").await.idle();
        let minute_pod = minute.deploy_alone(&manifests).await;
        Pods {
            vault,
            hour: (hour, hour_pod),
            minute: (minute, minute_pod),
            served: 0,
            refused: 0,
            new_processes: 0,
        }
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
        assert!(message.contains(&format!("Vault at {} cannot be reached", self.vault)), "{message}");
    }
}

/// How much of a session is left.
#[expect(clippy::disallowed_methods, reason = "AWS says by the machine's clock when a session ends")]
fn left(document: &Value) -> Duration {
    let end = document["Expiration"].as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    Duration::try_from(end.expect("a session ends") - OffsetDateTime::now_utc()).unwrap_or_default()
}
