//! What credentials cost a node: pods with a sidecar beside pods with the node agent, side by side in one run, on the cluster that runs.
//!
//! ```text
//! main ──▶ way.rs        starts the pods of one way and measures them
//!             └──▶ processes.rs   memory and processor time of those who serve them
//!      ──▶ report.rs     the table, its ratios, and the goals
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness reports by panicking, everywhere")]

mod processes;
mod report;
mod way;

use std::io::Write as _;
use std::path::PathBuf;

use cluster::Cluster;
use serde_json::json;

/// How many pods a way has, unless `BENCH_PODS` says otherwise.
const PODS: usize = 30;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut files = std::env::args_os().skip(1).map(PathBuf::from);
    let report = files.next().expect("usage: bench_pods REPORT [PAGE]");
    let pods = pods();

    let vault = Cluster::running().vault();
    // of an earlier run on this cluster
    let _ = vault.delete("sys/audit/bench").await;
    let audit = json!({ "type": "file", "options": { "file_path": way::AUDIT } });
    let _ = vault.write("sys/audit/bench", audit).await.ok();
    let sidecars = way::measure(&way::SIDECARS, pods).await;
    let agent = way::measure(&way::NODE_AGENT, pods).await;

    let table = report::table(pods, &sidecars, &agent);
    // the report is in its file, too
    let _ = writeln!(std::io::stdout(), "{table}");
    std::fs::write(report, &table).expect("the report's folder is writable");
    if let Some(page) = files.next() {
        report::write_into(&page, &table);
    }
}

#[expect(clippy::disallowed_methods, reason = "how a person asks for a quick run")]
fn pods() -> usize {
    std::env::var("BENCH_PODS").ok().and_then(|text| text.parse().ok()).unwrap_or(PODS)
}
