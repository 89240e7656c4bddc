//! Judges the session itself: whose it is, how long it lasts, and what policies see of it. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use ca::LeafProfile;
use rolesanywhere::{AttributeMapping, CallError, CallerIdentity, Profile, SessionDuration};

use super::anchor::id;
use super::asking::CallOutcome;
use super::looking::{AwsState, Observed};
use super::policy::Shown;
use super::subject::CheckedRole;
use super::verdict::Verdict;
use crate::credentials::lifetime;
use crate::ground::clock::rfc3339;
use crate::issuers::Loaded;
use identity::session_tags;

/// Percent of AWS's packed size from which little more may be added. AWS refuses a session above 100.
pub(super) const NEARLY_FULL: u32 = 80;
/// The reason for each link that only a session can show.
const NO_SESSION: &str = "no session was issued";

/// Whether AWS gave a session. `refusal.rs` says more about a refusal.
pub(super) fn created(asked: &CallOutcome) -> Verdict {
    match asked {
        CallOutcome::Issued(issued) => Verdict::ok(format!(
            "a session until {}, which no caller receives",
            rfc3339(issued.session.expiration)
        )),
        CallOutcome::Refused(error) => Verdict::broken(error, "see AWS's message"),
        CallOutcome::Failed(fault) => Verdict::of_fault(fault, "run the check again"),
        CallOutcome::Not(why) => Verdict::not_checked(why),
    }
}

/// Whose session it is.
pub(super) struct SessionIdentity {
    /// The session's ARN as CreateSession told it.
    pub(super) expected: String,
    /// STS's answer.
    pub(super) answer: Result<CallerIdentity, CallError>,
}

/// Whether STS names the session as CreateSession did; `identity` is none without a session.
///
/// STS answers this call whatever policies of the session deny, so an answer does not show what the session may do. Of all
/// policies only that of a VPC endpoint in front of STS can refuse the call. A network fault is no verdict, because `creds` does
/// not need STS.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sts_vpc_endpoint_policies.html>
pub(super) fn identity(identity: Option<&SessionIdentity>) -> Verdict {
    let Some(SessionIdentity { expected, answer }) = identity else {
        return Verdict::not_checked(NO_SESSION);
    };
    match answer {
        Ok(caller) if caller.arn == *expected => {
            Verdict::ok(format!("{expected} (STS answers this call regardless of policies)"))
        }
        Ok(caller) => Verdict::warning(
            format!("STS names the session {}, but CreateSession named it {expected}", caller.arn),
            "check whether sts_endpoint of the config leads to the right AWS",
        ),
        Err(error) if error.missing_permission.is_some() => Verdict::broken(
            error,
            "allow sts:GetCallerIdentity in the policy of the VPC endpoint through which Vault's nodes reach STS, because AWS answers this call even if a policy of the caller denies it; without a VPC endpoint, check whether sts_endpoint of the config leads to AWS",
        ),
        Err(error) => {
            Verdict::not_checked(format!("STS did not answer, but creds does not need STS: {error}"))
        }
    }
}

/// Whether the session is as long as it was asked for. Without a session it compares the role's `MaxSessionDuration` with the
/// shorter of request and profile, because AWS refuses a longer session and does not shorten it.
pub(super) fn duration(
    subject: CheckedRole<'_>,
    asked_for: SessionDuration,
    seen: &AwsState,
    asked: &CallOutcome,
) -> Verdict {
    let wanted = asked_for.as_secs();
    let profile = seen.profile.seen().and_then(|profile| profile.duration_seconds);
    let most = seen.role.seen().map(|role| role.max_session_duration);
    if let CallOutcome::Issued(issued) = asked {
        let given = lifetime::given_instead(&issued.session, issued.began, asked_for).map(to_the_minute);
        if let Some(given) = given {
            let why = profile.map_or_else(String::new, |seconds| {
                format!(", because the profile's durationSeconds is {seconds}")
            });
            return Verdict::warning(
                format!("the session lasts about {given} s instead of the requested {wanted} s{why}"),
                format!(
                    "raise the profile's durationSeconds, or: {}",
                    patch(subject, profile.map_or(given, i64::from))
                ),
            );
        }
        return Verdict::ok(format!("{wanted} s as requested"));
    }
    let Some(most) = most else { return Verdict::not_checked(NO_SESSION) };
    let given = profile.map_or(wanted, |profile| profile.min(wanted));
    if given > most {
        return Verdict::broken(
            format!("{given} s exceed the role's MaxSessionDuration of {most} s"),
            over(subject, Some(given), i64::from(most)),
        );
    }
    Verdict::ok(format!("{given} s; the role allows up to {most} s"))
}

