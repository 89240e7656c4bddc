//! The references of a template, such as `kubernetes.namespace` and `identity.entity.name`: each stands for one property of a caller.
//!
//! The `identity` references are those of Vault's own templates
//! (<https://developer.hashicorp.com/vault/docs/concepts/policies#templated-policies>).

use std::fmt;

use vault_backend::quote;

/// Metadata keys that Vault's Kubernetes auth method sets from the API server's answer to a `TokenReview`. Annotations cannot
/// override them (vault-plugin-auth-kubernetes, `reservedAliasMetadataKeys`). Every other key comes from the service account's
/// annotations `vault.hashicorp.com/alias-metadata-<key>`, which anyone who may edit the service account writes.
const VERIFIED_KEYS: [&str; 4] = [
    "service_account_name",
    "service_account_namespace",
    "service_account_uid",
    "service_account_secret_name",
];

/// The longest metadata key that Vault's identity store takes, in bytes (`metaKeyMaxLength`). Accessors have the same bound here,
/// because errors repeat them.
const MAX_KEY: usize = 128;
/// Ends the error about an unknown reference with every reference that exists.
const KNOWN: &str = "the references are kubernetes.cluster, kubernetes.namespace, kubernetes.service_account, kubernetes.uid, \
    identity.entity.id, identity.entity.name, identity.entity.metadata.<key>, \
    identity.entity.aliases.<accessor>.name, .metadata.<key>, .custom_metadata.<key>, and role.name";

/// One reference of a template. [`Display`](fmt::Display) gives the form in which it is written, without braces and spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The engine role's name.
    RoleName,
    /// A property of the caller's pod, by its cluster's registration and its alias there.
    Kubernetes(Pod),
    /// The id of the caller's entity, a UUID.
    EntityId,
    /// The name of the caller's entity.
    EntityName,
    /// The entity's metadata under this key. Operators of Vault write it.
    EntityMetadata(String),
    /// A property of the caller's alias under one auth mount.
    Alias {
        /// The auth mount's accessor, as `vault auth list` shows it.
        accessor: String,
        /// Which property of the alias.
        part: AliasPart,
    },
}

/// A property of a pod. The engine knows pods by their alias under the auth mount of a registered cluster. A reference has its
/// name in snake case, behind `kubernetes.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Pod {
    /// The name under which `clusters/<name>` registers the auth mount.
    Cluster,
    /// The Kubernetes namespace. One of the same name may exist in another cluster.
    Namespace,
    /// The name of the service account, unique in its namespace alone.
    ServiceAccount,
    /// The UID of the service account, which Kubernetes never gives twice.
    Uid,
}

/// A property of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasPart {
    /// The alias's name. The auth method sets it at login, and it is unique in its mount.
    Name,
    /// The metadata under this key, which the auth method sets at each login.
    Metadata(String),
    /// The custom metadata under this key, which operators of Vault write.
    CustomMetadata(String),
}

/// A reference in braces: `{{reference}}` or `{{reference | short}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub reference: Reference,
    /// Whether the value may be shortened where it does not fit the field; without it, such a value is refused.
    pub short: bool,
}

/// How much the value of a reference says of a caller: whether two callers may have the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says<'a> {
    /// Only one caller has the value: the id or name of an entity, the name of an alias, or the UID of a service account.
    Who,
    /// The namespace, which names a service account of a cluster together with its name. The alias is that under this accessor,
    /// or with `None` the pod's own.
    Namespace(Option<&'a str>),
    /// The service account's name, the other half; by the same alias.
    ServiceAccount(Option<&'a str>),
    /// Other callers may have the value too: it is a cluster, or metadata under any other key.
    Something,
}

/// Returns whether these references together name one caller, so no two callers have the same values. The two halves that name a
/// service account must come from one alias.
///
/// A service account counts as one caller, however many pods run as it, because Vault does not distinguish those either.
pub fn name_one_caller<'a>(references: impl Iterator<Item = &'a Reference>) -> bool {
    let said: Vec<Says<'_>> = references.map(Reference::says).collect();
    said.iter().any(|says| match says {
        Says::Who => true,
        Says::Namespace(alias) => said.contains(&Says::ServiceAccount(*alias)),
        Says::ServiceAccount(_) | Says::Something => false,
    })
}

impl Slot {
    /// Reads `inside`, which stands between `{{` and `}}`; spaces around the reference and the function do not count.
    ///
    /// # Errors
    /// Why it is no reference, for the end of an error: the function is not `short`, or the reference is unknown.
    pub(crate) fn read(inside: &str) -> Result<Self, String> {
        let (reference, function) = inside
            .split_once('|')
            .map_or((inside, None), |(reference, function)| (reference, Some(function.trim())));
        let short = match function {
            None => false,
            Some("short") => true,
            Some(other) => {
                return Err(format!("there is no function {}; the only function is short", quote(other)));
            }
        };
        let reference = reference.trim();
        let reference =
            Reference::parse(reference).map_err(|reason| format!("{}: {reason}", quote(reference)))?;
        Ok(Self { reference, short })
    }
}

