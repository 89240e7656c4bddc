//! The caller as Vault knows it, and the values of a template's references.

#[cfg(test)]
mod tests;

use vault_backend::{Alias, Entity, Fault, Request, quote};

use crate::clusters::{Clusters, NO_CLUSTERS};
use crate::command_word::word;
use crate::reference::{AliasPart, Pod, Reference, is_verified_key};
use crate::subject_field::{SubjectField, TENANT_IN_CN};

/// A caller of one role that passed the role's checks: its entity is enabled, and it is of a cluster that the role takes.
pub struct Caller<'a> {
    role_name: &'a str,
    /// The engine's own mount with a `/` at its end, for the commands in errors.
    mount_point: &'a str,
    clusters: &'a Clusters,
    /// Whether the role lets values that tenants write into its certificates.
    takes_tenant_metadata: bool,
    /// Vault's answer about the caller.
    known: Known,
}

/// A role's rules about its callers.
#[derive(Clone, Copy)]
pub struct Audience<'a> {
    /// The engine role's name: the value of `role.name`.
    pub role_name: &'a str,
    /// Whether any part of a session depends on the caller. Vault is asked only then, because each read costs one more call of
    /// Vault.
    pub asks_who: bool,
    /// The clusters whose pods get credentials. An empty list lets callers of every kind in.
    pub clusters: &'a [String],
    /// Whether the role lets values that tenants write into its certificates.
    pub takes_tenant_metadata: bool,
}

/// Vault's answer about the caller.
pub enum Known {
    /// Vault was not asked, because the role does not depend on the caller.
    NotAsked,
    /// The token belongs to no entity.
    NoEntity,
    /// Vault does not know the entity of the token, whose id this is: it was merged into another one or deleted.
    Gone(String),
    /// The token's entity with those of its aliases that Vault shows: the ones of the mount's own Vault namespace.
    Entity(Entity),
}

/// The value of a reference for one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The value as Vault has it, never empty.
    pub value: String,
    /// The origin of the value in Vault, and who writes it there, for `preview`.
    pub from: String,
    /// Whether anyone who may edit a service account writes it.
    pub tenant_written: bool,
}

/// Why a reference has no value for a caller.
pub struct Unresolvable {
    /// The reason without the field and the reference, which [`Unresolvable::fault`] adds.
    text: String,
    /// The operator's cure; `None` where the caller must act.
    cure: Option<String>,
}

impl<'a> Audience<'a> {
    /// The rules of a role that takes callers of every kind and does not depend on them.
    pub fn everybody(role_name: &'a str) -> Self {
        Self { role_name, asks_who: false, clusters: &[], takes_tenant_metadata: false }
    }
}

impl<'a> Caller<'a> {
    /// Asks Vault who sent `request`, where the role depends on it.
    ///
    /// # Errors
    /// As [`Self::of`], and where Vault does not answer.
    pub async fn find(
        request: &'a Request,
        audience: Audience<'a>,
        clusters: &'a Clusters,
    ) -> Result<Self, Fault> {
        let known = if audience.asks_who { look(request).await? } else { Known::NotAsked };
        Self::of(known, audience, &request.mount_point, clusters)
    }

    /// Makes the caller about whom Vault answered `known`.
    ///
    /// # Errors
    /// The entity is disabled or has aliases of two registered clusters, or the role names clusters and the caller is of none of
    /// them.
    pub fn of(
        known: Known,
        audience: Audience<'a>,
        mount_point: &'a str,
        clusters: &'a Clusters,
    ) -> Result<Self, Fault> {
        let Audience { role_name, takes_tenant_metadata, .. } = audience;
        let caller = Self { role_name, mount_point, clusters, takes_tenant_metadata, known };
        caller.check_entity()?;
        caller.check_cluster(audience.clusters)?;
        Ok(caller)
    }

    /// No caller in particular, for templates that do not depend on one.
    pub fn nobody(role_name: &'a str) -> Self {
        let (mount_point, clusters) = ("", &NO_CLUSTERS);
        Self { role_name, mount_point, clusters, takes_tenant_metadata: false, known: Known::NotAsked }
    }

    /// Returns the caller's cluster and the accessor of its auth mount; `None` where it is unknown or no pod of a registered
    /// cluster.
    pub fn cluster(&self) -> Option<(&str, &str)> {
        self.pod().ok().map(|(alias, cluster)| (cluster, alias.mount_accessor.as_str()))
    }

    /// Returns the caller's cluster and its namespace there; `None` as for [`Self::cluster`], and where the alias has no
    /// namespace.
    pub fn namespace(&self) -> Option<(&str, &str)> {
        let (alias, cluster) = self.pod().ok()?;
        let namespace = alias.metadata.get(Pod::Namespace.key()?)?;
        Some((cluster, namespace))
    }