/// Rounds a length in seconds to the minute. The length was measured with two clocks, and the number that helps the reader is the
/// one that AWS was asked for.
fn to_the_minute(seconds: i64) -> i64 {
    (seconds + 30).div_euclid(60) * 60
}

/// The commands after which a session is not too long for the role: allow `seconds` in IAM, or ask for `most`. None for `seconds`
/// leaves a placeholder.
pub(super) fn over(subject: CheckedRole<'_>, seconds: Option<u32>, most: i64) -> String {
    let role = subject.role.role_arn.name();
    let seconds = seconds.map_or_else(|| "<seconds>".to_owned(), |seconds| seconds.to_string());
    format!(
        "aws iam update-role --role-name {role} --max-session-duration {seconds}, or: {}",
        patch(subject, most)
    )
}

/// The command that changes the role's session duration.
fn patch(subject: CheckedRole<'_>, seconds: i64) -> String {
    format!("vault patch {}roles/{} session_duration={seconds}", subject.mount_point, subject.name)
}

/// Compares the session's source identity with the one that the certificate should give, `CN=<common name>`.
pub(super) fn source_identity(leaf: &LeafProfile, asked: &CallOutcome) -> Verdict {
    let expected = session_tags::source_identity(leaf.subject.common_name.as_deref().unwrap_or_default());
    let CallOutcome::Issued(issued) = asked else {
        return Verdict::not_checked(format!("{NO_SESSION}; expected: {expected}"));
    };
    match issued.session.source_identity.as_deref() {
        Some(set) if set == expected => Verdict::ok(expected),
        Some(set) => Verdict::warning(
            format!("AWS set {set} instead of {expected}"),
            "in policies, test the value that AWS set",
        ),
        None => Verdict::warning(
            format!("AWS set none instead of {expected}"),
            "in policies, test session tags instead",
        ),
    }
}

/// Judges the attributes of the certificate that policies can test: those that AWS drops, those that the profile does not map,
/// and the room they take.
pub(super) fn tags(
    authority: &Loaded,
    leaf: &LeafProfile,
    looked: &Observed<Profile>,
    asked: &CallOutcome,
) -> Verdict {
    let Ok(issuer) = authority.issuer.subject_attributes() else {
        return Verdict::not_checked("the issuer's subject cannot be read");
    };
    let all = session_tags::session_tags(leaf, &issuer);
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    lost(leaf, &issuer).and(packed(asked)).and(mapped(&names, looked))
}

/// What a session of this certificate shows to policies, as far as the profile maps it. A profile that was not read, or that
/// shows no mappings, counts as mapping everything. None if the issuer's subject cannot be read.
pub(super) fn shown(authority: &Loaded, leaf: &LeafProfile, looked: &Observed<Profile>) -> Option<Shown> {
    let issuer = authority.issuer.subject_attributes().ok()?;
    let mappings = looked.seen().and_then(|profile| profile.attribute_mappings.as_ref());
    let is_shown = |name: &str| mappings.is_none_or(|mappings| is_mapped(name, mappings));
    let (tags, unmapped): (BTreeMap<_, _>, BTreeMap<_, _>) =
        session_tags::session_tags(leaf, &issuer).into_iter().partition(|(name, _)| is_shown(name));
    let source_identity =
        session_tags::source_identity(leaf.subject.common_name.as_deref().unwrap_or_default());
    Some(Shown { tags, unmapped: unmapped.into_keys().collect(), source_identity })
}

/// Warns of attributes that AWS never makes a tag of, whatever the profile says: their values have characters that tags cannot
/// hold, or are too long.
fn lost(leaf: &LeafProfile, issuer: &[(String, String)]) -> Verdict {
    match session_tags::lost(leaf, issuer).join(", ") {
        none if none.is_empty() => Verdict::not_checked(""),
        lost => Verdict::warning(
            format!(
                "AWS leaves out {lost} because their values are too long or have characters that tags cannot hold; StringNotEquals passes if the tag is absent"
            ),
            "use only letters, digits, spaces and _.:/=+-@ in the next issuer's names",
        ),
    }
}

