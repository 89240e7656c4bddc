//! The command `cluster`: up, down, and run.

use std::io::Write;
use std::process::{Command, ExitCode};

use tokio::signal::unix::{SignalKind, signal};

use crate::cluster::Cluster;
use crate::host;
use crate::install::{VAULT, install, root_token};
use crate::layout::Layout;
use crate::supervise::supervise;
use crate::traces;

const USAGE: &str = "\
usage: cluster up | down | run COMMAND...

  up     starts a Kubernetes of one node, with Vault, the plugin, the node agent and the injector in it
  down   ends it and removes all that it left on this host
  run    up, then COMMAND, then down, whatever COMMAND does; its exit code is COMMAND's
";

/// The main function of the binary.
pub async fn main(arguments: Vec<String>) -> ExitCode {
    let layout = Layout::of_workspace();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["up"] => {
            up(&layout).await.map_err(|error| format!("{error}\n`make cluster-down` ends what was started"))
        }
        ["down"] => down(&layout).await,
        ["run", ..] if words.len() > 1 => return run(&layout, &words[1..]).await,
        ["supervise"] => supervise(&layout).await,
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("cluster: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn up(layout: &Layout) -> Result<(), String> {
    let started = tokio::time::Instant::now();
    host::up(layout).await?;
    say(&format!("the node is ready after {} s", started.elapsed().as_secs()));
    install(layout, &Cluster::running()).await?;
    say(&format!(
        "Vault, the plugin, the node agent and the injector are ready after {} s",
        started.elapsed().as_secs()
    ));
    say(&format!("\n  export KUBECONFIG={}", layout.kubeconfig().display()));
    say(&format!("  export VAULT_ADDR={VAULT} VAULT_TOKEN={}", root_token()));
    say("  kubectl apply -k k8s/namespace");
    say("  kubectl apply -k k8s/overlays/local/pod-identity");
    Ok(())
}

async fn down(layout: &Layout) -> Result<(), String> {
    match host::down(layout).await? {
        true => say("the cluster has ended"),
        false => say("there is no cluster"),
    }
    Ok(())
}

/// Ends the cluster also when this process is asked to end, and fails if the host is then not as it was.
async fn run(layout: &Layout, command: &[&str]) -> ExitCode {
    let before = traces::of_host();
    let mut terminated = signal(SignalKind::terminate()).expect("signals can be awaited");
    let work = async {
        up(layout).await?;
        let mut command_line = Command::new(command[0]);
        command_line.args(&command[1..]);
        tokio::task::spawn_blocking(move || command_line.status())
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("{}: {error}", command[0]))
    };
    let outcome = tokio::select! {
        outcome = work => outcome.map(|status| status.code().unwrap_or(1)),
        _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
        _ = terminated.recv() => Err("terminated".to_owned()),
    };
    let ended = match down(layout).await {
        Ok(()) => traces::vanished(&before).await,
        failed => failed,
    };
    match (outcome, ended) {
        (Ok(0), Ok(())) => ExitCode::SUCCESS,
        (Ok(code), Ok(())) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        (Err(error), _) | (_, Err(error)) => {
            say(&format!("cluster: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    // a closed pipe is not a reason to fail: everything that was started is still cleaned up
    let _ = writeln!(std::io::stdout(), "{text}");
}
