//! Each component's command line and configuration file. Everything listens on the bridge's address or on the loopback of the
//! cluster's own network namespace; every other setting is the component's default.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::layout::{API_PORT, BRIDGE, BRIDGE_ADDRESS, CONTAINERD, Layout, NODE, PODS, SERVICES};
use crate::papers::Papers;
use crate::registry;
use crate::tools::{CNI_PLUGINS, built};

const ETCD: &str = "http://127.0.0.1:2379";
/// The sandbox of each pod; its command blocks.
const PAUSE_IMAGE: &str = "docker.io/local/pause:1";

pub(crate) fn etcd() -> Command {
    let mut command = Command::new("/usr/bin/etcd");
    command.args(["--data-dir=/var/lib/etcd", "--listen-peer-urls=http://127.0.0.1:2380"]);
    command.args([format!("--listen-client-urls={ETCD}"), format!("--advertise-client-urls={ETCD}")]);
    command
}

pub(crate) fn apiserver(layout: &Layout, papers: &Papers) -> Command {
    papers.server();
    papers.client("apiserver-to-kubelet", "kube-apiserver", Some("system:masters"));
    let paper = |file: &str| layout.papers().join(file).display().to_string();
    let mut command = Command::new(built("kube-apiserver"));
    command.args([
        format!("--etcd-servers={ETCD}"),
        format!("--bind-address={BRIDGE_ADDRESS}"),
        format!("--advertise-address={BRIDGE_ADDRESS}"),
        format!("--secure-port={API_PORT}"),
        format!("--service-cluster-ip-range={SERVICES}"),
        format!("--tls-cert-file={}", paper("apiserver.pem")),
        format!("--tls-private-key-file={}", paper("apiserver.key")),
        format!("--client-ca-file={}", paper("ca.pem")),
        format!("--kubelet-client-certificate={}", paper("apiserver-to-kubelet.pem")),
        format!("--kubelet-client-key={}", paper("apiserver-to-kubelet.key")),
        format!("--service-account-key-file={}", paper("service-accounts.pub")),
        format!("--service-account-signing-key-file={}", paper("service-accounts.key")),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        // k8s/node-agent/admission: beta in 1.34, and off unless both of these are given
        "--feature-gates=MutatingAdmissionPolicy=true".to_owned(),
        "--runtime-config=admissionregistration.k8s.io/v1beta1=true".to_owned(),
    ]);
    command
}

pub(crate) fn controller_manager(layout: &Layout, papers: &Papers) -> Command {
    let user = "system:kube-controller-manager";
    let kubeconfig = papers.kubeconfig(layout.config("controller-manager.kubeconfig"), user, None);
    let mut command = Command::new(built("kube-controller-manager"));
    command.args([
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--root-ca-file={}", layout.papers().join("ca.pem").display()),
        format!(
            "--service-account-private-key-file={}",
            layout.papers().join("service-accounts.key").display()
        ),
        "--use-service-account-credentials".to_owned(),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
    ]);
    command
}

pub(crate) fn scheduler(layout: &Layout, papers: &Papers) -> Command {
    let user = "system:kube-scheduler";
    let kubeconfig = papers.kubeconfig(layout.config("scheduler.kubeconfig"), user, None);
    let mut command = Command::new(built("kube-scheduler"));
    command.arg(format!("--kubeconfig={}", kubeconfig.display()));
    command.args(["--leader-elect=false", "--bind-address=127.0.0.1"]);
    command
}

pub(crate) fn containerd(layout: &Layout) -> Command {
    let network = json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge", "bridge": BRIDGE, "isGateway": true, "hairpinMode": true,
            "ipam": { "type": "host-local", "dataDir": "/var/lib/cni",
                "ranges": [[{ "subnet": PODS }]], "routes": [{ "dst": "0.0.0.0/0" }] },
        }],
    });
    let networks = layout.config("cni");
    fs::create_dir_all(&networks).expect("the cluster's folder is writable");
    write(&networks.join("pods.conflist"), &network);
    let config = layout.config("containerd.toml");
    fs::write(&config, containerd_toml(layout, &networks.display().to_string()))
        .expect("the cluster's folder is writable");
    registry::serve_as_ecr(layout);
    let mut command = Command::new("/usr/bin/containerd");
    command.arg(format!("--config={}", config.display()));
    command
}

