//! The faults of the run: plugins are killed, leaders step down or die, and AWS fails.

use std::sync::Arc;
use std::time::Duration;

use harness::{RaftCluster, admin, kill, until};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::Schedule;
use super::figures::Figures;

const RECOVERY: Duration = Duration::from_secs(120);
/// The leader was asked to step down.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long AWS stays in one state.
const SPELL: Duration = Duration::from_secs(7);

/// Kills the plugin, makes the leader step down, kills the plugin, kills the leader, and so on, until the calm part of the run.
pub(crate) async fn disturb(cluster: &mut RaftCluster, figures: &Arc<Figures>, schedule: Schedule) {
    let pause = schedule.between_troubles();
    let mut nth = 0;
    while Instant::now() + pause < schedule.calm {
        sleep(pause).await;
        figures.troubles.begin();
        match nth % 4 {
            1 if cluster.step_down_within(PATIENCE).await.is_some() => {
                figures.count(|counts| counts.leader_changes += 1);
            }
            // a person would also end a leader that stays although it was asked to step down
            1 => {
                figures.count(|counts| counts.stayed += 1);
                kill_the_leader(cluster, figures).await;
            }
            3 => kill_the_leader(cluster, figures).await,
            _ => {
                kill_the_plugin(cluster).await;
                figures.count(|counts| counts.kills += 1);
            }
        }
        serves_again(cluster).await;
        figures.troubles.end();
        nth += 1;
    }
    sleep_until(schedule.end).await;
}

async fn kill_the_leader(cluster: &mut RaftCluster, figures: &Arc<Figures>) {
    let leader = cluster.leader().await;
    cluster.kill(leader);
    let _ = cluster.leader().await;
    cluster.start_again(leader).await;
    figures.vaults_are(cluster);
    figures.count(|counts| counts.leader_changes += 1);
}

async fn kill_the_plugin(cluster: &RaftCluster) {
    let leader = cluster.member(cluster.leader().await);
    let pids = until("a plugin process of the leader", RECOVERY, async || {
        Some(leader.plugin_pids()).filter(|pids| !pids.is_empty())
    })
    .await;
    pids.iter().copied().for_each(kill);
    until("a new plugin process", RECOVERY, async || {
        leader.plugin_pids().iter().any(|pid| !pids.contains(pid)).then_some(())
    })
    .await;
}

async fn serves_again(cluster: &RaftCluster) {
    let leader = cluster.member(cluster.leader().await);
    until("a read by the leader", RECOVERY, async || {
        let reply = leader.root().try_call("GET", "iamra/roles/app", None, &[]).await;
        reply.is_ok_and(|reply| reply.status == 200).then_some(())
    })
    .await;
}

/// Makes AWS work and fail in turn.
pub(crate) async fn weather(aws: String, end: Instant) {
    for nth in 0.. {
        if Instant::now() >= end {
            break;
        }
        admin(&aws, "PUT", "knobs", Some(spell(nth))).await;
        sleep(SPELL).await;
    }
    admin(&aws, "PUT", "knobs", Some(json!({}))).await;
}

fn spell(nth: usize) -> Value {
    match nth % 6 {
        0 => json!({ "unwell_percent": 20 }),
        1 => json!({ "latency_ms": 200 }),
        2 => json!({ "throttle_next": 3 }),
        3 => json!({ "iam_fail_next": { "count": 1, "status": 500 }, "iam_throttle_next": 1 }),
        4 => json!({ "lose_reply_next": 1 }),
        _ => json!({}),
    }
}
