//! Judges the trust anchor: it must be there, be enabled, and hold the CA but no CA above it. No I/O.

use ca::Issuer;
use rolesanywhere::{AnchorSource, TrustAnchor, TrustAnchorArn};

use super::asking::CallOutcome;
use super::looking::Observed;
use super::subject::CheckedRole;
use super::verdict::Verdict;
use crate::management::bundle_plan::fingerprint;

/// Names for the texts: which anchor, of which role and mount.
pub(super) struct AnchorContext<'a> {
    /// The role, and the mount point for commands.
    pub(super) subject: CheckedRole<'a>,
    /// The anchor that the role is used with.
    pub(super) arn: &'a TrustAnchorArn,
    /// Its name in `trust-anchors` if the engine manages its bundle.
    pub(super) managed: Option<&'a str>,
}

/// The certificates of this mount.
pub(super) struct MountCerts<'a> {
    /// The issuer that signs for the role.
    pub(super) authority: &'a Issuer,
    /// The certificates of all issuers, in DER.
    pub(super) mine: &'a [&'a [u8]],
}

impl MountCerts<'_> {
    /// Whether `bundle` has the signing issuer's own certificate, byte for byte.
    fn is_held(&self, bundle: &[Vec<u8>]) -> bool {
        bundle.iter().any(|held| held == self.authority.certificate_der())
    }

    /// Whether the certificate `held` is of a CA above the signing issuer.
    fn is_above(&self, held: &[u8]) -> bool {
        self.authority.is_below(held)
    }
}

impl AnchorContext<'_> {
    /// The command that puts the missing CA into the anchor: a sync if the engine manages it, otherwise [`Self::replace`].
    pub(super) fn fill(&self) -> String {
        let mount = self.subject.mount_point;
        match self.managed {
            Some(name) => format!("vault write -force {mount}trust-anchors/{name}/sync"),
            None => self.replace(),
        }
    }

    /// How the anchor comes to hold nothing else. A person must do this, because the engine removes only what it put there.
    pub(super) fn replace(&self) -> String {
        format!(
            "vault read -format=raw {}trust-bundle > bundle.pem, then replace the anchor's certificates with that file (aws rolesanywhere update-trust-anchor)",
            self.subject.mount_point
        )
    }

    /// The command that enables the anchor.
    pub(super) fn enable(&self) -> String {
        format!(
            "aws rolesanywhere enable-trust-anchor --region {} --trust-anchor-id {}",
            self.arn.region(),
            id(self.arn.as_str())
        )
    }

    /// How the role or the config gets another anchor.
    pub(super) fn name_another(&self) -> String {
        format!(
            "find the anchor with aws rolesanywhere list-trust-anchors --region {}, then write its ARN to trust_anchor_arn of {mount}roles/{} or default_trust_anchor_arn of {mount}config",
            self.arn.region(),
            self.subject.name,
            mount = self.subject.mount_point
        )
    }
}

