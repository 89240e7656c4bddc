//! `root/generate/internal`: makes a self-signed CA whose key never leaves the engine. The path requires `sudo` (see
//! `special_paths` in `backend.rs`).

use std::sync::Arc;
use std::time::Duration;

use ca::{CaProfile, Issuer};
use vault_backend::{Fault, Field, Params, Request, Response, Route, Values};

use crate::engine::Engine;
use crate::ground::bounds::Bounds;
use crate::ground::clock;
use crate::issuers::{self, Candidate, Issuers, KeyPlace};
use crate::paths::issuer_answer;
use crate::paths::new_ca::NewCa;

/// The life of a CA in seconds: a day to a hundred years of 365 days.
const TTL: Bounds = Bounds { least: 86_400, most: 100 * 365 * 86_400 };
/// Ten years of 365 days.
const DEFAULT_TTL: Duration = Duration::from_hours(10 * 365 * 24);

/// A new self-signed CA.
struct Generate {
    ca: NewCa,
    /// The certificate's life, within [`TTL`].
    ttl: Duration,
    /// None: the issuer has only its id.
    issuer_name: Option<String>,
}

impl Params for Generate {
    const FIELDS: &'static [Field] = &[
        NewCa::COMMON_NAME,
        NewCa::ORGANIZATION,
        NewCa::UNIT,
        NewCa::COUNTRY,
        NewCa::LOCALITY,
        NewCa::PROVINCE,
        NewCa::KEY_TYPE,
        NewCa::KEY_BITS,
        Field::duration("ttl", "life of the CA certificate, at least a day").default_text("87600h"),
        Field::string("issuer_name", "name of the issuer, unique in the mount"),
    ];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        let ttl = values.duration("ttl")?.map(|given| TTL.check("ttl", given)).transpose()?;
        Ok(Self {
            ca: NewCa::from_values(values)?,
            ttl: ttl.unwrap_or(DEFAULT_TTL),
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

/// Makes the CA and stores it. The first issuer of a mount becomes its default. The store's lock is held while the key is made,
/// so the name and the room that were checked cannot be taken meanwhile.
///
/// # Errors
/// The caller's fault if the name is taken or the subject does not fit; the operator's if a trust anchor has no room for another
/// issuer.
async fn generate(engine: Arc<Engine>, request: Request, ask: Generate) -> Result<Response, Fault> {
    let issuers = Issuers::load(engine.store()).await?;
    // Before the key is made: an RSA key may take a second, and a refused request should cost nothing. `added` checks both again.
    issuers::check_name(&issuers, ask.issuer_name.as_deref())?;
    issuers.check_room(clock::now(), &request.mount_point)?;
    let profile = CaProfile { subject: ask.ca.subject, key: ask.ca.key, ttl: ask.ttl };
    let issuer = issuers::off_thread(move || Issuer::generate_root(&profile, clock::now())).await?;
    let (name, mount_point) = (ask.issuer_name, request.mount_point.as_str());
    let candidate = Candidate { issuer, name, key: KeyPlace::New, mount_point };
    // The lock only now: making the key must hold up no other write.
    issuer_answer::added(&engine.store().write().await, candidate).await
}
