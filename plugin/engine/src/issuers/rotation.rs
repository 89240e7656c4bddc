//! The phases of issuers while one CA takes over from another: which certificates trust anchors must hold, and the next step.
//!
//! ```text
//! make or import ──▶ next ── config/issuers default=… ──▶ current ── the same, with another one ──▶ previous ── disabled=true ──▶ disabled
//! ```
//!
//! The first issuer of a mount is current at once. Next, current and previous sign for the roles that name them, so
//! `trust-bundle` must hold all of them, and AWS's bound on a bundle is the bound of their number.

use time::OffsetDateTime;
use vault_backend::Fault;

use crate::ground::clock::rfc3339;
use crate::issuers::{Issuers, Loaded};
use crate::records::issuer::IssuerState;

/// The certificates of one trust anchor: a quota of AWS that cannot be raised
/// (<https://docs.aws.amazon.com/rolesanywhere/latest/userguide/quotas.html>).
const MAX_IN_BUNDLE: usize = 2;

/// The phase of an issuer. Issuers of the first three sign, and trust anchors hold them. The order of the variants is that of the
/// bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum RotationPhase {
    /// The default: it signs for every role that names no issuer.
    Current,
    /// It is not the default, and was not the default before the current one.
    Next,
    /// It was the default before the current one.
    Previous,
    /// An operator disabled it, and may enable it again where anchors have room.
    Disabled,
    /// It is disabled for good, because its key is compromised.
    Compromised,
    /// It is enabled, and its certificate has ended.
    Expired,
}

impl RotationPhase {
    /// Whether an issuer in this phase signs, so trust anchors must hold it.
    fn signs(self) -> bool {
        matches!(self, Self::Current | Self::Next | Self::Previous)
    }
}

impl Issuers {
    /// Returns the phase of `loaded` at `now`.
    pub(crate) fn phase(&self, loaded: &Loaded, now: OffsetDateTime) -> RotationPhase {
        let id = loaded.record.id.as_str();
        if loaded.record.state != IssuerState::Enabled {
            if self.is_compromised(loaded) { RotationPhase::Compromised } else { RotationPhase::Disabled }
        } else if loaded.issuer.not_after() <= now {
            RotationPhase::Expired
        } else if self.is_default(id) {
            RotationPhase::Current
        } else if self.previous.as_deref() == Some(id) {
            RotationPhase::Previous
        } else {
            RotationPhase::Next
        }
    }

    /// Returns the issuers that a trust anchor must hold at `now`: the current one first, then by phase, older certificates
    /// first. They may be more than an anchor takes.
    pub(crate) fn bundle(&self, now: OffsetDateTime) -> Vec<&Loaded> {
        let order = |loaded: &&Loaded| (self.phase(loaded, now), loaded.issuer.not_before());
        let mut found: Vec<&Loaded> = self.all.iter().filter(|loaded| order(loaded).0.signs()).collect();
        found.sort_by_key(order);
        found
    }

    /// Checks that trust anchors have room for one more enabled issuer.
    ///
    /// # Errors
    /// The operator's, with the issuer to retire first.
    pub(crate) fn check_room(&self, now: OffsetDateTime, mount_point: &str) -> Result<(), Fault> {
        let bundle = self.bundle(now);
        if bundle.len() < MAX_IN_BUNDLE { Ok(()) } else { Err(self.crowded(&bundle, now, mount_point)) }
    }

    /// Returns the certificates that a trust anchor must hold, in PEM; an empty value where no issuer signs.
    ///
    /// # Errors
    /// The operator's: there are more than an anchor takes, as a version without this bound allowed.
    pub(crate) fn trust_bundle(&self, now: OffsetDateTime, mount_point: &str) -> Result<String, Fault> {
        let bundle = self.bundle(now);
        if bundle.len() > MAX_IN_BUNDLE {
            return Err(self.crowded(&bundle, now, mount_point));
        }
        Ok(bundle.iter().map(|loaded| loaded.record.certificate_pem.as_str()).collect())
    }

