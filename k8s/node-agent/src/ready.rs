//! `ready`: whether the agent in this container is ready, for a startup probe.
//!
//! Two agents share the node's network while one takes over from the other, and so they share the address of `/readyz`: a probe over HTTP
//! may be answered by the old one. This one asks on a socket whose name holds the container's PID namespace. It is an abstract socket, so
//! it needs no file.

use std::fs;
use std::io::{self, Read as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::failure::Failure;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(1);
/// What an answer begins with that says yes.
const READY: &str = "ready";

/// Succeeds if the agent in this container is ready.
///
/// # Errors
/// It is not, or none runs.
pub fn run() -> Result<(), Failure> {
    let answer = ask().map_err(|error| Failure::new(format!("no agent runs in this container: {error}")))?;
    if answer.starts_with(READY) { Ok(()) } else { Err(Failure::new(answer.trim_end())) }
}

fn ask() -> io::Result<String> {
    let mut stream = UnixStream::connect_addr(&address()?)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The socket on which the agent of this container answers.
///
/// # Errors
/// Another agent of this container has it.
pub(crate) fn bind() -> io::Result<tokio::net::UnixListener> {
    let listener = UnixListener::bind_addr(&address()?)?;
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

/// Tells everybody who connects what `readiness` says, for ever.
pub(crate) async fn serve(listener: tokio::net::UnixListener, readiness: impl Fn() -> String) {
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) => {
                // a text of this length fits the socket's buffer; a probe that left has no use for it
                let _ = tokio::time::timeout(TIMEOUT, stream.write_all(readiness().as_bytes())).await;
            }
            Err(error) => {
                tracing::warn!("a probe could not be accepted: {error}");
                tokio::time::sleep(TIMEOUT).await;
            }
        }
    }
}

fn address() -> io::Result<SocketAddr> {
    let namespace = fs::read_link("/proc/self/ns/pid")?;
    SocketAddr::from_abstract_name(format!("iamra-node-agent/{}", namespace.display()))
}
