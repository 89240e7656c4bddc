//! What the operator sets, by flag or by environment variable; `--help` is its reference.

#![allow(
    clippy::doc_markdown,
    reason = "clap prints these comments, and a terminal shows backticks as they are"
)]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use url::Url;

/// AWS credentials for the pods of this node, from Vault, by the local protocol of the EKS Pod Identity agent.
///
/// A pod's AWS SDK asks http://169.254.170.23/v1/credentials with the pod's own service-account token. The agent logs in to Vault
/// with that token, reads <mount>/container/<role> with what the login gave, and answers the session. It holds no credential of
/// its own: Vault decides who may have what, and audits it.
#[derive(Debug, Parser)]
#[command(name = "iamra-node-agent", version, next_line_help = true)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Options {
    /// The options of this process. Help and wrong options end it here, with clap's own text and status.
    pub fn from_arguments() -> Options {
        Options::parse()
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer the pods of this node until SIGTERM
    Serve(Box<ServeOptions>),
    /// Make the dummy link that holds the agent's addresses; as root, or with CAP_NET_ADMIN
    Link(LinkOptions),
}

/// Where Vault is and who logs in there how: the same for each subcommand that asks Vault.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Vault")]
pub struct VaultOptions {
    /// Vault's address; several are tried in order, each when the one before it does not answer
    #[arg(long, env = "VAULT_ADDR", value_name = "URL", value_delimiter = ',', required = true)]
    pub vault_addr: Vec<Url>,

    /// File with the CA certificates (PEM) that Vault's certificate must chain to; read again when it changes. Default: the system's
    #[arg(long, env = "VAULT_CACERT", value_name = "FILE")]
    pub vault_cacert: Option<PathBuf>,

    /// Vault namespace (Enterprise) of the auth method and the secrets engine
    #[arg(long, env = "VAULT_NAMESPACE", value_name = "NAMESPACE")]
    pub vault_namespace: Option<String>,

    /// Mount of the Kubernetes auth method
    #[arg(long, env = "IAMRA_AUTH_MOUNT", value_name = "MOUNT", default_value = "kubernetes")]
    pub auth_mount: String,

    /// Role of the auth method under which pods log in; vault-config/kubernetes/setup.sh --associations writes it
    #[arg(long, env = "IAMRA_AUTH_ROLE", value_name = "ROLE", default_value = "associations")]
    pub auth_role: String,

    /// Mount of the secrets engine
    #[arg(long, env = "IAMRA_MOUNT", value_name = "MOUNT", default_value = "iamra")]
    pub mount: String,

    /// Engine role of a pod, from the names in its token
    #[arg(
        long,
        env = "IAMRA_ROLE_PATTERN",
        value_name = "PATTERN",
        default_value = "{namespace}.{service_account}"
    )]
    pub role_pattern: String,

    /// Engine role of the pods for which the engine has no role by the pattern. Default: such pods are refused
    #[arg(long, env = "IAMRA_FALLBACK_ROLE", value_name = "ROLE")]
    pub fallback_role: Option<String>,
}

/// The options of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    /// Where Vault is.
    #[command(flatten)]
    pub vault: VaultOptions,

    /// Addresses on which pods ask; they must be on a link of this node: iamra-node-agent link
    #[arg(
        long,
        env = "IAMRA_LISTEN",
        value_name = "ADDRESS:PORT",
        value_delimiter = ',',
        default_value = "169.254.170.23:80",
        help_heading = "Serving"
    )]
    pub listen: Vec<SocketAddr>,

    /// Address of /metrics (Prometheus), /healthz (liveness) and /readyz (readiness)
    #[arg(
        long,
        env = "IAMRA_METRICS_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:9810",
        help_heading = "Serving"
    )]
    pub metrics_listen: SocketAddr,

    /// Least important log lines that are written: error, warn, info, debug or trace
    #[arg(
        long,
        env = "IAMRA_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info",
        help_heading = "Serving"
    )]
    pub log_level: String,
}

/// The options of `link`.
#[derive(Debug, Clone, Args)]
pub struct LinkOptions {
    /// Addresses of the link, each with its prefix length. Default: 169.254.170.23/32, and fd00:ec2::23/128 where the node has IPv6
    #[arg(long, env = "IAMRA_LINK_ADDRESSES", value_name = "ADDRESS/LENGTH", value_delimiter = ',')]
    pub address: Vec<String>,

    /// Name of the link
    #[arg(long, value_name = "NAME", default_value = "iamra0")]
    pub name: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_options_contradict_nothing_that_clap_checks() {
        Options::command().debug_assert();
    }
}
