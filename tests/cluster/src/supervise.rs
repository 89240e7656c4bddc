//! The inside: runs as the cluster's first process, in namespaces of its own, and holds every component.
//!
//! When it ends, the kernel ends all the rest: each process, mount, address and rule of the cluster is in these namespaces.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_emulator::{Emulator, Launch, State};
use harness::until;
use serde_json::json;

use crate::components;
use crate::layout::{
    AWS_PLAIN, AWS_TLS, BRIDGE, BRIDGE_ADDRESS, CONTAINERD, HOST_ADDRESS, Layout, NODE, UPLINK,
    UPLINK_ADDRESS,
};
use crate::papers::Papers;
use crate::registry;
use crate::tools::{self, run};

/// Each component is ready in seconds, and in many seconds on two busy cores.
const READY: Duration = Duration::from_secs(180);

/// The folders of the host that components write to by name; the cluster has its own, in memory.
const PRIVATE_FOLDERS: [&str; 4] = ["/run", "/var/lib", "/var/log", "/etc/cni"];

/// Starts everything, writes the facts file, and then watches until a component ends.
pub(crate) async fn supervise(layout: &Layout) -> Result<(), String> {
    set_up_mounts(layout)?;
    set_up_network().await?;
    let emulator = start_aws()?;
    fs::create_dir_all(layout.config("")).map_err(|error| error.to_string())?;
    keep(&layout.aws_ca(), emulator.ca_pem().unwrap_or_default());
    let mut components = start(layout).await?;
    let facts = json!({
        "kubeconfig": layout.kubeconfig(),
        "aws": format!("http://{AWS_PLAIN}"),
        "aws_tls": format!("https://{AWS_TLS}"),
        "aws_ca_pem": emulator.ca_pem(),
    });
    keep(&layout.facts(), &facts.to_string());
    loop {
        if let Some(ended) = components.iter_mut().find_map(Component::ended) {
            return Err(ended);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// In the cluster's own mount namespace, shared within it because kubelet hands mounts on.
fn set_up_mounts(layout: &Layout) -> Result<(), String> {
    if let Some(hidden) = PRIVATE_FOLDERS.iter().find(|folder| layout.root().starts_with(folder)) {
        return Err(format!("the work tree is in {hidden}, which the cluster needs for itself"));
    }
    run("mount", &["--make-rshared", "/"])?;
    for folder in PRIVATE_FOLDERS.iter().filter(|folder| Path::new(folder).is_dir()) {
        run("mount", &["-t", "tmpfs", "-o", "mode=755", "tmpfs", folder])?;
    }
    run("hostname", &[NODE])
}

/// The bridge and the link to the host, whose end appears here once the outside has made it.
async fn set_up_network() -> Result<(), String> {
    let bridge = format!("{BRIDGE_ADDRESS}/24");
    let uplink = format!("{UPLINK_ADDRESS}/30");
    until("the link to the host", READY, async || run("ip", &["link", "show", UPLINK]).ok()).await;
    let host = HOST_ADDRESS.to_string();
    for command in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", BRIDGE, "type", "bridge"],
        &["addr", "add", &bridge, "dev", BRIDGE],
        &["link", "set", BRIDGE, "up"],
        &["addr", "add", &uplink, "dev", UPLINK],
        &["link", "set", UPLINK, "up"],
        &["route", "add", "default", "via", &host],
    ] {
        run("ip", command)?;
    }
    for setting in ["net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"] {
        let file = Path::new("/proc/sys").join(setting);
        if file.exists() {
            fs::write(&file, "1").map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(())
}

fn start_aws() -> Result<Emulator, String> {
    let launch =
        Launch { address: AWS_TLS, tls: true, plain: Some(AWS_PLAIN), print_log: true, ..Launch::default() };
    Emulator::launch(State::default(), launch).map_err(|error| error.to_string())
}

async fn start(layout: &Layout) -> Result<Vec<Component>, String> {
    let papers = Papers::new(layout);
    let admin = papers.kubeconfig(layout.kubeconfig(), "admin", Some("system:masters"));
    let start = |name, command| Component::start(layout, name, command);
    let mut all = vec![
        start("etcd", components::etcd())?,
        start("containerd", components::containerd(layout))?,
        start("registry", registry::command(layout))?,
        start("kube-apiserver", components::apiserver(layout, &papers))?,
    ];
    let import = tokio::task::spawn_blocking(import_images);
    ready(&mut all, "the API server", || kubectl(&admin, &["get", "--raw", "/readyz"]).is_ok()).await?;
    all.push(start("kube-controller-manager", components::controller_manager(layout, &papers))?);
    all.push(start("kube-scheduler", components::scheduler(layout, &papers))?);
    all.push(start("kube-proxy", components::proxy(layout, &papers))?);
    all.push(start("coredns", components::dns(layout))?);
    import.await.map_err(|error| error.to_string())??;
    until("a registry that holds an image", READY, async || registry::push().ok()).await;
    all.push(start("kubelet", components::kubelet(layout, &papers))?);
    let node = ["wait", "--for=condition=Ready", "--timeout=0", &format!("node/{NODE}")];
    ready(&mut all, "the node", || kubectl(&admin, &node).is_ok()).await?;
    let account = ["get", "serviceaccount", "default", "--namespace=default"];
    ready(&mut all, "the default service account", || kubectl(&admin, &account).is_ok()).await?;
    Ok(all)
}

/// Waits for `is_ready`, but not for a component that has ended.
async fn ready(all: &mut [Component], what: &str, is_ready: impl Fn() -> bool) -> Result<(), String> {
    until(what, READY, async || match all.iter_mut().find_map(Component::ended) {
        Some(ended) => Some(Err(ended)),
        None => is_ready().then_some(Ok(())),
    })
    .await
}

fn import_images() -> Result<(), String> {
    let listening = || Path::new(CONTAINERD).exists();
    let started = std::time::Instant::now();
    while !listening() && started.elapsed() < READY {
        std::thread::sleep(Duration::from_millis(50));
    }
    for archive in tools::image_archives() {
        let archive = archive.display().to_string();
        run("ctr", &["--address", CONTAINERD, "--namespace=k8s.io", "images", "import", &archive])?;
    }
    Ok(())
}

fn kubectl(kubeconfig: &Path, arguments: &[&str]) -> Result<(), String> {
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    let program = tools::built("kubectl").display().to_string();
    run(&program, &[&[kubeconfig.as_str(), "--request-timeout=5s"], arguments].concat())
}

/// Writes a file that others wait for, whole or not at all.
fn keep(path: &Path, text: &str) {
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text).expect("the cluster's folder is writable");
    fs::rename(&unfinished, path).expect("the cluster's folder is writable");
}

/// A running component with a log of its own.
struct Component {
    name: &'static str,
    child: Child,
    log: std::path::PathBuf,
}

impl Component {
    fn start(layout: &Layout, name: &'static str, mut command: Command) -> Result<Component, String> {
        let log = layout.log(name);
        let output = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        let child = command
            .env_clear()
            .env("PATH", tools::search_path())
            .env("HOME", "/run")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let _ = writeln!(std::io::stderr(), "started {name}");
        Ok(Component { name, child, log })
    }

    /// The message about a component that has ended.
    fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<&str> = text.lines().rev().take(5).collect();
        let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        Some(format!("{} ended with {status}; the end of its log:\n{tail}", self.name))
    }
}
