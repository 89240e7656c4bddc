//! `intermediate/generate/internal` and `intermediate/set-signed`: a CA that another CA signs.
//!
//! The key is made here and never leaves. Both paths require `sudo` (see `special_paths` in `backend.rs`).

use std::sync::Arc;

use ca::{CsrProfile, ExposeSecret as _};
use serde_json::{Map, Value};
use vault_backend::{Fault, Field, Params, Request, Response, Route, Values};

use crate::engine::Engine;
use crate::ground::clock;
use crate::ground::faults;
use crate::issuers::{self, Candidate, KeyPlace};
use crate::paths::issuer_answer;
use crate::paths::new_ca::NewCa;
use crate::paths::schema::{ISSUER_NAME, WITHOUT_PATHLEN};
use crate::store::Store;

/// The certificate for an earlier signing request.
struct SetSigned {
    /// The certificate and its parents, PEM, in any order.
    certificate: String,
    /// None: the issuer has only its id.
    issuer_name: Option<String>,
    /// Takes a CA without `pathlen:0`, which could sign further CAs.
    force: bool,
}

impl Params for SetSigned {
    const FIELDS: &'static [Field] = &[
        Field::pem("certificate", "the signed certificate and its parents, PEM, in any order").required(),
        ISSUER_NAME,
        WITHOUT_PATHLEN,
    ];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self {
            certificate: values.pem("certificate")?.ok_or_else(|| Fault::caller("certificate: missing"))?,
            issuer_name: values.string("issuer_name")?,
            force: values.bool("force")?.unwrap_or(false),
        })
    }
}

pub(crate) fn generate_route() -> Route<Engine> {
    Route::at("intermediate/generate/internal")
        .synopsis("Make a key that never leaves the engine, and a signing request for it.")
        .description(
            "Have the request signed as a CA with pathlen 0 by Vault's PKI engine (use_csr_values=false, max_path_length=0), AWS Private CA (template SubordinateCACertificate_PathLen0/V1), cert-manager or an offline root. Then write the signed certificate to intermediate/set-signed.",
        )
        .update(generate)
}

pub(crate) fn set_signed_route() -> Route<Engine> {
    Route::at("intermediate/set-signed")
        .synopsis("Take the signed certificate of an earlier signing request.")
        .description(
            "Give the certificate with its parents up to, but not necessarily including, the root: at most five certificates, in any order. You may join AWS Private CA's Certificate and CertificateChain as they are. The engine keeps the request, so its key can be certified again; trust anchors must then hold the new certificate too.",
        )
        .update(set_signed)
}

/// Makes and stores a key, and returns the signing request. Nothing points to the key until its certificate comes.
///
/// # Errors
/// The caller's fault if no request can be made of the subject; storage's.
async fn generate(engine: Arc<Engine>, _request: Request, ask: NewCa) -> Result<Response, Fault> {
    let profile = CsrProfile { subject: ask.subject, key: ask.key };
    // Before the lock: an RSA key may take a second.
    let csr = issuers::off_thread(move || ca::generate_csr(&profile)).await?;
    let key_id = issuers::put_key(&engine.store().write().await, &csr.key).await?;
    Ok(Response::data(Map::from_iter([
        ("csr".to_owned(), Value::from(csr.pem)),
        ("key_id".to_owned(), Value::from(key_id)),
    ])))
}

/// Makes an issuer of a certificate and the stored key that it certifies. The key stays stored, so it can be certified again.
///
/// # Errors
/// A fault of `ca` if no stored key fits or the certificate breaks a rule; those of `issuers::add`.
async fn set_signed(engine: Arc<Engine>, request: Request, ask: SetSigned) -> Result<Response, Fault> {
    let writer = engine.store().write().await;
    let (ids, keys) = stored_keys(&writer).await?;
    let issuer = ca::set_signed(&keys, &ask.certificate, clock::now(), ask.force).map_err(faults::ca)?;
    let key_id = keys
        .iter()
        .zip(ids)
        .find_map(|(key, id)| (key.expose_secret() == issuer.key_pkcs8().expose_secret()).then_some(id))
        .ok_or_else(|| Fault::bug("an issuer was made from a key that is not stored"))?;
    let (name, mount_point) = (ask.issuer_name, request.mount_point.as_str());
    let candidate = Candidate { issuer, name, key: KeyPlace::Stored(key_id), mount_point };
    issuer_answer::added(&writer, candidate).await
}

/// Ids and keys of this mount, in the same order. Keys of issuers are among them, because a CA may be certified anew.
async fn stored_keys(store: &Store) -> Result<(Vec<String>, Vec<ca::SecretSlice<u8>>), Fault> {
    let mut found = (Vec::new(), Vec::new());
    for id in store.key_ids().await? {
        if let Some(key) = store.key(&id).await? {
            found.0.push(id);
            found.1.push(key);
        }
    }
    Ok(found)
}
