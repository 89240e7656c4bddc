//! What the operator sets, by flag or by environment variable; `--help` is its reference.

#![allow(
    clippy::doc_markdown,
    reason = "clap prints these comments, and a terminal shows backticks as they are"
)]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use tracing::Level;
use url::Url;

use crate::role::{EngineRole, RolePattern};

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
    /// Succeed if the agent in this container is ready: for a startup probe, because two agents share the address of /readyz while one takes over
    Ready,
    /// Answer one request of the kubelet for the login of a private registry of ECR; a credential provider, not for a person to run
    Ecr(Box<EcrOptions>),
}

/// Where Vault is and who logs in there how: the same for each subcommand that asks Vault.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Vault")]
pub struct VaultOptions {
    /// Vault's address; several are tried in order, each when the one before it does not answer
    #[arg(
        long,
        env = "VAULT_ADDR",
        value_name = "URL",
        value_delimiter = ',',
        required = true,
        value_parser = vault_address
    )]
    pub vault_addr: Vec<Url>,

    /// File with the CA certificates (PEM) that Vault's certificate must chain to; read again when it changes. Default, and if empty: the system's
    #[arg(long, env = "VAULT_CACERT", value_name = "FILE", value_parser = file())]
    pub vault_cacert: Option<PathBuf>,

    /// Vault namespace (Enterprise) of the auth method and the secrets engine
    #[arg(long, env = "VAULT_NAMESPACE", value_name = "NAMESPACE")]
    pub vault_namespace: Option<String>,

    /// Mount of the Kubernetes auth method
    #[arg(long, env = "IAMRA_AUTH_MOUNT", value_name = "MOUNT", default_value = "kubernetes", value_parser = mount)]
    pub auth_mount: String,

    /// Role of the auth method under which pods log in; vault-config/kubernetes/setup.sh --associations writes it
    #[arg(long, env = "IAMRA_AUTH_ROLE", value_name = "ROLE", default_value = "associations")]
    pub auth_role: String,

    /// Mount of the secrets engine
    #[arg(long, env = "IAMRA_MOUNT", value_name = "MOUNT", default_value = "iamra", value_parser = mount)]
    pub mount: String,

    /// Engine role of a pod, from the names in its token
    #[arg(
        long,
        env = "IAMRA_ROLE_PATTERN",
        value_name = "PATTERN",
        default_value = "{namespace}.{service_account}"
    )]
    pub role_pattern: RolePattern,

    /// Engine role of the pods for which the engine has no role by the pattern. Default: such pods are refused
    #[arg(long, env = "IAMRA_FALLBACK_ROLE", value_name = "ROLE")]
    pub fallback_role: Option<EngineRole>,
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
        value_parser = listen_address,
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

    /// Seconds within which a request is answered, with a session or a refusal; 1 to 10
    #[arg(long, env = "IAMRA_ANSWER_TIMEOUT", value_name = "SECONDS", default_value = "3", value_parser = clap::value_parser!(u8).range(1..=10), help_heading = "Serving")]
    pub answer_timeout: u8,

    /// Connections of all pods together
    #[arg(long, env = "IAMRA_MAX_CONNECTIONS", value_name = "NUMBER", default_value = "1024", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Serving")]
    pub max_connections: u16,

    /// Connections of one pod; the pods in the node's own network share four times as many
    #[arg(long, env = "IAMRA_CONNECTIONS_PER_POD", value_name = "NUMBER", default_value = "64", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Serving")]
    pub connections_per_pod: u16,

    /// Requests of one pod in a second, in the long run; the pods in the node's own network share four times as many
    #[arg(long, env = "IAMRA_REQUESTS_PER_SECOND", value_name = "NUMBER", default_value = "100", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Serving")]
    pub requests_per_second: u16,

    /// Least important log lines that are written: error, warn, info, debug or trace
    #[arg(
        long,
        env = "IAMRA_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info",
        help_heading = "Serving"
    )]
    pub log_level: Level,
}

/// The options of `ecr`. The kubelet's CredentialProviderConfig sets them, by `args` or `env` of the provider.
#[derive(Debug, Clone, Args)]
pub struct EcrOptions {
    /// Where Vault is.
    #[command(flatten)]
    pub vault: VaultOptions,

    /// Address of ECR's API, such as a VPC endpoint's. Default: that of the image's registry and region
    #[arg(long, env = "AWS_ENDPOINT_URL_ECR", value_name = "URL", help_heading = "ECR")]
    pub ecr_endpoint: Option<Url>,

    /// File with the CA certificates (PEM) that ECR's certificate must chain to. Default: the system's
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE", help_heading = "ECR")]
    pub ecr_cacert: Option<PathBuf>,
}

