//! A real Vault Agent or Vault Proxy, ended when it is dropped.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use harness::binaries;
use serde_json::Value;

/// A running Agent or Proxy.
pub(crate) struct Agent(Child);

impl Agent {
    /// Starts `vault <program>` with this configuration; it logs to `<program>.log` in `folder`. It retries nothing, as with
    /// the injector's `client-max-retries: "0"`, because retries would hide the engine's failures for a minute.
    pub(crate) fn start(program: &str, folder: &Path, config: &Value) -> Agent {
        let file = folder.join(format!("{program}.json"));
        fs::write(&file, config.to_string()).expect("the folder is writable");
        let log = File::create(folder.join(format!("{program}.log"))).expect("the folder is writable");
        let child = Command::new(binaries::vault())
            .arg(program)
            .arg(format!("-config={}", file.display()))
            .env_clear()
            .env("HOME", folder)
            .env("VAULT_MAX_RETRIES", "0")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of a file"))
            .stderr(log)
            .spawn()
            .expect("vault runs");
        Agent(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
