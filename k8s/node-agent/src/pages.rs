//! The operator's pages: `/metrics` for Prometheus, `/healthz` and `/readyz` for the kubelet.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::answers::Answers;
use crate::cache::Limits;
use crate::clock::rfc3339;
use crate::metrics::{self, Gauges, Meters};
use crate::reachability::Reachability;
use crate::vault::Vault;

/// The connections that are served at one time. Prometheus and the kubelet have one each.
const MAX_CONNECTIONS: usize = 16;
/// How long one may last.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the pages show.
pub(crate) struct Pages {
    /// What is counted.
    pub(crate) meters: Arc<Meters>,
    /// The cache.
    pub(crate) answers: Answers,
    /// Its bounds.
    pub(crate) limits: Limits,
    /// Whether Vault can be reached.
    pub(crate) vault: Arc<Vault>,
    /// Counts the connections of pods.
    pub(crate) open_connections: Box<dyn Fn() -> usize + Send + Sync>,
    /// Cancelled once the agent is about to end.
    pub(crate) stopping: CancellationToken,
}

type Page = Response<Full<Bytes>>;

impl Pages {
    /// Serves the pages for ever.
    pub(crate) async fn serve(self: Arc<Self>, socket: TcpListener) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            // the semaphore is never closed
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match socket.accept().await {
                Ok((stream, _)) => {
                    let pages = Arc::clone(&self);
                    tokio::spawn(async move {
                        // a client that is slower than that is gone
                        let _ = timeout(CONNECTION_TIMEOUT, pages.connection(stream)).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!("a connection to the operator's pages could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(&self, stream: TcpStream) {
        let service = service_fn(async |request: http::Request<Incoming>| {
            Ok::<_, Infallible>(self.page(request.method(), request.uri().path()))
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        // a client that breaks off has no use for an answer
        let _ = served.await;
    }

    fn page(&self, method: &Method, path: &str) -> Page {
        match path {
            _ if method != Method::GET => {
                text(StatusCode::METHOD_NOT_ALLOWED, "only GET is offered\n".to_owned())
            }
            "/metrics" => self.metrics(),
            "/healthz" => text(StatusCode::OK, "alive\n".to_owned()),
            "/readyz" => self.readiness(),
            _ => text(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n".to_owned()),
        }
    }

    fn metrics(&self) -> Page {
        let gauges = Gauges {
            counts: self.answers.counts(),
            limits: self.limits,
            reachability: self.vault.reachability(),
            connections: (self.open_connections)(),
        };
        let mut page = text(StatusCode::OK, self.meters.text(&gauges));
        page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
        page
    }

    fn readiness(&self) -> Page {
        let (is_ready, why) = self.readiness_text();
        text(if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, why)
    }

    /// Whether the agent is ready, and why not.
    pub(crate) fn readiness_text(&self) -> (bool, String) {
        readiness(&self.vault.reachability(), self.stopping.is_cancelled())
    }
}

/// Whether the agent is ready, and what is to be said of Vault.
///
/// It is ready once Vault has answered, and stays so while Vault is away: it has old sessions to answer, and a new agent in its place
/// would have none. One that has never reached Vault is not ready, so a rollout with a wrong address stops at its first node.
fn readiness(vault: &Reachability, is_stopping: bool) -> (bool, String) {
    let mut why = match (is_stopping, vault.has_ever_answered) {
        (true, _) => "not ready: the agent is about to end\n".to_owned(),
        (false, false) => "not ready: Vault has not answered yet\n".to_owned(),
        (false, true) => "ready\n".to_owned(),
    };
    for (address, outage) in &vault.addresses {
        let state = match outage {
            None => "is of use".to_owned(),
            Some((since, fault)) => format!("is of no use since {}: it {fault}", rfc3339(*since)),
        };
        // a text takes any write
        let _written = writeln!(why, "Vault at {address} {state}");
    }
    (vault.has_ever_answered && !is_stopping, why)
}

fn text(status: StatusCode, text: String) -> Page {
    let mut page = Response::new(Full::new(Bytes::from(text)));
    *page.status_mut() = status;
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    page
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn vault(has_ever_answered: bool, is_away: bool) -> Reachability {
        let outage = is_away.then(|| (datetime!(2026-01-02 12:00 UTC), "is sealed".to_owned()));
        Reachability { addresses: vec![("https://a:8200".to_owned(), outage)], has_ever_answered }
    }

    #[test]
    fn an_agent_is_ready_once_vault_answered_and_stays_so_while_it_is_away() {
        assert!(!readiness(&vault(false, true), false).0);
        assert!(readiness(&vault(true, false), false).0);
        let (is_ready, why) = readiness(&vault(true, true), false);

        assert!(is_ready);
        assert!(
            why.contains("Vault at https://a:8200 is of no use since 2026-01-02T12:00:00Z: it is sealed"),
            "{why}"
        );
    }

    #[test]
    fn an_agent_that_is_about_to_end_is_not_ready() {
        assert!(!readiness(&vault(true, false), true).0);
    }
}
