//! The deletion of an issuer with its key, the roles that prevent it, and the repair after a crash.

use vault_backend::Fault;

use crate::records::issuer::{IssuerRecord, IssuerState, IssuersConfig};
use crate::records::role::Role;
use crate::store::{Ends, Store, Writer};

/// The number of roles that an error names; further ones are counted.
const NAMED: usize = 5;

/// Deletes an issuer and its key, which stays where another issuer has it too.
///
/// The steps are: the mark, no pointer to it, the key, the record. A crash before the mark changes nothing. From the mark on the
/// issuer signs nothing, a pointer to it counts as none ([`super::Issuers::load`]), and [`repair`] or a repeated call finishes
/// the deletion. The caller first checks with [`check_unpinned`], unless an operator forces the deletion.
pub(crate) async fn remove(store: &Writer, record: &IssuerRecord) -> Result<(), Fault> {
    // first: without the pointer, an issuer that is not marked would stay enabled, and nothing would say that it must go
    let marked = IssuerRecord { state: IssuerState::Deleted, ..record.clone() };
    store.put_issuer(&marked, Ends::Issuer(&record.id)).await?;
    let config = store.issuers_config().await?;
    let without = config.clone().retaining(|id| *id != record.id);
    if without != config {
        store.put_issuers_config(&without, Ends::Issuer(&record.id)).await?;
    }
    finish(store, &marked).await
}

/// Deletes the key, unless another issuer has it, and then the record of an issuer that is marked as deleted.
async fn finish(store: &Writer, marked: &IssuerRecord) -> Result<(), Fault> {
    let mut shared = false;
    for record in records(store).await? {
        shared |= record.id != marked.id && record.key_id == marked.key_id;
    }
    if !shared {
        store.delete_key(&marked.key_id).await?;
    }
    // last: after a crash the marked record is what `repair` finds
    store.delete_issuer(&marked.id).await
}

/// Returns the names of the roles that name this issuer, by its id or its name. Those that follow the default are not among them.
pub(crate) fn roles_naming(roles: &[(String, Role)], record: &IssuerRecord) -> Vec<String> {
    let naming = roles.iter().filter(|(_, role)| record.is_called(&role.issuer_ref));
    naming.map(|(name, _)| name.clone()).collect()
}

/// Checks that no role names the issuer; `roles` are those of [`roles_naming`].
///
/// # Errors
/// The operator's, with the first [`NAMED`] of them.
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
    .cure("change them first, or use force=true, after which they get no credentials"))
}

/// Repairs what a crash between two puts left, and changes nothing where nothing is broken. It runs when an active node
/// initializes the mount, and before each deletion of an issuer.
///
/// A deletion that was begun is finished. An issuer that is the only one becomes the default, if none ever was. A pointer to a
/// missing issuer is cleared. A key without an issuer is a pending signing request and stays.
pub(crate) async fn repair(store: &Writer) -> Result<(), Fault> {
    let (gone, there): (Vec<_>, Vec<_>) =
        records(store).await?.into_iter().partition(|record| record.state == IssuerState::Deleted);
    for marked in gone {
        tracing::warn!(issuer = marked.id, "finished the interrupted deletion of an issuer");
        finish(store, &marked).await?;
    }
    let config = store.written_issuers_config().await?;
    let is_there = |id: &String| there.iter().any(|record| record.id == *id);
    let mended = match (&config, there.as_slice()) {
        (None, [only]) => IssuersConfig { default: Some(only.id.clone()), previous: None },
        (Some(written), _) => written.clone().retaining(is_there),
        (None, _) => return Ok(()),
    };
    if config.as_ref() == Some(&mended) {
        return Ok(());
    }
    tracing::warn!(from = ?config, to = ?mended, "repaired the default issuer after an interrupted write");
    store.put_issuers_config(&mended, Ends::Nothing).await
}

/// All stored issuers, those that are marked as deleted included.
async fn records(store: &Store) -> Result<Vec<IssuerRecord>, Fault> {
    let mut found = Vec::new();
    for id in store.issuer_ids().await? {
        found.extend(store.issuer(&id).await?);
    }
    Ok(found)
}
