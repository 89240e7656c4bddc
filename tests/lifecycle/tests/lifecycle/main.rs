//! The engine in process beside the emulated AWS, one story a module.

mod accounts;
mod check;
mod compromise;
mod moto;
mod revocation;
mod revocation_reach;
mod trust_anchors;
