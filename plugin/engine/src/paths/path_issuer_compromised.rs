//! `issuer/:ref/compromised`: takes an issuer out of use, everywhere, when its key may be compromised.

use std::sync::Arc;

use serde_json::{Map, json};
use vault_backend::{Fault, Field, Params, Request, Response, Route, Values, quote};

use crate::engine::Engine;
use crate::ground::clock::{self, rfc3339};
use crate::incident::break_glass::OUT_OF_REACH;
use crate::incident::compromise::{CompromiseReport, CompromiseResponse, state};
use crate::issuers::RotationPhase;
use crate::paths::owner::owner;
use crate::records::issuer::DEFAULT_ISSUER;

/// The issuer whose key may be compromised.
struct Compromised {
    /// Its id or name. `default` is refused.
    reference: String,
    /// Also the next issuer, and also if some anchor could not be brought to hold the one that takes over.
    force: bool,
}

impl Params for Compromised {
    const FIELDS: &'static [Field] = &[
        Field::string("ref", "id or name of the issuer"),
        Field::bool(
            "force",
            "also take the next issuer out of use; also switch if a trust anchor could not be given the issuer that takes over",
        )
        .default_text("false"),
    ];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { reference: values.text("ref")?, force: values.bool("force")?.unwrap_or(false) })
    }
}

/// A write, because it changes AWS. It may be repeated: each call does the steps that are left.
pub(crate) fn route() -> Route<Engine> {
    Route::at("issuer/{ref}/compromised")
        .synopsis("Take an issuer whose key may be compromised out of use, everywhere.")
        .description(include_str!("../help/issuer-ref-compromised.md"))
        .update(respond)
}

/// Runs the response and renders its steps, `step_01` and on.
///
/// # Errors
/// The caller's fault if there is no such issuer, or if it is named `default`. The operator's fault if it is the next issuer and
/// `force` is absent, or if no other issuer can take over. A step that fails is not an error: `state` is then `incomplete`.
async fn respond(engine: Arc<Engine>, request: Request, ask: Compromised) -> Result<Response, Fault> {
    engine.lifecycle.active_only()?;
    if ask.reference == DEFAULT_ISSUER {
        return Err(Fault::caller(
            "ref: give the issuer's own id or name: after the switch \"default\" is the one that took over",
        ));
    }
    let snapshot = engine.snapshot().await?;
    let found = snapshot.issuers.find(&ask.reference);
    let found =
        found.ok_or_else(|| Fault::caller(format!("ref: there is no issuer {}", quote(&ask.reference))))?;
    let id = found.record.id.clone();
    // A call that a crash ended must be able to go on: between its two Puts, the compromised issuer stands where a next one does.
    // So an issuer with a stored compromise is not refused.
    let is_next = snapshot.issuers.phase(found, clock::now()) == RotationPhase::Next;
    if is_next && !ask.force && engine.store().compromise(&id).await?.is_none() {
        return Err(Fault::operator(format!(
            "ref: {:?} is the next issuer, which signs for nobody yet and would never sign again",
            found.record.label()
        ))
        .cure("if its key is the compromised one, add force=true"));
    }
    let response =
        CompromiseResponse::new(&engine.incidents, owner(&request), found, ask.force, clock::now());
    let CompromiseReport { report, again_at } =
        engine.lifecycle.until_closed(Box::pin(response.run())).await?;
    let mut shown =
        Map::from_iter([("issuer_id".to_owned(), json!(id)), ("state".to_owned(), json!(state(&report)))]);
    if let Some(at) = again_at {
        shown.insert("again_at".to_owned(), json!(rfc3339(at)));
    }
    for (number, line) in (1..).zip(&report) {
        shown.insert(format!("step_{number:02}"), json!(line.text()));
    }
    Ok(Response::data(shown).warn(OUT_OF_REACH))
}
