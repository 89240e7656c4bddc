//! The command `cluster`; see the library.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cluster::main(std::env::args().skip(1).collect()).await
}
