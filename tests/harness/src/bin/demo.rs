//! The demo: a dev Vault with the plugin, an AWS on loopback, one read, and AWS's answer on whose credentials they are.
//!
//! `--stay` leaves all of it running until Ctrl-C; either way everything is ended and removed on the way out.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use harness::{Stage, binaries};
use tokio::signal::ctrl_c;

const READ: [&str; 2] = ["read", "iamra/creds/demo"];
const WHO: &str =
    "AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_SESSION_TOKEN=… aws sts get-caller-identity";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let stay = std::env::args().any(|argument| argument == "--stay");
    tokio::select! {
        outcome = demo(stay) => match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(&format!("demo: {error}"));
                ExitCode::FAILURE
            }
        },
        _ = ctrl_c() => ExitCode::SUCCESS,
    }
}

async fn demo(stay: bool) -> Result<(), String> {
    say(&format!("vault:  {}\nplugin: {}", binaries::vault().display(), binaries::plugin().display()));
    let stage = Stage::dev().await;
    say(&format!("\n$ vault {}", READ.join(" ")));
    say(stage.vault.cli(&READ).await.ok().trim_end());

    let answer = stage.creds("demo").await.ok();
    say(&format!("\n$ {WHO}    # signed with the credentials of a second read"));
    let who = stage.caller(&answer).await.map_err(|error| error.to_string())?;
    say(&who.arn);
    if who.arn != answer.string("arn") {
        return Err(format!("the engine said {}", answer.string("arn")));
    }
    if stay {
        play(&stage).await;
    }
    Ok(())
}

/// Prepares everything that the tutorial's commands name, prints how to reach it, and stays.
async fn play(stage: &Stage) {
    stage.to_play_with().await;
    let aws = stage.aws.url().trim_end_matches('/');
    say(&format!(
        "\nStill running until Ctrl-C; in another terminal:\n  export VAULT_ADDR={} VAULT_TOKEN={} PATH={}:$PATH\n  vault read iamra/creds/app\n  vault read iamra/check/app\n  AWS_ENDPOINT_URL={aws} aws sts get-caller-identity   # with a read's three values in the environment\n  curl {aws}/_admin/sessions                           # also state, knobs and log of the emulated account\nThe issuer is 2026, the engine looks after trust-anchors/main, and roles are app and demo.",
        stage.vault.addr(),
        stage.vault.root_token(),
        binaries::vault().parent().unwrap_or(Path::new(".")).display(),
    ));
    std::future::pending::<()>().await;
}

fn say(text: &str) {
    // a closed pipe is not a reason to fail: everything that was started is still cleaned up
    let _ = writeln!(std::io::stdout(), "{text}");
}
