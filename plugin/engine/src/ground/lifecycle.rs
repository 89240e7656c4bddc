//! Whether this node may hand out sessions, and whether the mount goes on.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use vault_backend::Fault;

/// What Vault says of one mount on this node.
pub(crate) struct Lifecycle {
    /// A performance standby must forward what takes a lease or a session, or N nodes would breach AWS's quota N times.
    standby: AtomicBool,
    closing: watch::Sender<bool>,
}

impl Lifecycle {
    /// Of a mount that begins on an active node.
    pub(crate) fn new() -> Self {
        Self { standby: AtomicBool::new(false), closing: watch::Sender::new(false) }
    }

    pub(crate) fn set_standby(&self, standby: bool) {
        self.standby.store(standby, Ordering::Relaxed);
    }

    pub(crate) fn is_standby(&self) -> bool {
        self.standby.load(Ordering::Relaxed)
    }

    /// The mount ends: work under [`Self::until_closed`] is given up.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Refuses with the error that makes Vault forward the request to the active node.
    pub(crate) fn active_only(&self) -> Result<(), Fault> {
        if self.is_standby() { Err(Fault::read_only()) } else { Ok(()) }
    }

    /// Runs `work` until it ends or the mount closes, whichever is first: a seal waits for requests in flight.
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
