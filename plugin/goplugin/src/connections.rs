//! Connections from the host: accepted, proved by TLS, counted, and handed to the gRPC server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::multiplex::{Multiplexer, Session};
use crate::presence::{Presence, Present};

/// How long a peer may take to prove itself. A host takes milliseconds.
const PROOF: Duration = Duration::from_secs(10);

/// Pause after a failed accept, which mostly means that file descriptors ran out.
const BREATH: Duration = Duration::from_millis(50);

/// Proved connections the server has not taken yet.
const WAITING: usize = 16;

/// Anything bytes go both ways over: a socket, or a stream of a shared one.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection of either kind.
pub(crate) type Io = Box<dyn Duplex>;

/// A connection whose other end is the host.
pub(crate) struct Connection {
    stream: TlsStream<Io>,
    _present: Present,
}

/// Lets the host in, and nobody else.
#[derive(Clone)]
pub(crate) struct Entrance {
    acceptor: TlsAcceptor,
    presence: Presence,
    multiplexer: Option<Multiplexer>,
    admitted: mpsc::Sender<io::Result<Connection>>,
}

impl Entrance {
    /// An entrance, and what comes through it. With a `multiplexer`, every socket carries a yamux session.
    pub(crate) fn new(
        acceptor: TlsAcceptor,
        presence: Presence,
        multiplexer: Option<Multiplexer>,
    ) -> (Self, ReceiverStream<io::Result<Connection>>) {
        let (admitted, connections) = mpsc::channel(WAITING);
        (Self { acceptor, presence, multiplexer, admitted }, ReceiverStream::new(connections))
    }

    /// Accepts until `stop`. Each peer proves itself in a task of its own, so that none holds up another.
    pub(crate) async fn open(self, listener: UnixListener, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return,
            };
            match accepted {
                Ok((socket, _)) => drop(tokio::spawn(self.clone().receive(socket))),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(BREATH).await;
                }
            }
        }
    }

    async fn receive(self, socket: UnixStream) {
        let Some(multiplexer) = self.multiplexer.clone() else {
            self.admit(Box::new(socket)).await;
            return;
        };
        let (session, mut streams) = Session::over(socket);
        while let Some(stream) = streams.recv().await {
            let (entrance, session, multiplexer) = (self.clone(), session.clone(), multiplexer.clone());
            tokio::spawn(async move {
                if entrance.admit(Box::new(stream)).await {
                    multiplexer.prefer(session);
                }
            });
        }
    }

    /// Whether the peer proved to be the host.
    async fn admit(&self, io: Io) -> bool {
        let proved = timeout(PROOF, self.acceptor.accept(io)).await.unwrap_or_else(|late| Err(late.into()));
        match proved {
            Ok(stream) => {
                let connection = Connection { stream, _present: self.presence.enter() };
                self.admitted.send(Ok(connection)).await.is_ok()
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was refused: its peer is not the host");
                false
            }
        }
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
