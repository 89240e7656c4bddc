//! A performance standby, as Vault Enterprise has them: it reads by itself, learns of writes by `InvalidateKey`, and forwards what
//! takes a session. The Community Edition runs no plugin on a standby, so this is tested without a Vault.

use crate::mounts::{ANCHOR, PROFILE, ROLE, becomes_a_standby, over, with_ca};
use engine::Engine;
use serde_json::json;
use vault_backend::testing::TestMount;
use vault_backend::{Backend, READ_ONLY};

/// The active node and a standby over one storage, which only the first may write.
async fn pair() -> (TestMount<Engine>, TestMount<Engine>) {
    let active = with_ca().await;
    let standby = over(active.storage.clone()).await;
    becomes_a_standby(&standby).await;
    let role = json!({ "role_arn": ROLE, "trust_anchor_arn": ANCHOR, "profile_arn": PROFILE });
    assert!(active.write("roles/app", role).await.status < 300);
    (active, standby)
}

#[tokio::test]
async fn every_way_to_a_session_is_forwarded_in_vaults_words() {
    let (_active, standby) = pair().await;

    for path in ["creds/app", "sts/app", "container/app"] {
        let reply = standby.read(path).await;

        assert_eq!(reply.error, READ_ONLY, "{path}: {reply:?}");
    }
}

#[tokio::test]
async fn a_standby_answers_from_a_write_once_it_is_told_of_it() {
    let (active, standby) = pair().await;
    let before = standby.read("ca/pem").await;

    let made =
        active.write("root/generate/internal", json!({ "common_name": "next", "issuer_name": "next" })).await;
    assert_eq!(made.status, 200, "{made:?}");
    let written = active.write("config/issuers", json!({ "default": "next" })).await;
    assert!(written.status < 300, "{written:?}");
    for key in active.storage.puts() {
        standby.backend.invalidate(&key);
    }

    let after = standby.read("ca/pem").await;
    assert_eq!(after, active.read("ca/pem").await);
    assert_ne!(after, before);
}

#[tokio::test]
async fn a_write_on_a_standby_is_forwarded_and_stores_nothing() {
    let (active, standby) = pair().await;
    let puts = active.storage.puts();
    standby.storage.fail_writes(true);

    let reply = standby.write("roles/other", json!({ "role_arn": ROLE })).await;

    assert_eq!(reply.error, READ_ONLY, "{reply:?}");
    assert_eq!(active.storage.puts(), puts);
}
