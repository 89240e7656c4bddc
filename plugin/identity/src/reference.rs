//! What a template may ask about a caller: `kubernetes.namespace`, `identity.entity.name` and so on.
//!
//! The `identity` references are those of Vault's own templates
//! (<https://developer.hashicorp.com/vault/docs/concepts/policies#templated-policies>).

use std::fmt;

use vault_backend::quote;

/// Metadata that Vault's Kubernetes auth method sets from the API server's answer to a `TokenReview`, and that annotations cannot
/// override (vault-plugin-auth-kubernetes, `reservedAliasMetadataKeys`). Every other key comes from the service account's
/// annotations `vault.hashicorp.com/alias-metadata-<key>`, which whoever may edit it writes.
const VERIFIED_KEYS: [&str; 4] = [
    "service_account_name",
    "service_account_namespace",
    "service_account_uid",
    "service_account_secret_name",
];

/// The longest key of metadata that Vault's identity store keeps, in bytes (`metaKeyMaxLength`).
const MAX_KEY: usize = 128;
const KNOWN: &str = "the references are kubernetes.cluster, kubernetes.namespace, kubernetes.service_account, kubernetes.uid, \
    identity.entity.id, identity.entity.name, identity.entity.metadata.<key>, \
    identity.entity.aliases.<accessor>.name, .metadata.<key>, .custom_metadata.<key>, and role.name";

/// One thing that a template asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The engine role's name.
    RoleName,
    /// The pod's cluster or service account.
    Kubernetes(Pod),
    /// The id of the caller's entity, a UUID.
    EntityId,
    /// The name of the caller's entity.
    EntityName,
    /// The entity's metadata under this key, which operators of Vault write.
    EntityMetadata(String),
    /// Something of the caller's alias under one auth mount.
    Alias {
        /// Of the auth mount, as `vault auth list` shows it.
        accessor: String,
        /// What of the alias.
        part: AliasPart,
    },
}

/// What is known of a pod, by its alias under the auth mount of a registered cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pod {
    Cluster,
    Namespace,
    ServiceAccount,
    Uid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasPart {
    Name,
    Metadata(String),
    CustomMetadata(String),
}

/// Something in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub reference: Reference,
    pub short: bool,
}

/// What a reference says of a caller: whether two callers may give the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says<'a> {
    /// One caller alone gives it: the id or name of an entity, the name of an alias, the uid of a service account.
    Who,
    /// One half of what names a service account in its cluster, by the alias under this accessor or the pod's own.
    Namespace(Option<&'a str>),
    /// The other half.
    ServiceAccount(Option<&'a str>),
    /// Something that others may have too: a cluster, or metadata of any other key.
    Something,
}

/// Whether these references together name one caller: no two callers give the same values. A service account counts as one caller,
/// however many pods run as it; Vault does not tell those apart either.
pub fn name_one_caller<'a>(references: impl Iterator<Item = &'a Reference>) -> bool {
    let said: Vec<Says<'_>> = references.map(Reference::says).collect();
    said.iter().any(|says| match says {
        Says::Who => true,
        Says::Namespace(alias) => said.contains(&Says::ServiceAccount(*alias)),
        Says::ServiceAccount(_) | Says::Something => false,
    })
}

impl Slot {
    pub(crate) fn read(inside: &str) -> Result<Self, String> {
        let (reference, function) = inside
            .split_once('|')
            .map_or((inside, None), |(reference, function)| (reference, Some(function.trim())));
        let short = match function {
            None => false,
            Some("short") => true,
            Some(other) => {
                return Err(format!("there is no function {}; the one there is, is short", quote(other)));
            }
        };
        let reference = reference.trim();
        let reference =
            Reference::parse(reference).map_err(|reason| format!("{}: {reason}", quote(reference)))?;
        Ok(Self { reference, short })
    }
}

