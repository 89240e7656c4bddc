//! The fields of a role that take one of a few words.

use std::str::FromStr;

use ca::KeySpec;
use serde::{Deserialize, Serialize};
use sessions::Sharing;

/// The kinds of key that a leaf may have: those that Roles Anywhere is known to accept and that are generated fast enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LeafKey {
    #[default]
    #[serde(rename = "ec-p256")]
    EcP256,
    #[serde(rename = "ec-p384")]
    EcP384,
    /// Its generation takes about 100 ms of CPU, and a role write warns of it.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    #[serde(rename = "ml-dsa-44")]
    MlDsa44,
    #[serde(rename = "ml-dsa-65")]
    MlDsa65,
    #[serde(rename = "ml-dsa-87")]
    MlDsa87,
}

/// Which callers may get the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SessionSharing {
    /// Callers that AWS cannot distinguish: subject, tags and names are equal.
    Identity,
    /// No two callers: each read makes a session.
    None,
}

/// How Vault learns when an answer ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LeaseStyle {
    /// By a lease, with which Vault stores the whole answer until the lease ends.
    #[default]
    Leased,
    /// Not at all: the data says when to read again, as Vault's static roles do. Vault then stores no copy of the answer.
    Static,
}

impl LeafKey {
    /// The words of the API, for its schema; `from_str` takes the same ones.
    pub(crate) const WORDS: &'static [&'static str] =
        &["ec-p256", "ec-p384", "rsa-2048", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"];

    /// The kind of key as the certificate authority names it.
    pub(crate) fn spec(self) -> KeySpec {
        match self {
            Self::EcP256 => KeySpec::EcP256,
            Self::EcP384 => KeySpec::EcP384,
            Self::Rsa2048 => KeySpec::Rsa2048,
            Self::MlDsa44 => KeySpec::MlDsa44,
            Self::MlDsa65 => KeySpec::MlDsa65,
            Self::MlDsa87 => KeySpec::MlDsa87,
        }
    }
}

impl FromStr for LeafKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ec-p256" => Ok(Self::EcP256),
            "ec-p384" => Ok(Self::EcP384),
            "rsa-2048" => Ok(Self::Rsa2048),
            "ml-dsa-44" => Ok(Self::MlDsa44),
            "ml-dsa-65" => Ok(Self::MlDsa65),
            "ml-dsa-87" => Ok(Self::MlDsa87),
            _ => Err("is not one of ec-p256, ec-p384, rsa-2048, ml-dsa-44, ml-dsa-65, ml-dsa-87"),
        }
    }
}

impl SessionSharing {
    pub(crate) const WORDS: &'static [&'static str] = &["identity", "none"];
}

impl FromStr for SessionSharing {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "identity" => Ok(Self::Identity),
            "none" => Ok(Self::None),
            _ => Err("is neither identity nor none"),
        }
    }
}

impl From<SessionSharing> for Sharing {
    fn from(sharing: SessionSharing) -> Self {
        match sharing {
            SessionSharing::Identity => Self::SameKey,
            SessionSharing::None => Self::Nobody,
        }
    }
}

impl LeaseStyle {
    pub(crate) const WORDS: &'static [&'static str] = &["leased", "static"];
}

impl FromStr for LeaseStyle {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "leased" => Ok(Self::Leased),
            "static" => Ok(Self::Static),
            _ => Err("is neither leased nor static"),
        }
    }
}
