//! The tests' own clients: `CreateSession` with every way to get it wrong, and `SigV4` for STS and the management API.

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod sigv4;

pub(crate) use answer::{Answer, Session};
pub(crate) use call::{Call, Encoding, Prepared, Shape, escape};
pub(crate) use sigv4::{Keys, SignedCall};
