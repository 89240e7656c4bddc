//! `CreateSession`: the rules in the order in which they are checked, and the session that is granted if none fires.
//!
//! The order is inferred, and is consistent with every refusal that was seen on AWS.

mod certificate;
mod chain;
mod crl;
pub(crate) mod parameters;
mod session;
mod signature;
pub(crate) mod tags;

use time::OffsetDateTime;

pub(crate) use session::{Credentials, assumed_role_arn, random, reply, role_id, user_id, uuid};

use crate::{
    arn::Arn,
    http::Call,
    pki::Certificate,
    policy::{Fact, Facts, Principal, TrustPolicy},
    rules::{Refusal, Rule},
    state::{Profile, Role, State, TrustAnchor},
};
use parameters::{Parameters, SessionName};
use tags::Tags;

/// A session that may be issued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) role_arn: String,
    pub(crate) role_name: String,
    pub(crate) session_name: String,
    pub(crate) source_identity: String,
    pub(crate) tags: Tags,
    pub(crate) seconds: u32,
    pub(crate) packed_percent: usize,
    pub(crate) serial: String,
    pub(crate) subject_arn: String,
    /// The session policies. Together they restrict the role's permissions; without any, nothing does.
    pub(crate) session_policies: Vec<serde_json::Value>,
    /// Keys of the tags that go along when this session assumes another role.
    pub(crate) transitive_tag_keys: Vec<String>,
}

/// The facts of a call for the log, whether it is granted or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// Even lowercase hex; empty until the leaf is read.
    pub(crate) serial: String,
    pub(crate) remarks: Vec<String>,
}

/// Checks every rule. Changes nothing.
pub(crate) fn evaluate(
    state: &State,
    call: &Call,
    now: OffsetDateTime,
    notes: &mut Notes,
) -> Result<Grant, Refusal> {
    let asked = Parameters::read(call)?;
    one_account(state, &asked)?;
    let anchor = find_anchor(state, &asked.trust_anchor)?;
    let leaf = certificate::read(call)?;
    notes.serial = certificate::serial_hex(&leaf);
    certificate::check(&leaf, now)?;
    let anchors = Certificate::all_from_pem(&anchor.certificates_pem).unwrap_or_default();
    let path = chain::build(&leaf, &chain::read(call)?, &anchors, now)?;
    crl::check(state, anchor, &anchors, &path, now, notes)?;
    signature::check(state, call, &leaf, now)?;
    let profile = find_profile(state, &asked)?;
    session_name_allowed(&asked, profile)?;
    assume(state, &asked, profile, anchor, &leaf, notes)
}

fn one_account(state: &State, asked: &Parameters) -> Result<(), Refusal> {
    let foreign = |arn: &Arn| arn.account != state.account;
    match [&asked.trust_anchor, &asked.profile, &asked.role].into_iter().find(|arn| foreign(arn)) {
        Some(arn) => {
            let detail = format!("{}: account {}, here {}", arn.resource, arn.account, state.account);
            Err(Refusal::new(Rule::Account, detail))
        }
        None => Ok(()),
    }
}

fn find_anchor<'a>(state: &'a State, arn: &Arn) -> Result<&'a TrustAnchor, Refusal> {
    if arn.region != state.region {
        return Err(Refusal::new(Rule::AnchorRegion, format!("{}, here {}", arn.region, state.region)));
    }
    let id = arn.resource.strip_prefix("trust-anchor/").filter(|_| arn.partition == "aws");
    let anchor = id.and_then(|id| state.trust_anchors.iter().find(|anchor| anchor.id == id));
    let anchor = anchor.ok_or_else(|| Refusal::new(Rule::AnchorUnknown, &arn.resource))?;
    if anchor.enabled { Ok(anchor) } else { Err(Refusal::new(Rule::AnchorDisabled, &anchor.id)) }
}

