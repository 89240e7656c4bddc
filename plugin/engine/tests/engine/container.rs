//! What `container/:role` answers when there is no session to give, in process: no Vault, no AWS.

use std::time::Duration;

use crate::mounts::{ANCHOR, PROFILE, ROLE, mount, on_a_standby, with_ca};
use engine::Engine;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use vault_backend::READ_ONLY;
use vault_backend::testing::{Reply, TestMount};

/// How long it waits for an answer.
const BOTOCORE: Duration = Duration::from_secs(2);

/// A mount that has everything but an AWS: it asks `endpoint`.
async fn asking(endpoint: &str) -> TestMount<Engine> {
    let mount = with_ca().await;
    let config = json!({
        "endpoint": endpoint, "max_retries": 0,
        "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE,
    });
    assert_eq!(mount.write("config", config).await.error, "");
    assert_eq!(mount.write("roles/app", json!({ "role_arn": ROLE })).await.error, "");
    mount
}

/// Status, code and message of a failure; the shape holds for all of them.
fn failure(reply: &Reply) -> (u16, String, String) {
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

    let told = failure(&reply);
    assert_eq!(told, (400, "RoleNotFound".into(), "role: there is no role \"nobody\"".into()));
}

#[tokio::test]
async fn a_mount_without_a_ca_names_the_command_that_cures_it() {
    let mount = mount().await;
    mount.write("roles/app", json!({ "role_arn": ROLE })).await;

    let (status, code, message) = failure(&mount.read("container/app").await);

    assert_eq!((status, code.as_str()), (400, "NotConfigured"));
    assert!(message.contains("vault write test/root/generate/internal"), "{message}");
}

#[tokio::test]
async fn an_aws_that_refuses_connections_is_told_at_once() {
    let mount = asking("http://127.0.0.1:1").await;

    let (status, code, message) = failure(&mount.read("container/app").await);

    assert_eq!((status, code.as_str()), (503, "AwsUnavailable"));
    assert!(message.contains("http://127.0.0.1:1"), "{message}");
}

/// What a read gives of an AWS that refuses after more than a second.
async fn of_a_slow_aws() -> (u16, String, String) {
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mount = asking(&format!("http://{}", slow.local_addr().unwrap())).await;
    let refusal = b"HTTP/1.1 403 F\r\nx-amzn-errortype: AccessDeniedException\r\ncontent-length: 16\r\n\r\n{\"message\":\"no\"}";
    let answering = async {
        let (mut stream, _) = slow.accept().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        stream.write_all(refusal).await.unwrap();
    };

    let (reply, ()) = tokio::join!(mount.read("container/app"), answering);
    failure(&reply)
}

#[tokio::test]
async fn an_aws_that_takes_over_a_second_is_waited_for() {
    let mut seen = Vec::new();

    // a busy machine makes one slower than a read may take, and not all
    while seen.len() < 5 && !seen.iter().any(|(status, _, _)| *status == 400) {
        seen.push(of_a_slow_aws().await);
    }

    let waited = seen.iter().any(|(status, code, _)| *status == 400 && code == "AccessDeniedException");
    assert!(waited, "{seen:?}");
}

#[tokio::test]
async fn an_aws_that_is_silent_is_given_up_before_botocore_gives_up_vault() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mount = asking(&format!("http://{}", silent.local_addr().unwrap())).await;
    let mut took = Vec::new();

    // a busy machine delays one read or the other, and not all
    while took.len() < 5 && !took.iter().any(|took| *took < BOTOCORE) {
        let began = tokio::time::Instant::now();
        let (status, code, message) = failure(&mount.read("container/app").await);

        assert_eq!((status, code.as_str()), (503, "AwsUnavailable"));
        assert!(message.contains("no answer within "), "{message}");
        took.push(began.elapsed());
    }

    assert!(took.iter().any(|took| *took < BOTOCORE), "{took:?}");
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

#[tokio::test]
async fn a_mount_that_closes_ends_a_read_that_waits_for_aws() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mount = asking(&format!("http://{}", silent.local_addr().unwrap())).await;
    let closing = async {
        silent.accept().await.unwrap();
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
    let mount: TestMount<Engine> = TestMount::over(with_ca().await.storage).await.unwrap();
    mount.storage.slow_down(A_READ);

    let impatient = timeout(A_READ * 3 / 2, mount.read("metrics")).await;
    sleep(A_READ * 20).await;
    let later = timeout(Duration::ZERO, mount.read("metrics")).await;

    assert!(impatient.is_err(), "the first caller had to leave");
    assert_eq!(later.expect("what the first one began is there").status, 200);
}

#[tokio::test(start_paused = true)]
async fn callers_who_come_and_go_share_one_load() {
    let mount: TestMount<Engine> = TestMount::over(with_ca().await.storage).await.unwrap();
    mount.storage.slow_down(A_READ);
    let began = Instant::now();

    while timeout(A_READ * 3 / 2, mount.read("metrics")).await.is_err() {
        assert!(began.elapsed() < A_READ * 20, "no load comes to its end");
    }
}
