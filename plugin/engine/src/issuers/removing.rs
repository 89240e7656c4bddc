//! An issuer that goes, key and all, who stands in its way, and what a crash left behind.

use vault_backend::Fault;

use crate::records::issuer::{IssuerRecord, IssuerState, IssuersConfig};
use crate::records::role::Role;
use crate::store::{Ends, Store, Writer};

/// As many roles are named in an error.
const NAMED: usize = 5;

/// Deletes an issuer and its key.
///
/// First nothing points to it, then it is marked, then its key goes and last its record: whatever crash comes between, it signs
/// nothing any more, and [`repair`] or a repeated call ends the work. A key that another issuer has too stays.
pub(crate) async fn remove(store: &Writer, record: &IssuerRecord) -> Result<(), Fault> {
    let config = store.issuers_config().await?;
    let keep = |pointer: &Option<String>| pointer.clone().filter(|id| *id != record.id);
    let without = IssuersConfig { default: keep(&config.default), previous: keep(&config.previous) };
    if without != config {
        store.put_issuers_config(&without, Ends::Issuer(&record.id)).await?;
    }
    let marked = IssuerRecord { state: IssuerState::Deleted, ..record.clone() };
    store.put_issuer(&marked, Ends::Issuer(&record.id)).await?;
    finish(store, &marked).await
}

async fn finish(store: &Writer, marked: &IssuerRecord) -> Result<(), Fault> {
    let mut shared = false;
    for record in records(store).await? {
        shared |= record.id != marked.id && record.key_id == marked.key_id;
    }
    if !shared {
        store.delete_key(&marked.key_id).await?;
    }
    store.delete_issuer(&marked.id).await
}

/// The roles that name this issuer, by its id or its name.
pub(crate) fn roles_naming(roles: &[(String, Role)], record: &IssuerRecord) -> Vec<String> {
    let naming = roles.iter().filter(|(_, role)| record.is_called(&role.issuer_ref));
    naming.map(|(name, _)| name.clone()).collect()
}

/// Refuses what would take an issuer from roles that name it.
pub(crate) fn check_unpinned(record: &IssuerRecord, roles: &[String]) -> Result<(), Fault> {
    if roles.is_empty() {
        return Ok(());
    }
    let more = roles.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Err(Fault::operator(format!(
        "{} roles name the issuer {:?} in issuer_ref: {}{more}",
        roles.len(),
        record.label(),
        roles[..roles.len().min(NAMED)].join(", ")
    ))
    .cure("change them first, or use force=true, and they get no credentials"))
}

/// Mends what a crash between two puts left behind.
///
/// A key without an issuer is a pending signing request and stays. An issuer that nothing ever pointed to becomes the default
/// when it is the only one. A pointer to an issuer that is not there is cleared. A deletion that was begun is ended.
pub(crate) async fn repair(store: &Writer) -> Result<(), Fault> {
    let (gone, there): (Vec<_>, Vec<_>) =
        records(store).await?.into_iter().partition(|record| record.state == IssuerState::Deleted);
    for marked in gone {
        tracing::warn!(issuer = marked.id, "ended the deletion of an issuer that was interrupted");
        finish(store, &marked).await?;
    }
    let config = store.written_issuers_config().await?;
    let is_there = |id: &String| there.iter().any(|record| record.id == *id);
    let mended = match (&config, there.as_slice()) {
        (None, [only]) => IssuersConfig { default: Some(only.id.clone()), previous: None },
        (Some(written), _) => IssuersConfig {
            default: written.default.clone().filter(is_there),
            previous: written.previous.clone().filter(is_there),
        },
        (None, _) => return Ok(()),
    };
    if config.as_ref() == Some(&mended) {
        return Ok(());
    }
    tracing::warn!(from = ?config, to = ?mended, "mended the default issuer after an interrupted write");
    store.put_issuers_config(&mended, Ends::Nothing).await
}

async fn records(store: &Store) -> Result<Vec<IssuerRecord>, Fault> {
    let mut found = Vec::new();
    for id in store.issuer_ids().await? {
        found.extend(store.issuer(&id).await?);
    }
    Ok(found)
}