/// Whether the anchor is there, enabled, and holds the CA or one above it. A CA that is neither this mount's nor above this one
/// is a warning, because its certificates open the same roles. If the anchor was not read, a session proves that it is right.
pub(super) fn holds(
    at: &AnchorContext<'_>,
    looked: &Observed<TrustAnchor>,
    ours: &MountCerts<'_>,
    asked: &CallOutcome,
) -> Verdict {
    let anchor = match looked {
        Observed::Seen(anchor) => anchor,
        Observed::NotThere => return Verdict::broken(format!("there is no {}", at.arn), at.name_another()),
        Observed::Unread(why) => return inferred(why, asked),
    };
    if !anchor.enabled {
        return Verdict::broken(format!("the anchor {:?} is disabled", anchor.name), at.enable());
    }
    let AnchorSource::CertificateBundle(bundle) = &anchor.source else {
        return inferred(
            "the anchor takes its CA from another service, which does not show the certificate",
            asked,
        );
    };
    if !ours.is_held(bundle) && !bundle.iter().any(|held| ours.is_above(held)) {
        return Verdict::broken(
            format!(
                "the anchor {:?} holds other CAs ({}) but not {:?}",
                anchor.name,
                sums(bundle),
                ours.authority.subject_text()
            ),
            at.fill(),
        );
    }
    let foreign = |held: &&Vec<u8>| !ours.mine.contains(&held.as_slice()) && !ours.is_above(held);
    let strangers: Vec<Vec<u8>> = bundle.iter().filter(foreign).cloned().collect();
    if strangers.is_empty() {
        return Verdict::ok(format!("the anchor {:?} is enabled and holds the CA", anchor.name));
    }
    Verdict::warning(
        format!(
            "the anchor {:?} holds the CA and also one that does not belong to this mount ({}): its certificates open the same roles",
            anchor.name,
            sums(&strangers)
        ),
        "move the other CA to its own anchor, and test aws:SourceArn in the trust policies",
    )
}

/// The verdict without a look at the bundle: AWS gave a session through the anchor, or nothing is known.
fn inferred(why: &str, asked: &CallOutcome) -> Verdict {
    match asked {
        CallOutcome::Issued(_) => {
            Verdict::ok("CreateSession succeeded through this anchor; its bundle was not read")
        }
        _ => Verdict::not_checked(why),
    }
}

/// Whether the anchor holds a CA above ours. AWS accepts it, and yet it is broken: every certificate below that CA is let in too,
/// and nobody here checked its subject.
///
/// A root has no CA above it. If the anchor holds neither our CA nor one that we know to be above it, and yet AWS gave a session,
/// what it holds must be above.
pub(super) fn above(
    at: &AnchorContext<'_>,
    looked: &Observed<TrustAnchor>,
    ours: &MountCerts<'_>,
    asked: &CallOutcome,
) -> Verdict {
    if ours.authority.is_self_signed() {
        return Verdict::ok("the CA is a root, so no CA is above it");
    }
    let anchor = match looked {
        Observed::Seen(anchor) => anchor,
        Observed::NotThere => return Verdict::not_checked("the anchor does not exist"),
        Observed::Unread(why) => return Verdict::not_checked(why),
    };
    let went_through = matches!(asked, CallOutcome::Issued(_));
    let seen = match &anchor.source {
        AnchorSource::CertificateBundle(bundle) => {
            let higher: Vec<Vec<u8>> = bundle.iter().filter(|held| ours.is_above(held)).cloned().collect();
            if higher.is_empty() && (ours.is_held(bundle) || !went_through) {
                return Verdict::ok("the anchor holds none of the CAs above this one");
            }
            format!(
                "the anchor holds a CA above this one ({})",
                sums(if higher.is_empty() { bundle } else { &higher })
            )
        }
        AnchorSource::AcmPca(arn) if went_through => {
            format!("the anchor trusts {arn}, which is above this CA")
        }
        AnchorSource::AcmPca(arn) => {
            return Verdict::not_checked(format!("the anchor takes its CA from {arn}"));
        }
        AnchorSource::Other(kind) => {
            return Verdict::not_checked(format!("the anchor takes its CA from {kind}"));
        }
    };
    Verdict::broken(
        format!(
            "{seen}: AWS admits a certificate of any CA below it, such as a web server's or a person's, as it admits this mount's, with a subject that this mount did not check"
        ),
        at.replace(),
    )
}

/// SHA-256 of each certificate, cut to 16 hex digits: short enough for a table, long enough to find the certificate.
fn sums(list: &[Vec<u8>]) -> String {
    let short: Vec<String> = list.iter().map(|der| format!("SHA-256 {}…", &fingerprint(der)[..16])).collect();
    short.join(", ")
}

/// The part of an ARN after its last slash, which AWS's CLI takes as the id.
pub(super) fn id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
