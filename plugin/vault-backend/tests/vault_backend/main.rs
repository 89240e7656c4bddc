//! A backend as Vault meets it, one subject a module.

mod dispatch;
mod failures;
mod fields;