impl Reference {
    /// Reads a reference as it stands between the braces.
    ///
    /// # Errors
    /// Why it is none, for the end of an error; for an unknown name, with the list of all references.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "role.name" => return Ok(Self::RoleName),
            "identity.entity.id" => return Ok(Self::EntityId),
            "identity.entity.name" => return Ok(Self::EntityName),
            _ => {}
        }
        if let Some(pod) = text.strip_prefix("kubernetes.").and_then(|property| property.parse().ok()) {
            return Ok(Self::Kubernetes(pod));
        }
        if let Some(key) = text.strip_prefix("identity.entity.metadata.") {
            return key_of(key).map(Self::EntityMetadata);
        }
        if let Some(rest) = text.strip_prefix("identity.entity.aliases.") {
            return alias(rest);
        }
        Err(format!("there is no reference of this name; {KNOWN}"))
    }

    /// Returns whether the value depends on the caller. Only that of `role.name` does not.
    pub fn asks_who(&self) -> bool {
        *self != Self::RoleName
    }

    /// How much the value says of a caller. Of an alias's metadata only keys of [`VERIFIED_KEYS`] name one: the auth method sets
    /// those, and a tenant may write any other.
    fn says(&self) -> Says<'_> {
        match self {
            Self::EntityId
            | Self::EntityName
            | Self::Kubernetes(Pod::Uid)
            | Self::Alias { part: AliasPart::Name, .. } => Says::Who,
            Self::Kubernetes(Pod::Namespace) => Says::Namespace(None),
            Self::Kubernetes(Pod::ServiceAccount) => Says::ServiceAccount(None),
            Self::Alias { accessor, part: AliasPart::Metadata(key) } => match key.as_str() {
                "service_account_uid" => Says::Who,
                "service_account_namespace" => Says::Namespace(Some(accessor)),
                "service_account_name" => Says::ServiceAccount(Some(accessor)),
                _ => Says::Something,
            },
            Self::RoleName
            | Self::Kubernetes(Pod::Cluster)
            | Self::EntityMetadata(_)
            | Self::Alias { part: AliasPart::CustomMetadata(_), .. } => Says::Something,
        }
    }

    /// Returns whether a tenant is known to write the value, from the reference alone: Vault names accessors `auth_<type>_<id>`.
    ///
    /// Of a Kubernetes auth method that is registered under another plugin name this is known only from a caller's alias, see
    /// [`crate::Caller::resolve`].
    pub fn is_known_tenant_metadata(&self) -> bool {
        match self {
            Self::Alias { accessor, part: AliasPart::Metadata(key) } => {
                accessor.starts_with("auth_kubernetes_") && !is_verified_key(key)
            }
            _ => false,
        }
    }
}

/// Whether Vault's Kubernetes auth method itself sets this key of an alias's metadata.
pub(crate) fn is_verified_key(key: &str) -> bool {
    VERIFIED_KEYS.contains(&key)
}

impl Pod {
    /// The metadata key of the alias that holds the property; `None` for the cluster, whose name the registration holds.
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::Cluster => None,
            Self::Namespace => Some("service_account_namespace"),
            Self::ServiceAccount => Some("service_account_name"),
            Self::Uid => Some("service_account_uid"),
        }
    }
}

