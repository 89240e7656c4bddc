//! The binary that Vault starts: environment to serve. An init container may ask it to `install` itself, and a person to `trace` a
//! session.

use std::process::ExitCode;

use engine::Engine;
use vault_backend::Plugin;

mod install;
mod trace;

const PLUGIN: Plugin = Plugin {
    name: "vault-plugin-secrets-iamra",
    version: concat!("v", env!("CARGO_PKG_VERSION")),
    about: "AWS credentials for pods through IAM Roles Anywhere, as a Vault secrets engine.",
    quiet_logs: &["aws_", "hickory", "quinn", "reqwest"],
};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let command = words.next();
    match command.as_ref().and_then(|word| word.to_str()) {
        Some("install") => install::run(PLUGIN, words.collect()),
        Some("trace") => trace::run(PLUGIN, words.collect()),
        _ => vault_backend::main::<Engine>(PLUGIN),
    }
}

#[cfg(test)]
mod tests {
    use super::PLUGIN;

    #[test]
    fn the_crates_that_carry_calls_to_aws_may_warn_and_no_more() {
        for target in ["aws_sigv4::sign", "hickory_net::udp", "quinn::endpoint", "reqwest::connect"] {
            assert!(PLUGIN.quiet_logs.iter().any(|quiet| target.starts_with(quiet)), "{target}");
        }
    }
}
