//! The demo: a dev Vault with the plugin, an AWS on loopback, one read, and AWS's word on whose credentials they are.
//!
//! `--stay` leaves all of it running until Ctrl-C; either way everything is ended and removed on the way out.

use std::io::Write;
use std::process::ExitCode;

use harness::{Stage, binaries};
use tokio::signal::ctrl_c;

const READ: [&str; 2] = ["read", "iamra/creds/demo"];

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
    say(&format!("\n$ vault {} -format=json | whoami    # a signed sts:GetCallerIdentity", READ.join(" ")));
    let who = stage.caller(&answer).await.map_err(|error| error.to_string())?;
    say(&who.arn);
    if who.arn != answer.string("arn") {
        return Err(format!("the engine said {}", answer.string("arn")));
    }
    if stay {
        say(&format!(
            "\nStill running until Ctrl-C; in another terminal:\n  export VAULT_ADDR={} VAULT_TOKEN={}\n  vault read iamra/creds/demo\n  curl {}/_admin/sessions",
            stage.vault.addr(),
            stage.vault.root_token(),
            stage.aws.url().trim_end_matches('/'),
        ));
        std::future::pending::<()>().await;
    }
    Ok(())
}

fn say(text: &str) {
    // a closed pipe is no reason to fail: what was started is still cleaned up
    let _ = writeln!(std::io::stdout(), "{text}");
}
