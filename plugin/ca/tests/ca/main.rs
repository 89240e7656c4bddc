//! Tests of the CA, one subject a module.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod import;
mod leaf;
mod openssl;
mod secrets;
mod set_signed;