/// Warns if tags and session policy nearly fill AWS's room. An empty verdict otherwise, which the others outrank.
fn packed(asked: &CallOutcome) -> Verdict {
    match asked {
        CallOutcome::Issued(issued) => match issued.session.packed_policy_size {
            Some(percent) if percent >= NEARLY_FULL => Verdict::warning(
                format!("tags and session policy fill {percent} % of the space that AWS allows"),
                "shorten the subject, or map fewer attributes in the profile",
            ),
            _ => Verdict::not_checked(""),
        },
        _ => Verdict::not_checked(""),
    }
}

/// Warns of attributes that the profile does not map to tags. The issuer's attributes are not missed, because they are the same
/// for every caller.
fn mapped(names: &[&str], looked: &Observed<Profile>) -> Verdict {
    let expected = names.join(", ");
    let profile = match looked {
        Observed::Seen(profile) => profile,
        Observed::NotThere => return Verdict::not_checked("the profile does not exist"),
        Observed::Unread(_) => {
            return Verdict::not_checked(format!(
                "the profile's mappings were not read; AWS maps by default: {expected}"
            ));
        }
    };
    let of_the_issuer = |name: &&str| name.starts_with("x509Issuer/");
    let Some(mappings) = &profile.attribute_mappings else {
        let fields = fields(names.iter().copied().filter(|name| !of_the_issuer(name)));
        return Verdict::warning(
            format!(
                "the profile {:?} shows no mappings; AWS does not document whether it then maps every attribute",
                profile.name
            ),
            fields.iter().map(|field| map_all(profile, field)).collect::<Vec<_>>().join("; "),
        );
    };
    let (have, missing): (Vec<&str>, Vec<&str>) =
        names.iter().copied().partition(|name| is_mapped(name, mappings));
    let missing: Vec<&str> = missing.into_iter().filter(|name| !of_the_issuer(name)).collect();
    if missing.is_empty() {
        return Verdict::ok(have.join(", "));
    }
    let commands: Vec<String> =
        fields(missing.iter().copied()).iter().map(|field| map_all(profile, field)).collect();
    Verdict::warning(
        format!(
            "the profile {:?} does not map {}: conditions on these tags never hold",
            profile.name,
            missing.join(", ")
        ),
        commands.join("; "),
    )
}

/// The certificate fields that the tags come from: `x509Subject` of `x509Subject/CN`.
fn fields<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    names.filter_map(|name| Some(name.split_once('/')?.0)).collect()
}

/// The command that makes session tags of all attributes of a field.
fn map_all(profile: &Profile, field: &str) -> String {
    format!(
        "aws rolesanywhere put-attribute-mapping --region {} --profile-id {} --certificate-field {field} --mapping-rules specifier='*'",
        profile.arn.region(),
        id(profile.arn.as_str())
    )
}

/// Whether one of the mappings covers the tag. A specifier is a name, a prefix with `*`, or `*` alone.
fn is_mapped(tag: &str, mappings: &[AttributeMapping]) -> bool {
    let Some((field, attribute)) = tag.split_once('/') else { return false };
    let fits = |specifier: &String| {
        specifier == "*"
            || specifier == attribute
            || specifier.strip_suffix('*').is_some_and(|start| attribute.starts_with(start))
    };
    mappings.iter().any(|mapping| mapping.certificate_field == field && mapping.specifiers.iter().any(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(attribute_mappings: Option<Vec<AttributeMapping>>) -> Observed<Profile> {
        Observed::Seen(Profile {
            arn: "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/p".parse().unwrap(),
            id: "p".to_owned(),
            name: "demo".to_owned(),
            enabled: true,
            duration_seconds: None,
            role_arns: Vec::new(),
            accept_role_session_name: false,
            attribute_mappings,
            session_policy: None,
            managed_policy_arns: Vec::new(),
            require_instance_properties: false,
            updated_at: None,
        })
    }

    #[test]
    fn a_profile_that_shows_no_mappings_is_warned_of_with_the_command_that_makes_them() {
        let said = mapped(&["x509Issuer/CN", "x509Subject/CN"], &profile(None)).to_string();

        assert!(said.starts_with("warning: the profile \"demo\" shows no mappings"), "{said}");
        assert!(said.contains("--certificate-field x509Subject") && !said.contains("x509Issuer"), "{said}");
    }

    #[test]
    fn the_issuers_attributes_are_missed_by_nobody() {
        let subject = AttributeMapping {
            certificate_field: "x509Subject".to_owned(),
            specifiers: vec!["CN".to_owned()],
        };

        let said = mapped(&["x509Issuer/CN", "x509Subject/CN"], &profile(Some(vec![subject]))).to_string();

        assert_eq!(said, "ok: x509Subject/CN");
    }
}
