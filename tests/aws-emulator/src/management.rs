//! The management API of Roles Anywhere: trust anchors, profiles, CRLs and tags, signed with a management key or by a session whose role
//! permits it.

mod anchors;
mod crls;
mod mappings;
mod notifications;
mod permission;
mod profiles;
mod tagging;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    caller::{Caller, ROLES_ANYWHERE},
    clock,
    create_session::{random, uuid},
    http::{Call, Reply, decode},
    rules::{Refusal, Rule},
    state::State,
    world::{Inner, World},
};

/// AWS's pattern for names of resources; 1-255 characters.
const NAME: &str = "^[ a-zA-Z0-9-_]*$";

/// Runs one operation on the account.
type Run = fn(&mut Account<'_>, &Input) -> Result<Reply, Refusal>;

/// The input of an operation.
struct Input {
    /// The identifier in the path as a UUID; empty for collections.
    id: String,
    query: Vec<(String, String)>,
    body: Map<String, Value>,
}

/// The account while one operation holds its lock.
struct Account<'a> {
    inner: &'a mut Inner,
    caller: Caller,
    now: OffsetDateTime,
}

/// The operation's name, `CreateSession` among them; `-` for an unknown path.
pub(crate) fn operation(call: &Call) -> &'static str {
    if (call.method.as_str(), call.path.as_str()) == ("POST", "/sessions") {
        return "CreateSession";
    }
    find(call).map_or("-", |(name, _, _)| name)
}

/// In AWS's order: signature, quota, parameters, permission, and then whether the resource exists.
pub(crate) fn answer(world: &World, call: &Call) -> Result<Reply, Refusal> {
    let unknown = || Refusal::new(Rule::UnknownOperation, format!("{} {}", call.method, call.path));
    let (name, run, identifier) = find(call).ok_or_else(unknown)?;
    let mut inner = world.lock();
    let now = inner.now();
    let caller = Caller::identify(&inner, call, "rolesanywhere", ROLES_ANYWHERE)?;
    let limit = inner.knobs.management_tps;
    if !inner.admits(permission::group(name), limit) {
        return Err(Refusal::new(
            Rule::Throttled,
            format!("knob management_tps: {}", permission::group(name)),
        ));
    }
    let id = resource_id(&inner.state, &identifier)?;
    let input = Input { id, query: call.query_pairs(), body: body(call)? };
    let mut account = Account { inner: &mut inner, caller, now };
    let resource = permission::resource(&account, name, &input)?;
    account.may(&format!("rolesanywhere:{name}"), &resource)?;
    run(&mut account, &input)
}

fn find(call: &Call) -> Option<(&'static str, Run, String)> {
    let segments: Vec<String> = call.path.trim_start_matches('/').split('/').map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (name, run): (_, Run) = match (call.method.as_str(), segments.as_slice()) {
        ("POST", ["trustanchors"]) => ("CreateTrustAnchor", anchors::create),
        ("GET", ["trustanchors"]) => ("ListTrustAnchors", anchors::list),
        ("GET", ["trustanchor", _]) => ("GetTrustAnchor", anchors::get),
        ("PATCH", ["trustanchor", _]) => ("UpdateTrustAnchor", anchors::update),
        ("DELETE", ["trustanchor", _]) => ("DeleteTrustAnchor", anchors::delete),
        ("POST", ["trustanchor", _, "enable"]) => ("EnableTrustAnchor", anchors::enable),
        ("POST", ["trustanchor", _, "disable"]) => ("DisableTrustAnchor", anchors::disable),
        ("POST", ["profiles"]) => ("CreateProfile", profiles::create),
        ("GET", ["profiles"]) => ("ListProfiles", profiles::list),
        ("GET", ["profile", _]) => ("GetProfile", profiles::get),
        ("PATCH", ["profile", _]) => ("UpdateProfile", profiles::update),
        ("DELETE", ["profile", _]) => ("DeleteProfile", profiles::delete),
        ("PUT", ["profiles", _, "mappings"]) => ("PutAttributeMapping", mappings::put),
        ("DELETE", ["profiles", _, "mappings"]) => ("DeleteAttributeMapping", mappings::delete),
        ("POST", ["profile", _, "enable"]) => ("EnableProfile", profiles::enable),
        ("POST", ["profile", _, "disable"]) => ("DisableProfile", profiles::disable),
        ("POST", ["crls"]) => ("ImportCrl", crls::import),
        ("GET", ["crls"]) => ("ListCrls", crls::list),
        ("GET", ["crl", _]) => ("GetCrl", crls::get),
        ("PATCH", ["crl", _]) => ("UpdateCrl", crls::update),
        ("DELETE", ["crl", _]) => ("DeleteCrl", crls::delete),
        ("POST", ["crl", _, "enable"]) => ("EnableCrl", crls::enable),
        ("POST", ["crl", _, "disable"]) => ("DisableCrl", crls::disable),
        ("PATCH", ["put-notifications-settings"]) => ("PutNotificationSettings", notifications::put),
        ("PATCH", ["reset-notifications-settings"]) => ("ResetNotificationSettings", notifications::reset),
        ("POST", ["TagResource"]) => ("TagResource", tagging::tag),
        ("POST", ["UntagResource"]) => ("UntagResource", tagging::untag),
        ("GET", ["ListTagsForResource"]) => ("ListTagsForResource", tagging::list),
        _ => return None,
    };
    Some((name, run, segments.get(1).copied().unwrap_or_default().to_owned()))
}

