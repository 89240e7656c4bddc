//! The binary that Vault starts: environment to serve. A person or an init container may ask it for one thing, `install`.

use std::process::ExitCode;

use engine::Engine;
use vault_backend::Plugin;

mod install;

const PLUGIN: Plugin = Plugin {
    name: "vault-plugin-secrets-iamra",
    version: concat!("v", env!("CARGO_PKG_VERSION")),
    about: "AWS credentials for pods through IAM Roles Anywhere, as a Vault secrets engine.",
    quiet_logs: &["aws_", "hickory", "quinn", "reqwest"],
};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "install") {
        return install::run(PLUGIN, words.collect());
    }
    vault_backend::main::<Engine>(PLUGIN)
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
