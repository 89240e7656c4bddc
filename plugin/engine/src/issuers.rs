//! The mount's issuers, and the one that a reference means.
//!
//! Start reading at [`Issuers`], then `issuers/rotation.rs`: the phases of an issuer while one CA takes over from another.

mod adding;
mod removing;
mod rotation;
mod signing;

use std::collections::BTreeSet;

use ca::Issuer;
use vault_backend::{Fault, quote};

use crate::ground::faults;
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::issuer::{IssuerRecord, IssuerState};
use crate::store::Store;

pub(crate) use adding::{Candidate, KeyPlace, add, check_name, put_key};
pub(crate) use removing::{check_unpinned, remove, repair, roles_naming};
pub(crate) use rotation::{Rotation, RotationPhase};
pub(crate) use signing::{issue, off_thread};

/// An issuer with its key, ready to sign. Its `Debug` shows no key.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) record: IssuerRecord,
    pub(crate) issuer: Issuer,
}

/// All issuers of a mount, the default one, and the default before it.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    /// In the order of their ids, without those that are marked as deleted.
    pub(crate) all: Vec<Loaded>,
    /// The id of the issuer that signs when a role names none. It is one of `all`, as the one before it is.
    pub(crate) default: Option<String>,
    /// The id of the default before it.
    pub(crate) previous: Option<String>,
    /// The SHA-256 sums of compromised keys, and the ids of the issuers that were reported. Records of old builds hold no sum.
    compromised: BTreeSet<String>,
}

impl Issuers {
    /// Loads all issuers with their keys: several reads of storage for each.
    ///
    /// # Errors
    /// A bug, where an issuer has no key or its parts do not match; the operator's, where a later version wrote a record.
    pub(crate) async fn load(store: &Store) -> Result<Self, Fault> {
        let mut all = Vec::new();
        for id in store.issuer_ids().await? {
            if let Some(loaded) = load_one(store, &id).await? {
                all.push(loaded);
            }
        }
        // a crash within a deletion may leave a pointer to an issuer that is marked as deleted, or gone
        let is_there = |id: &String| all.iter().any(|loaded| loaded.record.id == *id);
        let config = store.issuers_config().await?.retaining(is_there);
        let known = store.compromises().await?.into_iter();
        let compromised = known.flat_map(|(id, known)| [id, known.into_key_sha256()]).collect();
        Ok(Self { all, default: config.default, previous: config.previous, compromised })
    }

    /// Returns whether the key of an issuer is compromised, whichever of its certificates was reported.
    fn is_compromised(&self, loaded: &Loaded) -> bool {
        // most mounts never had a compromise, and the sum is computed at each call
        !self.compromised.is_empty()
            && (self.compromised.contains(&loaded.record.id)
                || self.compromised.contains(&loaded.issuer.key_sha256()))
    }

    /// Returns the issuer of `reference`, which is an id, a name or `default`. It may be disabled or expired.
    pub(crate) fn find(&self, reference: &str) -> Option<&Loaded> {
        let wanted = if reference == DEFAULT_ISSUER { self.default.as_deref()? } else { reference };
        self.all.iter().find(|loaded| loaded.record.is_called(wanted))
    }

    /// Returns the issuer of `reference` for signing. It may have expired: the certificate authority refuses that when it signs.
    ///
    /// # Errors
    /// The operator's, with the command that cures it: the issuer is disabled, or there is none.
    pub(crate) fn require(&self, reference: &str, mount_point: &str) -> Result<&Loaded, Fault> {
        match self.find(reference) {
            Some(found) if found.record.state == IssuerState::Enabled => return Ok(found),
            Some(disabled) => {
                return Err(Fault::operator(format!(
                    "issuer_ref: the issuer {:?} is disabled",
                    disabled.record.label()
                ))
                .cure(format!("vault read {mount_point}rotation")));
            }
            None => {}
        }
        if self.all.is_empty() {
            return Err(Fault::operator("there is no CA yet")
                .cure(format!("vault write {mount_point}root/generate/internal common_name=\"<name>\"")));
        }
        if reference == DEFAULT_ISSUER {
            return Err(Fault::operator("no issuer is the default")
                .cure(format!("vault write {mount_point}config/issuers default=<issuer>")));
        }
        Err(Fault::operator(format!("issuer_ref: there is no issuer {}", quote(reference)))
            .cure(format!("vault list {mount_point}issuers")))
    }

    pub(crate) fn is_default(&self, id: &str) -> bool {
        self.default.as_deref() == Some(id)
    }
}

impl Loaded {
    /// Returns whether its certificate is valid from a later time than the other's.
    pub(crate) fn is_younger_than(&self, other: &Self) -> bool {
        self.issuer.not_before() > other.issuer.not_before()
    }
}

/// One issuer with its key; `None` where it is gone or marked as deleted.
async fn load_one(store: &Store, id: &str) -> Result<Option<Loaded>, Fault> {
    let Some(record) = store.issuer(id).await?.filter(|record| record.state != IssuerState::Deleted) else {
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
