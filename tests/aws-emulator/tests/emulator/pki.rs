//! The tests' own certificates: it shares no line with the emulator's verifier, and can make every fault of the case table.

pub(crate) mod authority;
pub(crate) mod certificate;
pub(crate) mod keys;
pub(crate) mod name;

pub(crate) use authority::{Authority, Device};
pub(crate) use certificate::{Certificate, Template, Version, only};
pub(crate) use keys::{Hash, Key, Scheme};
pub(crate) use name::Name;