    /// Returns the service account of the caller's pod; `None` as for [`Self::namespace`].
    pub fn service_account(&self) -> Option<&str> {
        let (alias, _) = self.pod().ok()?;
        alias.metadata.get(Pod::ServiceAccount.key()?).map(String::as_str)
    }

    /// Whether Vault was asked who the caller is.
    pub fn is_asked(&self) -> bool {
        !matches!(self.known, Known::NotAsked)
    }

    /// Returns the value of `reference`, for a template of `field`.
    ///
    /// # Errors
    /// Vault has no value or an empty one, or a tenant writes it and neither the role nor the field takes that.
    pub fn resolve(&self, reference: &Reference, field: SubjectField) -> Result<Resolved, Unresolvable> {
        let resolved = match reference {
            Reference::RoleName => Resolved::of(self.role_name, "the engine role's name"),
            Reference::Kubernetes(pod) => self.resolve_pod(*pod)?,
            Reference::EntityId => Resolved::of(&self.entity()?.id, "the id of the caller's entity in Vault"),
            Reference::EntityName => {
                let name = &self.entity()?.name;
                Resolved::of(
                    name,
                    if is_made_up(name) {
                        MADE_UP
                    } else {
                        "identity/entity, which operators of Vault write"
                    },
                )
            }
            Reference::EntityMetadata(key) => self.resolve_entity_metadata(key)?,
            Reference::Alias { accessor, part } => self.resolve_alias(accessor, part)?,
        };
        if resolved.value.is_empty() {
            return Err(Unresolvable::caller("is empty for this caller"));
        }
        self.check_tenant(resolved, field)
    }

    /// Checks that a value which a tenant writes may go into the field. A common name never takes it, whatever the role allows.
    fn check_tenant(&self, resolved: Resolved, field: SubjectField) -> Result<Resolved, Unresolvable> {
        if resolved.tenant_written && field == SubjectField::CommonName {
            return Err(Unresolvable::operator(
                TENANT_IN_CN,
                "put the reference into another field of the role",
            ));
        }
        if resolved.tenant_written && !self.takes_tenant_metadata {
            return Err(Unresolvable::operator(
                "comes from an annotation that anyone who may edit the service account writes",
                format!(
                    "if that is intended: vault patch {}roles/{} allow_tenant_metadata=true",
                    self.mount_point, self.role_name
                ),
            ));
        }
        Ok(resolved)
    }

    /// A property of the pod. Only metadata that the Kubernetes auth method verified is read, never annotations.
    fn resolve_pod(&self, pod: Pod) -> Result<Resolved, Unresolvable> {
        let (alias, cluster) = self.pod()?;
        let accessor = &alias.mount_accessor;
        let Some(key) = pod.key() else {
            return Ok(Resolved::of(cluster, format!("clusters/{cluster}, the registration of {accessor}")));
        };
        let value = alias.metadata.get(key).ok_or_else(|| {
            Unresolvable::operator(
format!("the caller's alias under {accessor} has no metadata {key:?}, which the Kubernetes auth method sets"),
format!("is this the mount of clusters/{cluster}? See `vault auth list`"),
)
        })?;
        Ok(Resolved::of(value, format!("cluster {cluster}: the login at {accessor}")))
    }

    /// The entity's metadata under `key`.
    fn resolve_entity_metadata(&self, key: &str) -> Result<Resolved, Unresolvable> {
        let entity = self.entity()?;
        let value = entity.metadata.get(key).ok_or_else(|| {
            Unresolvable::operator(
                format!("the caller's entity {} has no metadata {}", entity.name, quote(key)),
                format!(
                    "vault write identity/entity/id/{} metadata={}=<value>",
                    entity.id,
                    word(key, "<key>")
                ),
            )
        })?;
        Ok(Resolved::of(value, "identity/entity, which operators of Vault write"))
    }

