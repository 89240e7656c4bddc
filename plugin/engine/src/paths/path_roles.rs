//! `roles` and `roles/:name`: which IAM role a caller gets, with which certificate and for how long.

use std::sync::Arc;

use strum::VariantNames;
use vault_backend::{Change, Fault, Field, Request, Response, Route};

use crate::engine::Engine;
use crate::issuers::Issuers;
use crate::paths::named::Named;
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::role::Role;
use crate::records::role_options::{LeafKey, LeaseStyle, PlacePolicy, SessionSharing};
use crate::store::{Ends, Store, Writer, role_key};
use identity::StandardTexts;

const NAME: Field =
    Field::string("name", "name of the role: letters, digits and _, and inside it also -, @ and single dots");

const FIELDS: &[Field] = &[
        NAME,
        Field::string("role_arn", "ARN of the IAM role to assume").required(),
        Field::string(
            "trust_anchor_arn",
            "ARN of the trust anchor; default: the config's. Its region is the call's. Up to 8 of one account, with commas in between, each in another region: the first that is well makes the sessions",
        ),
        Field::string(
            "profile_arn",
            "ARN of the Roles Anywhere profile, of the anchor's region and account; default: the config's. One for each trust anchor",
        ),
        Field::string(
            "place_policy",
            "of several trust anchors, which one makes a session. failover: the first that is well; spread: each identity has its own order, so that all get a share; default: the config's",
        )
        .one_of(PlacePolicy::VARIANTS),
        Field::duration(
            "session_duration",
            "length of a session, 900 to 43200 seconds; the profile may shorten it",
        )
        .default_text("3600"),
        Field::duration(
            "max_session_duration",
            "longest session a caller may ask for; default: session_duration",
        ),
        Field::duration(
            "certificate_ttl",
            "life of a leaf certificate, 60 to 86400 seconds; a session may outlive it",
        )
        .default_text("600"),
        Field::string("key_type", "kind of a leaf certificate's key").default_text("ec-p256").one_of(LeafKey::VARIANTS),
        Field::string("issuer_ref", "issuer that signs: its id, its name or \"default\"")
            .default_text("default"),
        Field::string(
            "subject",
            "standard texts of the subject, each for its field where that is not written. kubernetes, for pods: common_name <cluster>.<namespace>.<service account>, organization the cluster, organizational_unit the namespace, uri_sans spiffe://<cluster>/ns/<namespace>/sa/<service account>",
        )
        .one_of(StandardTexts::VARIANTS),
        Field::string(
            "common_name",
            "subject CN, at most 61 characters, a template; default: the role's name. AWS's source identity is CN=<this>",
        ),
        Field::list("organization", "organizations of the subject (O), templates").prose(),
        Field::list("organizational_unit", "organizational units of the subject (OU), templates").prose(),
        Field::list("country", "countries of the subject (C), two letters each, templates"),
        Field::list("locality", "localities of the subject (L), templates").prose(),
        Field::list(
            "uri_sans",
            "URI subject alternative names, templates; only the first becomes a session tag",
        ),
        Field::list(
            "dns_sans",
            "DNS subject alternative names, templates; only the first becomes a session tag",
        ),
        Field::string(
            "role_session_name",
            "session name, 2 to 64 characters, a template; only for profiles with acceptRoleSessionName. Default: the certificate's serial",
        ),
        Field::list("clusters", "registered clusters whose pods alone get credentials; none: no such limit. With subject=kubernetes required where several are registered; default: the one that is").at_most(256),
        Field::bool(
            "allow_tenant_metadata",
            "let certificates hold metadata that service accounts' annotations set, never in common_name",
        )
        .default_text("false"),
        Field::pairs(
            "instance_properties",
            "up to 50 properties that Roles Anywhere records with the subject",
        )
        .at_most(50),
        Field::bool(
            "allow_caller_ttl",
            "let callers ask for a ttl, up to max_session_duration, rounded up to 15 minutes",
        )
        .default_text("false"),
        Field::string(
            "session_sharing",
            "who shares a session: callers who are the same at AWS (identity), or nobody (none). Default: identity if subject, alternative names or session name hold a value that names one caller (an entity, an alias, a uid, or a service account and its namespace), else none; preview/<role> shows the value in force",
        )
        .one_of(SessionSharing::VARIANTS),
        Field::string(
            "lease",
            "leased, or static: no lease in Vault; ttl and rotation_period in the data tell Agent's templates when to read again",
        )
        .default_text("leased")
        .one_of(LeaseStyle::VARIANTS),
        Field::string("region", "region in the answers; default: the trust anchor's"),
        Field::string(
            "target_role_arn",
            "ARN of a further IAM role, in another account as a rule: callers get sessions of it, an hour at most, which a session of role_arn makes",
        ),
        Field::string("external_id", "external id that the target's trust policy asks for, 2 to 1224 characters"),
        Field::string("session_policy", "IAM policy in JSON that cuts the target's permissions, at most 2048 characters"),
        Field::list("session_policy_arns", "ARNs of managed policies that cut the target's permissions").at_most(10),
        Field::string(
            "standard_tags",
            "standard session tags of the hop. kubernetes, for pods, those of EKS: eks-cluster-name, kubernetes-namespace, kubernetes-service-account",
        )
        .one_of(StandardTexts::VARIANTS),
        Field::pairs("session_tags", "session tags of the hop, up to 50; each value a template").at_most(50),
        Field::list("transitive_tag_keys", "keys of session tags that go along with further hops").at_most(50),
];

