//! Runs of the real `vault` command line.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::binaries;

/// The result of one run of the command line.
#[derive(Clone, Debug)]
pub struct CliRun {
    /// The exit code: 0 is success, 2 an error of the server; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl CliRun {
    /// Runs `vault <args>` against `addr`, with no environment but the default `PATH`.
    pub(crate) async fn of(addr: &str, token: &str, home: PathBuf, args: &[&str]) -> CliRun {
        let mut command = Command::new(binaries::vault());
        command
            .args(args)
            .env_clear()
            .envs([("VAULT_ADDR", addr), ("VAULT_TOKEN", token), ("VAULT_CLI_NO_COLOR", "1")])
            .env("HOME", home)
            .stdin(Stdio::null());
        let output =
            tokio::task::spawn_blocking(move || command.output()).await.expect("the run is not aborted");
        let output = output.expect("vault runs");
        CliRun {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output of a run that must succeed.
    ///
    /// # Panics
    /// With both outputs if it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stderr, self.stdout);
        self.stdout
    }

    /// Standard output of a run with `-format=json` that must succeed.
    ///
    /// # Panics
    /// When it failed or printed no JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in: {text}"))
    }
}
