//! Mounts of the engine in memory: no Vault, no AWS.

use engine::Engine;
use serde_json::json;
use vault_backend::testing::TestMount;
use vault_backend::{Backend, Mount, ReplicationState};

pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app";
pub(crate) const ANCHOR: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0f0f0f0f-1111-4222-8333-444444444444";
pub(crate) const PROFILE: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0f0f0f0f-1111-4222-8333-555555555555";

pub(crate) async fn mount() -> TestMount<Engine> {
    TestMount::new().await.expect("an empty mount initialises")
}

pub(crate) async fn with_ca() -> TestMount<Engine> {
    let mount = mount().await;
    let reply = mount
        .write("root/generate/internal", json!({ "common_name": "test CA", "issuer_name": "one" }))
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    mount
}

/// A mount that has a CA, on a node that is told to be a performance standby.
pub(crate) async fn on_a_standby() -> TestMount<Engine> {
    let storage = with_ca().await.storage;
    let mount: TestMount<Engine> = TestMount::over(storage).await.unwrap();
    mount.system.change(|fixed| fixed.replication_state = ReplicationState(1 << 14));
    let again = Mount::in_memory(mount.storage.clone(), mount.system.clone());
    Backend::initialize(mount.backend.clone(), again).await.unwrap();
    mount
}
