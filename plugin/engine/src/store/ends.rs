//! Which cached sessions a change of storage ends.

use std::collections::HashSet;

/// An argument of every write of what sessions are made from. Those sessions end after the write, also where it errs: a Put that
/// errs may have landed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends<'a> {
    /// The change makes no other sessions than before.
    Nothing,
    All,
    /// Those of one role.
    Role(&'a str),
    /// Those of callers from one cluster.
    Cluster(&'a str),
    /// Those made with one issuer, by its id.
    Issuer(&'a str),
    /// Those made with any of these issuers.
    Issuers(&'a [String]),
    /// Those that these roles made with one issuer.
    Followers {
        issuer: &'a str,
        roles: &'a HashSet<String>,
    },
}