    /// The refusal of one more certificate. Its cure disables an issuer that is not the default, the previous one before the next
    /// one.
    fn crowded(&self, bundle: &[&Loaded], now: OffsetDateTime, mount_point: &str) -> Fault {
        let named: Vec<String> = bundle
            .iter()
            .map(|loaded| format!("{:?} ({})", loaded.record.label(), self.phase(loaded, now)))
            .collect();
        let dispensable = bundle.iter().rev().find(|loaded| !self.is_default(&loaded.record.id));
        let label = dispensable.map_or("<issuer>", |loaded| loaded.record.label());
        Fault::operator(format!(
"the issuers {} are enabled, and a trust anchor holds at most {MAX_IN_BUNDLE} certificates; retire one first",
named.join(" and ")
)).cure(format!("vault write {mount_point}issuer/{label} disabled=true"))
    }
}

/// The stage of a mount on the way from one CA to another.
#[derive(Debug, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Rotation<'a> {
    /// No issuer signs for roles that name none. These are ready to be the default.
    #[strum(serialize = "no current issuer")]
    NoCurrent(Vec<&'a Loaded>),
    /// One issuer is current, and no other one signs. The second is a disabled one that can be deleted, if there is one.
    Steady(&'a Loaded, Option<&'a Loaded>),
    /// As steady, but the current issuer nears its end ([`ca::Issuer::expiry_warning`]: within 30 days, or within the last third
    /// of a life shorter than 90 days).
    Due(&'a Loaded),
    /// Another issuer signs for roles that name it and can become the default.
    Prepared { current: &'a Loaded, next: &'a Loaded },
    /// Roles that name no issuer follow a new one, and the old one still signs for those that name it.
    Switched { current: &'a Loaded, previous: &'a Loaded },
}

impl<'a> Rotation<'a> {
    /// Returns the stage of `issuers` at `now`. Issuers beyond the two that an anchor holds are not considered;
    /// [`Issuers::trust_bundle`] refuses them.
    pub(crate) fn of(issuers: &'a Issuers, now: OffsetDateTime) -> Self {
        let bundle = issuers.bundle(now);
        match bundle.as_slice() {
            [first, ..] if issuers.phase(first, now) != RotationPhase::Current => Self::NoCurrent(bundle),
            [] => Self::NoCurrent(bundle),
            [current] if current.issuer.expiry_warning(now).is_some() => Self::Due(current),
            [current] => {
                let is_retired = |one: &&Loaded| one.record.state == IssuerState::Disabled;
                Self::Steady(current, issuers.all.iter().find(is_retired))
            }
            [current, other, ..] if issuers.phase(other, now) == RotationPhase::Next => {
                Self::Prepared { current, next: other }
            }
            [current, other, ..] => Self::Switched { current, previous: other },
        }
    }

    /// Returns the stage as a fixed word or phrase, by which scripts know it.
    pub(crate) fn state(&self) -> &'static str {
        self.into()
    }

    pub(crate) fn current(&self) -> Option<&'a Loaded> {
        match self {
            Self::NoCurrent(_) => None,
            Self::Steady(current, _)
            | Self::Due(current)
            | Self::Prepared { current, .. }
            | Self::Switched { current, .. } => Some(current),
        }
    }

    pub(crate) fn next(&self) -> Option<&'a Loaded> {
        match self {
            Self::Prepared { next, .. } => Some(next),
            _ => None,
        }
    }

    pub(crate) fn previous(&self) -> Option<&'a Loaded> {
        match self {
            Self::Switched { previous, .. } => Some(previous),
            _ => None,
        }
    }

    /// Returns the next step with its command. `pinned` are the roles that name the previous issuer. `is_held` says whether every
    /// trust anchor in use was seen with the certificates that it must hold.
    ///
    /// Roles come before the previous issuer is retired, and anchors before the switch: in any other order, sessions would be
    /// refused.
    pub(crate) fn next_step(&self, mount_point: &str, pinned: &[String], is_held: bool) -> String {
        match self {
            Self::NoCurrent(ready) => match ready.first() {
                None => format!("make or import an issuer: {}", make(mount_point)),
                Some(ready) => switch(hold(is_held), ready, mount_point),
            },
            Self::Steady(_, Some(retired)) => format!(
                "{}{}, then: vault delete {mount_point}issuer/{}",
                hold(is_held),
                if is_held { "" } else { " and nothing else of this mount" },
                retired.record.label()
            ),
            Self::Steady(current, None) => format!(
                "nothing until {:?} nears its end at {}; then make or import the next issuer: {}",
                current.record.label(),
                rfc3339(current.issuer.not_after()),
                make(mount_point)
            ),
            Self::Due(_) => format!("make or import the next issuer: {}", make(mount_point)),
            Self::Prepared { next, .. } => switch(hold(is_held), next, mount_point),
            Self::Switched { previous, .. } if !pinned.is_empty() => format!(
                "let the roles that name {:?} follow the default: vault patch {mount_point}roles/{} issuer_ref=default",
                previous.record.label(),
                pinned[0]
            ),
            Self::Switched { current, previous } if previous.is_younger_than(current) => format!(
                "the switch was undone; switch again: vault write {mount_point}config/issuers default={0}, or abandon {0:?}: vault write {mount_point}issuer/{0} disabled=true",
                previous.record.label()
            ),
            Self::Switched { previous, .. } => format!(
                "retire the previous issuer: vault write {mount_point}issuer/{} disabled=true, then let every trust anchor hold trust_bundle",
                previous.record.label()
            ),
        }
    }
}

