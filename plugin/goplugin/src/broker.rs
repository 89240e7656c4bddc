//! Connections back to the host. The host names each one by a number, which the plugin dials.

#[cfg(any(test, fuzzing))]
pub(crate) mod claims;
mod rendezvous;
mod service;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use proto::plugin::{ConnInfo, conn_info::Knock};
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::certificate::NAME;
use crate::connections::Io;
use crate::multiplex::Multiplexer;

pub(crate) use rendezvous::Rendezvous;
pub(crate) use service::BrokerService;

/// The time that each step of a connection may take: go-plugin's own figure.
const STEP: Duration = Duration::from_secs(5);

/// The number of knocks. One may not be enough, because the host hears a knock a moment before it listens.
const KNOCKS: u32 = 10;

/// The pause between two knocks.
const BETWEEN_KNOCKS: Duration = Duration::from_millis(20);

/// Why a connection could not be made.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// This broker belongs to no host; see [`Broker::disconnected`].
    #[error("no host to dial")]
    Disconnected,
    /// The host did not say in time where to dial, or did not answer there.
    #[error("the host offered no connection {id} within {seconds} s", seconds = STEP.as_secs())]
    TimedOut {
        /// The connection's number.
        id: u32,
    },
    /// The host refused the knock.
    #[error("the host refused connection {id}: {reason}")]
    Refused {
        /// The connection's number.
        id: u32,
        /// The host's own text.
        reason: String,
    },
    /// The host offered something other than a unix socket, or spoke out of turn.
    #[error("the host's offer of connection {id} is not understood: {what}")]
    Offer {
        /// The connection's number.
        id: u32,
        /// What is wrong with it.
        what: String,
    },
    /// The broker's stream or the shared connection is gone.
    #[error("the host's connection is gone")]
    Gone,
    /// An earlier dial over the shared connection broke off halfway, so the next stream could reach the wrong listener.
    #[error("the shared connection is out of sync; this process ends")]
    OutOfSync,
    /// The socket could not be dialled, or its listener did not prove to be the host.
    #[error("cannot connect to the host's listener")]
    Io(#[from] std::io::Error),
    /// gRPC could not be begun.
    #[error("cannot begin gRPC with the host")]
    Transport(#[from] tonic::transport::Error),
}

/// Dials the host. Clones are the same broker.
#[derive(Clone)]
pub struct Broker {
    link: Option<Arc<HostLink>>,
}

struct HostLink {
    tls: TlsConnector,
    rendezvous: Arc<Rendezvous>,
    shared: Option<Shared>,
}

/// Dialling over the one shared connection: one dial at a time, from the knock until TLS is up.
///
/// After the host acknowledges a knock, it gives the next stream it sees to that knock's listener. A dial that broke
/// off in between would let the next one reach the wrong listener, which for Vault is another mount's storage. A dial
/// must therefore never be cancelled halfway, and after one that failed halfway the process ends; the host starts a new
/// one.
struct Shared {
    multiplexer: Multiplexer,
    turn: Mutex<Turn>,
    stop: CancellationToken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    InSync,
    OutOfSync,
}

/// Where a connection is made, each time it is made anew.
#[derive(Clone)]
enum Door {
    Socket(PathBuf),
    Shared(u32),
}

impl Broker {
    pub(crate) fn new(
        tls: TlsConnector,
        rendezvous: Arc<Rendezvous>,
        multiplexer: Option<Multiplexer>,
        stop: CancellationToken,
    ) -> Self {
        let shared =
            multiplexer.map(|multiplexer| Shared { multiplexer, turn: Mutex::new(Turn::InSync), stop });
        Self { link: Some(Arc::new(HostLink { tls, rendezvous, shared })) }
    }

    /// A broker without a host, for tests: every dial fails.
    pub fn disconnected() -> Self {
        Self { link: None }
    }

    /// Dials the host's services behind connection `id`, whose offer may have arrived or may arrive within 5 s. Give
    /// each client over it [`crate::MESSAGE_LIMIT`]. A broken connection is made anew at the next call.
    pub async fn dial(&self, id: u32) -> Result<Channel, BrokerError> {
        let link = self.link.clone().ok_or(BrokerError::Disconnected)?;
        let door = link.door(id).await?;
        let first = link.connect(&door).await?;
        let mut first = Some(first);
        let connector = service_fn(move |_| {
            let (link, door, ready) = (link.clone(), door.clone(), first.take());
            async move {
                let stream = match ready {
                    Some(stream) => stream,
                    None => link.connect(&door).await?,
                };
                Ok::<_, BrokerError>(TokioIo::new(stream))
            }
        });
        Ok(Endpoint::from_static("http://localhost").connect_with_connector(connector).await?)
    }
}

impl HostLink {
    async fn door(&self, id: u32) -> Result<Door, BrokerError> {
        if self.shared.is_some() {
            return Ok(Door::Shared(id));
        }
        let offer =
            timeout(STEP, self.rendezvous.claim(id)).await.map_err(|_| BrokerError::TimedOut { id })?;
        let offer = offer.ok_or(BrokerError::Gone)?;
        match offer.network.as_str() {
            "unix" => Ok(Door::Socket(offer.address.into())),
            network => Err(BrokerError::Offer { id, what: format!("network {network:?}") }),
        }
    }

    async fn connect(self: &Arc<Self>, door: &Door) -> Result<TlsStream<Io>, BrokerError> {
        match door {
            Door::Socket(path) => {
                let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
                timeout(STEP, self.connect_socket(path)).await.map_err(late)?
            }
            Door::Shared(id) => {
                let (link, id) = (self.clone(), *id);
                let dialling = tokio::spawn(async move { link.connect_shared(id).await });
                dialling.await.unwrap_or(Err(BrokerError::OutOfSync))
            }
        }
    }

    async fn connect_socket(&self, path: &Path) -> Result<TlsStream<Io>, BrokerError> {
        let socket = UnixStream::connect(path).await?;
        self.prove(Box::new(socket)).await
    }

    async fn connect_shared(&self, id: u32) -> Result<TlsStream<Io>, BrokerError> {
        let shared = self.shared.as_ref().ok_or(BrokerError::Disconnected)?;
        timeout(STEP, self.rendezvous.host_listens()).await.map_err(|_| BrokerError::TimedOut { id })?;
        let mut turn = shared.turn.lock().await;
        if *turn == Turn::OutOfSync {
            return Err(BrokerError::OutOfSync);
        }
        *turn = Turn::OutOfSync;
        let dialled = self.knock_and_connect(shared, id).await;
        match &dialled {
            Ok(_) | Err(BrokerError::Refused { .. }) => *turn = Turn::InSync,
            Err(error) => {
                tracing::error!(id, %error, "a dial over the shared connection broke off; this process ends");
                shared.stop.cancel();
            }
        }
        dialled
    }

    async fn knock_and_connect(&self, shared: &Shared, id: u32) -> Result<TlsStream<Io>, BrokerError> {
        self.knock_until_heard(id).await?;
        let stream = shared.multiplexer.open().await.ok_or(BrokerError::Gone)?;
        timeout(STEP, self.prove(Box::new(stream))).await.map_err(|_| BrokerError::TimedOut { id })?
    }

    async fn knock_until_heard(&self, id: u32) -> Result<(), BrokerError> {
        let mut knocks = 1;
        loop {
            match self.knock(id).await {
                Err(BrokerError::Refused { .. }) if knocks < KNOCKS => sleep(BETWEEN_KNOCKS).await,
                outcome => return outcome,
            }
            knocks += 1;
        }
    }

    async fn knock(&self, id: u32) -> Result<(), BrokerError> {
        let knock = Knock { knock: true, ..Knock::default() };
        let exchange =
            self.rendezvous.ask(ConnInfo { service_id: id, knock: Some(knock), ..ConnInfo::default() });
        let answer = timeout(STEP, exchange).await.map_err(|_| BrokerError::TimedOut { id })?;
        match answer.ok_or(BrokerError::Gone)?.knock {
            Some(answer) if answer.ack && answer.error.is_empty() => Ok(()),
            Some(answer) if answer.ack => Err(BrokerError::Refused { id, reason: answer.error }),
            _ => Err(BrokerError::Offer { id, what: "a socket where a knock was due".to_owned() }),
        }
    }

    async fn prove(&self, io: Io) -> Result<TlsStream<Io>, BrokerError> {
        Ok(self.tls.connect(ServerName::try_from(NAME).map_err(std::io::Error::other)?, io).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::CertifiedKey;
    use crate::tls::Tls;
    use proto::logical::{Empty, plugin_version_client::PluginVersionClient};

    fn broker(
        multiplexer: Option<Multiplexer>,
        rendezvous: &Arc<Rendezvous>,
        stop: &CancellationToken,
    ) -> Broker {
        let identity = CertifiedKey::generate().unwrap();
        let host = CertifiedKey::generate().unwrap().certificate().clone();
        let tls = Tls::pinned(&identity, host).unwrap();
        Broker::new(tls.connector, rendezvous.clone(), multiplexer, stop.clone())
    }

    #[tokio::test]
    async fn a_disconnected_broker_dials_nothing() {
        let error = Broker::disconnected().dial(1).await.unwrap_err();

        assert!(matches!(error, BrokerError::Disconnected), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_without_an_offer_gives_up_after_five_seconds() {
        let start = tokio::time::Instant::now();

        let error = broker(None, &Arc::default(), &CancellationToken::new()).dial(7).await.unwrap_err();

        assert_eq!(error.to_string(), "the host offered no connection 7 within 5 s");
        assert_eq!(start.elapsed(), STEP);
    }

    #[tokio::test]
    async fn an_offer_of_another_network_is_refused_by_name() {
        let rendezvous = Arc::<Rendezvous>::default();
        let offer =
            ConnInfo { service_id: 3, network: "tcp".into(), address: "127.0.0.1:1".into(), knock: None };
        rendezvous.arrived(offer, tokio::time::Instant::now());

        let error = broker(None, &rendezvous, &CancellationToken::new()).dial(3).await.unwrap_err();

        assert_eq!(error.to_string(), "the host's offer of connection 3 is not understood: network \"tcp\"");
    }

    #[tokio::test]
    async fn a_broken_connection_is_made_anew_at_the_next_call() {
        let (plugin, host) = (CertifiedKey::generate().unwrap(), CertifiedKey::generate().unwrap());
        let tls = Tls::pinned(&plugin, host.certificate().clone()).unwrap();
        let acceptor = Tls::pinned(&host, plugin.certificate().clone()).unwrap().acceptor;
        let dir = tempfile::tempdir().unwrap();
        let address = dir.path().join("host").to_str().unwrap().to_owned();
        let listener = tokio::net::UnixListener::bind(&address).unwrap();
        let rendezvous = Arc::<Rendezvous>::default();
        let offer = ConnInfo { service_id: 1, network: "unix".into(), address, knock: None };
        rendezvous.arrived(offer, tokio::time::Instant::now());
        let broker = Broker::new(tls.connector, rendezvous, None, CancellationToken::new());
        let accept = async || acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();

        let (channel, first) = tokio::join!(broker.dial(1), accept());
        drop(first);
        let mut client = PluginVersionClient::new(channel.unwrap());
        tokio::spawn(async move { while client.version(Empty {}).await.is_err() {} });

        timeout(STEP, accept()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_shared_dial_waits_for_the_brokers_stream_and_harms_nothing_when_it_never_comes() {
        let stop = CancellationToken::new();

        let error = broker(Some(Multiplexer::new()), &Arc::default(), &stop).dial(2).await.unwrap_err();

        assert!(matches!(error, BrokerError::TimedOut { id: 2 }), "{error}");
        assert!(!stop.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn an_unanswered_knock_ends_the_process_because_the_next_stream_could_go_astray() {
        let (rendezvous, stop) = (Arc::<Rendezvous>::default(), CancellationToken::new());
        let (outgoing, _unread) = tokio::sync::mpsc::channel(1);
        rendezvous.open(outgoing);
        let broker = broker(Some(Multiplexer::new()), &rendezvous, &stop);

        let first = broker.dial(2).await.unwrap_err();
        let second = broker.dial(3).await.unwrap_err();

        assert!(matches!(first, BrokerError::TimedOut { id: 2 }), "{first}");
        assert!(matches!(second, BrokerError::OutOfSync), "{second}");
        assert!(stop.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_knock_is_repeated_and_then_reported_in_the_hosts_words() {
        let (rendezvous, stop) = (Arc::<Rendezvous>::default(), CancellationToken::new());
        let (outgoing, mut knocks) = tokio::sync::mpsc::channel(1);
        rendezvous.open(outgoing.clone());
        let host = tokio::spawn({
            let rendezvous = rendezvous.clone();
            async move {
                let mut heard = 0;
                while let Some(knock) = knocks.recv().await {
                    heard += 1;
                    let refusal = Knock { knock: true, ack: true, error: "no listener for id 2".into() };
                    let answer = ConnInfo { knock: Some(refusal), ..knock };
                    rendezvous.arrived(answer, tokio::time::Instant::now());
                }
                heard
            }
        });
        let broker = broker(Some(Multiplexer::new()), &rendezvous, &stop);

        let error = broker.dial(2).await.unwrap_err();
        rendezvous.close(&outgoing);
        drop((broker, rendezvous, outgoing));

        assert_eq!(error.to_string(), "the host refused connection 2: no listener for id 2");
        assert_eq!(host.await.unwrap(), KNOCKS);
        assert!(!stop.is_cancelled());
    }
}
