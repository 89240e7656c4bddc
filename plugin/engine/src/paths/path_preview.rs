//! `preview/:role`: shows the identity that the caller would have at AWS, and where each part comes from. It calls no AWS.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use vault_backend::{Fault, Request, Response, Route};

use crate::credentials::session_spec::{NamedRole, Prepared};
use crate::engine::Engine;
use crate::ground::faults;
use crate::paths::in_place::InPlaceOf;
use crate::paths::named::OfRole;
use crate::records::role::Role;
use identity::ResolvedReference;
use identity::SubjectField;
use identity::session_tags;

/// A read shows the caller's own identity, a write another caller's. Policies can grant the one without the other.
pub(crate) fn route() -> Route<Engine> {
    Route::at("preview/{role}")
        .with_at_signs()
        .synopsis("The identity that you would have at AWS with a role.")
        .description(include_str!("../help/preview-role.md"))
        .read(read)
        .update(update)
}

async fn read(engine: Arc<Engine>, request: Request, ask: OfRole) -> Result<Response, Fault> {
    preview(&engine, &request, ask.role).await
}

async fn update(engine: Arc<Engine>, request: Request, ask: InPlaceOf) -> Result<Response, Fault> {
    let request = ask.instead_of(request).await?;
    preview(&engine, &request, ask.role).await
}

/// Resolves the role for the request's entity as a read of `creds` does, and shows the certificate that would be issued. No
/// certificate is issued.
///
/// # Errors
/// The caller's fault if there is no such role, or if the role gives this caller nothing; the operator's if no issuer signs or no
/// anchor is named.
async fn preview(engine: &Arc<Engine>, request: &Request, name: String) -> Result<Response, Fault> {
    let role = engine.store().role(&name).await?.ok_or_else(|| faults::no_role(&name))?;
    let snapshot = engine.snapshot().await?;
    let named = NamedRole { name: &name, role: &role };
    let Prepared { authority, caller, spec, hop } = Prepared::of(&snapshot, request, named, None).await?;
    let tags =
        session_tags::session_tags(&spec.leaf, &authority.issuer.subject_attributes().map_err(faults::ca)?);
    let common_name = spec.leaf.subject.common_name.as_deref().unwrap_or_default();
    let mut shown = Map::from_iter([
        ("subject".to_owned(), subject(&spec.leaf.subject)),
        ("uri_sans".to_owned(), json!(spec.leaf.uri_sans)),
        ("dns_sans".to_owned(), json!(spec.leaf.dns_sans)),
        ("session_tags".to_owned(), json!(tags)),
        ("source_identity".to_owned(), json!(session_tags::source_identity(common_name))),
        ("role_arn".to_owned(), json!(role.role_arn)),
        ("session_duration".to_owned(), json!(spec.call.duration.as_secs())),
        ("session_sharing".to_owned(), json!(role.sharing())),
    ]);
    shown.extend(origins(&role, &role.uses(&caller)?));
    if let Some(hop) = hop {
        shown.insert("target_role_arn".to_owned(), json!(hop.role));
        shown.insert("target_session_tags".to_owned(), json!(hop.tags));
        shown.insert("target_session_duration".to_owned(), json!(hop.duration.as_secs()));
    }
    if let Some(session_name) = &spec.call.role_session_name {
        shown.insert("role_session_name".to_owned(), json!(session_name));
    }
    Ok(Response::data(shown))
}

/// The subject's attributes that are not empty, by the names of the role's fields.
fn subject(subject: &ca::Subject) -> Value {
    let mut shown = Map::new();
    if let Some(common_name) = &subject.common_name {
        shown.insert("common_name".to_owned(), json!(common_name));
    }
    for (field, values) in [
        (SubjectField::Organization, &subject.organization),
        (SubjectField::OrganizationalUnit, &subject.organizational_unit),
        (SubjectField::Country, &subject.country),
        (SubjectField::Locality, &subject.locality),
    ] {
        if !values.is_empty() {
            shown.insert(field.name().to_owned(), json!(values));
        }
    }
    Value::Object(shown)
}

/// One line for each resolved reference, `value_01` and on, because Vault's CLI shows a list of maps in one cell. A line says where
/// the text is a standard one. `tenant_written` names the fields with a value that the owner of a service account can write.
fn origins(role: &Role, uses: &[(SubjectField, ResolvedReference)]) -> Map<String, Value> {
    let line = |(field, ResolvedReference { reference, resolved }): &(SubjectField, ResolvedReference)| {
        let standard = role.subject.standard_of(*field).map(|standard| format!(" by subject={standard}"));
        json!(format!(
            "{}{}: {{{{{reference}}}}} is {:?}, from {}",
            field.name(),
            standard.unwrap_or_default(),
            resolved.value,
            resolved.from
        ))
    };
    let lines = (1..).zip(uses).map(|(number, found)| (format!("value_{number:02}"), line(found)));
    let of_tenants = uses.iter().filter(|(_, found)| found.resolved.tenant_written);
    let fields: BTreeSet<&str> = of_tenants.map(|(field, _)| field.name()).collect();
    lines.chain([("tenant_written".to_owned(), json!(fields))]).collect()
}
