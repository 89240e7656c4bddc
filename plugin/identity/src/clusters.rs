//! The registered clusters and their auth mounts. One Vault serves several clusters, and `payments/api` of one must never pass
//! for `payments/api` of another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vault_backend::{Fault, quote};

/// The longest name of a cluster, in characters: that of a DNS label, because common names and SPIFFE ids begin with it.
const MAX_NAME: usize = 63;

/// One registration. It is stored as `cluster/<name>`, and a read returns the same JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The accessor of the auth mount through which the cluster's pods log in.
    pub accessor: String,
}

/// All clusters of one mount: names by the accessors of their auth mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters(BTreeMap<String, String>);

/// No clusters, for a caller without a request.
pub(crate) static NO_CLUSTERS: Clusters = Clusters(BTreeMap::new());

impl Clusters {
    /// Returns the cluster whose auth mount has this accessor.
    pub fn name(&self, accessor: &str) -> Option<&str> {
        self.0.get(accessor).map(String::as_str)
    }

    /// Returns the names of the clusters, by the order of their accessors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// Returns the accessor of this cluster's auth mount.
    pub fn accessor(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(_, known)| *known == name).map(|(accessor, _)| accessor.as_str())
    }

    /// Returns the cluster, and its registered accessor, that looks like `accessor`: both accessors have the same length and
    /// differ in at most two bytes. Meant for an accessor that is not registered: an operator then probably mistyped the
    /// registration.
    pub fn near(&self, accessor: &str) -> Option<(&str, &str)> {
        let differ = |known: &str| known.bytes().zip(accessor.bytes()).filter(|(a, b)| a != b).count();
        let near = |known: &str| known.len() == accessor.len() && differ(known) <= 2;
        self.0.iter().find(|(known, _)| near(known)).map(|(known, name)| (name.as_str(), known.as_str()))
    }

    /// Whether no cluster is registered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Clusters {
    /// Takes pairs of accessor and cluster name.
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Cluster {
    /// Makes the registration of the cluster `name`, whose pods log in at the mount of `accessor`.
    ///
    /// # Errors
    /// The caller's: `name` is no DNS label of 1 to 63 lowercase characters, or `accessor` has other characters than ASCII
    /// letters, digits and `_-.`, does not begin with `auth_`, or is that of the token auth method, at which no pod logs in.
    pub fn new(name: &str, accessor: &str) -> Result<Self, Fault> {
        check_name(name)?;
        let legal = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
        if !accessor.chars().all(legal) {
            return Err(Fault::caller(format!(
                "accessor: {} is not an auth mount accessor (see `vault auth list`)",
                quote(accessor)
            )));
        }
        if !accessor.starts_with("auth_") {
            return Err(Fault::caller(format!(
                "accessor: {} is not an auth mount accessor, which begins with auth_ (see `vault auth list`)",
                quote(accessor)
            )));
        }
        if accessor.starts_with("auth_token_") {
            return Err(Fault::caller(format!(
                "accessor: {} is the token auth method, through which no pod logs in",
                quote(accessor)
            )));
        }
        Ok(Self { accessor: accessor.to_owned() })
    }
}

/// Returns whether an accessor has the form that Vault gives it: `auth_<type>_` and eight lowercase hex digits
/// (`Core.generateMountAccessor`). One of another form is probably mistyped.
pub fn is_as_vault_makes_it(accessor: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    accessor
        .strip_prefix("auth_")
        .and_then(|rest| rest.rsplit_once('_'))
        .is_some_and(|(kind, id)| !kind.is_empty() && id.len() == 8 && id.bytes().all(digit))
}

fn check_name(name: &str) -> Result<(), Fault> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if is_label {
        return Ok(());
    }
    Err(Fault::caller(format!(
        "name: {} is not a DNS label (lowercase letters, digits and inner dashes, 1 to {MAX_NAME} characters)",
        quote(name)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_dns_label() {
        for name in ["prod", "a", "eu-1", &"a".repeat(63)] {
            Cluster::new(name, "auth_kubernetes_1a").unwrap();
        }
        for name in ["", "Prod", "a.b", "-a", "a-", "a_b", "ä", &"a".repeat(64)] {
            let error = Cluster::new(name, "auth_kubernetes_1a").unwrap_err().to_string();

            assert!(error.contains("not a DNS label"), "{error}");
        }
    }

    #[test]
    fn an_accessor_of_vaults_is_told_from_a_mistyped_one() {
        for accessor in
            ["auth_kubernetes_7d3f2a1b", "auth_vault-plugin-auth-kubernetes_00000000", "auth_a_b_0a1b2c3d"]
        {
            assert!(is_as_vault_makes_it(accessor), "{accessor}");
        }
        for accessor in [
            "auth_kubernetes_7d3f2a1",
            "auth_kubernetes_7d3f2a1bc",
            "auth_kubernetes_7d3f2a1g",
            "auth_7d3f2a1b",
        ] {
            assert!(!is_as_vault_makes_it(accessor), "{accessor}");
        }
    }

    #[test]
    fn an_accessor_is_a_word_and_not_the_token_methods() {
        for (accessor, words) in [
            ("a b", "not an auth mount accessor"),
            ("kubernetes/", "not an auth mount accessor"),
            ("kubernetes", "begins with auth_"),
            ("kv_7d3f2a1b", "begins with auth_"),
            ("auth_token_1", "token auth"),
        ] {
            let error = Cluster::new("prod", accessor).unwrap_err().to_string();

            assert!(error.contains(words), "{error}");
        }
    }
}
