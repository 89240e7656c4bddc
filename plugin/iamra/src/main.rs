//! The binary that Vault starts: environment to serve. A person or an init container may ask it for one thing, `install`.

use std::process::ExitCode;

use engine::Engine;
use vault_backend::Plugin;

mod install;

const PLUGIN: Plugin = Plugin {
    name: "vault-plugin-secrets-iamra",
    version: concat!("v", env!("CARGO_PKG_VERSION")),
    about: "AWS credentials for pods through IAM Roles Anywhere, as a Vault secrets engine.",
};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "install") {
        return install::run(PLUGIN, words.collect());
    }
    vault_backend::main::<Engine>(PLUGIN)
}
