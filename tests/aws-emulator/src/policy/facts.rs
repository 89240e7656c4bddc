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
    /// Of the session, or of the one to be.
    tags: Tags,
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
    /// The tag's key, in lower case.
    Tag(String),
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
        let key = match kind {
            Kind::Trust => trust_key(&lower),
            Kind::Identity => identity_key(&lower),
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
            Key::TagKeys => facts.tags.keys().cloned().collect(),
            Key::Tag(wanted) => named(&facts.tags, wanted),
            Key::ResourceTag(wanted) => named(&facts.resource_tags, wanted),
        }
    }
}

fn trust_key(lower: &str) -> Option<Key> {
    if let Some(tag) = lower.strip_prefix("aws:requesttag/") {
        return Some(Key::Tag(tag.to_owned()));
    }
    Some(match lower {
        "aws:sourcearn" => Key::One(Fact::SourceArn),
        "aws:sourceaccount" => Key::One(Fact::SourceAccount),
        "aws:tagkeys" => Key::TagKeys,
        "sts:sourceidentity" => Key::One(Fact::AssumedSourceIdentity),
        "sts:rolesessionname" => Key::One(Fact::SessionName),
        _ => return None,
    })
}

fn identity_key(lower: &str) -> Option<Key> {
    if let Some(tag) = lower.strip_prefix("aws:resourcetag/") {
        return Some(Key::ResourceTag(tag.to_owned()));
    }
    Some(Key::One(match lower {
        "aws:sourcearn" => Fact::SourceArn,
        "aws:sourceaccount" => Fact::SourceAccount,
        "sts:sourceidentity" => Fact::AssumedSourceIdentity,
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
        "iam:permissionsboundary" => Fact::Boundary,
        _ => return None,
    }))
}