/// `restrict_oom_score_adj`: a machine may withhold `CAP_SYS_RESOURCE`, and runc then cannot lower a score.
fn containerd_toml(layout: &Layout, networks: &str) -> String {
    let root = layout.images();
    format!(
        r#"version = 2
root = "{}"
state = "/run/containerd"
[grpc]
address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI_PLUGINS}"
conf_dir = "{networks}"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{}"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"#,
        root.display(),
        registry::hosts(layout).display()
    )
}

pub(crate) fn kubelet(layout: &Layout, papers: &Papers) -> Command {
    let user = format!("system:node:{NODE}");
    let kubeconfig = papers.kubeconfig(layout.config("kubelet.kubeconfig"), &user, Some("system:nodes"));
    let config = layout.config("kubelet.json");
    write(
        &config,
        &json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": BRIDGE_ADDRESS.to_string(),
            "authentication": {
                "anonymous": { "enabled": false },
                "webhook": { "enabled": true },
                "x509": { "clientCAFile": layout.papers().join("ca.pem") },
            },
            "authorization": { "mode": "Webhook" },
            "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": false,
            "failSwapOn": false,
            "enforceNodeAllocatable": [],
            // the disk belongs to the host: this kubelet must manage neither its fill level nor its images
            "evictionHard": {},
            "localStorageCapacityIsolation": false,
            "imageGCHighThresholdPercent": 100,
            "clusterDNS": [BRIDGE_ADDRESS.to_string()],
            "clusterDomain": "cluster.local",
            "resolvConf": "",
        }),
    );
    let (providers, programs) = registry::credential_provider(layout);
    let mut command = Command::new(built("kubelet"));
    command.args([
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--config={}", config.display()),
        format!("--image-credential-provider-config={}", providers.display()),
        format!("--image-credential-provider-bin-dir={}", programs.display()),
        format!("--node-ip={BRIDGE_ADDRESS}"),
        format!("--hostname-override={NODE}"),
    ]);
    command
}

pub(crate) fn proxy(layout: &Layout, papers: &Papers) -> Command {
    let kubeconfig = papers.kubeconfig(layout.config("proxy.kubeconfig"), "system:kube-proxy", None);
    let config = layout.config("proxy.json");
    write(
        &config,
        &json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": { "kubeconfig": kubeconfig },
            "clusterCIDR": PODS,
            "hostnameOverride": NODE,
            "metricsBindAddress": "127.0.0.1:10249",
            "healthzBindAddress": "127.0.0.1:10256",
            // zero leaves the kernel's connection tracking as it is, because those limits hold for the whole host
            "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
        }),
    );
    let mut command = Command::new(built("kube-proxy"));
    command.arg(format!("--config={}", config.display()));
    command
}

/// Cluster names only: pods of this cluster have nothing else to resolve. It reads Services as the controller manager may.
pub(crate) fn dns(layout: &Layout) -> Command {
    let corefile = layout.config("Corefile");
    let kubeconfig = layout.config("controller-manager.kubeconfig");
    let text = format!(
        ".:53 {{\n    bind {BRIDGE_ADDRESS}\n    errors\n    cache 5\n    kubernetes cluster.local {{\n        kubeconfig {}\n    }}\n}}\n",
        kubeconfig.display()
    );
    fs::write(&corefile, text).expect("the cluster's folder is writable");
    let mut command = Command::new(built("coredns"));
    command.arg("-conf").arg(corefile);
    command
}

fn write(path: &Path, document: &Value) {
    fs::write(path, document.to_string()).expect("the cluster's folder is writable");
}
