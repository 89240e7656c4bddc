//! The profile: whether it is there, enabled, lists the role, and takes the session's name. No I/O.

use rolesanywhere::{Profile, ProfileArn};

use super::anchor::id;
use super::asking::Asked;
use super::looking::Observed;
use super::subject::Subject;
use super::verdict::{Clue, Verdict};
use crate::records::role::Role;

/// Whether the profile lets the role be asked for.
pub(super) fn lists(
    arn: &ProfileArn,
    looked: &Observed<Profile>,
    subject: Subject<'_>,
    asked: &Asked,
) -> Verdict {
    let role = subject.role;
    let profile = match looked {
        Observed::Seen(profile) => profile,
        Observed::NotThere => return Verdict::broken(format!("there is no {arn}"), find(arn)),
        Observed::Unread(why) => {
            return inferred("CreateSession went through it: it is enabled and lists the role", why, asked);
        }
    };
    if !profile.enabled {
        return Verdict::broken(format!("the profile {:?} is disabled", profile.name), enable(arn));
    }
    if !profile.lists(&role.role_arn) {
        let listed = match profile.role_arns.join(", ") {
            none if none.is_empty() => "no role".to_owned(),
            some => format!("{some}, and not {}", role.role_arn),
        };
        return Verdict::broken(
            format!("the profile {:?} lists {listed}", profile.name),
            list(arn, &profile.role_arns, subject),
        )
        .with_clue(Clue::NotListed);
    }
    Verdict::ok(format!("the profile {:?} is enabled and lists the role", profile.name))
}

/// Whether the profile takes the name that is sent.
pub(super) fn session_name(
    arn: &ProfileArn,
    looked: &Observed<Profile>,
    role: &Role,
    asked: &Asked,
) -> Verdict {
    if role.role_session_name.is_none() {
        return Verdict::ok("none is sent, so sessions are named by their serial numbers");
    }
    match looked {
        Observed::Seen(profile) if profile.accept_role_session_name => {
            Verdict::ok("the profile accepts names")
        }
        Observed::Seen(profile) => {
            Verdict::broken(format!("the profile {:?} accepts no session name", profile.name), accept(arn))
        }
        Observed::NotThere => Verdict::not_checked("there is no such profile"),
        Observed::Unread(why) => inferred("CreateSession took the name", why, asked),
    }
}

fn inferred(what: &str, why: &str, asked: &Asked) -> Verdict {
    match asked {
        Asked::Issued(_) => Verdict::ok(what),
        _ => Verdict::not_checked(why),
    }
}

/// How the right profile is found.
pub(super) fn find(arn: &ProfileArn) -> String {
    format!(
        "compare with aws rolesanywhere list-profiles --region {}, and write its ARN to profile_arn of the role or default_profile_arn of the config",
        arn.region()
    )
}

/// The command that switches the profile on.
pub(super) fn enable(arn: &ProfileArn) -> String {
    format!("aws rolesanywhere enable-profile --region {} --profile-id {}", arn.region(), id(arn.as_str()))
}

/// The command that lets the profile list the role beside those that it lists now, or the role name another profile.
pub(super) fn list(arn: &ProfileArn, now: &[String], subject: Subject<'_>) -> String {
    let now = if now.is_empty() { "<all it lists now>".to_owned() } else { now.join(" ") };
    format!(
        "{} --role-arns {now} {}; or, if another profile is meant: vault patch {}roles/{} profile_arn=<arn>",
        update(arn),
        subject.role.role_arn,
        subject.mount_point,
        subject.name
    )
}

/// The command that lets the profile accept names.
pub(super) fn accept(arn: &ProfileArn) -> String {
    format!("{} --accept-role-session-name, or write the role without role_session_name", update(arn))
}

/// The command that changes the profile; the change follows.
pub(super) fn update(arn: &ProfileArn) -> String {
    format!("aws rolesanywhere update-profile --region {} --profile-id {}", arn.region(), id(arn.as_str()))
}
