//! Looks at the cures of all links together: a cure that would mislead is replaced with the one that helps. No I/O.

use super::link::Link;
use super::report::CheckReport;
use super::subject::CheckedRole;
use super::verdict::{Clue, Cure, Verdict};

/// What is known beside the verdicts.
#[derive(Clone, Copy)]
pub(super) struct RoleEvidence<'a> {
    /// The role, and the mount point for commands.
    pub(super) subject: CheckedRole<'a>,
    /// The entry of `trust-anchors` that uses the role's profile for the engine's own sessions. None if no entry does.
    pub(super) own_profile: Option<&'a str>,
}

/// Decides the cure of a profile that does not list the role. Listing it there is right only if the role exists and the profile
/// is meant for callers: a missing role needs its ARN corrected, and the profile of the engine's own sessions must stay as it is.
pub(super) fn settle(report: CheckReport, known: RoleEvidence<'_>) -> CheckReport {
    if !report.has_clue(Link::Profile, Clue::NotListed) {
        return report;
    }
    if report.has_clue(Link::TrustPolicy, Clue::NoSuchRole) {
        let see_policy = |verdict: Verdict| verdict.cured_by(Cure::Of(Link::TrustPolicy));
        return report.revised(Link::Profile, see_policy).revised(Link::CreateSession, |verdict| {
            if verdict.is_cured_by(&Cure::Of(Link::Profile)) { see_policy(verdict) } else { verdict }
        });
    }
    let Some(name) = known.own_profile else { return report };
    let CheckedRole { name: role, mount_point, .. } = known.subject;
    report.revised(Link::Profile, |verdict| {
        verdict.cured_by(format!(
            "do not change this profile, because the engine uses it for its own sessions (trust-anchors/{name}); name another profile for callers: vault patch {mount_point}roles/{role} profile_arn=<arn>, or write default_profile_arn of {mount_point}config"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::role::Role;

    const LIST_IT: &str = "aws rolesanywhere update-profile --role-arns arn";

    /// The texts of the profile and of CreateSession if the profile does not list the role.
    fn texts(trust_policy: Verdict, own_profile: Option<&str>) -> [String; 2] {
        let role = Role::plain();
        let subject = CheckedRole { name: "web", role: &role, mount_point: "iamra/" };
        let mut report = CheckReport::default();
        report.note(Link::Profile, Verdict::broken("not listed", LIST_IT).with_clue(Clue::NotListed));
        report.note(Link::TrustPolicy, trust_policy);
        report.note(Link::CreateSession, Verdict::broken("refused", Cure::Of(Link::Profile)));
        let shown = settle(report, RoleEvidence { subject, own_profile }).shown();
        [Link::Profile, Link::CreateSession].map(|link| shown[link.key()].as_str().unwrap().to_owned())
    }

    fn is_there() -> Verdict {
        Verdict::ok("it lets in this anchor")
    }

    #[test]
    fn a_role_that_is_there_is_to_be_listed() {
        let [profile, session] = texts(is_there(), None);

        assert!(profile.ends_with(LIST_IT), "{profile}");
        assert!(session.ends_with("cure: see 08_profile"), "{session}");
    }

    #[test]
    fn a_role_that_is_not_there_is_not_to_be_listed() {
        let gone = Verdict::broken("there is no such role", "name the right one").with_clue(Clue::NoSuchRole);

        for own_profile in [None, Some("main")] {
            let [profile, session] = texts(gone.clone(), own_profile);

            assert!(profile.ends_with("cure: see 11_trust_policy"), "{profile}");
            assert!(session.ends_with("cure: see 11_trust_policy"), "{session}");
        }
    }

    #[test]
    fn no_role_is_to_be_listed_in_the_profile_of_the_engines_own_sessions() {
        let [profile, _] = texts(is_there(), Some("main"));

        assert!(!profile.contains(LIST_IT), "{profile}");
        assert!(profile.contains("trust-anchors/main"), "{profile}");
        assert!(profile.contains("vault patch iamra/roles/web profile_arn=<arn>"), "{profile}");
    }
}
