//! The three ARNs of a session request, as three types that cannot be swapped.

use std::fmt;
use std::str::FromStr;

use crate::partition::{Partition, Region, RegionError, UnknownPartition};

/// The longest ARN the Roles Anywhere model takes, in characters.
const MAX_LENGTH: usize = 1011;

/// A trust anchor: `arn:aws:rolesanywhere:<region>:<account>:trust-anchor/<id>`.
///
/// The newer form `alias/trust-anchor/<name>` is accepted too, although AWS does not document whether `CreateSession` knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrustAnchorArn(Regional);

/// A profile: `arn:aws:rolesanywhere:<region>:<account>:profile/<id>`, or `alias/profile/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProfileArn(Regional);

/// An IAM role: `arn:aws:iam::<account>:role/<path><name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleArn {
    text: String,
    partition: Partition,
    account: String,
    name_at: usize,
}

/// Why a value is not the expected ARN. `Display` continues a sentence that begins with the value: `"…" is a trust anchor, …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Not six parts separated by colons, or not starting with `arn`.
    #[error("is not an ARN of the form arn:partition:service:region:account:resource")]
    NotAnArn,
    /// More than 1011 characters.
    #[error("has {0} characters, the maximum of an ARN is 1011")]
    TooLong(usize),
    /// A well-formed ARN of something else.
    #[error("is {found}, {expected} ARN is expected")]
    WrongKind {
        /// The kind of thing that the ARN names.
        found: String,
        /// The expected kind.
        expected: &'static str,
    },
    /// A partition that AWS does not have.
    #[error("has a partition that AWS does not have: {0}")]
    Partition(#[from] UnknownPartition),
    /// The region is missing or malformed.
    #[error("has no valid region: {0}")]
    Region(#[from] RegionError),
    /// A region in the ARN of a role, which has none.
    #[error("has the region {0:?}, but the ARN of a role has none")]
    RegionOfRole(String),
    /// A region of another partition.
    #[error("has the region {region}, which belongs to the partition {belongs_to} and not to {written}")]
    PartitionOfRegion {
        /// The region in the ARN.
        region: Region,
        /// The partition the region is in.
        belongs_to: Partition,
        /// The partition in the ARN.
        written: Partition,
    },
    /// An account that is not 12 digits.
    #[error("has the account {0:?}, 12 digits are expected")]
    Account(String),
    /// An empty or malformed last part.
    #[error("has the resource {resource:?}, {form} is expected")]
    Resource {
        /// The last part of the ARN.
        resource: String,
        /// The expected form.
        form: &'static str,
    },
}

/// An ARN of Roles Anywhere itself, which has a region.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Regional {
    text: String,
    partition: Partition,
    region: Region,
    account: String,
}

impl TrustAnchorArn {
    /// The anchor's region, which is also the region of the call.
    pub fn region(&self) -> &Region {
        &self.0.region
    }

    /// The 12 digits of the account.
    pub fn account(&self) -> &str {
        &self.0.account
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        self.0.partition
    }
}

impl ProfileArn {
    /// The region, which must be the trust anchor's.
    pub fn region(&self) -> &Region {
        &self.0.region
    }

    /// The 12 digits of the account.
    pub fn account(&self) -> &str {
        &self.0.account
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        self.0.partition
    }
}

impl RoleArn {
    /// The 12 digits of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The role's name without its path, as in `assumed-role/<name>/<session>`.
    pub fn name(&self) -> &str {
        self.text.get(self.name_at..).unwrap_or_default()
    }
}

impl FromStr for TrustAnchorArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        Regional::parse(
            text,
            ArnKind::TrustAnchor,
            "trust-anchor/",
            "alias/trust-anchor/",
            "trust-anchor/<id>",
        )
        .map(Self)
    }
}

impl FromStr for ProfileArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        Regional::parse(text, ArnKind::Profile, "profile/", "alias/profile/", "profile/<id>").map(Self)
    }
}

impl FromStr for RoleArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let parts = Parts::split(text)?.of(ArnKind::Role)?;
        if !parts.region.is_empty() {
            return Err(ArnError::RegionOfRole(parts.region.to_owned()));
        }
        let role = parts.resource.strip_prefix("role").unwrap_or_default();
        let name = role.rsplit('/').next().unwrap_or_default();
        if !is_role_name(name) || !is_role_path(&role[..role.len() - name.len()]) {
            return Err(parts.resource_error("role/<path><name>"));
        }
        Ok(Self {
            text: text.to_owned(),
            partition: parts.partition()?,
            account: parts.account()?.to_owned(),
            name_at: text.len() - name.len(),
        })
    }
}

impl Regional {
    fn parse(
        text: &str,
        kind: ArnKind,
        by_id: &str,
        by_alias: &str,
        form: &'static str,
    ) -> Result<Self, ArnError> {
        let parts = Parts::split(text)?.of(kind)?;
        let resource = parts.resource;
        let well_formed = match (resource.strip_prefix(by_id), resource.strip_prefix(by_alias)) {
            (Some(id), _) => is_id(id),
            (None, Some(alias)) => is_alias(alias),
            (None, None) => false,
        };
        if !well_formed {
            return Err(parts.resource_error(form));
        }
        let partition = parts.partition()?;
        let region: Region = parts.region.parse()?;
        let belongs_to = region.partition();
        if belongs_to != partition {
            return Err(ArnError::PartitionOfRegion { region, belongs_to, written: partition });
        }
        Ok(Self { text: text.to_owned(), partition, region, account: parts.account()?.to_owned() })
    }
}

