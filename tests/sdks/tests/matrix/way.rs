//! The ways into an SDK: environment variables, and nothing else.

use sdks::{Sdk, here};

use crate::grounds::{Grounds, STORE_PASSWORD};

/// A way in which our credentials get into an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// An INI file that Agent keeps fresh.
    File,
    /// A program that prints a JSON file that Agent keeps fresh.
    Process,
    /// The container endpoint of the node agent, with the pod's own service-account token in a file.
    NodeAgent,
    /// The container endpoint through the Proxy's listener, which adds the Proxy's own token.
    Proxy,
    /// The container endpoint of Vault itself over https, with a token in a file.
    Vault,
    /// The same over http on loopback, which every SDK takes: for looking at tokens.
    Loopback,
}

impl Way {
    /// The ways of the table.
    pub(crate) const ALL: [Way; 5] = [Way::NodeAgent, Way::Process, Way::Proxy, Way::Vault, Way::File];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Way::File => "credentials file",
            Way::Process => "`credential_process`",
            Way::NodeAgent => "node agent",
            Way::Proxy => "container endpoint of Vault Proxy",
            Way::Vault | Way::Loopback => "container endpoint of Vault, https, private CA",
        }
    }

    /// The variables that lead `sdk` this way.
    pub(crate) fn variables(self, sdk: Sdk, grounds: &Grounds) -> Vec<(&'static str, String)> {
        match self {
            Way::File => vec![("AWS_SHARED_CREDENTIALS_FILE", grounds.path("credentials"))],
            Way::Process => vec![("AWS_CONFIG_FILE", grounds.path("config"))],
            Way::NodeAgent => vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", grounds.node_agent.url().to_owned()),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", grounds.path("service-account-token")),
            ],
            Way::Proxy => vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint(&grounds.proxy_addr()))],
            Way::Vault => vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint(&grounds.vault_addr())),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", grounds.path("token")),
                authority(sdk, grounds),
            ],
            Way::Loopback => vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint(&grounds.stage.vault.addr())),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", grounds.path("token")),
            ],
        }
    }

    /// The start of a caller on this way: with an `/etc/hosts` of its own if it must find Vault by name, because
    /// an SDK may treat a loopback host in a way of its own.
    pub(crate) fn starter(self, grounds: &Grounds) -> Vec<String> {
        match self {
            Way::Vault => vec![here("with-hosts"), grounds.path("hosts")],
            _ => Vec::new(),
        }
    }
}

fn endpoint(addr: &str) -> String {
    format!("{addr}/v1/iamra/container/demo")
}

/// The variables that make this SDK trust a private CA.
fn authority(sdk: Sdk, grounds: &Grounds) -> (&'static str, String) {
    let pem = grounds.path("ca.pem");
    match sdk {
        Sdk::Boto3 | Sdk::Cli => ("AWS_CA_BUNDLE", pem),
        Sdk::Go | Sdk::Rust => ("SSL_CERT_FILE", pem),
        Sdk::JavaScript => ("NODE_EXTRA_CA_CERTS", pem),
        Sdk::Java => {
            let store = grounds.path("ca.p12");
            let options = format!(
                "-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword={STORE_PASSWORD}"
            );
            ("JAVA_TOOL_OPTIONS", options)
        }
    }
}