/// The part of a step about trust anchors: done, or to be done.
fn hold(is_held: bool) -> &'static str {
    if is_held {
        "every trust anchor was seen with trust_bundle"
    } else {
        "let every trust anchor hold trust_bundle"
    }
}

fn make(mount_point: &str) -> String {
    format!("vault write {mount_point}root/generate/internal common_name=<name> issuer_name=<name>")
}

fn switch(first: &str, to: &Loaded, mount_point: &str) -> String {
    format!("{first}, then switch: vault write {mount_point}config/issuers default={}", to.record.label())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ca::{CaProfile, Issuer, KeySpec, Subject};
    use time::macros::datetime;

    use super::*;
    use crate::records::issuer::IssuerRecord;

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    fn issuer(name: &str, days: u64) -> Loaded {
        made(name, days, NOW)
    }

    /// An issuer whose certificate is valid for so many days from `at`.
    fn made(name: &str, days: u64, at: OffsetDateTime) -> Loaded {
        let subject = Subject { common_name: Some(name.to_owned()), ..Subject::default() };
        let profile = CaProfile { subject, key: KeySpec::EcP256, ttl: Duration::from_hours(24 * days) };
        let issuer = Issuer::generate_root(&profile, at).unwrap();
        let record = IssuerRecord {
            id: format!("id of {name}"),
            name: Some(name.to_owned()),
            key_id: "key".to_owned(),
            certificate_pem: issuer.certificate_pem(),
            chain_pem: Vec::new(),
            state: IssuerState::Enabled,
        };
        Loaded { record, issuer }
    }

    fn issuers(names: &[&str], default: Option<&str>, previous: Option<&str>) -> Issuers {
        let id = |name: &str| format!("id of {name}");
        Issuers {
            all: names.iter().map(|name| issuer(name, 90)).collect(),
            default: default.map(id),
            previous: previous.map(id),
            ..Issuers::default()
        }
    }

    fn labels<'a>(bundle: &[&'a Loaded]) -> Vec<&'a str> {
        bundle.iter().map(|loaded| loaded.record.label()).collect()
    }

    #[test]
    fn the_bundle_holds_the_current_issuer_first_and_then_the_other_one() {
        let issuers = issuers(&["a", "b"], Some("b"), Some("a"));

        assert_eq!(labels(&issuers.bundle(NOW)), ["b", "a"]);
    }

    #[test]
    fn neither_a_disabled_nor_an_expired_issuer_is_in_the_bundle() {
        let mut issuers = issuers(&["a", "b", "c"], Some("a"), None);
        issuers.all[1].record.state = IssuerState::Disabled;
        issuers.all[2] = issuer("c", 1);

        assert_eq!(labels(&issuers.bundle(NOW + time::Duration::days(2))), ["a"]);
        assert_eq!(labels(&issuers.bundle(NOW)), ["a", "c"]);
    }

    #[test]
    fn a_third_issuer_is_refused_with_both_named_and_the_one_to_retire() {
        let issuers = issuers(&["a", "b"], Some("b"), Some("a"));

        let error = issuers.check_room(NOW, "iamra/").unwrap_err().to_string();

        assert_eq!(
            error,
            "the issuers \"b\" (current) and \"a\" (previous) are enabled, and a trust anchor holds at most 2 certificates; retire one first: vault write iamra/issuer/a disabled=true"
        );
    }

    #[test]
    fn three_enabled_issuers_of_an_older_version_are_no_bundle() {
        let issuers = issuers(&["a", "b", "c"], Some("a"), None);

        assert!(issuers.trust_bundle(NOW, "iamra/").unwrap_err().to_string().contains("at most 2"));
    }

    #[test]
    fn each_stage_of_a_rotation_names_its_next_step() {
        for (names, default, previous, state, step) in [
            (&[] as &[&str], None, None, "no current issuer", "root/generate/internal"),
            (&["a"], None, None, "no current issuer", "config/issuers default=a"),
            (&["a"], Some("a"), None, "steady", "nothing until \"a\" nears its end at 2026-04-02T"),
            (&["a", "b"], Some("a"), None, "prepared", "config/issuers default=b"),
            (&["a", "b"], Some("b"), Some("a"), "switched", "issuer/a disabled=true"),
        ] {
            let issuers = issuers(names, default, previous);

            let rotation = Rotation::of(&issuers, NOW);

            assert_eq!(rotation.state(), state, "{names:?}");
            assert!(
                rotation.next_step("iamra/", &[], false).contains(step),
                "{}",
                rotation.next_step("iamra/", &[], false)
            );
        }
    }

    #[test]
    fn a_retired_issuer_is_to_leave_anchors_and_then_to_be_deleted() {
        let mut issuers = issuers(&["a", "b"], Some("b"), None);
        issuers.all[0].record.state = IssuerState::Disabled;

        let step = Rotation::of(&issuers, NOW).next_step("iamra/", &[], false);

        assert!(step.starts_with("let every trust anchor hold trust_bundle"), "{step}");
        assert!(step.ends_with("vault delete iamra/issuer/a"), "{step}");
    }

    #[test]
    fn nobody_is_told_to_do_what_was_seen_done() {
        let mut retired = issuers(&["a", "b"], Some("b"), None);
        retired.all[0].record.state = IssuerState::Disabled;
        let prepared = issuers(&["a", "b"], Some("a"), None);

        for issuers in [retired, prepared] {
            let step = Rotation::of(&issuers, NOW).next_step("iamra/", &[], true);

            assert!(step.starts_with("every trust anchor was seen with trust_bundle, then"), "{step}");
        }
    }

    #[test]
    fn roles_that_name_the_previous_issuer_come_first() {
        let issuers = issuers(&["a", "b"], Some("b"), Some("a"));

        let step = Rotation::of(&issuers, NOW).next_step("iamra/", &["pin".to_owned()], false);

        assert!(step.ends_with("vault patch iamra/roles/pin issuer_ref=default"), "{step}");
    }

    #[test]
    fn a_switch_that_was_taken_back_is_not_ended_by_retiring_the_new_issuer_unasked() {
        let mut issuers = issuers(&["a", "b"], Some("a"), Some("b"));
        issuers.all[1] = made("b", 90, NOW + time::Duration::DAY);

        let step = Rotation::of(&issuers, NOW + time::Duration::days(2)).next_step("iamra/", &[], false);

        assert!(step.contains("switch again: vault write iamra/config/issuers default=b"), "{step}");
    }

    #[test]
    fn an_issuer_that_nears_its_end_is_due_for_the_next_one() {
        let issuers = issuers(&["a"], Some("a"), None);

        let rotation = Rotation::of(&issuers, NOW + time::Duration::days(61));

        assert_eq!(rotation.state(), "due");
        assert!(
            rotation
                .next_step("iamra/", &[], false)
                .starts_with("make or import the next issuer: vault write iamra/root")
        );
    }

    #[test]
    fn an_expired_current_issuer_hands_over_to_the_one_that_is_ready() {
        let mut issuers = issuers(&["a", "b"], Some("a"), None);
        issuers.all[0] = issuer("a", 1);

        let rotation = Rotation::of(&issuers, NOW + time::Duration::days(2));

        assert_eq!(rotation.state(), "no current issuer");
        assert!(rotation.current().is_none());
        assert!(rotation.next_step("iamra/", &[], false).ends_with("config/issuers default=b"));
    }
}
