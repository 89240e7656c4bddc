//! `issuers` and `issuer/:ref`: which CAs the mount has.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use vault_backend::{Answer, Ask, Fault, Field, Request, Route, Values};

use crate::Engine;
use crate::clock::rfc3339;
use crate::issuers::Loaded;

/// A reference to an issuer.
struct Reference(String);

impl Ask for Reference {
    const FIELDS: &'static [Field] = &[Field::string("ref", "id or name of an issuer, or \"default\"")];

    fn take(values: &Values) -> Result<Self, Fault> {
        values.text("ref").map(Self)
    }
}

pub(crate) fn list_route() -> Route<Engine> {
    Route::at("issuers").synopsis("The ids of the issuers, with name and serial number.").list(list)
}

pub(crate) fn read_route() -> Route<Engine> {
    Route::at("issuer/{ref}").synopsis("One issuer: certificate, chain, validity. Never its key.").read(read)
}

async fn list(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Answer, Fault> {
    let snapshot = engine.snapshot().await?;
    let issuers = &snapshot.issuers;
    let keys: Vec<&str> = issuers.all.iter().map(|loaded| loaded.record.id.as_str()).collect();
    let info: Map<String, Value> = issuers
        .all
        .iter()
        .map(|loaded| {
            let info = json!({
                "issuer_name": loaded.record.name,
                "is_default": issuers.is_default(&loaded.record.id),
                "serial_number": loaded.issuer.serial().to_string(),
            });
            (loaded.record.id.clone(), info)
        })
        .collect();
    if keys.is_empty() {
        return Ok(Answer::list(Vec::new()));
    }
    Ok(Answer::data(Map::from_iter([
        ("keys".to_owned(), json!(keys)),
        ("key_info".to_owned(), Value::Object(info)),
    ])))
}

async fn read(engine: Arc<Engine>, _request: Request, ask: Reference) -> Result<Answer, Fault> {
    let snapshot = engine.snapshot().await?;
    Ok(match snapshot.issuers.find(&ask.0) {
        Some(loaded) => Answer::data(described(loaded)),
        None => Answer::absent(),
    })
}

/// What every path answers about an issuer.
pub(crate) fn described(loaded: &Loaded) -> Map<String, Value> {
    let issuer = &loaded.issuer;
    let fields = json!({
        "issuer_id": loaded.record.id,
        "issuer_name": loaded.record.name,
        "key_id": loaded.record.key_id,
        "key_type": issuer.key_spec().to_string(),
        "subject": issuer.subject_text(),
        "serial_number": issuer.serial().to_string(),
        "not_before": rfc3339(issuer.not_before()),
        "not_after": rfc3339(issuer.not_after()),
        "certificate": loaded.record.certificate_pem,
        "ca_chain": loaded.record.chain_pem,
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
