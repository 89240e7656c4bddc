//! Tokens that were good and are so no longer.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cluster::{ANYBODY, Answered, Question, Team, eventually, told};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep};

/// What the agent keeps a session for, and the API server what it thinks of a token; and the time of a busy machine on top.
const FORGOTTEN: Duration = Duration::from_secs(120);
/// Kubernetes takes a token for up to a minute after its end, because clocks differ; and the time of a busy machine on top.
const LEEWAY: Duration = Duration::from_secs(180);
/// Before its end a token is used for the last time: a busy machine needs seconds for a request.
const LAST_USE: Duration = Duration::from_secs(20);
/// Between two uses.
const PAUSE: Duration = Duration::from_secs(30);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn the_token_of_a_deleted_pod_is_worth_nothing_once_its_session_is_not_cached_any_more() {
    let team = Team::associated("agent-deleted", ANYBODY).await;
    let old = team.deploy_alone(&team.manifests("pod-identity").await.idle()).await;
    let token = team.pod_token(&old).await;
    let of_the_old = Question { token: Some(&token), ..Question::default() };
    let _ = team.ask(&old, of_the_old).await.ok();

    team.kubectl(&["delete", "pod", &old]).await.ok();
    let deleted = Instant::now();
    team.rolled_out().await;
    let new = team.pod().await;

    let refused = refusal(&team, &new, of_the_old, FORGOTTEN).await;
    told(&format!("the token of a deleted pod was refused {} s later", deleted.elapsed().as_secs()));
    let (code, message) = refused.refused(403);
    assert_eq!(code, "LoginRefused");
    assert!(message.contains("its pod or service account is gone"), "{message}");
    let _ = team.credentials(&new).await.ok();
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn a_token_is_served_until_it_ends_and_then_refused_with_the_time_at_which_it_ended() {
    let team = Team::associated("agent-expired", ANYBODY).await;
    let pod = team.deploy_alone(&team.manifests("pod-identity").await.idle()).await;
    let token = team.loose_token("iamra").await;
    let (end, asked) = (end_of(&token), Question { token: Some(&token), ..Question::default() });

    while left(end) > LAST_USE {
        let _ = team.ask(&pod, asked).await.ok();
        sleep(left(end).saturating_sub(LAST_USE).min(PAUSE)).await;
    }

    let refused = refusal(&team, &pod, asked, left(end) + LEEWAY).await;
    told(&format!("a token was refused {} s after its end", (now() - end).whole_seconds()));
    assert!(left(end).is_zero(), "it was refused before its end");
    let (code, message) = refused.refused(403);
    assert_eq!(code, "LoginRefused");
    let words = format!("its token ended at {}", end.format(&Rfc3339).unwrap());
    assert!(message.contains(&words), "{message}");
}

/// The first answer to `question` that is no session.
async fn refusal(team: &Team, pod: &str, question: Question<'_>, within: Duration) -> Answered {
    eventually("a refusal", within, async || {
        Some(team.ask(pod, question).await).filter(|answered| answered.status != 200)
    })
    .await
}

/// When a token ends, as it says itself.
fn end_of(token: &str) -> OffsetDateTime {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    OffsetDateTime::from_unix_timestamp(payload["exp"].as_i64().unwrap()).unwrap()
}

fn left(end: OffsetDateTime) -> Duration {
    Duration::try_from(end - now()).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "Kubernetes says by the machine's clock when a token ends")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
