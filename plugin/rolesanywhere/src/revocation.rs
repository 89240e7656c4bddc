//! Early end of sessions: our inline policy of an IAM role, as a value that is read, changed and written back. No I/O.
//!
//! A session cannot be revoked, but its role can deny it every action. The document does so by three conditions: issued
//! before a moment (`aws:TokenIssueTime`), by session name (`aws:userid`), and by source identity
//! (`aws:SourceIdentity`). The next reader must know which entries are no longer needed, so the `Sid` of each statement
//! says until when it matters. <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>

mod document;
mod policy;
#[cfg(test)]
mod tests;

pub use document::NotOurs;
pub use policy::{Policy, ROLE_LIMIT, Unfit, size_in_iam};
