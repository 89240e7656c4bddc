//! `issuers/import/bundle`: imports a CA with its key, both made elsewhere. The path requires `sudo` (see `special_paths` in
//! `backend.rs`).

use std::sync::Arc;

use vault_backend::{Fault, Field, Params, Request, Response, Route, Values};

use crate::engine::Engine;
use crate::ground::clock;
use crate::ground::faults;
use crate::issuers::{Candidate, KeyPlace};
use crate::paths::issuer_answer;
use crate::paths::schema::{ISSUER_NAME, WITHOUT_PATHLEN};

/// A CA as a PEM bundle.
struct Import {
    /// Certificate, one unencrypted key, and parents, in any order.
    pem_bundle: String,
    /// None: the issuer has only its id.
    issuer_name: Option<String>,
    /// Takes a CA without `pathlen:0`, which could sign further CAs.
    force: bool,
}

impl Params for Import {
    const FIELDS: &'static [Field] = &[
        Field::pem("pem_bundle", "the CA's certificate, its private key (PKCS#8, PKCS#1 or SEC1) and its parents, PEM, in any order")
            .required()
            .sensitive(),
        ISSUER_NAME,
        WITHOUT_PATHLEN,
    ];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self {
            pem_bundle: values.pem("pem_bundle")?.ok_or_else(|| Fault::caller("pem_bundle: missing"))?,
            issuer_name: values.string("issuer_name")?,
            force: values.bool("force")?.unwrap_or(false),
        })
    }
}

/// The bundle is sensitive: no error text may quote it.
pub(crate) fn route() -> Route<Engine> {
    Route::at("issuers/import/bundle")
        .synopsis("Import a CA with its key, both made elsewhere.")
        .description(
            "No path ever returns the key again. A key that was elsewhere is only as safe as that place was. The import of a CA that is an issuer already returns that issuer, so a repeated import changes nothing.",
        )
        .update(import)
}

/// Stores the CA as an issuer. A certificate that is an issuer already is returned as that one, so a repeated import changes
/// nothing but a chain that it completes.
///
/// # Errors
/// A fault of `ca` if key and certificate do not belong together or the certificate breaks a rule; those of `issuers::add`.
async fn import(engine: Arc<Engine>, request: Request, ask: Import) -> Result<Response, Fault> {
    let writer = engine.store().write().await;
    let issuer = ca::import_bundle(&ask.pem_bundle, clock::now(), ask.force).map_err(faults::ca)?;
    let (name, mount_point) = (ask.issuer_name, request.mount_point.as_str());
    let candidate = Candidate { issuer, name, key: KeyPlace::New, mount_point };
    issuer_answer::added(&writer, candidate).await
}
