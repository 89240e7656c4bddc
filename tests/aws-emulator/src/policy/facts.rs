//! The keys that conditions may test, and their values in one request.

use std::collections::BTreeMap;

use super::{Kind, PolicyError};

/// Tags by key.
type Tags = BTreeMap<String, String>;

/// A key with one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    SourceArn,
    SourceAccount,
    /// `sts:SourceIdentity`: the one a role is being assumed with; absent afterwards.
    AssumedSourceIdentity,
    /// `sts:RoleSessionName`.
    SessionName,
    /// `sts:ExternalId`.
    ExternalId,
    /// `aws:SourceIdentity`: the session's own.
    SourceIdentity,
    TokenIssueTime,
    UserId,
    UserName,
    /// The role's ARN, not the session's.
    PrincipalArn,
    PrincipalAccount,
    PrincipalType,
    CurrentTime,
    RequestedRegion,
    ResourceAccount,
    /// `iam:PermissionsBoundary` of the role that is asked about.
    Boundary,
}

/// The values of one request. A key without a value is absent, as at AWS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    known: BTreeMap<Fact, String>,
    /// `aws:PrincipalTag`: of the caller's session. Roles Anywhere's caller has those of the session to be.
    tags: Tags,
    /// `aws:RequestTag`: passed for the session to be.
    request_tags: Tags,
    /// `sts:TransitiveTagKeys`.
    transitive: Vec<String>,
    resource_tags: Tags,
}

impl Facts {
    pub(crate) fn with(mut self, fact: Fact, value: impl Into<String>) -> Facts {
        self.known.insert(fact, value.into());
        self
    }

    pub(crate) fn with_tags(self, tags: Tags) -> Facts {
        Facts { tags, ..self }
    }

    pub(crate) fn with_request_tags(self, request_tags: Tags, transitive: Vec<String>) -> Facts {
        Facts { request_tags, transitive, ..self }
    }

    pub(crate) fn with_resource_tags(self, resource_tags: Tags) -> Facts {
        Facts { resource_tags, ..self }
    }

    pub(crate) fn with_some(self, fact: Fact, value: Option<String>) -> Facts {
        match value {
            Some(value) => self.with(fact, value),
            None => self,
        }
    }
}

/// A condition key.
#[derive(Clone, Debug)]
pub(super) enum Key {
    One(Fact),
    TagKeys,
    TransitiveTagKeys,
    /// The tag's key, in lower case.
    Tag(String),
    /// The tag's key, in lower case.
    RequestTag(String),
    /// The tag's key, in lower case.
    ResourceTag(String),
}

impl Key {
    /// Keys are matched without regard to case.
    pub(super) fn parse(name: &str, kind: Kind) -> Result<Key, PolicyError> {
        let lower = name.to_ascii_lowercase();
        if let Some(tag) = lower.strip_prefix("aws:principaltag/") {
            return Ok(Key::Tag(tag.to_owned()));
        }
        if let Some(tag) = lower.strip_prefix("aws:requesttag/") {
            return Ok(Key::RequestTag(tag.to_owned()));
        }
        let key = match kind {
            Kind::Trust => key_of_both(&lower),
            Kind::Identity => key_of_both(&lower).or_else(|| identity_key(&lower)),
        };
        key.ok_or_else(|| PolicyError::Key(name.to_owned()))
    }

    pub(super) fn values(&self, facts: &Facts) -> Vec<String> {
        let named = |tags: &Tags, wanted: &str| {
            let tag = tags.iter().find(|(key, _)| key.to_ascii_lowercase() == wanted);
            tag.map(|(_, value)| value.clone()).into_iter().collect()
        };
        match self {
            Key::One(fact) => facts.known.get(fact).cloned().into_iter().collect(),
            Key::TagKeys => facts.request_tags.keys().cloned().collect(),
            Key::TransitiveTagKeys => facts.transitive.clone(),
            Key::Tag(wanted) => named(&facts.tags, wanted),
            Key::RequestTag(wanted) => named(&facts.request_tags, wanted),
            Key::ResourceTag(wanted) => named(&facts.resource_tags, wanted),
        }
    }
}

/// A trust policy may test what is known of its caller and of the session to be.
fn key_of_both(lower: &str) -> Option<Key> {
    let fact = match lower {
        "aws:tagkeys" => return Some(Key::TagKeys),
        "sts:transitivetagkeys" => return Some(Key::TransitiveTagKeys),
        "aws:sourcearn" => Fact::SourceArn,
        "aws:sourceaccount" => Fact::SourceAccount,
        "sts:sourceidentity" => Fact::AssumedSourceIdentity,
        "sts:rolesessionname" => Fact::SessionName,
        "sts:externalid" => Fact::ExternalId,
        "aws:sourceidentity" => Fact::SourceIdentity,
        "aws:tokenissuetime" => Fact::TokenIssueTime,
        "aws:userid" => Fact::UserId,
        "aws:username" => Fact::UserName,
        "aws:principalarn" => Fact::PrincipalArn,
        "aws:principalaccount" => Fact::PrincipalAccount,
        "aws:principaltype" => Fact::PrincipalType,
        "aws:currenttime" => Fact::CurrentTime,
        "aws:requestedregion" => Fact::RequestedRegion,
        "aws:resourceaccount" => Fact::ResourceAccount,
        _ => return None,
    };
    Some(Key::One(fact))
}

/// An identity policy may also test the resource.
fn identity_key(lower: &str) -> Option<Key> {
    if let Some(tag) = lower.strip_prefix("aws:resourcetag/") {
        return Some(Key::ResourceTag(tag.to_owned()));
    }
    (lower == "iam:permissionsboundary").then_some(Key::One(Fact::Boundary))
}
