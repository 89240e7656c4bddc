//! The sockets: bound beside those of the agent that this one replaces, opened when there is something to answer, and closed before the last
//! requests end.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Parts, turn_away};
use super::gate::{Gate, GateLimits, Refused};
use super::respond;
use crate::agent::Agent;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::metrics::{Meters, RequestOutcome};

/// The connections that wait to be accepted, on one address.
const BACKLOG: u32 = 1024;
/// How long requests may take to end after the listener closed. Each has its own bound, which is about that long.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
/// The pause after a connection that could not be accepted, as when the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often an agent that gives way looks whether the other still answers, and how long a look may take.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The number of connections at one time that are told at length why they are turned away. Others are told and closed.
const MAX_TURNED_AWAY: usize = 64;

/// A server for pods, bound and not serving yet.
pub struct Listener {
    sockets: Vec<TcpSocket>,
    parts: Arc<Parts>,
    turned_away: Arc<Semaphore>,
    connections: TaskTracker,
}

/// What a [`Listener`] is made of.
pub struct Serving {
    /// The addresses on which pods ask.
    pub listen: Vec<SocketAddr>,
    /// The bounds of the gate.
    pub limits: GateLimits,
    /// How long an answer may take, for the text of one that took longer.
    pub answer_within: Duration,
    /// What answers.
    pub agent: Agent,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub meters: Arc<Meters>,
}

impl Listener {
    /// Binds every address, with `SO_REUSEPORT`: an agent that takes over has them before the old one gives them up.
    ///
    /// # Errors
    /// An address cannot be bound.
    pub fn bind(serving: Serving) -> Result<Listener, Failure> {
        let Serving { limits, answer_within, agent, clock, meters, .. } = serving;
        let mut sockets = Vec::new();
        for address in serving.listen {
            match bound(address) {
                Ok(socket) => sockets.push(socket),
                Err(error) if is_without_ipv6(address, &error) => {
                    tracing::warn!(%address, "this node has no IPv6, so nothing listens there");
                }
                Err(error) => return Err(Failure::new(unbound(address, &error))),
            }
        }
        let listen = addresses_of(&sockets)?;
        let parts =
            Parts { agent, gate: Mutex::new(Gate::new(limits)), listen, answer_within, clock, meters };
        let turned_away = Arc::new(Semaphore::new(MAX_TURNED_AWAY));
        Ok(Listener { sockets, parts: Arc::new(parts), turned_away, connections: TaskTracker::new() })
    }

    /// The addresses that are bound.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.parts.listen
    }

    /// Counts open connections.
    pub fn open_connections(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let parts = Arc::clone(&self.parts);
        move || parts.gate().open()
    }

    /// Waits for as long as another agent answers at these addresses and this one is not ready: it has no session, and the other may have
    /// many. An agent that is alone does not wait, so that its pods are told what is wrong.
    pub async fn give_way(&self, is_ready: impl Fn() -> bool, stop: &CancellationToken) {
        while !is_ready() && !stop.is_cancelled() && self.another_answers().await {
            tracing::debug!("another agent serves these addresses until Vault has answered this one");
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn another_answers(&self) -> bool {
        for address in self.addresses() {
            let look = tokio::time::timeout(LOOK_EVERY, TcpStream::connect(address));
            if look.await.is_ok_and(|connected| connected.is_ok()) {
                return true;
            }
        }
        false
    }

    /// Opens the sockets. What it returns serves until `stop`; then it closes them, and ends when the requests that run have ended.
    ///
    /// # Errors
    /// The kernel opens a socket no more.
    pub fn serve(
        mut self,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
        let bound = std::mem::take(&mut self.sockets).into_iter().zip(self.addresses());
        let opened: Result<Vec<_>, Failure> = bound
            .map(|(socket, address)| {
                socket.listen(BACKLOG).map_err(|error| Failure::new(unbound(*address, &error)))
            })
            .collect();
        let opened = opened?;
        Ok(self.accept(opened, stop))
    }

    async fn accept(self, sockets: Vec<TcpListener>, stop: CancellationToken) {
        let listener = TaskTracker::new();
        for socket in sockets {
            listener.spawn(self.acceptor().run(socket, stop.clone()));
        }
        listener.close();
        listener.wait().await;
        self.connections.close();
        if tokio::time::timeout(DRAIN_TIMEOUT, self.connections.wait()).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "connections were still open at the end");
        }
    }

    fn acceptor(&self) -> Acceptor {
        Acceptor {
            parts: Arc::clone(&self.parts),
            turned_away: Arc::clone(&self.turned_away),
            connections: self.connections.clone(),
        }
    }
}

