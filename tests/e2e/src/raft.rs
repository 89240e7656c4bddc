//! The engine on a cluster of Vaults.

use harness::{Emulator, RaftCluster, binaries, emulated_aws, set_up};

/// Mounts the engine at `iamra` on the cluster, and sets it up with an AWS of its own.
pub async fn engine_on(cluster: &RaftCluster) -> Emulator {
    let plugin = cluster.register(binaries::plugin()).await;
    let leader = cluster.member(cluster.leader().await);
    leader.mount("iamra", &plugin.name).await;
    let aws = emulated_aws().await;
    set_up(leader.root(), aws.url(), "iamra").await;
    aws
}
