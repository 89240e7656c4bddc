//! Judges the links that need only the mount's own records: CA, chain, certificate, account and region. No I/O.

use ca::{Issuer, LEAF_RULES, LeafProfile, Warning};
use time::OffsetDateTime;
use vault_backend::Fault;

use super::link::Link;
use super::report::CheckReport;
use super::subject::CheckedRole;
use super::verdict::Verdict;
use crate::ground::clock::rfc3339;
use crate::issuers::{Issuers, Loaded, Rotation};
use crate::records::anchorage::Anchorage;
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::role::Role;
use identity::{Caller, SubjectField};

/// Judges the role's issuer and its chain. Returns the issuer; none if the role has nothing to sign with, and then the chain is
/// not judged.
pub(super) fn authority<'a>(
    issuers: &'a Issuers,
    subject: CheckedRole<'_>,
    now: OffsetDateTime,
    report: &mut CheckReport,
) -> Option<&'a Loaded> {
    let found = match issuers.require(&subject.role.issuer_ref, subject.mount_point) {
        Ok(found) => found,
        Err(fault) => {
            let verdict = if subject.role.issuer_ref == DEFAULT_ISSUER {
                Verdict::of_fault(&fault, "generate or import a CA")
            } else {
                Verdict::broken(
                    fault.why(),
                    format!("vault patch {}roles/{} issuer_ref=default", subject.mount_point, subject.name),
                )
            };
            report.note(Link::Ca, verdict);
            return None;
        }
    };
    let cure = if issuers.is_default(&found.record.id) {
        Rotation::of(issuers, now).next_step(subject.mount_point, &[], false)
    } else {
        format!("write another issuer to issuer_ref of {}roles/{}", subject.mount_point, subject.name)
    };
    report.note(Link::Ca, ca(found, now, cure));
    report.note(Link::Chain, chain(&found.issuer, now));
    Some(found)
}

/// Judges the issuer's validity at `now`. An issuer that is not valid yet is blamed on the host's clock. `cure` is for one that
/// has ended or nears its end.
fn ca(found: &Loaded, now: OffsetDateTime, cure: String) -> Verdict {
    let (issuer, label) = (&found.issuer, found.record.label());
    let (from, until) = (rfc3339(issuer.not_before()), rfc3339(issuer.not_after()));
    if issuer.not_after() <= now {
        return Verdict::broken(format!("the issuer {label:?} expired at {until}"), cure);
    }
    if issuer.not_before() > now {
        return Verdict::broken(
            format!("the issuer {label:?} is not valid before {from}, by this host's clock"),
            "set the clock of Vault's node, or wait until then",
        );
    }
    if issuer.expiry_warning(now).is_some() {
        return Verdict::warning(format!("the issuer {label:?} expires at {until}"), cure);
    }
    Verdict::ok(format!("{label:?} ({}) until {until}", issuer.subject_text()))
}

/// Judges the certificates that go beside the leaf. Name constraints in the CA are a warning, because AWS may refuse names that
/// break them.
fn chain(issuer: &Issuer, now: OffsetDateTime) -> Verdict {
    if issuer.warnings(now).contains(&Warning::NameConstraints) {
        return Verdict::warning(
            Warning::NameConstraints,
            "use a CA without name constraints, or use only names that they permit",
        );
    }
    if issuer.is_self_signed() {
        return Verdict::ok("the CA is a root and signs the leaf directly");
    }
    let sent = issuer.path().len();
    // The path leaves out a self-signed root. So the chain has one if issuer and chain together are more than the path.
    let has_root = issuer.chain().len() + 1 > sent;
    if has_root {
        Verdict::ok(format!("{sent} certificates are sent with the leaf and lead to a root"))
    } else {
        Verdict::ok(format!(
            "{sent} certificates are sent with the leaf; this mount does not know their root, so the anchor must hold one of them"
        ))
    }
}

