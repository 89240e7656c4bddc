//! Ending sessions early: our inline policy of an IAM role, as a value that is read, changed and written back. No I/O.
//!
//! A session cannot be taken back, but its role can be told to deny it everything. The document says so by three conditions:
//! issued before a moment (`aws:TokenIssueTime`), of a session name (`aws:userid`), of a source identity (`aws:SourceIdentity`).
//! What is no longer needed must be known to whoever reads the document next, so each statement's `Sid` says until when.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>

mod document;
mod policy;
#[cfg(test)]
mod tests;

pub use document::NotOurs;
pub use policy::{Policy, ROLE_LIMIT, Unfit, size_in_iam};
