//! Vault dies without notice, and the plugin ends by itself.

use std::time::Duration;

use harness::{Stage, has_ended, sockets_of};

#[tokio::test]
async fn a_plugin_whose_vault_was_killed_ends_and_removes_its_socket() {
    let mut stage = Stage::dev().await;
    let _ = stage.creds("demo").await.ok();
    let pids = stage.vault.live_plugins();
    let sockets: Vec<_> = pids.iter().flat_map(|&pid| sockets_of(pid)).collect();
    assert!(sockets.iter().any(|socket| socket.exists()), "{pids:?} {sockets:?}");

    stage.vault.kill9();

    for pid in pids {
        has_ended(pid, Duration::from_secs(60)).await;
    }
    let left: Vec<_> = sockets.iter().filter(|socket| socket.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_vault_that_ends_in_order_leaves_no_plugin() {
    let mut stage = Stage::on(harness::Vault::server_file().await).await;
    let before = stage.vault.live_plugins();

    stage.vault.restart().await;

    for pid in before {
        has_ended(pid, Duration::from_secs(60)).await;
    }
}
