//! X.509 as the rules need it, on `RustCrypto`: certificates, names, keys, revocation lists, path building blocks.

mod certificate;
mod constraints;
mod key;
mod name;
mod revocation;

pub(crate) use certificate::Certificate;
pub(crate) use constraints::{NameConstraints, Names};
pub(crate) use key::{Key, KeyType, Mismatch, Signed};
pub(crate) use name::{Attribute, attributes};
pub(crate) use revocation::RevocationList;
