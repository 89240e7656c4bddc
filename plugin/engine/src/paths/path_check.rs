//! `check/:role`: judges every link between the CA and AWS's answer, each with what was seen and the cure.

use std::sync::Arc;

use vault_backend::{Fault, Field, Params, Request, Response, Route, Values};

use crate::credentials::grant;
use crate::engine::Engine;
use crate::paths::in_place::InPlaceOf;
use crate::paths::named::ROLE;
use crate::paths::schema::joined;

/// A check as the caller.
struct AsCaller {
    role: String,
    /// A broken link is an error.
    strict: bool,
}

/// A check in another caller's place.
struct InPlace {
    of: InPlaceOf,
    /// A broken link is an error.
    strict: bool,
}

/// Both operations take it.
const STRICT: Field =
    Field::bool("strict", "return an error if a link is broken; Vault's CLI then exits with code 2")
        .default_text("false");

/// False if it is not given.
fn strict(values: &Values) -> Result<bool, Fault> {
    Ok(values.bool("strict")?.unwrap_or(false))
}

impl Params for AsCaller {
    const FIELDS: &'static [Field] = &[ROLE, STRICT];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { role: values.text("role")?, strict: strict(values)? })
    }
}

impl Params for InPlace {
    const FIELDS: &'static [Field] = &joined::<3>(InPlaceOf::FIELDS, &[STRICT]);

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { of: InPlaceOf::from_values(values)?, strict: strict(values)? })
    }
}

/// A read checks as the caller, a write in another caller's place. The write is an operation of its own because policies must be
/// able to grant the one without the other.
pub(crate) fn route() -> Route<Engine> {
    Route::at("check/{role}")
        .with_at_signs()
        .synopsis("Why a read of the role's credentials is refused.")
        .description(include_str!("../help/check-role.md"))
        .read(read)
        .update(update)
}

async fn read(engine: Arc<Engine>, request: Request, ask: AsCaller) -> Result<Response, Fault> {
    let check = Check { role: &ask.role, requester: &grant::turn(&request), strict: ask.strict };
    answer(&engine, &request, check).await
}

/// Checks in the place of `entity_id`, in the operator's own turn.
async fn update(engine: Arc<Engine>, request: Request, ask: InPlace) -> Result<Response, Fault> {
    // Before the request takes the other caller's entity: the check counts against the operator.
    let requester = grant::turn(&request).into_owned();
    let request = ask.of.instead_of(request).await?;
    let check = Check { role: &ask.of.role, requester: &requester, strict: ask.strict };
    answer(&engine, &request, check).await
}

/// One check.
struct Check<'a> {
    role: &'a str,
    /// Whose share of the checks it takes: the sender's, also in another caller's place.
    requester: &'a str,
    /// A broken link is an error.
    strict: bool,
}

/// Runs one check, within the limits of the mount and of one caller.
///
/// # Errors
/// A fault to try again later if too many checks are under way or the mount closes; the operator's fault if `strict` and a link
/// is broken; those of [`crate::check::Checks::run`].
async fn answer(engine: &Arc<Engine>, request: &Request, check: Check<'_>) -> Result<Response, Fault> {
    engine.lifecycle.active_only()?;
    // Held until the check ends.
    let _look = engine.checks.looks.begin(check.requester)?;
    let report = engine.lifecycle.until_closed(Box::pin(engine.checks.run(request, check.role))).await?;
    match report.failure().filter(|_| check.strict) {
        Some(failure) => Err(Fault::operator(failure).cure_is_told()),
        None => Ok(Response::data(report.shown())),
    }
}