/// The six parts of any ARN, not yet judged.
#[derive(Clone, Copy)]
struct Parts<'a> {
    partition: &'a str,
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, ArnError> {
        let length = text.chars().count();
        if length > MAX_LENGTH {
            return Err(ArnError::TooLong(length));
        }
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or(ArnError::NotAnArn);
        if next()? != "arn" {
            return Err(ArnError::NotAnArn);
        }
        let arn = Self {
            partition: next()?,
            service: next()?,
            region: next()?,
            account: next()?,
            resource: next()?,
        };
        if arn.service.is_empty() { Err(ArnError::NotAnArn) } else { Ok(arn) }
    }

    fn of(self, expected: ArnKind) -> Result<Self, ArnError> {
        match self.kind() {
            Some(kind) if kind == expected => Ok(self),
            Some(kind) => {
                Err(ArnError::WrongKind { found: kind.words().to_owned(), expected: expected.words() })
            }
            None => {
                let found =
                    format!("an ARN of the service {:?} with the resource {:?}", self.service, self.resource);
                Err(ArnError::WrongKind { found, expected: expected.words() })
            }
        }
    }

    fn kind(self) -> Option<ArnKind> {
        let of_service = KINDS.iter().filter(|(service, _, _)| *service == self.service);
        let mut matching =
            of_service.filter(|(_, prefix, _)| self.resource.strip_prefix(prefix).is_some_and(starts_a_name));
        matching.next().map(|(_, _, kind)| *kind)
    }

    fn partition(self) -> Result<Partition, ArnError> {
        Ok(self.partition.parse()?)
    }

    fn account(self) -> Result<&'a str, ArnError> {
        let digits = self.account.len() == 12 && self.account.bytes().all(|b| b.is_ascii_digit());
        if digits { Ok(self.account) } else { Err(ArnError::Account(self.account.to_owned())) }
    }

    fn resource_error(self, form: &'static str) -> ArnError {
        ArnError::Resource { resource: self.resource.to_owned(), form }
    }
}

/// The kinds of ARN that people confuse.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ArnKind {
    TrustAnchor,
    Profile,
    Role,
    Crl,
    Subject,
    AssumedRole,
    InstanceProfile,
    User,
}

/// Service, resource prefix, and the kind of ARN that they make.
const KINDS: [(&str, &str, ArnKind); 10] = [
    ("rolesanywhere", "trust-anchor", ArnKind::TrustAnchor),
    ("rolesanywhere", "alias/trust-anchor", ArnKind::TrustAnchor),
    ("rolesanywhere", "profile", ArnKind::Profile),
    ("rolesanywhere", "alias/profile", ArnKind::Profile),
    ("rolesanywhere", "crl", ArnKind::Crl),
    ("rolesanywhere", "subject", ArnKind::Subject),
    ("iam", "role", ArnKind::Role),
    ("iam", "instance-profile", ArnKind::InstanceProfile),
    ("iam", "user", ArnKind::User),
    ("sts", "assumed-role", ArnKind::AssumedRole),
];

impl ArnKind {
    fn words(self) -> &'static str {
        match self {
            Self::TrustAnchor => "a trust anchor",
            Self::Profile => "a profile",
            Self::Role => "a role",
            Self::Crl => "a certificate revocation list",
            Self::Subject => "a subject",
            Self::AssumedRole => "an assumed role",
            Self::InstanceProfile => "an instance profile",
            Self::User => "a user",
        }
    }
}

fn starts_a_name(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// AWS makes UUIDs. All letters, digits and hyphens pass, but no character that could end the path or the line.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// `(?!.*//)([A-Za-z]([A-Za-z0-9_/-]*[A-Za-z0-9_-])?)?` in the model, at most 256 characters. An empty alias names nothing, so it is refused.
fn is_alias(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'/' | b'-'));
    let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    letters && starts && text.len() <= 256 && !text.contains("//") && !text.ends_with('/')
}

/// IAM's `RoleName`: `[\w+=,.@-]+`, 1 to 64 characters.
fn is_role_name(text: &str) -> bool {
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// IAM's `Path`: a slash, or visible ASCII between two slashes, at most 512 characters.
fn is_role_path(text: &str) -> bool {
    let visible = text.bytes().all(|b| (0x21..=0x7e).contains(&b));
    text.len() <= 512 && visible && text.starts_with('/') && text.ends_with('/')
}

macro_rules! written_as_text {
    ($($arn:ty => $text:expr;)*) => {$(
        impl $arn {
            /// The ARN as it was written.
            pub fn as_str(&self) -> &str {
                let text: fn(&Self) -> &String = $text;
                text(self)
            }
        }

        impl fmt::Display for $arn {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $arn {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $arn {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|err| serde::de::Error::custom(format!("{text:?} {err}")))
            }
        }
    )*};
}

written_as_text! {
    TrustAnchorArn => |arn| &arn.0.text;
    ProfileArn => |arn| &arn.0.text;
    RoleArn => |arn| &arn.text;
}

#[cfg(test)]
#[path = "arn_tests.rs"]
mod tests;
