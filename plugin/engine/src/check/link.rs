//! The links between the CA and a session at AWS, in the order in which they are looked at.

/// One link. Its key begins with its number, so that a table sorted by key reads in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    /// The issuer signs, and not for the last time.
    Ca,
    /// What is sent beside the leaf leads to a root.
    Chain,
    /// The leaf for this caller keeps AWS's rules.
    Certificate,
    /// Anchor, profile and role are of one account, and the first two of one region.
    Place,
    /// Something that is AWS answers there, over TLS that is trusted.
    Endpoint,
    /// The host's clock against AWS's.
    Clock,
    /// It is there, enabled, and holds the CA.
    TrustAnchor,
    /// It is there, enabled, and lists the role.
    Profile,
    /// The anchor holds no CA above the one here.
    CaAbove,
    /// The profile takes the name that is sent.
    SessionName,
    /// The IAM role lets this certificate in, and not any other.
    TrustPolicy,
    /// AWS gives a session.
    CreateSession,
    /// AWS takes the session for whom it is.
    Identity,
    /// As long as it was asked for.
    Duration,
    /// As whom `CloudTrail` shows it.
    SourceIdentity,
    /// What policies can test.
    SessionTags,
}

impl Link {
    /// All of them, in order.
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

    /// What the answer calls it.
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
