//! The lifecycle of one mount on this node: whether it may hand out sessions, and whether it is being closed.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use vault_backend::Fault;

/// The state of one mount on this node, as Vault reports it.
pub(crate) struct Lifecycle {
    /// Whether the node is a performance standby. It must forward every request for a lease or a session, because N nodes that
    /// call AWS would exceed its quota N times.
    standby: AtomicBool,
    /// Turns `true` once and stays so.
    closing: watch::Sender<bool>,
}

impl Lifecycle {
    /// The state of a mount that begins on an active node; `initialize` corrects it.
    pub(crate) fn new() -> Self {
        Self { standby: AtomicBool::new(false), closing: watch::Sender::new(false) }
    }

    /// Sets whether this node is a performance standby, which `initialize` asks of Vault.
    pub(crate) fn set_standby(&self, standby: bool) {
        self.standby.store(standby, Ordering::Relaxed);
    }

    pub(crate) fn is_standby(&self) -> bool {
        self.standby.load(Ordering::Relaxed)
    }

    /// Closes the mount: work under [`Self::until_closed`] ends with an error. A mount that was closed is never opened again.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Checks that this node is no performance standby.
    ///
    /// # Errors
    /// Vault's read-only error, at which Vault forwards the request to the active node.
    pub(crate) fn active_only(&self) -> Result<(), Fault> {
        if self.is_standby() { Err(Fault::read_only()) } else { Ok(()) }
    }

    /// Runs `work` until it ends or the mount closes, whichever is first. Without that a seal would wait for the work, because
    /// Vault waits for requests in flight. Work that is given up is dropped where it waits.
    ///
    /// # Errors
    /// Those of `work`; where the mount closes, a fault to be tried later.
    pub(crate) async fn until_closed<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            done = work => done,
            _ = closing.wait_for(|closed| *closed) => Err(Fault::later("the mount is closing; ask again")),
        }
    }
}
