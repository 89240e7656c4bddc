//! New issuers: generated here, signed by another CA, or imported.

use ca::{ExposeSecret as _, Issuer, SecretSlice};
use uuid::Uuid;
use vault_backend::{Fault, quote};

use crate::ground::clock;
use crate::issuers::{Issuers, Loaded};
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::issuer::{IssuerRecord, IssuerState, IssuersConfig};
use crate::store::{Ends, Writer};
use identity::word;

/// A certificate with its key that becomes an issuer.
pub(crate) struct Candidate<'a> {
    pub(crate) issuer: Issuer,
    /// The operator's name for it, not checked yet.
    pub(crate) name: Option<String>,
    pub(crate) key: KeyPlace,
    /// The mount with a `/` at its end, for the commands in errors and warnings.
    pub(crate) mount_point: &'a str,
}

/// Where the key of a new issuer is stored.
pub(crate) enum KeyPlace {
    /// Nowhere yet: it came with the issuer.
    New,
    /// Under this id, from a signing request or an earlier issuer.
    Stored(String),
}

/// Stores the candidate and makes it the default where there was none. Returns it with warnings for the operator.
///
/// The puts are in the order key, issuer, pointer. A certificate that is an issuer already is returned as that issuer, so a
/// repeated import changes nothing but a chain that it completes.
///
/// # Errors
/// The caller's: the name is taken or malformed. The operator's: the key is compromised, or trust anchors have no room for one
/// more issuer. None of these leaves anything stored.
pub(crate) async fn add(store: &Writer, candidate: Candidate<'_>) -> Result<(Loaded, Vec<String>), Fault> {
    let issuers = Issuers::load(store).await?;
    let same = |known: &&Loaded| known.issuer.certificate_der() == candidate.issuer.certificate_der();
    if let Some(known) = issuers.all.iter().find(same) {
        return again(store, known, candidate).await;
    }
    check_name(&issuers, candidate.name.as_deref())?;
    if let Some(known) = store.compromise_of(&candidate.issuer).await? {
        return Err(Fault::operator(format!(
            "the key of this certificate has been compromised since {}",
            known.since()
        ))
        .cure(format!("use a new key, for example from {}root/generate/internal", candidate.mount_point)));
    }
    issuers.check_room(clock::now(), candidate.mount_point)?;
    let Candidate { issuer, name, key, mount_point } = candidate;
    let key_id = match key {
        KeyPlace::Stored(id) => id,
        // before the issuer: a crash in between leaves a key without an issuer, never an issuer without a key
        KeyPlace::New => put_key(store, issuer.key_pkcs8()).await?,
    };
    let record = IssuerRecord {
        id: Uuid::new_v4().to_string(),
        name,
        key_id,
        certificate_pem: issuer.certificate_pem(),
        chain_pem: issuer.chain_pem(),
        state: IssuerState::Enabled,
    };
    store.put_issuer(&record, Ends::Nothing).await?;
    let mut warnings: Vec<String> = issuer.warnings(clock::now()).iter().map(ToString::to_string).collect();
    if issuers.default.is_none() {
        let config = IssuersConfig { default: Some(record.id.clone()), previous: issuers.previous };
        // after the issuer: a crash in between leaves an issuer to which nothing points, never a pointer to no issuer
        store.put_issuers_config(&config, Ends::Nothing).await?;
    } else {
        warnings.push(format!(
            "this is the next issuer, because another one is the default: let every trust anchor hold {mount_point}trust-bundle, then: vault write {mount_point}config/issuers default={}",
            record.label()
        ));
    }
    Ok((Loaded { record, issuer }, warnings))
}

/// Returns the known issuer unchanged. A chain that was omitted before is stored now.
///
/// # Errors
/// The caller's: it gives another name. Renaming is another command.
async fn again(
    store: &Writer,
    known: &Loaded,
    candidate: Candidate<'_>,
) -> Result<(Loaded, Vec<String>), Fault> {
    let mut record = known.record.clone();
    if let Some(name) = candidate.name.filter(|name| !record.is_called(name)) {
        return Err(Fault::caller(format!(
            "issuer_name: this certificate is already the issuer {:?}; to rename it: vault write {}issuer/{} issuer_name={}",
            record.label(),
            candidate.mount_point,
            record.id,
            word(&name, "<name>")
        )));
    }
    let chain_pem = candidate.issuer.chain_pem();
    let mut warnings = vec![format!("this certificate was already the issuer {:?}", record.label())];
    if !chain_pem.is_empty() && chain_pem != record.chain_pem {
        record.chain_pem = chain_pem;
        store.put_issuer(&record, Ends::Nothing).await?;
        warnings.push("its chain is now the one in this request".to_owned());
    }
    Ok((Loaded { record, issuer: candidate.issuer }, warnings))
}

/// Stores a key that is not stored yet, and returns its id. It compares the key with every stored one, so a repeated import makes
/// no second copy.
pub(crate) async fn put_key(store: &Writer, key: &SecretSlice<u8>) -> Result<String, Fault> {
    for id in store.key_ids().await? {
        if store.key(&id).await?.is_some_and(|known| known.expose_secret() == key.expose_secret()) {
            return Ok(id);
        }
    }
    let id = Uuid::new_v4().to_string();
    store.put_key(&id, key).await?;
    Ok(id)
}

/// Checks that a name is free and well-formed, so a repeated command never makes a second CA of one name. UUIDs are reserved,
/// because they are ids.
///
/// # Errors
/// The caller's, with the name and the rule.
pub(crate) fn check_name(issuers: &Issuers, name: Option<&str>) -> Result<(), Fault> {
    let Some(name) = name else {
        return Ok(());
    };
    if name == DEFAULT_ISSUER || Uuid::parse_str(name).is_ok() {
        return Err(Fault::caller(format!("issuer_name: {} is reserved", quote(name))));
    }
    let word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(word) {
        return Err(Fault::caller(format!(
            "issuer_name: {} must be 1 to 128 letters, digits, dashes, dots or underscores",
            quote(name)
        )));
    }
    match issuers.all.iter().find(|known| known.record.is_called(name)) {
        Some(known) => Err(Fault::caller(format!(
            "issuer_name: {name:?} is already the name of issuer {}",
            known.record.id
        ))),
        None => Ok(()),
    }
}
