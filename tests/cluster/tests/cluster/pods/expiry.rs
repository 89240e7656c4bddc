//! Applications that outlive their sessions: a session lasts a minute here.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster::{Call, MINUTE, Team, eventually, sessions};
use tokio::time::sleep;

/// One call a second, for five sessions and a bit.
const CALLS: usize = 325;
/// On a slow machine a call takes more than its second.
const PATIENCE: Duration = Duration::from_secs(900);
/// One session, and a minute of failures after it.
const FAILURES: Duration = Duration::from_secs(180);

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_container_credentials_an_application_outlives_five_sessions_without_one_failed_call() {
    let team = Team::with_profile("minute-container", "container", MINUTE).await;
    let manifests = team.manifests("container-credentials").await.watching();

    let pod = team.deploy(&manifests).await;

    let calls = team.succeeds(&pod, CALLS, PATIENCE).await;
    assert!(sessions(&calls) > 5, "{} sessions", sessions(&calls));
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_credential_process_an_application_outlives_five_sessions_without_one_failed_call() {
    let team = Team::with_profile("minute-process", "file", MINUTE).await;
    let manifests = team.manifests("credential-process").await.watching();

    let pod = team.deploy(&manifests).await;

    let calls = team.succeeds(&pod, CALLS, PATIENCE).await;
    assert!(sessions(&calls) > 5, "{} sessions", sessions(&calls));
}

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn with_a_file_the_file_is_renewed_in_time_but_the_process_that_read_it_once_fails() {
    let team = Team::with_profile("minute-file", "file", MINUTE).await;
    let manifests = team.manifests("credentials-file").await.watching();

    let pod = team.deploy(&manifests).await;

    let mut keys = BTreeSet::new();
    for _ in 0..30 {
        keys.insert(good_key_in_file(&team, &pod).await);
        sleep(Duration::from_secs(5)).await;
    }
    // a shared session is replaced after 25 to 33 seconds, or, where the Agent came a moment too early for that, after 44 at most
    assert!(keys.len() >= 4, "the file was renewed {} times in two and a half sessions", keys.len() - 1);
    let (good, bad) = eventually("a minute of failures", FAILURES, async || {
        let calls = team.calls(&pod).await;
        let (good, bad): (Vec<Call>, Vec<Call>) = calls.into_iter().partition(|call| call.outcome.is_ok());
        (bad.len() > 60).then_some((good, bad))
    })
    .await;
    assert_eq!(sessions(&good), 1, "an SDK reads the file once");
    assert!(bad.iter().all(|call| call.outcome.as_ref().is_err_and(|error| error.contains("ExpiredToken"))));
    assert!(good.iter().all(|call| call.began < bad[0].began), "the process fails for good");
}

/// The key in the file, which AWS takes. Where it does not, a newer one must have come between the look at the file and AWS's.
async fn good_key_in_file(team: &Team, pod: &str) -> String {
    let file = "/vault/secrets/credentials";
    let (old, refused) = team.holder_of(pod, file).await;
    if refused.is_ok() {
        return old;
    }
    let (key, holder) = team.holder_of(pod, file).await;
    assert!(key != old && holder.is_ok(), "the file holds a key that AWS refuses: {refused:?}, {holder:?}");
    key
}
