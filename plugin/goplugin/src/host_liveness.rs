//! Whether the host is still alive, judged by its connections.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long a start waits for its host. A host connects within milliseconds; after this time it has died or lost track
/// of the process.
pub(crate) const FIRST_CONNECTION: Duration = Duration::from_mins(1);

/// How long all connections may be closed before the host counts as gone. A host keeps one main connection open from
/// start to end, because a stream is always open on it, and grpc-go reopens a broken one at once.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Counts the connections on which the host has proved itself.
#[derive(Debug, Clone)]
pub(crate) struct HostLiveness {
    connections: watch::Sender<usize>,
}

/// One connection; it ends on drop.
#[derive(Debug)]
pub(crate) struct Present {
    connections: watch::Sender<usize>,
}

/// Why the host counts as gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It never connected.
    NeverCame,
    /// It connected and left.
    Left,
}

impl HostLiveness {
    /// No connection yet.
    pub(crate) fn new() -> Self {
        Self { connections: watch::Sender::new(0) }
    }

    /// A connection begins.
    pub(crate) fn enter(&self) -> Present {
        self.connections.send_modify(|count| *count += 1);
        Present { connections: self.connections.clone() }
    }

    /// Waits until the host counts as gone.
    pub(crate) async fn missed(&self) -> Absence {
        let mut connections = self.connections.subscribe();
        if timeout(FIRST_CONNECTION, connections.wait_for(|count| *count > 0)).await.is_err() {
            return Absence::NeverCame;
        }
        loop {
            let _open = connections.wait_for(|count| *count == 0).await.is_ok();
            if timeout(GRACE, connections.wait_for(|count| *count > 0)).await.is_err() {
                return Absence::Left;
            }
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.connections.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, advance, sleep};

    #[tokio::test(start_paused = true)]
    async fn a_host_that_never_comes_is_missed_after_a_minute() {
        let start = Instant::now();

        let absence = HostLiveness::new().missed().await;

        assert_eq!(absence, Absence::NeverCame);
        assert_eq!(start.elapsed().as_secs(), FIRST_CONNECTION.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_is_missed_soon_after_its_last_connection_ends() {
        let liveness = HostLiveness::new();
        let (one, other) = (liveness.enter(), liveness.enter());
        let ends = async {
            sleep(Duration::from_secs(1000)).await;
            drop(one);
            sleep(Duration::from_secs(1000)).await;
            drop(other);
            Instant::now()
        };

        let (absence, ended) = tokio::join!(liveness.missed(), ends);

        assert_eq!(absence, Absence::Left);
        assert_eq!(ended.elapsed().as_secs(), GRACE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_reconnects_at_once_is_not_missed() {
        let liveness = HostLiveness::new();
        drop(liveness.enter());
        let watching = tokio::spawn({
            let liveness = liveness.clone();
            async move { liveness.missed().await }
        });
        tokio::task::yield_now().await;
        advance(GRACE / 2).await;
        let again = liveness.enter();
        advance(GRACE * 10).await;
        tokio::task::yield_now().await;

        let still_watching = !watching.is_finished();

        drop(again);
        assert!(still_watching);
    }
}
