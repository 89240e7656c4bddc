//! Each AWS SDK's use of our credentials, on each way in: ordinary programs of one process and one
//! client, with no variable but AWS's own. The table in docs/sdks.md is the one that these tests check.
//!
//! ```text
//! caller (boto3, Go, …) ──▶ node agent │ files of Vault Agent │ Vault Proxy │ Vault over https ──▶ engine ──▶ AWS (the emulator)
//!        └── sts:GetCallerIdentity, twice a second, while sessions of 20 seconds come and go ───────────▲
//! ```
//! Start reading at [`table::expected`]. `make sdk-table` writes the table into docs/sdks.md.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod agent;
mod failures;
mod grounds;
mod run;
mod table;
mod way;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use grounds::{Grounds, SESSION};
use run::{now, run};
use sdks::{Call, Outcome, first_error};
use table::{Cell, expected, markdown};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// While a caller runs, two sessions end one after the other, at any moment of a session at which it starts. A fourth session is for a
/// machine on which a start takes seconds.
const SECONDS: u32 = 4 * SESSION + 2;

/// The pause between the starts of two callers, so that two cores load one runtime at a time.
const APART: Duration = Duration::from_millis(250);

#[tokio::test]
async fn the_sdks_do_what_the_table_says() {
    let grounds = Arc::new(Grounds::new().await);

    let watch = tokio::spawn(the_file_is_never_stale(grounds.clone()));
    let measured = measure(&grounds, expected()).await;

    assert!(!watch.is_finished(), "Agent let the credentials file go stale");
    watch.abort();
    let wrong: Vec<String> = measured.iter().filter_map(|run| difference(&grounds, run)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // past the capture of the test runner
    writeln!(std::io::stderr(), "\n{}", markdown(&expected())).expect("stderr is open");
}

/// Runs all cells side by side.
async fn measure(grounds: &Arc<Grounds>, cells: Vec<Cell>) -> Vec<(Cell, Vec<Call>)> {
    let mut running = JoinSet::new();
    for cell in cells {
        let grounds = grounds.clone();
        running.spawn(async move {
            let said = run(cell.sdk, cell.way, &grounds, SECONDS, &[]).await;
            (cell, said)
        });
        sleep(APART).await;
    }
    running.join_all().await
}

/// The difference between a run and its cell, if there is one.
fn difference(grounds: &Grounds, (cell, calls): &(Cell, Vec<Call>)) -> Option<String> {
    let outcome = Outcome::of(calls, &grounds.ends());
    let error = first_error(calls);
    let same = outcome == cell.outcome && error.contains(cell.says);
    (!same).then(|| {
        let Cell { sdk, way, outcome: wanted, says, .. } = cell;
        format!("{sdk:?} by {way:?} is {outcome:?}, not {wanted:?} {says:?}; its first error: {error:?}")
    })
}

/// Panics only if the session in the credentials file has ended.
async fn the_file_is_never_stale(grounds: Arc<Grounds>) {
    loop {
        let end = grounds.end_in_file();
        assert!(end > now(), "the session in the credentials file ended at {end}");
        sleep(Duration::from_millis(250)).await;
    }
}
