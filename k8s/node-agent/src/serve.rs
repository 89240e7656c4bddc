//! `serve`: answers the pods of this node until SIGTERM.

use crate::failure::Failure;
use crate::options::ServeOptions;

/// Serves until SIGTERM or SIGINT, and then ends the requests that run.
///
/// # Errors
/// An address cannot be listened on, or Vault's CA cannot be read.
#[expect(clippy::needless_pass_by_value, reason = "the parts will take what is in it")]
pub fn run(options: ServeOptions) -> Result<(), Failure> {
    Err(Failure::new(format!("{:?}: serving is not written yet", options.listen)))
}
