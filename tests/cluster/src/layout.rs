//! The cluster's addresses and its folder.
//!
//! The addresses exist in the cluster's own network namespace; the host reaches them through one link, [`LINK`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use harness::binaries::workspace;

/// The node's name.
pub const NODE: &str = "iamra";
/// Pods live on this bridge …
pub(crate) const BRIDGE: &str = "pods0";
/// … at these addresses …
pub(crate) const PODS: &str = "10.213.0.0/24";
/// … and find the API server, DNS and AWS at the bridge's own.
pub const BRIDGE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 1);
/// Cluster addresses of Services.
pub(crate) const SERVICES: &str = "10.213.1.0/24";
/// The first address of [`SERVICES`], which is the API server's.
pub(crate) const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 213, 1, 1);
/// Pods and Services together, which the host routes into the cluster.
pub(crate) const ROUTED: &str = "10.213.0.0/23";
/// The host's end of the link, and its name in the host's namespace.
pub(crate) const LINK: &str = "iamra0";
/// The cluster's end of the link.
pub(crate) const UPLINK: &str = "uplink";
/// The host's address on the link: where a test may listen for pods.
pub const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 213, 2, 1);
/// The cluster's address on the link.
pub(crate) const UPLINK_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 213, 2, 2);
/// The API server's port.
pub(crate) const API_PORT: u16 = 6443;
/// AWS's port for the engine, with TLS.
pub(crate) const AWS_TLS: SocketAddr = SocketAddr::new(IpAddr::V4(BRIDGE_ADDRESS), 4443);
/// AWS's port for applications (STS) and tests (admin pages), without TLS.
pub(crate) const AWS_PLAIN: SocketAddr = SocketAddr::new(IpAddr::V4(BRIDGE_ADDRESS), 4480);

/// Where containerd listens.
pub(crate) const CONTAINERD: &str = "/run/containerd/containerd.sock";
/// The port of the registry that stands in for ECR.
pub(crate) const REGISTRY: SocketAddr = SocketAddr::new(IpAddr::V4(BRIDGE_ADDRESS), 5000);

/// The cluster's folder and what is in it. All of it but the logs is removed when the cluster ends.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The one cluster of this workspace, in `target/cluster`.
    pub(crate) fn of_workspace() -> Layout {
        let workspace = workspace().canonicalize().unwrap_or_else(|_| workspace().to_owned());
        Layout { root: workspace.join("target/cluster") }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// One log file a component; kept when the cluster ends.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn log(&self, component: &str) -> PathBuf {
        self.logs().join(format!("{component}.log"))
    }

    /// Keys and certificates.
    pub(crate) fn papers(&self) -> PathBuf {
        self.root.join("papers")
    }

    /// Configuration files of the components.
    pub(crate) fn config(&self, file: &str) -> PathBuf {
        self.root.join("config").join(file)
    }

    /// The CA of AWS's addresses with TLS.
    pub(crate) fn aws_ca(&self) -> PathBuf {
        self.config("aws-ca.pem")
    }

    /// containerd's images and snapshots: the one thing too large for memory.
    pub(crate) fn images(&self) -> PathBuf {
        self.root.join("containerd")
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// The facts that a test needs, as JSON: written last, so its presence says that the cluster is ready.
    pub(crate) fn facts(&self) -> PathBuf {
        self.root.join("cluster.json")
    }

    /// Root token and unseal key of the Vault in the cluster.
    pub(crate) fn vault_keys(&self) -> PathBuf {
        self.root.join("vault.json")
    }

    /// The storage of that Vault.
    pub(crate) fn vault_data(&self) -> PathBuf {
        self.root.join("vault-data")
    }

    /// The host's state before the cluster, and the process that holds the cluster.
    pub(crate) fn host(&self) -> PathBuf {
        self.root.join("host.json")
    }
}
