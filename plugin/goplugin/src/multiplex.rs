//! Many connections over one: yamux sessions, for hosts that cannot be dialled (`PLUGIN_MULTIPLEX_GRPC`, containers).

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};
use tokio_util::sync::CancellationToken;
use yamux::{Config, Connection, DEFAULT_CREDIT, Mode};

use crate::lobby::GuestSocket;

/// One stream of a session.
pub(crate) type Stream = Compat<yamux::Stream>;

/// The streams of the host that may wait to be accepted.
const WAITING: usize = 16;

/// The streams of a session: one to each mount that the host has of the plugin, and its own. At one more, yamux ends
/// the session, and with it the process.
const STREAMS: usize = 4096;

/// The total by which the windows of a session's streams may grow. A window takes memory only until TLS reads it, which
/// does not wait for calls.
const GROWTH: usize = 64 << 20;

/// The session to the host, once it has proved itself.
#[derive(Debug, Clone)]
pub(crate) struct Multiplexer {
    session: watch::Sender<Option<YamuxSession>>,
}

impl Multiplexer {
    /// No session yet.
    pub(crate) fn new() -> Self {
        Self { session: watch::Sender::new(None) }
    }

    /// From now on, streams to the host are opened on `session`.
    pub(crate) fn prefer(&self, session: YamuxSession) {
        self.session.send_replace(Some(session));
    }

    /// Opens a stream to the host; none when the session has ended. The host learns of the stream with the first bytes.
    pub(crate) async fn open(&self) -> Option<Stream> {
        let session = self.session.borrow().clone()?;
        session.open().await
    }
}

/// Opens streams on one connection.
#[derive(Debug, Clone)]
pub(crate) struct YamuxSession {
    orders: mpsc::Sender<StreamRequest>,
    ended: CancellationToken,
}

/// A task that waits for a stream.
type StreamRequest = oneshot::Sender<Stream>;

impl YamuxSession {
    /// Speaks yamux on `socket`, as the side that was dialled. The receiver yields the streams the host opens.
    pub(crate) fn over(socket: GuestSocket) -> (Self, mpsc::Receiver<Stream>) {
        let connection = Connection::new(socket.compat(), config(), Mode::Server);
        let (orders, ordered) = mpsc::channel(WAITING);
        let (opened, arrivals) = mpsc::channel(WAITING);
        let (driver, ended) = (Driver { connection, ordered, order: None }, CancellationToken::new());
        tokio::spawn(ended.clone().run_until_cancelled_owned(driver.run(opened)));
        (Self { orders, ended }, arrivals)
    }

    /// Closes the socket, and with it all streams.
    pub(crate) fn end(&self) {
        self.ended.cancel();
    }

    async fn open(&self) -> Option<Stream> {
        let (order, stream) = oneshot::channel();
        self.orders.send(order).await.ok()?;
        stream.await.ok()
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.set_max_connection_receive_window(Some(STREAMS * DEFAULT_CREDIT as usize + GROWTH));
    config.set_max_num_streams(STREAMS);
    config
}

/// Moves the bytes of one session.
struct Driver {
    connection: Connection<Compat<GuestSocket>>,
    ordered: mpsc::Receiver<StreamRequest>,
    order: Option<StreamRequest>,
}

/// What happened on a session.
enum Event {
    Opened(Stream),
    Delivered,
    Ended(Option<yamux::ConnectionError>),
}

impl Driver {
    async fn run(mut self, opened: mpsc::Sender<Stream>) {
        loop {
            match poll_fn(|context| self.poll(context)).await {
                Event::Opened(stream) => {
                    if let Err(refused) = opened.try_send(stream) {
                        tracing::warn!("a stream was dropped: {refused}");
                    }
                }
                Event::Delivered => {}
                Event::Ended(cause) => {
                    tracing::debug!(cause = ?cause, "the shared connection ended");
                    break;
                }
            }
        }
    }

    /// The connection makes progress in `poll_next_inbound` only, so that comes first, always.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if let Poll::Ready(next) = self.connection.poll_next_inbound(context) {
            return Poll::Ready(match next {
                Some(Ok(stream)) => Event::Opened(stream.compat()),
                Some(Err(error)) => Event::Ended(Some(error)),
                None => Event::Ended(None),
            });
        }
        if self.order.is_none()
            && let Poll::Ready(order) = self.ordered.poll_recv(context)
        {
            self.order = order;
        }
        if self.order.is_none() {
            return Poll::Pending;
        }
        match self.connection.poll_new_outbound(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Event::Ended(Some(error))),
            Poll::Ready(Ok(stream)) => {
                if let Some(order) = self.order.take() {
                    let _gone = order.send(stream.compat());
                }
                Poll::Ready(Event::Delivered)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lobby::Lobby;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    /// A host that opens one stream, then accepts one, and says on each which it is.
    async fn host(socket: UnixStream) {
        let mut connection = Connection::new(socket.compat(), Config::default(), Mode::Client);
        let mut opened = poll_fn(|cx| connection.poll_new_outbound(cx)).await.unwrap().compat();
        tokio::spawn(async move { opened.write_all(b"from the host").await });
        while let Some(Ok(stream)) = poll_fn(|cx| connection.poll_next_inbound(cx)).await {
            tokio::spawn(async move {
                let mut stream = stream.compat();
                let mut text = [0; 15];
                stream.read_exact(&mut text).await.unwrap();
                stream.write_all(&text).await.unwrap();
            });
        }
    }

    #[tokio::test]
    async fn streams_go_both_ways_over_one_connection() {
        let (near, far) = UnixStream::pair().unwrap();
        tokio::spawn(host(far));
        let (_guest, near) = Lobby::default().enter(near);
        let (session, mut arrivals) = YamuxSession::over(near);
        let multiplexer = Multiplexer::new();
        multiplexer.prefer(session);

        let mut theirs = arrivals.recv().await.unwrap();
        let mut ours = multiplexer.open().await.unwrap();
        ours.write_all(b"from the plugin").await.unwrap();
        let (mut heard, mut echoed) = ([0; 13], [0; 15]);
        theirs.read_exact(&mut heard).await.unwrap();
        ours.read_exact(&mut echoed).await.unwrap();

        assert_eq!(&heard, b"from the host");
        assert_eq!(&echoed, b"from the plugin");
    }

    #[tokio::test]
    async fn a_session_whose_host_is_gone_opens_nothing() {
        let (near, far) = UnixStream::pair().unwrap();
        let (_guest, near) = Lobby::default().enter(near);
        let (session, mut arrivals) = YamuxSession::over(near);
        let multiplexer = Multiplexer::new();
        multiplexer.prefer(session);

        drop(far);

        assert!(arrivals.recv().await.is_none());
        assert!(multiplexer.open().await.is_none());
    }
}