    /// A property of the caller's one alias under `accessor`.
    fn resolve_alias(&self, accessor: &str, part: &AliasPart) -> Result<Resolved, Unresolvable> {
        let alias = self.alias(accessor)?;
        match part {
            AliasPart::Name => Ok(Resolved::of(&alias.name, format!("the login at {accessor}"))),
            AliasPart::Metadata(key) => {
                let value = alias.metadata.get(key).ok_or_else(|| {
                    Unresolvable::caller(format!(
                        "the caller's alias under {} has no metadata {}; the auth method sets it at login: configure that there, then log in again",
                        alias.mount_accessor,
                        quote(key)
                    ))
                })?;
                Ok(if self.is_annotation(alias, key) {
                    Resolved {
                        tenant_written: true,
                        ..Resolved::of(
                            value,
                            format!("an annotation of the service account, by the login at {accessor}"),
                        )
                    }
                } else {
                    Resolved::of(value, format!("the login at {accessor}"))
                })
            }
            AliasPart::CustomMetadata(key) => {
                let value = alias.custom_metadata.get(key).ok_or_else(|| {
                    Unresolvable::operator(
                        format!("the caller's alias under {accessor} has no custom metadata {}", quote(key)),
                        format!(
                            "vault write identity/entity-alias/id/{} custom_metadata={}=<value>",
                            alias.id,
                            word(key, "<key>")
                        ),
                    )
                })?;
                Ok(Resolved::of(value, "identity/entity-alias, which operators of Vault write"))
            }
        }
    }

    /// Returns whether a Kubernetes auth method took this key from an annotation. The method may be registered under any plugin
    /// name, so its verified metadata and the clusters' registrations count too.
    fn is_annotation(&self, alias: &Alias, key: &str) -> bool {
        let is_kubernetes = alias.mount_type == "kubernetes"
            || alias.metadata.contains_key("service_account_uid")
            || self.clusters.name(&alias.mount_accessor).is_some();
        is_kubernetes && !is_verified_key(key)
    }

    /// The caller's entity, or why there is none.
    fn entity(&self) -> Result<&Entity, Unresolvable> {
        match &self.known {
            Known::Entity(entity) => Ok(entity),
            Known::Gone(id) => Err(Unresolvable::caller(format!(
                "Vault knows no entity {id} in the namespace of this mount: log in again if it was merged or deleted; with a token of another namespace, log in in the namespace of the mount"
            ))),
            Known::NoEntity => Err(Unresolvable::caller(
                "this token belongs to no entity, like root tokens and tokens created at auth/token: log in through an auth method",
            )),
            Known::NotAsked => Err(Unresolvable::caller("Vault was not asked who the caller is")),
        }
    }

    /// The caller's one alias under this mount. With two, Vault does not say which one logged in, so neither may name the caller.
    /// An alias of the token auth method is refused by its type too, because the reference's accessor may not show it.
    fn alias(&self, accessor: &str) -> Result<&Alias, Unresolvable> {
        let entity = self.entity()?;
        let mut found = entity.aliases.iter().filter(|alias| alias.mount_accessor == accessor);
        match (found.next(), found.next()) {
            (Some(alias), None) if alias.mount_type == "token" => Err(Unresolvable::operator(
                "anyone who creates tokens chooses an alias of the token auth method",
                "name an alias of another auth mount: vault auth list",
            )),
            (Some(alias), None) => Ok(alias),
            (Some(_), Some(_)) => Err(Unresolvable::operator(
                format!(
                    "the caller's entity {} has two aliases under {accessor}, and Vault does not tell which one logged in",
                    entity.name
                ),
                "give each its own entity (vault delete identity/entity-alias/id/<id>)",
            )),
            (None, _) => Err(Unresolvable::caller(format!(
                "the caller's entity {} has no alias under the auth mount {accessor}{OTHER_NAMESPACE}: log in through that mount",
                entity.name
            ))),
        }
    }

    /// The caller's one alias under the auth mount of a registered cluster, and the cluster's name.
    fn pod(&self) -> Result<(&Alias, &str), Unresolvable> {
        if self.clusters.is_empty() {
            return Err(Unresolvable::operator(
                "no cluster is registered",
                format!(
                    "vault write {}clusters/<name> accessor=<accessor of its auth mount>",
                    self.mount_point
                ),
            ));
        }
        let entity = self.entity()?;
        self.pods(entity).next().ok_or_else(|| self.no_pod(entity))
    }

    /// Why the caller is no pod of a registered cluster. A registered accessor that looks like one of the caller's was probably
    /// mistyped, and the error says so.
    fn no_pod(&self, entity: &Entity) -> Unresolvable {
        let (name, mount_point) = (&entity.name, self.mount_point);
        let at =
            |alias: &Alias| Some((alias.mount_accessor.clone(), self.clusters.near(&alias.mount_accessor)?));
        let near = entity.aliases.iter().find_map(at);
        if let Some((accessor, (cluster, registered))) = near {
            return Unresolvable::operator(
                format!(
                    "the caller's entity {name} has no alias under the auth mount of a registered cluster, but one under {accessor}, which looks like {registered} of clusters/{cluster}"
                ),
                format!(
                    "if that was mistyped: vault write {mount_point}clusters/{cluster} accessor={accessor}"
                ),
            );
        }
        let seen: Vec<&str> = entity.aliases.iter().map(|alias| alias.mount_accessor.as_str()).collect();
        let seen =
            if seen.is_empty() { "none at all".to_owned() } else { format!("only {}", seen.join(", ")) };
        Unresolvable::caller(format!(
            "the caller's entity {name} has no alias under the auth mount of a registered cluster, {seen}{OTHER_NAMESPACE}: log in as a pod of one, or register its mount: vault write {mount_point}clusters/<name> accessor=<accessor>"
        ))
    }