/// Accepts the connections of one socket.
struct Acceptor {
    parts: Arc<Parts>,
    turned_away: Arc<Semaphore>,
    connections: TaskTracker,
}

impl Acceptor {
    async fn run(self, socket: TcpListener, stop: CancellationToken) {
        loop {
            tokio::select! {
                accepted = socket.accept() => match accepted {
                    Ok((stream, source)) => self.take(stream, source.ip()),
                    Err(error) => {
                        tracing::warn!("a connection could not be accepted: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = stop.cancelled() => break,
            }
        }
        self.take_the_rest(socket);
    }

    /// Takes the connections that wait in the socket, and closes it: the kernel resets those that nobody took.
    fn take_the_rest(&self, socket: TcpListener) {
        let Ok(socket) = socket.into_std() else { return };
        while let Ok((stream, source)) = socket.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                self.take(stream, source.ip());
            }
        }
    }

    fn take(&self, stream: TcpStream, source: IpAddr) {
        let source = source.to_canonical();
        match self.parts.enter(source) {
            Ok(admission) => drop(self.connections.spawn(admission.serve(stream))),
            Err(why) => self.turn_away(stream, source, why),
        }
    }

    fn turn_away(&self, stream: TcpStream, source: IpAddr, why: Refused) {
        self.parts.meters.request(RequestOutcome::Busy);
        tracing::debug!(%source, ?why, "turned a connection away");
        let refusal = respond::turned_away(why);
        match Arc::clone(&self.turned_away).try_acquire_owned() {
            Ok(place) => drop(self.connections.spawn(async move {
                turn_away(stream, &refusal).await;
                drop(place);
            })),
            // the socket is new and has room; a client that is reset before it reads has flooded
            Err(_) => drop(stream.try_write(&respond::raw(&refusal))),
        }
    }
}

/// Binds one address beside others who share it, and opens it.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    bound(address)?.listen(BACKLOG)
}

/// One address, bound beside others who share it. Connections go to those of them that are open.
fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn addresses_of(sockets: &[TcpSocket]) -> Result<Vec<SocketAddr>, Failure> {
    let addresses: io::Result<Vec<_>> = sockets.iter().map(TcpSocket::local_addr).collect();
    let addresses = addresses.map_err(|error| Failure::new(format!("--listen: {error}")))?;
    if addresses.is_empty() {
        return Err(Failure::new(
            "--listen: none of the addresses is on this node: iamra-node-agent link makes them",
        ));
    }
    Ok(addresses)
}

/// Whether an address cannot be bound because the kernel has no IPv6.
fn is_without_ipv6(address: SocketAddr, error: &io::Error) -> bool {
    let has_ipv6 = std::path::Path::new("/proc/net/if_inet6").exists();
    let is_unknown = error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    address.is_ipv6() && (is_unknown || !has_ipv6)
}

/// Why an address cannot be bound, and what cures it.
pub(crate) fn unbound(address: SocketAddr, error: &io::Error) -> String {
    let cure = match error.kind() {
        ErrorKind::AddrNotAvailable => "it is on no link of this node: iamra-node-agent link makes one",
        ErrorKind::AddrInUse => {
            "another program has it, or another user's agent: ss -ltnp shows which (the EKS Pod Identity agent?)"
        }
        ErrorKind::PermissionDenied => "a port below 1024 needs CAP_NET_BIND_SERVICE",
        _ => "see ip address",
    };
    format!("{address} cannot be listened on: {error}; {cure}")
}
