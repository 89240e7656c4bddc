//! Connections from the host: accepted, proved by TLS, counted, and handed to the gRPC server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::host_liveness::{HostLiveness, Present};
use crate::lobby::{Guest, GuestSocket, Lobby, PROOF};
use crate::multiplex::{Multiplexer, Stream, YamuxSession};

/// The streams that the host may have open on one shared socket, proved or not. It opens one, for all of its calls.
const STREAMS: usize = 4;

/// The pause after a failed accept, which mostly means that the process has run out of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// The proved connections that may wait for the server.
const WAITING: usize = 16;

/// A byte stream in both directions: a socket, or a stream of a shared one.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection of either kind.
pub(crate) type Io = Box<dyn Duplex>;

/// A connection whose other end is the host.
pub(crate) struct Connection {
    stream: TlsStream<Io>,
    _present: Present,
    _guest: Arc<Guest>,
    /// The permit for one of the streams of a shared socket.
    _permit: Option<OwnedSemaphorePermit>,
}

/// Accepts the host, and nobody else.
#[derive(Clone)]
pub(crate) struct Acceptor {
    tls: TlsAcceptor,
    lobby: Lobby,
    liveness: HostLiveness,
    multiplexer: Option<Multiplexer>,
    admitted: mpsc::Sender<io::Result<Connection>>,
}

impl Acceptor {
    /// An acceptor, and the connections that it accepts. With a `multiplexer`, every socket carries a yamux session.
    pub(crate) fn new(
        tls: TlsAcceptor,
        liveness: HostLiveness,
        multiplexer: Option<Multiplexer>,
    ) -> (Self, ReceiverStream<io::Result<Connection>>) {
        let (admitted, connections) = mpsc::channel(WAITING);
        let lobby = Lobby::default();
        (Self { tls, lobby, liveness, multiplexer, admitted }, ReceiverStream::new(connections))
    }

    /// Accepts until `stop`. Each peer proves itself in a task of its own, so that none delays another. A peer that
    /// must give way to the new one is closed before the next is accepted.
    pub(crate) async fn open(self, listener: UnixListener, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return,
            };
            match accepted {
                Ok((socket, _)) => {
                    let (guest, socket) = self.lobby.enter(socket);
                    tokio::spawn(self.clone().receive(Arc::new(guest), socket));
                    yield_now().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    async fn receive(self, guest: Arc<Guest>, socket: GuestSocket) {
        match self.multiplexer.clone() {
            None => self.receive_connection(guest, socket).await,
            Some(multiplexer) => self.receive_session(guest, socket, multiplexer).await,
        }
    }

    async fn receive_connection(self, guest: Arc<Guest>, socket: GuestSocket) {
        let proof = tokio::select! {
            proof = self.tls.accept(Box::new(socket) as Io) => proof,
            late = guest.has_to_go() => Err(late),
        };
        match proof.and_then(|stream| guest.has_proved().map(|()| stream)) {
            Ok(stream) => self.welcome(stream, guest, None).await,
            Err(error) => self.lobby.refused(&error),
        }
    }

    /// A session ends with its socket once one of its streams has proved that the host is the peer; otherwise it ends
    /// soon.
    async fn receive_session(self, guest: Arc<Guest>, socket: GuestSocket, multiplexer: Multiplexer) {
        let (session, streams) = YamuxSession::over(socket);
        tokio::select! {
            () = self.receive_streams(&guest, &session, streams, &multiplexer) => {}
            late = guest.has_to_go() => self.lobby.refused(&late),
        }
        session.end();
    }

    async fn receive_streams(
        &self,
        guest: &Arc<Guest>,
        session: &YamuxSession,
        mut streams: mpsc::Receiver<Stream>,
        multiplexer: &Multiplexer,
    ) {
        let permits = Arc::new(Semaphore::new(STREAMS));
        while let Some(stream) = streams.recv().await {
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                self.lobby.refused(&io::Error::other(format!("it has {STREAMS} streams already")));
                continue;
            };
            let (acceptor, guest) = (self.clone(), guest.clone());
            let (session, multiplexer) = (session.clone(), multiplexer.clone());
            tokio::spawn(async move {
                match acceptor.prove_stream(stream, &guest).await {
                    Ok(stream) => {
                        multiplexer.prefer(session);
                        acceptor.welcome(stream, guest, Some(permit)).await;
                    }
                    Err(error) => acceptor.lobby.refused(&error),
                }
            });
        }
    }

    async fn prove_stream(&self, stream: Stream, guest: &Guest) -> io::Result<TlsStream<Io>> {
        let stream = timeout(PROOF, self.tls.accept(Box::new(stream) as Io)).await??;
        guest.has_proved()?;
        Ok(stream)
    }

    async fn welcome(&self, stream: TlsStream<Io>, guest: Arc<Guest>, permit: Option<OwnedSemaphorePermit>) {
        let connection =
            Connection { stream, _present: self.liveness.enter(), _guest: guest, _permit: permit };
        let _ending = self.admitted.send(Ok(connection)).await;
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
