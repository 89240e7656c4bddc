//! The plugin as a later release would be: the same engine under another version. The upgrade story puts it in place of this one.

use std::process::ExitCode;

use engine::Engine;
use vault_backend::Plugin;

const PLUGIN: Plugin = Plugin {
    name: "vault-plugin-secrets-iamra",
    version: "v100.0.0",
    about: "A later release, for tests.",
    quiet_logs: &[],
};

fn main() -> ExitCode {
    vault_backend::main::<Engine>(PLUGIN)
}
