//! A further issuer: made here, signed by somebody else, or brought along.

use ca::{Issuer, Secret};
use uuid::Uuid;
use vault_backend::{Fault, quote};

use crate::ground::clock;
use crate::issuers::{Issuers, Loaded};
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::issuer::{IssuerRecord, IssuerState, IssuersConfig};
use crate::store::{Ends, Writer};
use identity::word;

/// What is to become an issuer.
pub(crate) struct Candidate<'a> {
    pub(crate) issuer: Issuer,
    pub(crate) name: Option<String>,
    pub(crate) key: KeyPlace,
    pub(crate) mount_point: &'a str,
}

/// Where the key of a new issuer is.
pub(crate) enum KeyPlace {
    /// It came with the issuer and is to be stored.
    New,
    /// It is stored already, from a signing request or an earlier issuer.
    Stored(String),
}

/// Stores the candidate and makes it the default where there was none.
///
/// Key, issuer and pointer are put in this order. A certificate that is an issuer already is answered as that one, so that a
/// repeated import changes nothing but a chain that it completes.
pub(crate) async fn add(store: &Writer, candidate: Candidate<'_>) -> Result<(Loaded, Vec<String>), Fault> {
    let issuers = Issuers::load(store).await?;
    let same = |known: &&Loaded| known.issuer.certificate_der() == candidate.issuer.certificate_der();
    if let Some(known) = issuers.all.iter().find(same) {
        return again(store, known, candidate).await;
    }
    check_name(&issuers, candidate.name.as_deref())?;
    if let Some(known) = store.compromise_of(&candidate.issuer).await? {
        return Err(Fault::operator(format!(
            "the key of this certificate is compromised since {}",
            known.since()
        ))
        .cure(format!("take a new one, as with {}root/generate/internal", candidate.mount_point)));
    }
    issuers.check_room(clock::now(), candidate.mount_point)?;
    let Candidate { issuer, name, key, mount_point } = candidate;
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
        state: IssuerState::Enabled,
    };
    store.put_issuer(&record, Ends::Nothing).await?;
    let mut warnings: Vec<String> = issuer.warnings(clock::now()).iter().map(ToString::to_string).collect();
    if issuers.default.is_none() {
        let config = IssuersConfig { default: Some(record.id.clone()), previous: issuers.previous };
        store.put_issuers_config(&config, Ends::Nothing).await?;
    } else {
        warnings.push(format!(
            "this is the next issuer, and another one is the default: let every trust anchor hold {mount_point}trust-bundle, then: vault write {mount_point}config/issuers default={}",
            record.label()
        ));
    }
    Ok((Loaded { record, issuer }, warnings))
}

/// What is there already stays as it is; a chain that was left out at first may follow.
async fn again(
    store: &Writer,
    known: &Loaded,
    candidate: Candidate<'_>,
) -> Result<(Loaded, Vec<String>), Fault> {
    let mut record = known.record.clone();
    if let Some(name) = candidate.name.filter(|name| !record.is_called(name)) {
        return Err(Fault::caller(format!(
            "issuer_name: this certificate is the issuer {:?} already; to rename it: vault write {}issuer/{} issuer_name={}",
            record.label(),
            candidate.mount_point,
            record.id,
            word(&name, "<name>")
        )));
    }
    let chain_pem = candidate.issuer.chain_pem();
    let mut warnings = vec![format!("this certificate was the issuer {:?} already", record.label())];
    if !chain_pem.is_empty() && chain_pem != record.chain_pem {
        record.chain_pem = chain_pem;
        store.put_issuer(&record, Ends::Nothing).await?;
        warnings.push("its chain is from now on the one given".to_owned());
    }
    Ok((Loaded { record, issuer: candidate.issuer }, warnings))
}

/// Stores a key, where it is not stored yet, and answers its id.
pub(crate) async fn put_key(store: &Writer, key: &Secret) -> Result<String, Fault> {
    for id in store.key_ids().await? {
        if store.key(&id).await?.is_some_and(|known| known.expose() == key.expose()) {
            return Ok(id);
        }
    }
    let id = Uuid::new_v4().to_string();
    store.put_key(&id, key).await?;
    Ok(id)
}

/// Refuses a name that is reserved, or that an issuer has already: a repeated command never makes a second CA of one name.
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
            "issuer_name: {name:?} is the name of issuer {} already",
            known.record.id
        ))),
        None => Ok(()),
    }
}
