//! Floor 1: who asks, and what the certificate says of the caller. It reads no storage and calls no AWS.

pub(crate) mod caller;
pub(crate) mod clusters;
pub(crate) mod command_word;
pub(crate) mod digest;
pub(crate) mod reference;
pub(crate) mod session_tags;
pub(crate) mod shorten;
pub(crate) mod subject;
pub(crate) mod subject_field;
pub(crate) mod template;
