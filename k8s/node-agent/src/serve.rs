//! `serve`: answers the pods of this node until SIGTERM.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::cache::Limits;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::metrics::Meters;
use crate::options::ServeOptions;
use crate::pages::Pages;
use crate::role::Roles;
use crate::server::{GateLimits, Listener, Serving, bind, unbound};
use crate::vault::Vault;
use crate::{logs, process, ready};

/// Between two looks at Vault's health.
const WATCH_EVERY: Duration = Duration::from_secs(15);

/// Serves until SIGTERM or SIGINT, and then ends the requests that run.
///
/// # Errors
/// An address cannot be listened on, or Vault's CA certificates cannot be read.
pub fn run(options: ServeOptions) -> Result<(), Failure> {
    logs::init(options.log_level)?;
    process::prepare()?;
    // one thread serves every pod of a node: an answer from the cache takes microseconds
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the runtime cannot start: {error}")))?;
    let served = runtime.block_on(serve(options));
    runtime.shutdown_background();
    logs::flush();
    served
}

/// Binds every socket before it serves any, so a wrong address ends the process at its start, and serves until a signal.
///
/// # Errors
/// The CA file cannot be read, an address cannot be bound, or signals cannot be listened for.
async fn serve(options: ServeOptions) -> Result<(), Failure> {
    let stop = on_signals()?;
    let (clock, meters) = (Clock::of_this_machine(), Arc::<Meters>::default());
    let limits = limits(&options);
    let vault = Arc::new(Vault::new(options.vault.clone(), clock, Arc::clone(&meters))?);
    let agent = Agent::new(Arc::clone(&vault), roles(&options), limits, clock, Arc::clone(&meters));
    let answers = agent.answers().clone();
    let listener = Listener::bind(Serving {
        listen: options.listen.clone(),
        limits: gate(&options),
        answer_within: limits.answer_within,
        agent,
        clock,
        meters: Arc::clone(&meters),
    })?;
    let pages_socket = bind(options.metrics_listen)
        .map_err(|error| Failure::new(unbound(options.metrics_listen, &error)))?;
    let metrics_listen = pages_socket.local_addr().unwrap_or(options.metrics_listen);
    let open_connections = Box::new(listener.open_connections());
    let stopping = stop.clone();
    let pages = Pages {
        meters,
        answers: answers.clone(),
        limits,
        vault: Arc::clone(&vault),
        open_connections,
        stopping,
    };
    let pages = Arc::new(pages);
    answer_probes(&pages);
    tokio::spawn(pages.serve(pages_socket));
    let watched = Arc::clone(&vault);
    tokio::spawn(async move { watched.watch(WATCH_EVERY).await });
    tokio::spawn(async move { answers.sweep().await });
    listener.give_way(|| vault.reachability().has_ever_answered, &stop).await;
    let listen = listener.addresses().to_vec();
    let serving = listener.serve(stop)?;
    tracing::info!(?listen, %metrics_listen, "serving the pods of this node");
    serving.await;
    tracing::info!("ended");
    Ok(())
}

/// Answers startup probes, unless another agent of this container does.
fn answer_probes(pages: &Arc<Pages>) {
    match ready::bind() {
        Ok(socket) => {
            let pages = Arc::clone(pages);
            tokio::spawn(ready::serve(socket, move || pages.readiness_text().1));
        }
        Err(error) => tracing::info!("iamra-node-agent ready asks another agent of this container: {error}"),
    }
}

/// The bounds of the cache with the operator's time for an answer. An old answer is never waited for longer than a new one.
fn limits(options: &ServeOptions) -> Limits {
    let standard = Limits::default();
    let answer_within = Duration::from_secs(options.answer_timeout.into());
    Limits { answer_within, stale_within: standard.stale_within.min(answer_within), ..standard }
}

/// The bounds of connections and requests, per source address and in all, as the operator set them.
fn gate(options: &ServeOptions) -> GateLimits {
    GateLimits {
        max_connections: usize::from(options.max_connections),
        max_connections_of_one: usize::from(options.connections_per_pod),
        requests_per_second: options.requests_per_second.into(),
        node: options.listen.iter().map(std::net::SocketAddr::ip).collect(),
    }
}

/// How a pod's engine role is chosen where its request names none.
fn roles(options: &ServeOptions) -> Roles {
    Roles { pattern: options.vault.role_pattern.clone(), fallback: options.vault.fallback_role.clone() }
}

/// Cancelled by the first SIGTERM, as container runtimes send it, or SIGINT.
fn on_signals() -> Result<CancellationToken, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("signals cannot be listened for: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: the listener closes, and the requests that run end");
        stopping.cancel();
    });
    Ok(stop)
}
