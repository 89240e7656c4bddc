//! Compiles the contract with protox, so that no protoc has to be installed.

use std::error::Error;

/// Every file of the contract, by the path its imports use.
const FILES: &[&str] = &[
    "plugin/broker.proto",
    "plugin/controller.proto",
    "plugin/stdio.proto",
    "logical/event.proto",
    "logical/identity.proto",
    "logical/observation.proto",
    "logical/plugin.proto",
    "logical/version.proto",
    "pb/backend.proto",
    "pb/events.proto",
    "pb/message.proto",
    "pb/storage.proto",
    "pb/system_view.proto",
    "pluginutil/multiplexing/multiplexing.proto",
];

/// Messages that can hold a secret; `src/redacted.rs` writes their `Debug`.
const SECRET: &[&str] = &[
    "plugin.StdioData",
    "pb.Request",
    "pb.Auth",
    "pb.TokenEntry",
    "pb.Secret",
    "pb.Response",
    "pb.ResponseWrapInfo",
    "pb.StorageEntry",
    "pb.ResponseWrapDataArgs",
    "pb.GeneratePasswordFromPolicyReply",
    "pb.GenerateIdentityTokenResponse",
];

#[expect(clippy::disallowed_macros, reason = "a build script speaks to cargo on stdout")]
fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    tonic_prost_build::configure().skip_debug(SECRET).include_file("contract.rs").compile_fds(descriptors)?;
    Ok(())
}
