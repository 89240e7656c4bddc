//! The connection back to Vault, dialled on first use, because Vault serves nothing while it only probes the type.

use std::fmt;

use goplugin::Broker;
use tokio::sync::OnceCell;
use tonic::transport::Channel;

/// Where Vault serves storage and system view of one mount.
pub(crate) struct HostConnection {
    broker: Broker,
    id: u32,
    channel: OnceCell<Channel>,
}

impl HostConnection {
    pub(crate) fn new(broker: Broker, id: u32) -> Self {
        Self { broker, id, channel: OnceCell::new() }
    }

    /// Returns the connection. The text of an error has its whole chain of causes.
    pub(crate) async fn channel(&self) -> Result<Channel, String> {
        let dialled = self.channel.get_or_try_init(|| self.broker.dial(self.id)).await;
        dialled.cloned().map_err(|error| with_causes(&error))
    }
}

impl fmt::Debug for HostConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostConnection({})", self.id)
    }
}

/// Joins an error and its causes by colons, because each names only its own part.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
