//! The binary that Vault starts: environment to serve, and nothing else.

use std::process::ExitCode;

use engine::Engine;
use vault_backend::Plugin;

const PLUGIN: Plugin = Plugin {
    name: "vault-plugin-secrets-iamra",
    version: concat!("v", env!("CARGO_PKG_VERSION")),
    about: "AWS credentials for pods through IAM Roles Anywhere, as a Vault secrets engine.",
};

fn main() -> ExitCode {
    vault_backend::main::<Engine>(PLUGIN)
}
