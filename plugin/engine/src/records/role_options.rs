//! The fields of a role that take one of a few words. The words are those of the API and of storage alike.

use ca::KeySpec;
use serde::{Deserialize, Serialize};
use sessions::Sharing;
use strum::{EnumString, IntoStaticStr, VariantNames};

/// The kinds of key that a leaf may have: those that Roles Anywhere is known to accept and that are generated fast enough.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[serde(try_from = "String", into = "&'static str")]
pub(crate) enum LeafKey {
    #[default]
    #[strum(serialize = "ec-p256")]
    EcP256,
    #[strum(serialize = "ec-p384")]
    EcP384,
    /// Its generation takes about 100 ms of CPU, and a role write warns of it.
    #[strum(serialize = "rsa-2048")]
    Rsa2048,
    #[strum(serialize = "ml-dsa-44")]
    MlDsa44,
    #[strum(serialize = "ml-dsa-65")]
    MlDsa65,
    #[strum(serialize = "ml-dsa-87")]
    MlDsa87,
}

/// Which callers may get the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum SessionSharing {
    /// Callers that AWS cannot distinguish: subject, tags and names are equal.
    Identity,
    /// No two callers: each read makes a session.
    None,
}

/// Which of a role's places makes a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, EnumString, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum PlacePolicy {
    /// The first that is well and can answer in time.
    #[default]
    Failover,
    /// The same: but each identity has its own order, so that all places get their share.
    Spread,
}

/// How Vault learns when an answer ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, EnumString, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum LeaseStyle {
    /// By a lease, with which Vault stores the whole answer until the lease ends.
    #[default]
    Leased,
    /// Not at all: the data says when to read again, as Vault's static roles do. Vault then stores no copy of the answer.
    Static,
}

impl LeafKey {
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

impl TryFrom<String> for LeafKey {
    type Error = strum::ParseError;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse()
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
