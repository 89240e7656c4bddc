//! Serving, from the socket to the end of the process.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use proto::plugin::grpc_controller_server::GrpcControllerServer;
use proto::plugin::grpc_stdio_server::GrpcStdioServer;
use thiserror::Error;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use crate::broker::{Broker, BrokerService, Rendezvous};
use crate::certificate::CertifiedKey;
use crate::connections::Acceptor;
use crate::controller::Controller;
use crate::environment::HostEnvironment;
use crate::handshake::Handshake;
use crate::host_liveness::{Absence, FIRST_CONNECTION, HostLiveness};
use crate::multiplex::Multiplexer;
use crate::multiplexing::Multiplexing;
use crate::signals;
use crate::socket::{Socket, SocketError};
use crate::stdio::Stdio;
use crate::tls::Tls;

/// The name under which hosts ask for the plugin's health.
const HEALTH: &str = "plugin";

/// How long open calls may continue after the plugin was asked to end. The host closes its connection right after the
/// answer, and kills the process after two seconds.
const DRAIN: Duration = Duration::from_millis(500);

/// The calls that may be under way on one connection; a host holds further ones back. A reader that waits for a new
/// session is such a call, and a starting fleet makes thousands.
const CALLS: u32 = 8192;

/// The largest size of one call's headers, in bytes; a host's are a few hundred.
const HEADERS: u32 = 16 * 1024;

/// The number of calls that were cancelled before they began, or that broke HTTP/2's rules, after which the connection
/// ends. h2's own 20 would end it when as many callers give up at once while this process is busy.
const TAKEN_BACK: usize = 1024;

/// Why serving failed.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The signal handlers could not be installed.
    #[error("cannot handle signals")]
    Signals(#[source] io::Error),
    /// No key pair could be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// TLS cannot use the host's certificate or the plugin's own.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The socket could not be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// stdout is closed.
    #[error("cannot write the handshake line")]
    Handshake(#[source] io::Error),
    /// The host started the process and never connected.
    #[error("no host connected within {seconds} s", seconds = FIRST_CONNECTION.as_secs())]
    NobodyCame,
    /// The gRPC server failed.
    #[error("cannot serve")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves `services` to the host of this `environment`, in the current tokio runtime (with I/O and time enabled).
///
/// Binds the socket, prints the handshake line, and serves mutual TLS until the host requests the end
/// (`GRPCController.Shutdown`), is gone, or SIGTERM arrives; all three return `Ok`. The socket is removed in every
/// case. Broker, controller, stdio and health are added to `services`. SIGINT is ignored from here on.
pub async fn serve(
    environment: HostEnvironment,
    services: impl FnOnce(Broker) -> Routes,
) -> Result<(), ServeError> {
    let stop = CancellationToken::new();
    signals::watch(stop.clone()).map_err(ServeError::Signals)?;
    let identity = CertifiedKey::generate()?;
    let tls = Tls::pinned(&identity, environment.client_certificate)?;
    let Socket { listener, path } =
        Socket::bind(&environment.socket_dir, environment.socket_group.as_deref())?;

    let liveness = HostLiveness::new();
    let multiplexer = (environment.multiplexing == Multiplexing::Wanted).then(Multiplexer::new);
    let (acceptor, connections) = Acceptor::new(tls.acceptor, liveness.clone(), multiplexer.clone());
    let rendezvous = Arc::new(Rendezvous::default());
    let broker = Broker::new(tls.connector, rendezvous.clone(), multiplexer, stop.clone());
    let routes = with_own_services(services(broker), &rendezvous, &stop).await;

    let handshake = Handshake {
        protocol_version: environment.protocol_version,
        socket: &path,
        certificate: identity.certificate(),
        multiplexing: environment.multiplexing,
    };
    handshake.announce(io::stdout().lock()).map_err(ServeError::Handshake)?;

    tokio::spawn(acceptor.open(listener, stop.clone()));
    let server =
        server().add_routes(routes).serve_with_incoming_shutdown(connections, stop.clone().cancelled_owned());
    tokio::select! {
        outcome = server => Ok(outcome?),
        () = drained(&stop) => Ok(()),
        absence = liveness.missed() => without_host(absence, &stop),
    }
}

/// A gRPC server with bounds: tonic itself has none for calls and cancelled calls. It sends no keep-alive, because a
/// host that ends closes the socket, and a host that stands still, as in a debugger, must find its plugin again. A
/// connection holds up to 1 MiB that no call has read yet, which is hyper's own window, and each call up to
/// [`crate::MESSAGE_LIMIT`].
fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(CALLS)
        .http2_max_header_list_size(HEADERS)
        .http2_max_pending_accept_reset_streams(Some(TAKEN_BACK))
        .http2_max_local_error_reset_streams(Some(TAKEN_BACK))
}

async fn with_own_services(
    services: Routes,
    rendezvous: &Arc<Rendezvous>,
    stop: &CancellationToken,
) -> Routes {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(HEALTH, ServingStatus::Serving).await;
    services
        .add_service(health)
        .add_service(BrokerService::new(rendezvous.clone(), stop.clone()).into_server())
        .add_service(GrpcControllerServer::new(Controller::new(stop.clone())))
        .add_service(GrpcStdioServer::new(Stdio::new(stop.clone())))
}

async fn drained(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(DRAIN).await;
}

fn without_host(absence: Absence, stop: &CancellationToken) -> Result<(), ServeError> {
    stop.cancel();
    match absence {
        Absence::NeverCame => Err(ServeError::NobodyCame),
        Absence::Left => {
            tracing::info!("the host is gone; the plugin ends");
            Ok(())
        }
    }
}