    /// The entity's aliases under auth mounts of registered clusters, with the clusters' names.
    fn pods<'b>(&'b self, entity: &'b Entity) -> impl Iterator<Item = (&'b Alias, &'b str)> {
        entity.aliases.iter().filter_map(|alias| Some((alias, self.clusters.name(&alias.mount_accessor)?)))
    }

    /// Refuses a disabled entity, and one with aliases of two clusters: a pod of one would otherwise pass for a pod of the other.
    fn check_entity(&self) -> Result<(), Fault> {
        let Known::Entity(entity) = &self.known else { return Ok(()) };
        if entity.disabled {
            return Err(Fault::caller(format!("the caller's entity {} is disabled in Vault", entity.name)));
        }
        let clusters: Vec<&str> = self.pods(entity).map(|(_, cluster)| cluster).collect();
        if clusters.len() > 1 {
            return Err(Fault::operator(format!(
                "the caller's entity {} has aliases of {}, and Vault does not tell which one logged in",
                entity.name,
                clusters.join(" and ")
            ))
            .cure("give each its own entity (vault delete identity/entity-alias/id/<id>)"));
        }
        Ok(())
    }

    /// Refuses a caller that is no pod of one of these clusters; an empty list takes every caller.
    fn check_cluster(&self, clusters: &[String]) -> Result<(), Fault> {
        if clusters.is_empty() {
            return Ok(());
        }
        let rule = || format!("clusters: this role accepts only callers of {}", clusters.join(", "));
        let (_, cluster) = self.pod().map_err(|unknown| unknown.labelled(&rule()))?;
        if clusters.iter().any(|name| name == cluster) {
            return Ok(());
        }
        Err(Fault::caller(format!("{}, but this caller is of {cluster}", rule())))
    }
}

/// The origin of an entity name that Vault generated, with its cure.
const MADE_UP: &str = "Vault, which generated it at the first login: vault write identity/entity/id/<id> name=<name>, or use {{identity.entity.aliases.<accessor>.name}}";

/// Returns whether Vault generated the entity's name: `entity_` and eight hex digits (`IdentityStore.generateName`).
fn is_made_up(name: &str) -> bool {
    name.strip_prefix("entity_")
        .is_some_and(|id| id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Part of every error about a missing alias, because `EntityInfo` silently omits aliases of other Vault namespaces (Vault's
/// `dynamic_system_view.go`).
const OTHER_NAMESPACE: &str = " (Vault shows the engine only aliases of its own Vault namespace: mount the engine in the namespace of the auth method)";

/// Asks Vault for the entity of the request's token; a token without one costs no call.
async fn look(request: &Request) -> Result<Known, Fault> {
    let Some(id) = request.entity_id.as_ref().filter(|id| !id.is_empty()) else {
        return Ok(Known::NoEntity);
    };
    let entity = request.mount.system.entity_info(id).await?;
    Ok(entity.map_or_else(|| Known::Gone(id.clone()), Known::Entity))
}

impl Resolved {
    /// A value that no tenant writes.
    fn of(value: &str, from: impl Into<String>) -> Self {
        Self { value: value.to_owned(), from: from.into(), tenant_written: false }
    }
}

impl Unresolvable {
    /// The caller must act.
    fn caller(text: impl Into<String>) -> Self {
        Self { text: text.into(), cure: None }
    }

    /// An operator must act, as `cure` says.
    fn operator(text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { text: text.into(), cure: Some(cure.into()) }
    }

    /// Returns the fault for `field`, whose template holds `reference`: the operator's where there is a cure, else the
    /// caller's.
    pub fn fault(self, field: SubjectField, reference: &Reference) -> Fault {
        self.labelled(&format!("{}: {{{{{reference}}}}}", field.name()))
    }

    /// The fault with `label` and a colon in front.
    fn labelled(self, label: &str) -> Fault {
        let text = format!("{label}: {}", self.text);
        match self.cure {
            Some(cure) => Fault::operator(text).cure(cure),
            None => Fault::caller(text),
        }
    }
}
