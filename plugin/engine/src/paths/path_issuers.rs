//! `issuers` and `issuer/:ref`: the CAs of the mount, and how one is renamed, disabled or deleted.

use std::sync::Arc;

use serde_json::json;
use vault_backend::{Change, Fault, Field, Params, Request, Response, Route, Values, quote};

use crate::engine::Engine;
use crate::ground::clock::{self, rfc3339};
use crate::issuers::{self, Issuers, Loaded};
use crate::management::bundle_plan::fingerprint;
use crate::paths::issuer_answer::{described, shown};
use crate::records::issuer::{IssuerRecord, IssuerState};
use crate::store::{Ends, Store, issuer_key};

/// One issuer: its id, its name or `default`.
struct IssuerReference(String);

const REF: Field = Field::string("ref", "id or name of an issuer, or \"default\"");

impl Params for IssuerReference {
    const FIELDS: &'static [Field] = &[REF];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        values.text("ref").map(Self)
    }
}

/// The fields of an issuer that a write may change.
struct IssuerFields {
    /// None: no name. Roles can then use its id only.
    issuer_name: Option<String>,
    /// It signs nothing and leaves the trust bundle.
    disabled: bool,
    /// Also if it is the default or a role names it.
    force: bool,
}

const FIELDS: &[Field] = &[
    REF,
    Field::string(
        "issuer_name",
        "name of the issuer, unique in the mount; it cannot change while a role names the issuer by it",
    ),
    Field::bool("disabled", "whether it signs nothing and is left out of trust-bundle").default_text("false"),
    Field::bool("force", "disable it even if it is the default or a role names it").default_text("false"),
    Field::string("issuer_id", "its id, which never changes").read_only(),
    Field::bool("is_default", "whether it signs for roles that name none").read_only(),
    Field::string("state", "current, next, previous, disabled, compromised or expired").read_only(),
    Field::string("key_id", "id of its key, which no path returns").read_only(),
    Field::string("key_type", "kind of its key").read_only(),
    Field::string("subject", "subject of its certificate").read_only(),
    Field::string("serial_number", "its certificate's serial number").read_only(),
    Field::string("sha256_fingerprint", "SHA-256 of its certificate, as trust-anchors/<name>/sync shows it")
        .read_only(),
    Field::string("not_before", "when it begins").read_only(),
    Field::string("not_after", "when it ends").read_only(),
    Field::pem("certificate", "its certificate").read_only(),
    Field::list("ca_chain", "its parents, nearest first").read_only(),
];

impl IssuerFields {
    /// Reads them from the whole document, so a field that the change leaves out has its stored value.
    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self {
            issuer_name: values.string("issuer_name")?,
            disabled: values.bool("disabled")?.unwrap_or(false),
            force: values.bool("force")?.unwrap_or(false),
        })
    }
}

/// An issuer to delete.
struct Delete {
    /// Its id, its name or `default`.
    reference: String,
    /// Also if it is the default, a role names it, or its compromise is not settled.
    force: bool,
}

impl Params for Delete {
    const FIELDS: &'static [Field] = &[
        REF,
        Field::bool("force", "delete it even if it is the default or a role names it").default_text("false"),
    ];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { reference: values.text("ref")?, force: values.bool("force")?.unwrap_or(false) })
    }
}

pub(crate) fn list_route() -> Route<Engine> {
    Route::at("issuers")
        .synopsis("The ids of the issuers, with name, serial number, fingerprint, state and end.")
        .description(
            "`state` is current (the default), next, previous (the default before), disabled, compromised or expired. The first three sign for roles that name them and are in trust-bundle. `sha256_fingerprint` is that of the certificate, as trust-anchors/<name>/sync shows it.",
        )
        .list_all(list)
}

/// A write changes an issuer and never makes one. It has no `exists`, so Vault takes each write as an update.
pub(crate) fn route() -> Route<Engine> {
    Route::at("issuer/{ref}")
        .synopsis("One issuer: certificate, chain, validity and state, never its key.")
        .description(include_str!("../help/issuer-ref.md"))
        .read(read)
        .change(FIELDS, change)
        .delete(delete)
}

/// The ids, each with the fields that a rotation needs.
async fn list(engine: Arc<Engine>, _request: Request) -> Result<Response, Fault> {
    let (snapshot, now) = (engine.snapshot().await?, clock::now());
    let issuers = &snapshot.issuers;
    let keys = issuers.all.iter().map(|loaded| loaded.record.id.clone()).collect();
    let info = issuers.all.iter().map(|loaded| {
        let info = json!({
            "issuer_name": loaded.record.name,
            "is_default": issuers.is_default(&loaded.record.id),
            "serial_number": loaded.issuer.serial().to_string(),
            "sha256_fingerprint": fingerprint(loaded.issuer.certificate_der()),
            "state": issuers.phase(loaded, now).to_string(),
            "not_after": rfc3339(loaded.issuer.not_after()),
        });
        (loaded.record.id.clone(), info)
    });
    Ok(Response::list_with_info(keys, info.collect()))
}

/// The issuer without its key; 404 if there is none.
async fn read(engine: Arc<Engine>, _request: Request, ask: IssuerReference) -> Result<Response, Fault> {
    let snapshot = engine.snapshot().await?;
    Ok(match snapshot.issuers.find(&ask.0) {
        Some(loaded) => shown(&snapshot.issuers, loaded),
        None => Response::not_found(),
    })
}

