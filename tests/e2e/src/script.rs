//! The files of `vault-config/`, run and read as they are shipped.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use harness::{CliRun, Stage, Vault, admin, binaries};
use serde_json::json;

/// The path of a file of `vault-config/`.
pub fn config_file(name: &str) -> PathBuf {
    binaries::workspace().join("vault-config").join(name)
}

/// The variables in users' environments that change the output of `vault`, or of a shell's tools. Every script is run with them, and the
/// commands of the documents without.
const ODD: [(&str, &str); 8] = [
    ("VAULT_FORMAT", "json"),
    ("VAULT_DETAILED", "true"),
    ("VAULT_WRAP_TTL", "60s"),
    ("VAULT_CLI_NO_COLOR", ""),
    ("CDPATH", "/"),
    ("GREP_OPTIONS", "--color=always"),
    ("LANG", "de_DE.UTF-8"),
    ("LC_NUMERIC", "de_DE.UTF-8"),
];

/// Runs a shell script of `vault-config/` with a token of a server. Its environment has the system's programs, and the variables that users set.
///
/// # Panics
/// When the shell cannot be started.
pub async fn script(
    vault: &Vault,
    token: &str,
    name: &str,
    args: &[&str],
    environment: &[(&str, &str)],
) -> CliRun {
    let shell = if name.starts_with("plugin/") || name.starts_with("backup/") { "sh" } else { "bash" };
    let mut command = Command::new(shell);
    command
        .arg(config_file(name))
        .args(args)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", vault.folder())
        .env("VAULT_CLI", binaries::vault())
        .env("VAULT_ADDR", vault.addr())
        .env("VAULT_TOKEN", token)
        .envs(ODD)
        .envs(environment.iter().copied())
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the run is not aborted");
    let output = output.expect("the shell runs");
    CliRun {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Makes the AWS of a stage clamp sessions to some seconds.
pub async fn short_sessions(stage: &Stage, seconds: u32) {
    short_sessions_at(stage.aws.url(), seconds).await;
}

/// Makes the emulated AWS at `aws` clamp sessions to some seconds.
pub async fn short_sessions_at(aws: &str, seconds: u32) {
    let mut world = admin(aws, "GET", "state", None).await;
    world["profiles"][0]["duration_seconds"] = json!(seconds);
    admin(aws, "PUT", "state", Some(world)).await;
}
