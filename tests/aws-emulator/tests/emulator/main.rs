//! Proof that the emulator is as strict as AWS: each of the 63 negative cases, what a session carries, and clients of other authors.
//!
//! ```text
//! expectations.rs   the table: case, status, type, text, rule, and whether AWS's text is known or inferred
//! cases_*.rs        one test or more per case, named `case_NN_…`; case_list.rs counts that none is missing
//! rules.rs          the refusals beyond the 63
//! role_chaining.rs  AssumeRole into another account; session_tags.rs: its tags and policies; regions.rs: one account in several regions
//! sessions.rs …     successes; binary.rs runs the emulator as a program
//! python_clients.rs the PyPI client and boto3, run as they are; boto3_hops.rs: boto3 in two accounts and two regions
//! pki/ client/      certificates and requests of the tests' own, with every fault
//! ```
//!
//! Start reading at `expectations.rs`, then `world.rs` and `two_accounts.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod anchors;
mod assume_role;
mod binary;
mod boto3_hops;
mod caller_identity;
mod case_list;
mod cases_account;
mod cases_chain;
mod cases_leaf;
mod cases_management;
mod cases_request;
mod cases_signature;
mod client;
mod clock;
mod cloudtrail;
mod ecr;
mod expectations;
mod iam;
mod knobs;
mod ml_dsa;
mod openssl_check;
mod permissions;
mod pki;
mod python_clients;
mod regions;
mod revocation;
mod role_chaining;
mod rules;
mod session_tags;
mod sessions;
mod tags;
mod trust_policies;
mod two_accounts;
mod world;
