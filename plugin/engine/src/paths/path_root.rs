//! `root/generate/internal`: makes a self-signed CA whose key never leaves the engine. The path requires `sudo` (see
//! `special_paths` in `backend.rs`).

use std::sync::Arc;

use ca::{CaProfile, Issuer};
use vault_backend::{Fault, Field, Params, Request, Response, Route, Values};

use crate::engine::Engine;
use crate::ground::bounds::Seconds;
use crate::ground::clock;
use crate::issuers::{self, Candidate, Issuers, KeyPlace};
use crate::paths::issuer_answer;
use crate::paths::new_ca::NewCa;
use crate::paths::schema::{ISSUER_NAME, joined};
use crate::records::document::FromField;

/// A year of 365 days, in seconds.
const YEAR: u64 = 365 * 86_400;
/// The life of a CA: a day to a hundred years, ten by default. The bounds are the engine's own.
type CaTtl = Seconds<86_400, { 100 * YEAR }, { 10 * YEAR }>;

/// A new self-signed CA.
struct Generate {
    ca: NewCa,
    ttl: CaTtl,
    /// None: the issuer has only its id.
    issuer_name: Option<String>,
}

impl Params for Generate {
    const FIELDS: &'static [Field] = &joined::<10>(
        NewCa::FIELDS,
        &[
            Field::duration("ttl", "life of the CA certificate, at least a day").default_text("87600h"),
            ISSUER_NAME,
        ],
    );

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self {
            ca: NewCa::from_values(values)?,
            ttl: CaTtl::from_field(values, "ttl")?,
            issuer_name: values.string("issuer_name")?,
        })
    }
}

/// Each call makes another CA. A repeated command with a name is refused, because the name is taken.
pub(crate) fn route() -> Route<Engine> {
    Route::at("root/generate/internal")
        .synopsis("Make a self-signed CA whose key never leaves the engine.")
        .description(
            "A Roles Anywhere trust anchor must hold the answer's certificate. The first issuer of a mount becomes its default. A second one is the next: see rotation. The engine refuses a third until one is disabled or deleted, because a trust anchor holds two certificates.",
        )
        .update(generate)
}

/// Makes the CA and stores it. The first issuer of a mount becomes its default. Name and room are checked before the key is made,
/// and again under the store's lock.
///
/// # Errors
/// The caller's fault if the name is taken or the subject does not fit; the operator's if a trust anchor has no room for another
/// issuer.
async fn generate(engine: Arc<Engine>, request: Request, ask: Generate) -> Result<Response, Fault> {
    let issuers = Issuers::load(engine.store()).await?;
    // Before the key is made: an RSA key may take a second, and a refused request should cost nothing. `added` checks both again.
    issuers::check_name(&issuers, ask.issuer_name.as_deref())?;
    issuers.check_room(clock::now(), &request.mount_point)?;
    let profile = CaProfile { subject: ask.ca.subject, key: ask.ca.key, ttl: ask.ttl.as_duration() };
    let issuer = issuers::off_thread(move || Issuer::generate_root(&profile, clock::now())).await?;
    let (name, mount_point) = (ask.issuer_name, request.mount_point.as_str());
    let candidate = Candidate { issuer, name, key: KeyPlace::New, mount_point };
    // The lock only now: making the key must hold up no other write.
    issuer_answer::added(&engine.store().write().await, candidate).await
}
