//! The sessions that a revocation ends, as its caller names them.

use ca::Serial;

/// The sessions to end. A process finds only those that it handed out itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// The session whose certificate had this serial number.
    Serial(Serial),
    /// Every session that was handed to the entity with this id.
    Entity(String),
    /// The sessions of callers from the cluster with this name. Those of a role whose templates need no cluster are not among
    /// them.
    Cluster(String),
}
