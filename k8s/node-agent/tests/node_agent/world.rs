//! An agent in this process, between a Vault that is not one and clients.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use node_agent::agent::Agent;
use node_agent::cache::Limits;
use node_agent::clock::Clock;
use node_agent::metrics::Meters;
use node_agent::options::{Command, Options, VaultOptions};
use node_agent::role::Roles;
use node_agent::server::{GateLimits, Listener, Serving};
use node_agent::vault::Vault;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::{Answered, pod, request, send, token};
use crate::fake_vault::FakeVault;

/// An agent on loopback; ends when it is dropped.
pub(crate) struct World {
    pub(crate) vault: FakeVault,
    pub(crate) agent: SocketAddr,
    server: JoinHandle<()>,
}

impl World {
    /// An agent in front of a Vault that is well.
    pub(crate) async fn new() -> World {
        World::with(&[]).await
    }

    /// The same with more arguments of `serve`.
    pub(crate) async fn with(arguments: &[&str]) -> World {
        let vault = FakeVault::start().await;
        let options = vault_options(&vault.url, arguments);
        World::of(vault, options, Clock::of_this_machine(), Limits::default())
    }

    /// The same on a node whose clock is another.
    pub(crate) async fn at(wall: fn() -> OffsetDateTime) -> World {
        let vault = FakeVault::start().await;
        let options = vault_options(&vault.url, &[]);
        World::of(vault, options, Clock::with_wall(wall), Limits::default())
    }

    pub(crate) fn of(vault: FakeVault, options: VaultOptions, clock: Clock, limits: Limits) -> World {
        let meters = Arc::<Meters>::default();
        let roles = Roles { pattern: options.role_pattern.clone(), fallback: options.fallback_role.clone() };
        let client = Arc::new(Vault::new(options, clock, Arc::clone(&meters)).unwrap());
        let agent = Agent::new(client, roles, limits, clock, Arc::clone(&meters));
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let gate = GateLimits {
            max_connections: 1024,
            max_connections_of_one: 64,
            requests_per_second: 100,
            node: Vec::new(),
        };
        let serving =
            Serving { listen, limits: gate, answer_within: limits.answer_within, agent, clock, meters };
        let listener = Listener::bind(serving).unwrap();
        let agent = listener.addresses()[0];
        let server = tokio::spawn(listener.serve(CancellationToken::new()).unwrap());
        World { vault, agent, server }
    }

    /// What an SDK gets in the first pod of a service account.
    pub(crate) async fn ask(&self, namespace: &str, service_account: &str) -> Answered {
        self.ask_with(&token(namespace, service_account), pod(1)).await
    }

    pub(crate) async fn ask_with(&self, token: &str, source: IpAddr) -> Answered {
        self.ask_at("/v1/credentials", token, source).await
    }

    pub(crate) async fn ask_at(&self, path: &str, token: &str, source: IpAddr) -> Answered {
        self.send(source, request(self.agent, path, token).as_bytes()).await
    }

    /// What a request gets as it is given.
    pub(crate) async fn send(&self, source: IpAddr, request: &[u8]) -> Answered {
        send(self.agent, source, request).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The options of an agent in front of `addresses`.
pub(crate) fn vault_options(addresses: &str, more: &[&str]) -> VaultOptions {
    use clap::Parser as _;
    let arguments = ["iamra-node-agent", "serve", "--vault-addr", addresses];
    match Options::try_parse_from(arguments.iter().chain(more)).unwrap().command {
        Command::Serve(options) => options.vault,
        _ => unreachable!("the arguments are those of serve"),
    }
}

/// Short enough for a test, long enough for a slow machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Waits until something holds, [`SOON`] at most.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < SOON, "waited {SOON:?} in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
