//! `link`: the dummy link on the node that holds the addresses which SDKs ask.

use crate::failure::Failure;
use crate::options::LinkOptions;

/// Makes the link, or leaves it as it is where it is right.
///
/// # Errors
/// The kernel refuses.
pub fn run(options: &LinkOptions) -> Result<(), Failure> {
    Err(Failure::new(format!("{}: links are not made yet", options.name)))
}
