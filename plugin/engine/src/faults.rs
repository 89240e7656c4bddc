//! What the CA and AWS say when they fail, as Vault's callers and operators are told it.

use rolesanywhere::{ClientError, Error, IdentityError, Move};
use vault_backend::Fault;

/// A fault of the certificate authority.
pub(crate) fn ca(error: ca::Error) -> Fault {
    if error.is_bug() {
        Fault::bug(error)
    } else if error.is_operator() {
        Fault::operator(error.to_string())
    } else {
        Fault::caller(error.to_string())
    }
}

/// A config that no client can be made from.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
pub(crate) fn client(error: ClientError) -> Fault {
    Fault::operator(error.to_string())
}

/// A leaf that the client refuses: ours to answer for.
pub(crate) fn identity(error: IdentityError) -> Fault {
    Fault::bug(error)
}

/// A CreateSession that gave no session.
pub(crate) fn create_session(error: &Error) -> Fault {
    match error {
        Error::Refused { .. } => Fault::refused(error.to_string()),
        Error::Local(_) => match error.whose_move() {
            Move::Developer => Fault::bug(error),
            _ => Fault::operator(error.to_string()),
        },
        _ => Fault::later(error.to_string()),
    }
}
