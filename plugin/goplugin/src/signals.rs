//! Signals: the host ends this process, not a terminal.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Ignores SIGINT for the life of the process: Ctrl-C in the host's terminal reaches the whole process group, and the
/// host still needs the plugin while it shuts down. SIGTERM, which service managers and container runtimes send,
/// cancels `stop`, so that the socket is removed.
pub(crate) fn watch(stop: CancellationToken) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = interrupt.recv() => tracing::debug!("interrupt ignored: the host ends this process"),
                Some(()) = terminate.recv() => stop.cancel(),
                else => break,
            }
        }
    });
    Ok(())
}