pub(crate) fn list_route() -> Route<Engine> {
    Route::at("roles").synopsis("The names of the roles.").list_all(list)
}

pub(crate) fn route() -> Route<Engine> {
    Route::at("roles/{name}")
        .with_at_signs()
        .synopsis("The IAM role that a caller gets, its certificate and the length of its sessions.")
        .description(include_str!("../help/roles-name.md"))
        .read(read)
        .change(FIELDS, change)
        .delete(delete)
        .exists(exists)
}

/// Whether the role is there: by this Vault tells `create` from `update` in policies.
async fn exists(engine: Arc<Engine>, request: Request) -> Result<bool, Fault> {
    Ok(engine.store().role(request.parameter("name")).await?.is_some())
}

/// The names alone, in one call of storage.
async fn list(engine: Arc<Engine>, _request: Request) -> Result<Response, Fault> {
    Ok(Response::list(engine.store().role_names().await?))
}

/// The role as it was written, with what its standard subject amounts to; 404 if there is none.
async fn read(engine: Arc<Engine>, _request: Request, ask: Named) -> Result<Response, Fault> {
    match engine.store().role(&ask.name).await? {
        Some(role) => Response::json(&role.shown()),
        None => Ok(Response::not_found()),
    }
}

/// Stores a role.
///
/// # Errors
/// The caller's fault if a field or a template is wrong; those of [`store`].
async fn change(engine: Arc<Engine>, request: Request, change: Change) -> Result<Response, Fault> {
    let name = change.path.text("name")?;
    // Before the stored role is read: two PATCHes of one role must not lose each other's fields.
    let writer = engine.store().write().await;
    let stored = writer.role(&name).await?;
    let role = Role::from_values(&change.onto(stored.as_ref())?)?;
    store(&writer, &request, &name, stored.as_ref(), role).await
}

/// Deletes the role, which ends its cached sessions. Sessions that were handed out live on at AWS. Succeeds if there is none.
async fn delete(engine: Arc<Engine>, _request: Request, ask: Named) -> Result<Response, Fault> {
    engine.store().write().await.delete_role(&ask.name).await?;
    Ok(Response::no_content())
}

/// Checks the role against config and clusters, and stores it. Its cached sessions end only if the new role would make others.
/// What keeps callers from credentials today, such as a missing issuer, is a warning, because roles may be written before it.
///
/// # Errors
/// The operator's fault if `allowed_role_arns` does not allow the IAM role, or if a cluster is not registered; the caller's if
/// its certificate could not be issued, or if it has to name clusters and names none.
async fn store(
    writer: &Writer,
    request: &Request,
    name: &str,
    stored: Option<&Role>,
    role: Role,
) -> Result<Response, Fault> {
    let config = writer.config().await?.unwrap_or_default();
    role.check_allowed(&config)?;
    role.check_certificate(name)?;
    let clusters = writer.clusters().await?;
    let role = role.admitting(&clusters, &request.mount_point)?;
    if stored == Some(&role) {
        // Storage has this already, but the cache may not: an earlier write may have landed although its answer was lost.
        writer.changed(&role_key(name));
    } else {
        let otherwise = stored.is_some_and(|stored| !stored.makes_the_same_as(&role));
        let ends = if otherwise { Ends::Role(name) } else { Ends::Nothing };
        writer.put_role(name, &role, ends).await?;
    }
    let mut warnings = role.warnings(name);
    warnings.extend(stored.and_then(|stored| role.opened_since(stored)));
    warnings.extend(role.check_arns(Some(&config)).err().map(|fault| unusable(&fault)));
    warnings.extend(unusable_issuer(writer, request, &role).await?);
    if role.asks_pod() && clusters.is_empty() {
        warnings.push(format!(
            "no cluster is registered, so nobody gets credentials of this role: vault write {}clusters/<name> accessor=<accessor of its auth mount>",
            request.mount_point
        ));
    }
    Ok(warnings.into_iter().fold(Response::no_content(), Response::warn))
}

/// A warning if the role's issuer cannot sign. It is no error, because a role may be written before its issuer; its callers get
/// nothing until then.
async fn unusable_issuer(store: &Store, request: &Request, role: &Role) -> Result<Option<String>, Fault> {
    if role.issuer_ref == DEFAULT_ISSUER {
        return Ok(None);
    }
    let issuers = Issuers::load(store).await?;
    let found = issuers.require(&role.issuer_ref, &request.mount_point);
    Ok(found.err().map(|fault| unusable(&fault)))
}

/// A warning that nobody gets credentials of the role, and why.
fn unusable(fault: &Fault) -> String {
    format!("nobody gets credentials of this role: {fault}")
}
