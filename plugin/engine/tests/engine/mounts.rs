//! Mounts of the engine in memory: no Vault, no network. A mount that is given no [`Aws`] cannot reach one.

use std::sync::Arc;

use engine::Engine;
use serde_json::json;
use vault_backend::testing::TestMount;
use vault_backend::{Backend, FakeSystemView, Mount, ReplicationState, Storage, SystemView};

use crate::aws::Aws;

pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app";
pub(crate) const ANCHOR: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0f0f0f0f-1111-4222-8333-444444444444";
pub(crate) const PROFILE: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0f0f0f0f-1111-4222-8333-555555555555";

/// An empty mount.
pub(crate) async fn mount() -> TestMount<Engine> {
    mount_calling(&Aws::unreachable()).await
}

/// An empty mount that calls `aws`.
pub(crate) async fn mount_calling(aws: &Aws) -> TestMount<Engine> {
    on(Storage::in_memory(), aws).await
}

/// A mount on what another one has stored.
pub(crate) async fn over(storage: Storage) -> TestMount<Engine> {
    on(storage, &Aws::unreachable()).await
}

async fn on(storage: Storage, aws: &Aws) -> TestMount<Engine> {
    let mount = Mount::in_memory(storage, SystemView::fake(FakeSystemView::default()));
    let engine = Engine::with_transport(mount.clone(), Arc::new(aws.clone()));
    TestMount::serving(engine, mount).await.expect("the mount initialises")
}

/// A mount that has a CA.
pub(crate) async fn with_ca() -> TestMount<Engine> {
    with_ca_calling(&Aws::unreachable()).await
}

/// A mount that has a CA and calls `aws`.
pub(crate) async fn with_ca_calling(aws: &Aws) -> TestMount<Engine> {
    let mount = mount_calling(aws).await;
    let reply = mount
        .write("root/generate/internal", json!({ "common_name": "test CA", "issuer_name": "one" }))
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    mount
}

/// A mount that has a CA, on a node that is told to be a performance standby.
pub(crate) async fn on_a_standby() -> TestMount<Engine> {
    let mount = over(with_ca().await.storage).await;
    becomes_a_standby(&mount).await;
    mount
}

/// Tells the mount that its node is a performance standby.
pub(crate) async fn becomes_a_standby(mount: &TestMount<Engine>) {
    mount.system.change(|fixed| fixed.replication_state = ReplicationState(1 << 14));
    let again = Mount::in_memory(mount.storage.clone(), mount.system.clone());
    Backend::initialize(mount.backend.clone(), again).await.unwrap();
}

/// The keys that writes of the configuration have put. A session puts its record by itself, at any moment after its answer.
pub(crate) fn configured(storage: &Storage) -> Vec<String> {
    storage.puts().into_iter().filter(|key| !key.starts_with("session")).collect()
}
