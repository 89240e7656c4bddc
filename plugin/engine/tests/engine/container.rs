//! What `container/:role` asks of AWS, and what it answers when there is no session to give: in process, no Vault.

use std::time::Duration;

use crate::aws::Aws;
use crate::mounts::{ANCHOR, PROFILE, ROLE, mount, on_a_standby, over, with_ca, with_ca_calling};
use engine::Engine;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use vault_backend::READ_ONLY;
use vault_backend::testing::{TestMount, TestResponse};

/// How long it waits for an answer.
const BOTOCORE: Duration = Duration::from_secs(2);

/// A mount with a CA and the role `app` that calls `aws`.
async fn asking(aws: &Aws) -> TestMount<Engine> {
    let mount = with_ca_calling(aws).await;
    let config =
        json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE, "max_retries": 0 });
    assert_eq!(mount.write("config", config).await.error, "");
    assert_eq!(mount.write("roles/app", json!({ "role_arn": ROLE })).await.error, "");
    mount
}

/// Status, code and message of a failure; the shape holds for all of them.
fn failure(reply: &TestResponse) -> (u16, String, String) {
    let body = reply.raw.as_deref().unwrap_or_else(|| panic!("not raw: {reply:?}"));
    assert_eq!(reply.data["http_content_type"], "application/json");
    assert_eq!(reply.data["http_raw_cache_control"], "no-store");
    assert_eq!(reply.lease_nanoseconds, None);
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    (reply.status, text("code"), text("message"))
}

#[tokio::test]
async fn a_role_that_is_not_there_is_told_as_sdks_read_it() {
    let reply = with_ca().await.read("container/nobody").await;

    let seen = failure(&reply);
    assert_eq!(seen, (400, "RoleNotFound".into(), "role: there is no role \"nobody\"".into()));
}

#[tokio::test]
async fn a_mount_without_a_ca_names_the_command_that_cures_it() {
    let mount = mount().await;
    mount.write("roles/app", json!({ "role_arn": ROLE })).await;

    let (status, code, message) = failure(&mount.read("container/app").await);

    assert_eq!((status, code.as_str()), (400, "NotConfigured"));
    assert!(message.contains("vault write test/root/generate/internal"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_read_is_one_request_to_the_anchors_region_for_the_role() {
    let aws = Aws::granting();
    let mount = asking(&aws).await;

    assert_eq!(mount.read("container/app").await.status, 200);

    let requests = aws.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(request.uri(), "https://rolesanywhere.eu-central-1.amazonaws.com/sessions");
    assert_eq!((&body["roleArn"], &body["trustAnchorArn"]), (&json!(ROLE), &json!(ANCHOR)));
    assert_eq!((&body["profileArn"], &body["durationSeconds"]), (&json!(PROFILE), &json!(3600)));
}

#[tokio::test(start_paused = true)]
async fn an_aws_that_refuses_connections_is_told_at_once() {
    let mount = asking(&Aws::unreachable()).await;

    let (status, code, message) = failure(&mount.read("container/app").await);

    assert_eq!((status, code.as_str()), (503, "AwsUnavailable"));
    assert!(message.contains("https://rolesanywhere.eu-central-1.amazonaws.com"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_aws_that_takes_over_a_second_is_waited_for() {
    let slow = Aws::failing(403, "AccessDeniedException").after(Duration::from_millis(1100));
    let mount = asking(&slow).await;

    let (status, code, _) = failure(&mount.read("container/app").await);

    assert_eq!((status, code.as_str()), (400, "AccessDeniedException"));
}

#[tokio::test(start_paused = true)]
async fn an_aws_that_is_silent_is_given_up_before_botocore_gives_up_vault() {
    let mount = asking(&Aws::silent()).await;
    let began = Instant::now();

    let (status, code, message) = failure(&mount.read("container/app").await);

    assert_eq!((status, code.as_str()), (503, "AwsUnavailable"));
    assert!(message.contains("no answer within "), "{message}");
    assert!(began.elapsed() < BOTOCORE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_standby_asks_vault_to_forward_in_vaults_own_words() {
    let reply = on_a_standby().await.read("container/app").await;

    assert_eq!((reply.raw, reply.error.as_str()), (None, READ_ONLY));
}

#[tokio::test]
async fn only_reads_are_offered() {
    let mount = with_ca().await;

    assert_eq!(mount.write("container/app", json!({})).await.status, 405);
    assert_eq!(mount.delete("container/app").await.status, 405);
}

#[tokio::test(start_paused = true)]
async fn a_mount_that_closes_ends_a_read_that_waits_for_aws() {
    let aws = Aws::silent();
    let mount = asking(&aws).await;
    let closing = async {
        aws.is_asked().await;
        vault_backend::Backend::cleanup(&*mount.backend);
    };

    let (reply, ()) = tokio::join!(mount.read("container/app"), closing);

    let (status, code, message) = failure(&reply);
    assert_eq!((status, code.as_str()), (503, "ServiceUnavailable"));
    assert!(message.contains("closing"), "{message}");
}

/// How long storage takes for one entry, as after a failover: a load of all takes longer than any caller of `container` waits.
const A_READ: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_load_goes_on_when_its_caller_leaves() {
    let mount = over(with_ca().await.storage).await;
    mount.storage.slow_down(A_READ);

    let impatient = timeout(A_READ * 3 / 2, mount.read("metrics")).await;
    sleep(A_READ * 20).await;
    let later = timeout(Duration::ZERO, mount.read("metrics")).await;

    assert!(impatient.is_err(), "the first caller had to leave");
    assert_eq!(later.expect("what the first one began is there").status, 200);
}

#[tokio::test(start_paused = true)]
async fn callers_who_come_and_go_share_one_load() {
    let mount = over(with_ca().await.storage).await;
    mount.storage.slow_down(A_READ);
    let began = Instant::now();

    while timeout(A_READ * 3 / 2, mount.read("metrics")).await.is_err() {
        assert!(began.elapsed() < A_READ * 20, "no load comes to its end");
    }
}