fn find_profile<'a>(state: &'a State, asked: &Parameters) -> Result<&'a Profile, Refusal> {
    let arn = &asked.profile;
    if arn.region != state.region {
        return Err(Refusal::new(Rule::ProfileRegion, format!("{}, here {}", arn.region, state.region)));
    }
    let id = arn.resource.strip_prefix("profile/").filter(|_| arn.partition == "aws");
    let profile = id.and_then(|id| state.profiles.iter().find(|profile| profile.id == id));
    let profile = profile.ok_or_else(|| Refusal::new(Rule::ProfileUnknown, &arn.resource))?;
    if !profile.enabled {
        return Err(Refusal::new(Rule::ProfileDisabled, &profile.id));
    }
    if profile.role_arns.is_empty() {
        return Err(Refusal::new(Rule::ProfileEmpty, &profile.id));
    }
    if !profile.role_arns.contains(&asked.role_arn) {
        return Err(Refusal::new(
            Rule::RoleNotInProfile,
            format!("{} lists {:?}", profile.id, profile.role_arns),
        ));
    }
    Ok(profile)
}

fn session_name_allowed(asked: &Parameters, profile: &Profile) -> Result<(), Refusal> {
    match (&asked.session_name, profile.accept_role_session_name) {
        (SessionName::Absent | SessionName::Given(_), true) | (SessionName::Absent, false) => Ok(()),
        (SessionName::Null, true) => Err(parameters::bad_session_name("null")),
        (SessionName::Null | SessionName::Given(_), false) => {
            Err(Refusal::new(Rule::SessionNameNotAllowed, &profile.id))
        }
    }
}

/// The request to STS on the caller's behalf.
fn assume(
    state: &State,
    asked: &Parameters,
    profile: &Profile,
    anchor: &TrustAnchor,
    leaf: &Certificate,
    notes: &mut Notes,
) -> Result<Grant, Refusal> {
    let refuse = |rule: Rule, detail: String| Refusal::new(rule, detail).fill("role", &asked.role_arn);
    let role = state.roles.iter().find(|role| state.role_arn(role) == asked.role_arn);
    let role = role.ok_or_else(|| refuse(Rule::RoleUnknown, asked.role_arn.clone()))?;
    let mapped = tags::map(leaf, profile.attribute_mappings.as_ref());
    notes.remarks.extend(mapped.lost.remark());
    let source_identity =
        session::source_identity(leaf).map_err(|text| refuse(Rule::SourceIdentity, text))?;
    let session_name = asked.session_name.given().unwrap_or(&notes.serial).to_owned();
    let facts = Facts::default()
        .with(Fact::SourceArn, state.trust_anchor_arn(&anchor.id))
        .with(Fact::SourceAccount, &state.account)
        .with(Fact::AssumedSourceIdentity, &source_identity)
        .with(Fact::SessionName, &session_name)
        .with_tags(mapped.tags.clone())
        .with_request_tags(mapped.tags.clone(), Vec::new());
    trusts(role, &facts)
        .map_err(|(rule, detail)| mapped.lost.blame(rule, refuse(rule, detail), &asked.role_arn))?;
    let packed_percent =
        session::packed_percent(profile, &mapped.tags).map_err(|(rule, text)| refuse(rule, text))?;
    let seconds =
        session::seconds(asked.duration, profile, role).map_err(|(rule, text)| refuse(rule, text))?;
    Ok(Grant {
        role_arn: asked.role_arn.clone(),
        role_name: role.name.clone(),
        session_name,
        source_identity,
        tags: mapped.tags,
        seconds,
        packed_percent,
        serial: notes.serial.clone(),
        subject_arn: session::subject_arn(state, leaf),
        session_policies: profile.session_policy.iter().cloned().collect(),
        transitive_tag_keys: Vec::new(),
    })
}

/// STRICTER: all three actions must be allowed, even if no tag is set.
fn trusts(role: &Role, facts: &Facts) -> Result<(), (Rule, String)> {
    let policy = TrustPolicy::parse(&role.trust_policy)
        .map_err(|error| (Rule::TrustPolicyAction, error.to_string()))?;
    ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
        .into_iter()
        .try_for_each(|action| policy.evaluate(&Principal::RolesAnywhere, action, facts).map(drop))
}
