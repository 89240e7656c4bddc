//! STS `AssumeRole` with a long-lived key or with a session (role chaining), in the caller's account or another one at the same address.
//!
//! ```text
//!   caller's account                                    role's account
//!   parameters → tags and source identity → own side →  trust policy → session policies → size → duration → session
//! ```
//! The session is one of the role's account and is remembered there. It lives as long as it says, whatever becomes of the caller's own.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

mod parameters;
mod permission;
mod session_policies;
mod tags;

use crate::{
    caller::{Caller, QUERY_API},
    clock,
    create_session::{Credentials, Grant, assumed_role_arn, user_id},
    http::Call,
    policy::{Facts, Principal},
    query::{Parameters, escape},
    rules::{Refusal, Rule},
    state::{Role, State},
    world::{Inner, World},
};
use parameters::Asked;
use permission::OwnSide;
use tags::Tags;

/// The bound of a session that another session asked for, whatever the role's maximum is.
const MAX_CHAINED_SECONDS: u32 = 3600;

/// The inside of the XML of a granted session.
pub(super) fn answer(world: &World, call: &Call) -> Result<String, Refusal> {
    let (asked, hop, own) = {
        let inner = world.lock();
        let caller = Caller::identify(&inner, call, "sts", QUERY_API)?;
        let asked = Asked::read(&Parameters::of(call))?;
        let hop = Hop::plan(&inner, &caller, &asked)?;
        let own = permission::own_side(&inner, &caller, &asked, &hop);
        (asked, hop, own)
    };
    session_policies::check_inline(&asked)?;
    let there = world.account(&asked.account).ok_or_else(|| permission::no_role(&asked, &hop))?;
    let mut inner = there.lock();
    let role = inner.state.roles.iter().find(|role| inner.state.role_arn(role) == asked.role_arn);
    let role = role.ok_or_else(|| permission::no_role(&asked, &hop))?;
    let grant = grant(&inner.state, role, &asked, &hop, &own)?;
    let credentials = inner.issue(&grant, false);
    Ok(xml(&inner.state, &grant, &credentials))
}

/// A hop as the caller's account sees it.
struct Hop {
    /// The caller's ARN.
    caller: String,
    principal: Principal,
    /// The caller's account.
    account: String,
    /// Role chaining: the caller is itself a session of a role.
    chained: bool,
    /// The caller's own, or the one that is set now.
    source_identity: Option<String>,
    /// Those that are passed and those that are inherited.
    tags: Tags,
    facts: Facts,
}

impl Hop {
    fn plan(inner: &Inner, caller: &Caller, asked: &Asked) -> Result<Hop, Refusal> {
        let account = inner.state.account.clone();
        let (source_identity, tags) = match caller {
            Caller::User(_) => (asked.source_identity.clone(), asked.tags.clone()),
            Caller::Session(session) => {
                let own = Some(session.shown.source_identity.clone()).filter(|identity| !identity.is_empty());
                if let (Some(own), Some(new)) = (&own, &asked.source_identity) {
                    return Err(Refusal::new(Rule::AssumeRoleIdentitySet, format!("{own}, asked for {new}")));
                }
                (own.or_else(|| asked.source_identity.clone()), asked.tags.clone().and_inherited(session)?)
            }
        };
        let mut hop = Hop {
            caller: caller.arn(&account),
            principal: permission::principal(caller, &account),
            account,
            chained: matches!(caller, Caller::Session(_)),
            source_identity,
            tags,
            facts: Facts::default(),
        };
        hop.facts = permission::facts(inner, caller, asked, &hop);
        Ok(hop)
    }
}

fn grant(state: &State, role: &Role, asked: &Asked, hop: &Hop, own: &[OwnSide]) -> Result<Grant, Refusal> {
    permission::check(role, asked, hop, own)?;
    let session_policies = session_policies::collect(asked, state)?;
    let packed = session_policies::packed_percent(asked, &hop.tags)?;
    check_duration(role, asked, hop)?;
    Ok(Grant {
        role_arn: asked.role_arn.clone(),
        role_name: role.name.clone(),
        session_name: asked.session_name.clone(),
        source_identity: hop.source_identity.clone().unwrap_or_default(),
        tags: hop.tags.values.clone(),
        transitive_tag_keys: hop.tags.transitive.clone(),
        seconds: asked.seconds,
        packed_percent: packed.unwrap_or_default(),
        session_policies,
        ..Grant::default()
    })
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>
fn check_duration(role: &Role, asked: &Asked, hop: &Hop) -> Result<(), Refusal> {
    if hop.chained && asked.seconds > MAX_CHAINED_SECONDS {
        return Err(Refusal::new(Rule::AssumeRoleChained, format!("{} s", asked.seconds)));
    }
    if asked.seconds > role.max_session_duration {
        let detail = format!("{} s, the role allows {} s", asked.seconds, role.max_session_duration);
        return Err(Refusal::new(Rule::AssumeRoleTooLong, detail));
    }
    Ok(())
}

fn xml(state: &State, grant: &Grant, credentials: &Credentials) -> String {
    let packed = match grant.packed_percent {
        0 => String::new(),
        percent => format!("    <PackedPolicySize>{percent}</PackedPolicySize>\n"),
    };
    let identity = match grant.source_identity.as_str() {
        "" => String::new(),
        identity => format!("    <SourceIdentity>{}</SourceIdentity>\n", escape(identity)),
    };
    format!(
        "    <AssumedRoleUser>\n      <AssumedRoleId>{}</AssumedRoleId>\n      <Arn>{}</Arn>\n    </AssumedRoleUser>\n    \
         <Credentials>\n      <AccessKeyId>{}</AccessKeyId>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <SessionToken>{}</SessionToken>\n      <Expiration>{}</Expiration>\n    </Credentials>\n{packed}{identity}",
        escape(&user_id(&grant.role_arn, &grant.session_name)),
        escape(&assumed_role_arn(&state.account, grant)),
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
        clock::seconds(credentials.expiration),
    )
}