/// Reads `<accessor>.name`, `<accessor>.metadata.<key>` or `<accessor>.custom_metadata.<key>`.
///
/// # Errors
/// The accessor is missing, over [`MAX_KEY`] bytes, holds a space or control character, or is the token auth method's, whose
/// aliases are free choices of anyone who makes tokens; or the property does not exist.
fn alias(text: &str) -> Result<Reference, String> {
    let (accessor, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_unlike_any = |character: char| character.is_whitespace() || character.is_control();
    if accessor.is_empty() || accessor.len() > MAX_KEY || accessor.contains(is_unlike_any) {
        return Err("name an alias by the accessor of its auth mount (see `vault auth list`)".to_owned());
    }
    if accessor.starts_with("auth_token_") {
        return Err("anyone who creates tokens chooses an alias of the token auth method".to_owned());
    }
    let part = if rest == "name" {
        AliasPart::Name
    } else if let Some(key) = rest.strip_prefix("metadata.") {
        AliasPart::Metadata(key_of(key)?)
    } else if let Some(key) = rest.strip_prefix("custom_metadata.") {
        AliasPart::CustomMetadata(key_of(key)?)
    } else {
        return Err("an alias has .name, .metadata.<key> and .custom_metadata.<key>".to_owned());
    };
    Ok(Reference::Alias { accessor: accessor.to_owned(), part })
}

/// Checks that `text` is a key that Vault's identity metadata can have: 1 to [`MAX_KEY`] bytes without control characters. Every
/// error and command that names the key is then one line of bounded length.
fn key_of(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the metadata key is missing".to_owned());
    }
    if text.len() > MAX_KEY {
        return Err(format!("the metadata key has {} bytes (Vault stores at most {MAX_KEY})", text.len()));
    }
    if text.contains(char::is_control) {
        return Err("the metadata key holds a control character".to_owned());
    }
    Ok(text.to_owned())
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoleName => f.write_str("role.name"),
            Self::Kubernetes(pod) => write!(f, "kubernetes.{pod}"),
            Self::EntityId => f.write_str("identity.entity.id"),
            Self::EntityName => f.write_str("identity.entity.name"),
            Self::EntityMetadata(key) => write!(f, "identity.entity.metadata.{key}"),
            Self::Alias { accessor, part } => {
                write!(f, "identity.entity.aliases.{accessor}.")?;
                match part {
                    AliasPart::Name => f.write_str("name"),
                    AliasPart::Metadata(key) => write!(f, "metadata.{key}"),
                    AliasPart::CustomMetadata(key) => write!(f, "custom_metadata.{key}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_shown_as_it_is_written() {
        for text in [
            "role.name",
            "kubernetes.cluster",
            "kubernetes.namespace",
            "kubernetes.service_account",
            "kubernetes.uid",
            "identity.entity.id",
            "identity.entity.name",
            "identity.entity.metadata.team",
            "identity.entity.metadata.a.b/c",
            "identity.entity.aliases.auth_userpass_1a2b.name",
            "identity.entity.aliases.auth_jwt_1a2b.metadata.project_path",
            "identity.entity.aliases.auth_jwt_1a2b.custom_metadata.cost.centre",
        ] {
            assert_eq!(Reference::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_with_the_reason() {
        for (text, words) in [
            ("", "no reference of this name"),
            ("kubernetes.pod", "no reference of this name"),
            ("identity.entity.groups.names", "no reference of this name"),
            ("identity.entity.metadata", "no reference of this name"),
            ("identity.entity.metadata.", "the metadata key"),
            ("identity.entity.aliases.", "accessor"),
            ("identity.entity.aliases.auth_jwt_1", ".name, .metadata"),
            ("identity.entity.aliases.auth_jwt_1.id", ".name, .metadata"),
            ("identity.entity.aliases.auth_token_1.name", "token auth method"),
        ] {
            let error = Reference::parse(text).unwrap_err();

            assert!(error.contains(words), "{text:?}: {error}");
        }
    }

    /// Whether the references written so name one caller.
    fn names_one(texts: &[&str]) -> bool {
        let references: Vec<_> = texts.iter().map(|text| Reference::parse(text).unwrap()).collect();
        name_one_caller(references.iter())
    }

    #[test]
    fn an_entity_an_alias_and_a_service_account_with_its_namespace_name_one_caller() {
        for texts in [
            &["identity.entity.id"][..],
            &["identity.entity.name"],
            &["identity.entity.aliases.auth_jwt_1a.name"],
            &["kubernetes.uid"],
            &["kubernetes.cluster", "kubernetes.namespace", "kubernetes.service_account"],
            &["identity.entity.aliases.auth_kubernetes_1a.metadata.service_account_uid"],
            &[
                "identity.entity.aliases.auth_kubernetes_1a.metadata.service_account_name",
                "identity.entity.aliases.auth_kubernetes_1a.metadata.service_account_namespace",
            ],
        ] {
            assert!(names_one(texts), "{texts:?}");
        }
    }

    #[test]
    fn what_several_callers_have_names_none_of_them() {
        for texts in [
            &[][..],
            &["role.name"],
            &["kubernetes.cluster"],
            &["kubernetes.cluster", "kubernetes.namespace"],
            &["kubernetes.cluster", "kubernetes.service_account"],
            &["identity.entity.metadata.team"],
            &["identity.entity.aliases.auth_jwt_1a.metadata.project_path"],
            &["identity.entity.aliases.auth_jwt_1a.custom_metadata.owner"],
            &[
                "identity.entity.aliases.auth_kubernetes_1a.metadata.service_account_name",
                "identity.entity.aliases.auth_kubernetes_2b.metadata.service_account_namespace",
            ],
        ] {
            assert!(!names_one(texts), "{texts:?}");
        }
    }

    #[test]
    fn a_key_and_an_accessor_are_short_and_hold_no_control_character() {
        for start in ["identity.entity.metadata.", "identity.entity.aliases.auth_jwt_1a.metadata."] {
            let parsed = |key: &str| Reference::parse(&format!("{start}{key}"));

            assert!(parsed(&"k".repeat(128)).is_ok());
            assert_eq!(
                parsed(&"k".repeat(129)).unwrap_err(),
                "the metadata key has 129 bytes (Vault stores at most 128)"
            );
            assert_eq!(parsed("a\u{0}b").unwrap_err(), "the metadata key holds a control character");
        }
        for accessor in ["a\u{7}", &"a".repeat(129)] {
            assert!(Reference::parse(&format!("identity.entity.aliases.{accessor}.name")).is_err());
        }
    }

    #[test]
    fn only_what_the_kubernetes_method_sets_itself_is_not_a_tenants() {
        let tenant = |key: &str| {
            let text = format!("identity.entity.aliases.auth_kubernetes_1a.metadata.{key}");
            Reference::parse(&text).unwrap().is_known_tenant_metadata()
        };

        assert!(VERIFIED_KEYS.iter().all(|key| !tenant(key)));
        assert!(tenant("team") && tenant("service_account"));
    }
}