/// A UUID as it is, a full ARN of this account reduced to its last part.
fn resource_id(state: &State, identifier: &str) -> Result<String, Refusal> {
    if !identifier.starts_with("arn:") {
        return Ok(identifier.to_owned());
    }
    let ours = format!("arn:aws:rolesanywhere:{}:{}:", state.region, state.account);
    let resource = identifier.strip_prefix(&ours).and_then(|resource| resource.split_once('/'));
    match resource {
        Some((kind, id)) if kind != "alias" => Ok(id.to_owned()),
        _ => Err(not_found("Resource", identifier)),
    }
}

fn body(call: &Call) -> Result<Map<String, Value>, Refusal> {
    if call.body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::member(Rule::BodyMalformed, &error.to_string()))
}

fn not_found(what: &str, id: &str) -> Refusal {
    let mut refusal = Refusal::member(Rule::NotFound, what);
    refusal.detail = format!("{what} {id}");
    refusal
}

/// One page of a list: `pageSize` items from `nextToken` on. The token is the number of items already returned.
fn page(input: &Input, member: &str, items: Vec<Value>) -> Result<Reply, Refusal> {
    let from = input.number("nextToken")?.unwrap_or(0);
    let size = input.number("pageSize")?.unwrap_or(items.len()).max(1);
    let mut body = json!({});
    if from + size < items.len() {
        body["nextToken"] = json!((from + size).to_string());
    }
    body[member] = items.into_iter().skip(from).take(size).collect();
    Ok(Reply::json(200, &body))
}

impl Input {
    fn number(&self, parameter: &str) -> Result<Option<usize>, Refusal> {
        let Some((_, text)) = self.query.iter().find(|(name, _)| name == parameter) else { return Ok(None) };
        let bad = |_| Refusal::constraint(Rule::ManagementBounds, parameter, text, "Member must be a number");
        text.parse::<u16>().map(usize::from).map(Some).map_err(bad)
    }

    fn text(&self, member: &str) -> Result<Option<String>, Refusal> {
        match self.body.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong_type(member, "a string")),
        }
    }

    fn flag(&self, member: &str) -> Result<Option<bool>, Refusal> {
        match self.body.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(wrong_type(member, "a boolean")),
        }
    }

    /// A parameter of the query.
    fn parameter(&self, name: &str) -> Result<String, Refusal> {
        let found = self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        found.ok_or_else(|| Refusal::member(Rule::Missing, name))
    }

    fn required(&self, member: &str) -> Result<String, Refusal> {
        self.text(member)?.ok_or_else(|| Refusal::member(Rule::Missing, member))
    }

    /// 1-255 of `[ a-zA-Z0-9-_]`.
    fn name(&self) -> Result<Option<String>, Refusal> {
        let Some(name) = self.text("name")? else { return Ok(None) };
        let allowed =
            name.chars().all(|character| character.is_ascii_alphanumeric() || " -_".contains(character));
        if allowed && (1..=255).contains(&name.len()) {
            return Ok(Some(name));
        }
        let constraint = if allowed {
            "Member must have length between 1 and 255".to_owned()
        } else {
            format!("Member must satisfy regular expression pattern: {NAME}")
        };
        Err(Refusal::constraint(Rule::ResourceName, "name", &name, &constraint))
    }

    fn required_name(&self) -> Result<String, Refusal> {
        self.name()?.ok_or_else(|| Refusal::member(Rule::Missing, "name"))
    }
}

fn wrong_type(member: &str, wanted: &str) -> Refusal {
    Refusal::member(Rule::BodyMalformed, &format!("{member} must be {wanted}"))
}

impl Account<'_> {
    fn state(&self) -> &State {
        &self.inner.state
    }

    fn change(&mut self) -> &mut State {
        Arc::make_mut(&mut self.inner.state)
    }

    /// A new id, whose time of creation is now.
    fn new_id(&mut self) -> String {
        let id = uuid(&random());
        self.inner.touched.insert(id.clone(), (self.now, self.now));
        id
    }

    fn touch(&mut self, id: &str) {
        let now = self.now;
        self.inner.touched.entry(id.to_owned()).or_insert((now, now)).1 = now;
    }

    /// `createdAt` and `updatedAt`; a resource of the state's file is as old as the request.
    fn with_times(&self, id: &str, mut detail: Value) -> Value {
        let (created, updated) = self.inner.touched.get(id).copied().unwrap_or((self.now, self.now));
        detail["createdAt"] = json!(clock::microseconds(created));
        detail["updatedAt"] = json!(clock::microseconds(updated));
        detail
    }
}
