//! `ca/pem`, `ca_chain` and `trust-bundle`: the issuers' certificates, for everyone.
//!
//! All three are unauthenticated (see `special_paths` in `backend.rs`). They show certificates alone, never a key.

use std::sync::Arc;

use vault_backend::{Fault, Raw, Request, Response, Route};

use crate::engine::Engine;
use crate::ground::clock;
use crate::issuers::{Loaded, Rotation};
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::issuer::IssuerState;

/// The media type of the three responses.
const PEM: &str = "application/pem-certificate-chain";

pub(crate) fn pem_route() -> Route<Engine> {
    Route::at("ca/pem")
        .synopsis("The default issuer's certificate, PEM, unauthenticated.")
        .description(
            "The one certificate that signs for roles that name no issuer. A trust anchor must hold trust-bundle, which has this one and, during a rotation, another. Read it with curl or -format=raw.",
        )
        .read(pem)
}

pub(crate) fn chain_route() -> Route<Engine> {
    Route::at("ca_chain")
        .synopsis("The default issuer's certificate and its parents, PEM, unauthenticated.")
        .description("For verifying certificates, not for a trust anchor: see trust-bundle.")
        .read(chain)
}

pub(crate) fn trust_bundle_route() -> Route<Engine> {
    Route::at("trust-bundle")
        .synopsis("The certificates that a trust anchor must hold, PEM, unauthenticated.")
        .description(include_str!("../help/trust-bundle.md"))
        .read(trust_bundle)
}

/// The certificates of the enabled issuers.
///
/// # Errors
/// The operator's fault if no issuer signs, or if more are enabled than an anchor can hold.
async fn trust_bundle(engine: Arc<Engine>, request: Request, (): ()) -> Result<Response, Fault> {
    let (snapshot, now) = (engine.snapshot().await?, clock::now());
    let bundle = snapshot.issuers.trust_bundle(now, &request.mount_point)?;
    if bundle.is_empty() {
        // An error and not an empty response: a script that writes the response into an anchor must notice.
        let next_step = Rotation::of(&snapshot.issuers, now).next_step(&request.mount_point, &[], false);
        return Err(Fault::operator("no issuer signs, so the trust bundle is empty").cure(next_step));
    }
    Ok(Response::raw(Raw::ok(PEM, bundle)))
}

async fn pem(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Response, Fault> {
    raw(&engine, |loaded| loaded.record.certificate_pem.clone()).await
}

/// The default issuer's certificate, then its parents, nearest first.
async fn chain(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Response, Fault> {
    raw(&engine, |loaded| loaded.record.certificate_pem.clone() + &loaded.record.chain_pem.concat()).await
}

/// Renders the default issuer. If there is none, or it is disabled, the response is empty with status 204, as that of Vault's PKI
/// engine is.
async fn raw(engine: &Arc<Engine>, text: impl Fn(&Loaded) -> String) -> Result<Response, Fault> {
    let snapshot = engine.snapshot().await?;
    let default = snapshot.issuers.find(DEFAULT_ISSUER);
    Ok(Response::raw(match default.filter(|loaded| loaded.record.state == IssuerState::Enabled) {
        Some(loaded) => Raw::ok(PEM, text(loaded)),
        None => Raw::no_content(),
    }))
}
