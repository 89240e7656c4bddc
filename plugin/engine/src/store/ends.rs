//! The cached sessions that a change of storage ends.

use std::collections::HashSet;

/// The sessions made from a record, as an argument of every write of such a record. They are dropped from the cache after the
/// write, even if it fails: a Put that fails may have landed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends<'a> {
    /// The change does not affect the sessions that are made.
    Nothing,
    /// All sessions of the mount.
    All,
    /// The sessions of one role.
    Role(&'a str),
    /// The sessions of callers from one cluster.
    Cluster(&'a str),
    /// The sessions made with one issuer, by its id.
    Issuer(&'a str),
    /// The sessions made with any of these issuers, by their ids.
    Issuers(&'a [String]),
    /// The sessions that these roles made with one issuer, which they follow as the default.
    Followers {
        /// The id of the issuer that was the default.
        issuer: &'a str,
        roles: &'a HashSet<String>,
    },
}
