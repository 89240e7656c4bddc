//! One connection, from its first byte to its last: it makes one request.

use std::convert::Infallible;
use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, join};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::gate::{Gate, Refused};
use super::head::{self, HeadError, MAX_HEAD};
use super::request::Wanted;
use super::respond::{self, Answered};
use crate::agent::{Agent, CredentialsRequest};
use crate::cache::{Flights, Reply};
use crate::clock::Clock;
use crate::metrics::{Meters, RequestOutcome};
use crate::refusal::{Refusal, Retry};

/// How long a connection may last in all: its head, the longest answer, and a client that reads slowly.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a refused client is listened to, so that it reads why before the connection is reset.
const LINGER: Duration = Duration::from_secs(1);

/// What every connection needs.
pub(super) struct Parts {
    pub(super) agent: Agent,
    pub(super) gate: Mutex<Gate>,
    pub(super) listen: Vec<SocketAddr>,
    pub(super) answer_within: Duration,
    pub(super) clock: Clock,
    pub(super) meters: Arc<Meters>,
}

impl Parts {
    /// Lets a connection of `source` in.
    ///
    /// # Errors
    /// It has to stay out.
    pub(super) fn enter(self: &Arc<Self>, source: IpAddr) -> Result<Admission, Refused> {
        self.gate().enter(self.clock.now().monotonic, source)?;
        Ok(Admission { parts: Arc::clone(self), source })
    }

    pub(super) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that was let in. It leaves the gate when this is dropped.
pub(super) struct Admission {
    parts: Arc<Parts>,
    source: IpAddr,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.parts.gate().leave(self.source);
    }
}

impl Admission {
    /// Serves the connection to its end.
    pub(super) async fn serve(self, stream: TcpStream) {
        // a client that is slower than that is gone
        let _ = timeout(CONNECTION_TIMEOUT, self.request(stream)).await;
    }

    async fn request(&self, mut stream: TcpStream) {
        match head::read(&mut stream).await {
            Ok(head) => self.answer(stream, head).await,
            Err(HeadError::Gone) => {}
            Err(HeadError::Refused(refusal)) => {
                self.note_rejection(&refusal, None);
                turn_away(stream, &refusal).await;
            }
        }
    }

    async fn answer(&self, stream: TcpStream, head: Zeroizing<Vec<u8>>) {
        let (reads, writes) = stream.into_split();
        let io = join(Cursor::new(head).chain(reads), writes);
        let service =
            service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(self.handle(request).await));
        let served = http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(2 * MAX_HEAD)
            .serve_connection(TokioIo::new(io), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(source = %self.source, "a connection broke: {error}");
        }
    }

    async fn handle(&self, request: Request<Incoming>) -> Answered {
        let Parts { agent, listen, answer_within, meters, .. } = &*self.parts;
        let (began, id) = (Instant::now(), format!("{:016x}", fastrand::u64(..)));
        let (parts, _body) = request.into_parts();
        let Wanted { token, role } = match Wanted::read(&parts, listen) {
            Ok(wanted) => wanted,
            Err(refusal) => return self.reject(&refusal, &id),
        };
        let asking = self.ask();
        let reply = agent
            .credentials(CredentialsRequest { id: id.clone(), token, role, flights: asking.flights })
            .await;
        drop(asking);
        self.note(&reply);
        meters.answered(began.elapsed());
        respond::reply(reply, *answer_within, &id)
    }

    fn reject(&self, refusal: &Refusal, id: &str) -> Answered {
        self.note_rejection(refusal, Some(id));
        respond::refusal(refusal, id)
    }

    /// Counts and logs a request that is none. A flood of them is at debug.
    fn note_rejection(&self, refusal: &Refusal, request_id: Option<&str>) {
        self.parts.meters.request(RequestOutcome::Rejected);
        let (source, code) = (self.source, &*refusal.code);
        if self.parts.gate().warns(self.parts.clock.now().monotonic, source) {
            tracing::warn!(request_id, %source, code, "refused: {refusal}");
        } else {
            tracing::debug!(request_id, %source, code, "refused: {refusal}");
        }
    }

    fn ask(&self) -> Asking<'_> {
        let now = self.parts.clock.now().monotonic;
        let may_ask = self.parts.gate().asks(now, self.source);
        let flights = if may_ask { Flights::Open } else { Flights::Closed };
        Asking { admission: self, flights }
    }

    /// Remembers a refusal of Vault that cost it a login.
    fn note<V>(&self, reply: &Reply<V, Refusal>) {
        if let Reply::Refused { why, is_repeated: false } = reply
            && why.retry == Retry::Useless
        {
            self.parts.gate().refused(self.parts.clock.now().monotonic, self.source);
        }
    }
}

/// A request that is being answered. It counts until this is dropped, also if the client leaves.
struct Asking<'a> {
    admission: &'a Admission,
    flights: Flights,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.admission.parts.gate().answered(self.admission.source);
    }
}

/// Tells a client why it is refused, and listens for a moment, because the kernel resets a connection that is closed with unread data, and
/// then the client may not see the answer.
pub(super) async fn turn_away(mut stream: TcpStream, refusal: &Refusal) {
    let told = async {
        stream.write_all(&respond::raw(refusal)).await?;
        stream.shutdown().await?;
        let mut ignored = [0; 1024];
        while stream.read(&mut ignored).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // a client that does not read is gone
    let _ = timeout(LINGER, told).await;
}
