//! The links between the CA and a session at AWS, in the order in which they are checked.

use strum::VariantArray;

/// One link. Its order is that of the variants, and its key begins with its number, so a table that is sorted by key reads in
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray)]
pub(super) enum Link {
    /// The issuer is enabled, valid now, and not near its end.
    #[strum(serialize = "01_ca")]
    Ca,
    /// The certificates that are sent beside the leaf lead to a root.
    #[strum(serialize = "02_chain")]
    Chain,
    /// The leaf for this caller keeps AWS's rules.
    #[strum(serialize = "03_certificate")]
    Certificate,
    /// Anchor, profile and role are in one account, and the first two in one region.
    #[strum(serialize = "04_account_and_region")]
    Place,
    /// The endpoint answers as AWS does, over TLS that is trusted.
    #[strum(serialize = "05_endpoint")]
    Endpoint,
    /// The host's clock agrees with AWS's.
    #[strum(serialize = "06_clock")]
    Clock,
    /// The anchor is there, enabled, and holds the CA.
    #[strum(serialize = "07_trust_anchor")]
    TrustAnchor,
    /// The profile is there, enabled, and lists the role.
    #[strum(serialize = "08_profile")]
    Profile,
    /// The anchor holds no CA above this mount's.
    #[strum(serialize = "09_ca_above")]
    CaAbove,
    /// The profile accepts the session name that is sent.
    #[strum(serialize = "10_session_name")]
    SessionName,
    /// The IAM role's trust policy admits this certificate, and no other.
    #[strum(serialize = "11_trust_policy")]
    TrustPolicy,
    /// AWS gives a session.
    #[strum(serialize = "12_create_session")]
    CreateSession,
    /// STS names the session as CreateSession did.
    #[strum(serialize = "13_identity")]
    Identity,
    /// The session is as long as it was asked for.
    #[strum(serialize = "14_duration")]
    Duration,
    /// The source identity, which `CloudTrail` shows.
    #[strum(serialize = "15_source_identity")]
    SourceIdentity,
    /// The session tags, which policies can test.
    #[strum(serialize = "16_session_tags")]
    SessionTags,
    /// STS gives the session a session of the role's target. Only roles with a target have this link and those below.
    #[strum(serialize = "17_target_role")]
    TargetRole,
    /// The source identity goes along.
    #[strum(serialize = "18_target_source_identity")]
    TargetSourceIdentity,
    /// The target's session may have its tags, and they fit.
    #[strum(serialize = "19_target_session_tags")]
    TargetSessionTags,
}

impl Link {
    /// All links, in order.
    pub(super) const ALL: &'static [Self] = Self::VARIANTS;
    /// Those of roles with a target alone.
    pub(super) const OF_HOP: [Self; 3] =
        [Self::TargetRole, Self::TargetSourceIdentity, Self::TargetSessionTags];

    /// Whether the link may differ from one region to the next. The others are of the mount, the caller or the IAM role.
    pub(super) fn is_of_place(self) -> bool {
        !matches!(self, Self::Ca | Self::Chain | Self::Certificate | Self::SourceIdentity | Self::SessionTags)
    }

    /// The link's name in the answer. Scripts read it, so a key must not change.
    pub(super) fn key(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sorted_as_text_are_in_the_order_of_the_links() {
        let keys: Vec<&str> = Link::ALL.iter().copied().map(Link::key).collect();

        assert!(keys.is_sorted(), "{keys:?}");
        assert!(Link::ALL.is_sorted());
    }
}
