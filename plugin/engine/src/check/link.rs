//! The links between the CA and a session at AWS, in the order in which they are checked.

/// One link. Its order is that of the variants, and its key begins with its number, so a table that is sorted by key reads in
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    /// The issuer is enabled, valid now, and not near its end.
    Ca,
    /// The certificates that are sent beside the leaf lead to a root.
    Chain,
    /// The leaf for this caller keeps AWS's rules.
    Certificate,
    /// Anchor, profile and role are in one account, and the first two in one region.
    Place,
    /// The endpoint answers as AWS does, over TLS that is trusted.
    Endpoint,
    /// The host's clock agrees with AWS's.
    Clock,
    /// The anchor is there, enabled, and holds the CA.
    TrustAnchor,
    /// The profile is there, enabled, and lists the role.
    Profile,
    /// The anchor holds no CA above this mount's.
    CaAbove,
    /// The profile accepts the session name that is sent.
    SessionName,
    /// The IAM role's trust policy admits this certificate, and no other.
    TrustPolicy,
    /// AWS gives a session.
    CreateSession,
    /// STS names the session as CreateSession did.
    Identity,
    /// The session is as long as it was asked for.
    Duration,
    /// The source identity, which `CloudTrail` shows.
    SourceIdentity,
    /// The session tags, which policies can test.
    SessionTags,
}

impl Link {
    /// All links, in order.
    pub(super) const ALL: [Self; 16] = [
        Self::Ca,
        Self::Chain,
        Self::Certificate,
        Self::Place,
        Self::Endpoint,
        Self::Clock,
        Self::TrustAnchor,
        Self::Profile,
        Self::CaAbove,
        Self::SessionName,
        Self::TrustPolicy,
        Self::CreateSession,
        Self::Identity,
        Self::Duration,
        Self::SourceIdentity,
        Self::SessionTags,
    ];

    /// The link's name in the answer. Scripts read it, so a key must not change.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Ca => "01_ca",
            Self::Chain => "02_chain",
            Self::Certificate => "03_certificate",
            Self::Place => "04_account_and_region",
            Self::Endpoint => "05_endpoint",
            Self::Clock => "06_clock",
            Self::TrustAnchor => "07_trust_anchor",
            Self::Profile => "08_profile",
            Self::CaAbove => "09_ca_above",
            Self::SessionName => "10_session_name",
            Self::TrustPolicy => "11_trust_policy",
            Self::CreateSession => "12_create_session",
            Self::Identity => "13_identity",
            Self::Duration => "14_duration",
            Self::SourceIdentity => "15_source_identity",
            Self::SessionTags => "16_session_tags",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sorted_as_text_are_in_the_order_of_the_links() {
        let keys = Link::ALL.map(Link::key);

        assert!(keys.is_sorted(), "{keys:?}");
        assert!(Link::ALL.is_sorted());
    }
}
