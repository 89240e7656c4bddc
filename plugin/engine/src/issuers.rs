//! The mount's issuers: finding one, adding one, and mending what a crash left.

use ca::{Issuer, Secret};
use uuid::Uuid;
use vault_backend::Fault;

use crate::clock;
use crate::faults;
use crate::role::DEFAULT_ISSUER;
use crate::store::{IssuerRecord, IssuersConfig, Store};

/// An issuer with its key, ready to sign.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) record: IssuerRecord,
    pub(crate) issuer: Issuer,
}

/// All issuers of a mount, and the default one.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    pub(crate) all: Vec<Loaded>,
    pub(crate) default: Option<String>,
}

impl Issuers {
    pub(crate) async fn load(store: &Store) -> Result<Self, Fault> {
        let mut all = Vec::new();
        for id in store.issuer_ids().await? {
            if let Some(loaded) = load_one(store, &id).await? {
                all.push(loaded);
            }
        }
        Ok(Self { all, default: store.issuers_config().await?.default })
    }

    /// The issuer called `reference`: its id, its name or `default`.
    pub(crate) fn find(&self, reference: &str) -> Option<&Loaded> {
        let wanted = if reference == DEFAULT_ISSUER { self.default.as_deref()? } else { reference };
        self.all.iter().find(|loaded| loaded.record.is_called(wanted))
    }

    /// As [`Self::find`], with a fault that ends in the command that cures it.
    pub(crate) fn require(&self, reference: &str, mount_point: &str) -> Result<&Loaded, Fault> {
        if let Some(found) = self.find(reference) {
            return Ok(found);
        }
        if self.all.is_empty() {
            return Err(Fault::operator(format!(
                "there is no CA yet: vault write {mount_point}root/generate/internal common_name=\"<name>\""
            )));
        }
        if reference == DEFAULT_ISSUER {
            return Err(Fault::operator(format!(
                "no issuer is the default: vault write {mount_point}config/issuers default=<issuer>"
            )));
        }
        Err(Fault::operator(format!(
            "issuer_ref: there is no issuer {reference:?}: vault list {mount_point}issuers"
        )))
    }

    pub(crate) fn is_default(&self, id: &str) -> bool {
        self.default.as_deref() == Some(id)
    }
}

impl IssuerRecord {
    fn is_called(&self, wanted: &str) -> bool {
        self.id == wanted || self.name.as_deref() == Some(wanted)
    }
}

/// Where the key of a new issuer is.
pub(crate) enum KeyPlace {
    /// It came with the issuer and is to be stored.
    New,
    /// It is stored already, from a signing request or an earlier issuer.
    Stored(String),
}

/// Stores `issuer` and makes it the default where there was none; the caller holds the store's lock.
///
/// Key, issuer and pointer are put in this order.
pub(crate) async fn add(
    store: &Store,
    issuer: Issuer,
    name: Option<String>,
    key: KeyPlace,
) -> Result<(Loaded, Vec<String>), Fault> {
    check_name(store, name.as_deref()).await?;
    let key_id = match key {
        KeyPlace::Stored(id) => id,
        KeyPlace::New => put_key(store, issuer.key_pkcs8()).await?,
    };
    let record = IssuerRecord {
        id: Uuid::new_v4().to_string(),
        name,
        key_id,
        certificate_pem: issuer.certificate_pem(),
        chain_pem: issuer.chain_pem(),
    };
    store.put_issuer(&record).await?;
    let default = store.issuers_config().await?.default;
    let mut warnings: Vec<String> = issuer.warnings(clock::now()).iter().map(ToString::to_string).collect();
    if default.is_none() {
        store.put_issuers_config(&IssuersConfig { default: Some(record.id.clone()) }).await?;
    } else {
        warnings.push(format!(
            "the default issuer is still another one; write default={} to config/issuers to sign with this one",
            record.id
        ));
    }
    Ok((Loaded { record, issuer }, warnings))
}

/// Stores a key and answers its id.
pub(crate) async fn put_key(store: &Store, key: &Secret) -> Result<String, Fault> {
    let id = Uuid::new_v4().to_string();
    store.put_key(&id, key).await?;
    Ok(id)
}

/// Refuses a name that is reserved, or that an issuer has already: a repeated command never makes a second CA of one name.
pub(crate) async fn check_name(store: &Store, name: Option<&str>) -> Result<(), Fault> {
    let Some(name) = name else {
        return Ok(());
    };
    if name == DEFAULT_ISSUER || Uuid::parse_str(name).is_ok() {
        return Err(Fault::caller(format!("issuer_name: {name:?} is reserved")));
    }
    let word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(word) {
        return Err(Fault::caller(format!(
            "issuer_name: {name:?} must be 1 to 128 letters, digits, dashes, dots or underscores"
        )));
    }
    for id in store.issuer_ids().await? {
        if store.issuer(&id).await?.is_some_and(|record| record.is_called(name)) {
            return Err(Fault::caller(format!("issuer_name: {name:?} is the name of issuer {id} already")));
        }
    }
    Ok(())
}

/// Mends what a crash between two puts left behind; the caller holds the store's lock.
///
/// A key without an issuer is a pending signing request and stays. An issuer that nothing points to becomes the default when it
/// is the only one. A pointer to an issuer that is not there is cleared.
pub(crate) async fn repair(store: &Store) -> Result<(), Fault> {
    let ids = store.issuer_ids().await?;
    let config = store.issuers_config().await?;
    let mended = match (&config.default, ids.as_slice()) {
        (None, [only]) => Some(only.clone()),
        (Some(default), ids) if !ids.contains(default) => None,
        _ => return Ok(()),
    };
    tracing::warn!(from = ?config.default, to = ?mended, "mended the default issuer after an interrupted write");
    store.put_issuers_config(&IssuersConfig { default: mended }).await
}

async fn load_one(store: &Store, id: &str) -> Result<Option<Loaded>, Fault> {
    let Some(record) = store.issuer(id).await? else {
        return Ok(None);
    };
    let key = store
        .key(&record.key_id)
        .await?
        .ok_or_else(|| Fault::bug(format!("issuer {id} has no key {}", record.key_id)))?;
    let certificate = ca::der_of_pem(&record.certificate_pem).map_err(faults::ca)?;
    let chain = record.chain_pem.iter().map(|pem| ca::der_of_pem(pem)).collect::<Result<Vec<_>, _>>();
    let issuer = Issuer::from_parts(certificate, chain.map_err(faults::ca)?, &key).map_err(faults::ca)?;
    Ok(Some(Loaded { record, issuer }))
}
