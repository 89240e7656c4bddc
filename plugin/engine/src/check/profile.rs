//! Judges the profile: it must be there, be enabled, list the role, and accept the session's name. No I/O.

use rolesanywhere::{Profile, ProfileArn};

use super::anchor::id;
use super::asking::CallOutcome;
use super::looking::Observed;
use super::subject::CheckedRole;
use super::verdict::{Clue, Verdict};
use crate::records::role::Role;

/// Whether sessions of the role can be made with the profile. A profile that does not list the role leaves a clue, because its
/// cure depends on the trust policy's verdict. If the profile was not read, a session proves that it is right.
pub(super) fn lists(
    arn: &ProfileArn,
    looked: &Observed<Profile>,
    subject: CheckedRole<'_>,
    asked: &CallOutcome,
) -> Verdict {
    let role = subject.role;
    let profile = match looked {
        Observed::Seen(profile) => profile,
        Observed::NotThere => return Verdict::broken(format!("there is no {arn}"), find(arn)),
        Observed::Unread(why) => {
            return inferred(
                "CreateSession succeeded with it, so it is enabled and lists the role",
                why,
                asked,
            );
        }
    };
    if !profile.enabled {
        return Verdict::broken(format!("the profile {:?} is disabled", profile.name), enable(arn));
    }
    if !profile.lists(&role.role_arn) {
        let listed = match profile.role_arns.join(", ") {
            none if none.is_empty() => "no role".to_owned(),
            some => format!("{some} but not {}", role.role_arn),
        };
        return Verdict::broken(
            format!("the profile {:?} lists {listed}", profile.name),
            list(arn, &profile.role_arns, subject),
        )
        .with_clue(Clue::NotListed);
    }
    Verdict::ok(format!("the profile {:?} is enabled and lists the role", profile.name))
}

/// Whether the profile accepts the session name that is sent. Without one AWS names sessions by serial number, which every
/// profile allows.
pub(super) fn session_name(
    arn: &ProfileArn,
    looked: &Observed<Profile>,
    role: &Role,
    asked: &CallOutcome,
) -> Verdict {
    if role.role_session_name.is_none() {
        return Verdict::ok("no name is sent, so AWS names each session by its certificate's serial number");
    }
    match looked {
        Observed::Seen(profile) if profile.accept_role_session_name => {
            Verdict::ok("the profile accepts session names")
        }
        Observed::Seen(profile) => Verdict::broken(
            format!("the profile {:?} does not accept session names", profile.name),
            accept(arn),
        ),
        Observed::NotThere => Verdict::not_checked("the profile does not exist"),
        Observed::Unread(why) => inferred("CreateSession accepted the name", why, asked),
    }
}

/// The verdict without a look at the profile: `what` if AWS gave a session, otherwise `why` it was not read.
fn inferred(what: &str, why: &str, asked: &CallOutcome) -> Verdict {
    match asked {
        CallOutcome::Issued(_) => Verdict::ok(what),
        _ => Verdict::not_checked(why),
    }
}

/// How the right profile is found.
pub(super) fn find(arn: &ProfileArn) -> String {
    format!(
        "find the profile with aws rolesanywhere list-profiles --region {}, then write its ARN to profile_arn of the role or default_profile_arn of the config",
        arn.region()
    )
}

/// The command that enables the profile.
pub(super) fn enable(arn: &ProfileArn) -> String {
    format!("aws rolesanywhere enable-profile --region {} --profile-id {}", arn.region(), id(arn.as_str()))
}

/// The command that lists the role in the profile beside those listed `now`, or names another profile. AWS replaces the whole
/// list, so the command must repeat what is there; an empty `now` leaves a placeholder.
pub(super) fn list(arn: &ProfileArn, now: &[String], subject: CheckedRole<'_>) -> String {
    let now = if now.is_empty() { "<all it lists now>".to_owned() } else { now.join(" ") };
    format!(
        "{} --role-arns {now} {}; or name another profile: vault patch {}roles/{} profile_arn=<arn>",
        update(arn),
        subject.role.role_arn,
        subject.mount_point,
        subject.name
    )
}

/// The command that makes the profile accept session names.
pub(super) fn accept(arn: &ProfileArn) -> String {
    format!("{} --accept-role-session-name, or remove role_session_name from the role", update(arn))
}

/// The command that changes the profile, without the option that follows.
pub(super) fn update(arn: &ProfileArn) -> String {
    format!("aws rolesanywhere update-profile --region {} --profile-id {}", arn.region(), id(arn.as_str()))
}
