//! `config/issuers`: which issuer signs when a role names none.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use vault_backend::{Answer, Ask, Fault, Field, Request, Route, Values};

use crate::Engine;
use crate::role::DEFAULT_ISSUER;
use crate::store::IssuersConfig;

/// The default issuer.
struct Write(String);

impl Ask for Write {
    const FIELDS: &'static [Field] = &[Field::string("default", "id or name of the issuer").required()];

    fn take(values: &Values) -> Result<Self, Fault> {
        values.text("default").map(Self)
    }
}

pub(crate) fn route() -> Route<Engine> {
    Route::at("config/issuers")
        .synopsis("Which issuer signs when a role names none.")
        .read(read)
        .update(write)
}

async fn read(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Answer, Fault> {
    let default = engine.store.issuers_config().await?.default;
    Ok(Answer::data(Map::from_iter([("default".to_owned(), Value::from(default))])))
}

async fn write(engine: Arc<Engine>, _request: Request, ask: Write) -> Result<Answer, Fault> {
    let _lock = engine.store.lock().await;
    let snapshot = engine.snapshot().await?;
    let found = snapshot
        .issuers
        .find(&ask.0)
        .ok_or_else(|| Fault::caller(format!("default: there is no issuer {:?}", ask.0)))?;
    let id = found.record.id.clone();
    if !snapshot.issuers.is_default(&id) {
        engine.store.put_issuers_config(&IssuersConfig { default: Some(id.clone()) }).await?;
        let before = snapshot.issuers.default.as_deref().unwrap_or_default();
        engine.default_issuer_changed(before, followers(&engine).await?);
    }
    Ok(Answer::data(Map::from_iter([("default".to_owned(), Value::from(id))])))
}

/// The roles that follow the default.
async fn followers(engine: &Engine) -> Result<HashSet<String>, Fault> {
    let mut found = HashSet::new();
    for name in engine.store.role_names().await? {
        if engine.store.role(&name).await?.is_some_and(|role| role.issuer_ref == DEFAULT_ISSUER) {
            found.insert(name);
        }
    }
    Ok(found)
}