/// The options of `link`.
#[derive(Debug, Clone, Args)]
pub struct LinkOptions {
    /// Addresses of the link, each with its prefix length. Default: 169.254.170.23/32, and fd00:ec2::23/128 where the node has IPv6
    #[arg(long, env = "IAMRA_LINK_ADDRESSES", value_name = "ADDRESS/LENGTH", value_delimiter = ',')]
    pub address: Vec<IpNet>,

    /// Name of the link; lo puts the addresses onto the loopback link
    #[arg(long, env = "IAMRA_LINK_NAME", value_name = "NAME", default_value = "iamra0", value_parser = link_name)]
    pub name: String,
}

/// A URL with a host, over https or http, below which `/v1/` is.
fn vault_address(text: &str) -> Result<Url, String> {
    let url: Url = text.trim().parse().map_err(|error| format!("not a URL: {error}"))?;
    let is_plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() || !is_plain {
        return Err("must be https://<host>:<port>, without user, query or fragment".to_owned());
    }
    Ok(url)
}

/// An address with a port, and not the one that stands for all: the Host header of a request must name it.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.trim().parse().map_err(|error| format!("{error}: write <address>:<port>"))?;
    if address.ip().is_unspecified() {
        return Err(
            "must be one address of this node, because the Host header of a request must name it".to_owned()
        );
    }
    Ok(address)
}

/// The path of a file, also an empty one: whoever merges settings can empty a variable and not take it away.
fn file() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// The name of a link, as the kernel takes it: at most 15 bytes, without spaces, slashes and colons.
fn link_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_graphic() && !"/:".contains(c);
    if text.is_empty() || text.len() > 15 || text == "." || text == ".." || !text.chars().all(is_plain) {
        return Err("must be the name of a link: at most 15 letters, digits and signs but / and :".to_owned());
    }
    Ok(text.to_owned())
}

/// The path of a mount, without slashes around it.
fn mount(text: &str) -> Result<String, String> {
    let path = text.trim_matches('/');
    let is_segment = |segment: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(is_plain)
    };
    if !path.split('/').all(is_segment) {
        return Err(
            "must be the path of a mount: letters, digits and - _ . @, in segments with / between them"
                .to_owned(),
        );
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_options_contradict_nothing_that_clap_checks() {
        Options::command().debug_assert();
    }

    fn serve(arguments: &[&str]) -> Result<ServeOptions, String> {
        let all = ["iamra-node-agent", "serve"].iter().chain(arguments);
        match Options::try_parse_from(all).map_err(|error| error.to_string())?.command {
            Command::Serve(options) => Ok(*options),
            Command::Link(_) | Command::Ready | Command::Ecr(_) => Err("another command".to_owned()),
        }
    }

    #[test]
    fn several_addresses_of_vault_keep_their_order() {
        let options = serve(&["--vault-addr", "https://a:8200,https://b:8200/"]).unwrap();

        let names: Vec<_> = options.vault.vault_addr.iter().map(Url::as_str).collect();
        assert_eq!(names, ["https://a:8200/", "https://b:8200/"]);
    }

    #[test]
    fn slashes_around_a_mount_do_not_matter() {
        let options = serve(&["--vault-addr", "https://a", "--auth-mount", "/k8s/prod/"]).unwrap();

        assert_eq!(options.vault.auth_mount, "k8s/prod");
    }

    #[test]
    fn an_empty_ca_file_is_none() {
        let options = serve(&["--vault-addr", "https://a", "--vault-cacert", ""]).unwrap();

        assert_eq!(options.vault.vault_cacert.as_deref(), Some(std::path::Path::new("")));
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_it_must_be() {
        for (flag, value, words) in [
            ("--vault-addr", "vault:8200", "must be https://"),
            ("--vault-addr", "https://user:password@vault", "without user"),
            ("--vault-addr", "", "not a URL"),
            ("--mount", "../sys", "must be the path of a mount"),
            ("--auth-mount", "a//b", "must be the path of a mount"),
            ("--role-pattern", "{pod}", "{pod} is unknown"),
            ("--fallback-role", "a/b", "not the name of a role"),
            ("--listen", "169.254.170.23", "invalid socket address"),
            ("--listen", "0.0.0.0:80", "must be one address"),
            ("--answer-timeout", "0", "not in 1..=10"),
        ] {
            let arguments = ["--vault-addr", "https://vault", flag, value];
            let arguments = if flag == "--vault-addr" { &arguments[2..] } else { &arguments[..] };
            let error = serve(arguments).unwrap_err();

            assert!(error.contains(words), "{flag} {value}: {error}");
        }
    }
}