/// Judges account and region of the call's ARNs.
pub(super) fn account_and_region(anchorage: Result<Anchorage, Fault>, report: &mut CheckReport) {
    let verdict = match anchorage {
        Ok(anchorage) => {
            let anchor = anchorage.trust_anchor;
            Verdict::ok(format!(
                "anchor, profile and role are in account {}, region {}",
                anchor.account(),
                anchor.region()
            ))
        }
        Err(fault) => Verdict::of_fault(&fault, "correct the ARNs of the role or the config"),
    };
    report.note(Link::Place, verdict);
}

/// Judges the certificate that the `caller` would get. No key is made and nothing is signed.
pub(super) fn leaf(
    leaf: Result<LeafProfile, Fault>,
    subject: CheckedRole<'_>,
    caller: &Caller<'_>,
    report: &mut CheckReport,
) {
    let verdict = match leaf {
        Ok(leaf) => Verdict::ok(format!(
            "CN={}{}, {}, {} s; each certificate is checked against {} rules before use",
            leaf.subject.common_name.as_deref().unwrap_or_default(),
            origin(subject.role, caller),
            leaf.key,
            leaf.ttl.as_secs(),
            LEAF_RULES.len()
        )),
        Err(fault) => stranger(&fault, subject),
    };
    report.note(Link::Certificate, verdict);
}

/// Whether the common name's text is a standard one, and in parentheses where Vault has the certificate's values from; empty for a
/// certificate that is the same for every caller.
fn origin(role: &Role, caller: &Caller<'_>) -> String {
    let standard = role.subject.standard_of(SubjectField::CommonName);
    let standard = standard.map(|standard| format!(" by subject={standard}")).unwrap_or_default();
    let mut sources: Vec<String> = Vec::new();
    for (_, used) in role.subject.uses(caller).unwrap_or_default() {
        if !sources.contains(&used.resolved.from) {
            sources.push(used.resolved.from);
        }
    }
    if sources.is_empty() { standard } else { format!("{standard} (from {})", sources.join("; ")) }
}

/// The verdict on a certificate or a session name that this caller cannot have. Without a cure in the fault, the operator is told
/// how to check as another caller.
pub(super) fn stranger(fault: &Fault, subject: CheckedRole<'_>) -> Verdict {
    let CheckedRole { name, mount_point, .. } = subject;
    Verdict::of_fault(
        fault,
        format!(
            "check for another caller: vault write {mount_point}check/{name} entity_id=<the caller's entity id>"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ca::{CaProfile, KeySpec, Subject};
    use time::macros::datetime;

    use super::*;
    use crate::records::issuer::{IssuerRecord, IssuerState};

    const MADE: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    /// The verdict on a root of 90 days, so many days after it was made.
    fn said(days: i64) -> String {
        let name = Subject { common_name: Some("root".to_owned()), ..Subject::default() };
        let profile = CaProfile { subject: name, key: KeySpec::EcP256, ttl: Duration::from_hours(24 * 90) };
        let issuer = Issuer::generate_root(&profile, MADE).unwrap();
        let record = IssuerRecord {
            id: "1".to_owned(),
            name: Some("prod-1".to_owned()),
            key_id: "1".to_owned(),
            certificate_pem: issuer.certificate_pem(),
            chain_pem: Vec::new(),
            state: IssuerState::Enabled,
        };
        let found = Loaded { record, issuer };
        ca(&found, MADE + time::Duration::days(days), "another one".to_owned()).to_string()
    }

    #[test]
    fn a_ca_is_ok_until_it_nears_its_end_and_broken_after_it() {
        assert!(said(1).starts_with("ok: \"prod-1\" (CN=root) until 2026-04-02"), "{}", said(1));
        assert!(said(80).starts_with("warning: ") && said(80).ends_with("cure: another one"), "{}", said(80));
        assert!(said(91).starts_with("broken: the issuer \"prod-1\" expired at"), "{}", said(91));
    }

    #[test]
    fn a_ca_of_tomorrow_is_the_fault_of_a_clock() {
        assert!(said(-1).starts_with("broken: ") && said(-1).contains("set the clock"), "{}", said(-1));
    }
}