impl Reference {
    /// Reads what stands between the braces, or says why it is no reference.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "role.name" => return Ok(Self::RoleName),
            "kubernetes.cluster" => return Ok(Self::Kubernetes(Pod::Cluster)),
            "kubernetes.namespace" => return Ok(Self::Kubernetes(Pod::Namespace)),
            "kubernetes.service_account" => return Ok(Self::Kubernetes(Pod::ServiceAccount)),
            "kubernetes.uid" => return Ok(Self::Kubernetes(Pod::Uid)),
            "identity.entity.id" => return Ok(Self::EntityId),
            "identity.entity.name" => return Ok(Self::EntityName),
            _ => {}
        }
        if let Some(key) = text.strip_prefix("identity.entity.metadata.") {
            return key_of(key).map(Self::EntityMetadata);
        }
        if let Some(rest) = text.strip_prefix("identity.entity.aliases.") {
            return alias(rest);
        }
        Err(format!("there is nothing of this name; {KNOWN}"))
    }

    /// Whether the answer depends on who asks.
    pub fn asks_who(&self) -> bool {
        *self != Self::RoleName
    }

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

    /// Whether a tenant is known to write the answer, from the reference alone: Vault names mounts `auth_<type>_<id>`.
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
    /// The key of the alias's metadata, and none for what the mount's registration says.
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::Cluster => None,
            Self::Namespace => Some("service_account_namespace"),
            Self::ServiceAccount => Some("service_account_name"),
            Self::Uid => Some("service_account_uid"),
        }
    }
}

/// `<accessor>.name`, `<accessor>.metadata.<key>` or `<accessor>.custom_metadata.<key>`.
fn alias(text: &str) -> Result<Reference, String> {
    let (accessor, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_unlike_any = |character: char| character.is_whitespace() || character.is_control();
    if accessor.is_empty() || accessor.len() > MAX_KEY || accessor.contains(is_unlike_any) {
        return Err(
            "an alias is named by the accessor of its auth mount, as `vault auth list` shows it".to_owned()
        );
    }
    if accessor.starts_with("auth_token_") {
        return Err("an alias of the token auth method is the choice of whoever makes tokens".to_owned());
    }
    let part = if rest == "name" {
        AliasPart::Name
    } else if let Some(key) = rest.strip_prefix("metadata.") {
        AliasPart::Metadata(key_of(key)?)
    } else if let Some(key) = rest.strip_prefix("custom_metadata.") {
        AliasPart::CustomMetadata(key_of(key)?)
    } else {
        return Err("of an alias there is .name, .metadata.<key> and .custom_metadata.<key>".to_owned());
    };
    Ok(Reference::Alias { accessor: accessor.to_owned(), part })
}

/// A key that Vault's identity metadata can have, so that every error and command that names it is one line of a bounded length.
fn key_of(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the key of the metadata is missing".to_owned());
    }
    if text.len() > MAX_KEY {
        return Err(format!(
            "the key of the metadata has {} bytes, Vault keeps at most {MAX_KEY}",
            text.len()
        ));
    }
    if text.contains(char::is_control) {
        return Err("the key of the metadata holds a control character".to_owned());
    }
    Ok(text.to_owned())
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoleName => f.write_str("role.name"),
            Self::Kubernetes(Pod::Cluster) => f.write_str("kubernetes.cluster"),
            Self::Kubernetes(Pod::Namespace) => f.write_str("kubernetes.namespace"),
            Self::Kubernetes(Pod::ServiceAccount) => f.write_str("kubernetes.service_account"),
            Self::Kubernetes(Pod::Uid) => f.write_str("kubernetes.uid"),
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
            ("", "nothing of this name"),
            ("kubernetes.pod", "nothing of this name"),
            ("identity.entity.groups.names", "nothing of this name"),
            ("identity.entity.metadata", "nothing of this name"),
            ("identity.entity.metadata.", "the key"),
            ("identity.entity.aliases.", "accessor"),
            ("identity.entity.aliases.auth_jwt_1", ".name, .metadata"),
            ("identity.entity.aliases.auth_jwt_1.id", ".name, .metadata"),
            ("identity.entity.aliases.auth_token_1.name", "token auth method"),
        ] {
            let error = Reference::parse(text).unwrap_err();

            assert!(error.contains(words), "{text:?}: {error}");
        }
    }

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
                "the key of the metadata has 129 bytes, Vault keeps at most 128"
            );
            assert_eq!(parsed("a\u{0}b").unwrap_err(), "the key of the metadata holds a control character");
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
