//! One run of one caller: its output, with times.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use harness::REGION;
use sdks::{Call, Sdk};
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::grounds::Grounds;
use crate::way::Way;

/// The caller that cargo built.
const RUST: &str = env!("CARGO_BIN_EXE_sdk-rust");

/// The extra time for a start and a last call beyond a caller's own seconds, on a machine with many others.
const SPARE: Duration = Duration::from_secs(180);

/// Runs the caller of `sdk` on `way` for that many seconds, with no variable but AWS's; `more` come last.
///
/// # Panics
/// When it does not end in time.
pub(crate) async fn run(
    sdk: Sdk,
    way: Way,
    grounds: &Grounds,
    seconds: u32,
    more: &[(&str, String)],
) -> Vec<Call> {
    let words: Vec<String> = way.starter(grounds).into_iter().chain(sdk.caller(Path::new(RUST))).collect();
    let errors = File::create(grounds.path(&format!("{sdk:?}-{way:?}.err"))).expect("the folder is writable");
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .arg(seconds.to_string())
        .env_clear()
        .envs([("PATH", path()), ("HOME", grounds.path(""))])
        // the second is what botocore reads
        .envs([("AWS_REGION", REGION), ("AWS_DEFAULT_REGION", REGION)])
        .env("AWS_ENDPOINT_URL_STS", grounds.stage.aws.url())
        // an SDK that finds nothing elsewhere would look for an instance's metadata service on the network
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(way.variables(sdk, grounds))
        .envs(more.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", words[0]));
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut calls = Vec::new();
    let reading = async {
        while let Some(line) = lines.next_line().await.expect("a caller prints UTF-8") {
            calls.push(Call::read(now(), &line));
        }
    };
    let within = Duration::from_secs(seconds.into()) + SPARE;
    timeout(within, reading).await.unwrap_or_else(|_| panic!("{sdk:?} on {way:?} does not end"));
    calls
}

#[expect(clippy::disallowed_methods, reason = "the callers' runtimes are where the user has them")]
fn path() -> String {
    std::env::var("PATH").expect("there is a PATH")
}

#[expect(
    clippy::disallowed_methods,
    reason = "sessions end by the machine's clock; nothing here is a plugin's"
)]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
