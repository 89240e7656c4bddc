//! Which sessions a revocation means.

use ca::Serial;

/// Which sessions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// The one whose certificate had this serial number.
    Serial(Serial),
    /// Those that this entity was handed.
    Entity(String),
    /// Those of callers from this cluster, of roles that name the cluster.
    Cluster(String),
}