/// Renames, disables or enables an issuer. Cached sessions that it made end, unless it is only renamed.
///
/// # Errors
/// The caller's fault if there is no such issuer or the name is taken. The operator's fault if a role names it by the old name,
/// if it is the default or named and must not be disabled, if it is compromised and must stay disabled, or if anchors have no
/// room for one more.
async fn change(engine: Arc<Engine>, request: Request, change: Change) -> Result<Response, Fault> {
    let reference = change.path.text("ref")?;
    let writer = engine.store().write().await;
    let issuers = Issuers::load(&writer).await?;
    let found = require(&issuers, &reference)?;
    let wanted = IssuerFields::from_values(&change.onto(Some(&described(&issuers, found)))?)?;
    let record = changed(&writer, &issuers, found, &wanted, &request.mount_point).await?;
    if record == found.record {
        // Storage has this already, but the cache may not: an earlier write may have landed although its answer was lost.
        writer.changed(&issuer_key(&record.id));
    } else {
        let is_renamed = record.state == found.record.state;
        let ends = if is_renamed { Ends::Nothing } else { Ends::Issuer(&record.id) };
        writer.put_issuer(&record, ends).await?;
    }
    let issuers = Issuers::load(&writer).await?;
    Ok(shown(&issuers, require(&issuers, &record.id)?))
}

/// The record after the change. Stores nothing.
///
/// # Errors
/// Those of [`change`] that the stored records decide.
async fn changed(
    store: &Store,
    issuers: &Issuers,
    found: &Loaded,
    wanted: &IssuerFields,
    mount_point: &str,
) -> Result<IssuerRecord, Fault> {
    let mut record = found.record.clone();
    if wanted.issuer_name != record.name {
        issuers::check_name(issuers, wanted.issuer_name.as_deref())?;
        check_rename(store, &record).await?;
        record.name.clone_from(&wanted.issuer_name);
    }
    match (wanted.disabled, record.state) {
        (true, IssuerState::Enabled) => {
            check_dispensable(store, issuers, found, wanted.force, mount_point).await?;
            record.state = IssuerState::Disabled;
        }
        (false, IssuerState::Disabled) => {
            // The compromise is stored under the id of one issuer. Other certificates of its key are found by the key.
            let known = match store.compromise(&record.id).await? {
                Some(known) => Some(known),
                None => store.compromise_of(&found.issuer).await?,
            };
            if let Some(known) = known {
                return Err(Fault::operator(format!(
                    "disabled: the issuer {:?} is compromised since {}; it stays disabled",
                    record.label(),
                    known.since()
                ))
                .cure("delete it and make another one"));
            }
            issuers.check_room(clock::now(), mount_point)?;
            record.state = IssuerState::Enabled;
        }
        _ => {}
    }
    Ok(record)
}

/// Refuses to take away a name that a role uses. Roles keep what was written into them, so a document that is read can be written
/// back.
///
/// # Errors
/// The operator's fault, which names the first such role.
async fn check_rename(store: &Store, record: &IssuerRecord) -> Result<(), Fault> {
    let Some(old) = &record.name else { return Ok(()) };
    for (role_name, role) in store.roles().await? {
        if role.issuer_ref == *old {
            return Err(Fault::operator(format!(
                "issuer_name: the role {role_name:?} names this issuer as {old:?} in issuer_ref",
            ))
            .cure(format!("write the id {} into its issuer_ref first", record.id)));
        }
    }
    Ok(())
}

/// Refuses to take a needed issuer out of use, unless it is forced.
///
/// # Errors
/// The operator's fault if it is the default or a role names it.
async fn check_dispensable(
    store: &Store,
    issuers: &Issuers,
    found: &Loaded,
    force: bool,
    mount_point: &str,
) -> Result<(), Fault> {
    if force {
        return Ok(());
    }
    if issuers.is_default(&found.record.id) {
        return Err(Fault::operator(format!("the issuer {:?} is the default", found.record.label())).cure(format!(
"make another issuer the default first (vault read {mount_point}rotation), or use force=true: roles that name no issuer then get no credentials"
)));
    }
    issuers::check_unpinned(&found.record, &issuers::roles_naming(&store.roles().await?, &found.record))
}

/// Deletes an issuer with its key, for good. Succeeds if there is none.
///
/// # Errors
/// The operator's fault if it is needed, or if the engine must still end sessions that its key made, and `force` is absent.
async fn delete(engine: Arc<Engine>, request: Request, ask: Delete) -> Result<Response, Fault> {
    let writer = engine.store().write().await;
    // First: a deletion that a crash interrupted is ended before another begins, and a repeated call finds nothing left.
    issuers::repair(&writer).await?;
    let issuers = Issuers::load(&writer).await?;
    let Some(found) = issuers.find(&ask.reference) else {
        return Ok(Response::no_content());
    };
    check_dispensable(&writer, &issuers, found, ask.force, &request.mount_point).await?;
    check_settled(&writer, &found.record, ask.force).await?;
    issuers::remove(&writer, &found.record).await?;
    Ok(Response::no_content())
}

/// Refuses to delete an issuer while the engine has sessions to end for its compromise. Without the record it cannot tell which
/// CAs are above.
///
/// # Errors
/// The operator's fault, with the time of the last ending.
async fn check_settled(store: &Store, record: &IssuerRecord, force: bool) -> Result<(), Fault> {
    let known = store.compromise(&record.id).await?.filter(|_| !force);
    let Some(at) = known.and_then(|known| known.again_at()) else { return Ok(()) };
    Err(Fault::operator(format!(
        "the issuer {:?} is compromised, and at {} the engine ends sessions once more",
        record.label(),
        rfc3339(at)
    ))
    .cure("delete it after that, or use force=true: these sessions are then not ended"))
}

/// The issuer called `reference`.
///
/// # Errors
/// The caller's fault if there is none.
fn require<'a>(issuers: &'a Issuers, reference: &str) -> Result<&'a Loaded, Fault> {
    issuers
        .find(reference)
        .ok_or_else(|| Fault::caller(format!("ref: there is no issuer {}", quote(reference))))
}
