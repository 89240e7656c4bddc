//! The request's parameters, in either of the two shapes that AWS accepts: ARNs in the query string, or all in the body.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::{
    arn::Arn,
    http::Call,
    rules::{Refusal, Rule},
};

/// AWS's pattern for the STS session name; its length is 2-64.
pub(crate) const SESSION_NAME: &str = "[\\w+=,.@-]*";
const ANCHOR: &str = "arn:aws(-[^:]+)?:rolesanywhere(:.*){2}(:trust-anchor.*|:alias/trust-anchor/.*)";
const PROFILE: &str = "arn:aws(-[^:]+)?:rolesanywhere(:.*){2}(:profile/.*)";
const ROLE: &str = "arn:aws(-[^:]+)?:iam(:.*){2}(:role.*)";
const IN_QUERY: [&str; 3] = ["trustAnchorArn", "profileArn", "roleArn"];
/// `sessionName` is deprecated and ignored; old clients still send it.
const IN_BODY: [&str; 4] = ["durationSeconds", "roleSessionName", "instanceProperties", "sessionName"];

/// The requested session, checked member by member.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) trust_anchor: Arn,
    pub(super) profile: Arn,
    pub(super) role: Arn,
    pub(super) role_arn: String,
    /// Seconds, 900-43200.
    pub(super) duration: Option<u32>,
    pub(super) session_name: SessionName,
}

/// `null` counts as setting it, as a published client warns.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SessionName {
    Absent,
    Null,
    Given(String),
}

impl SessionName {
    pub(super) fn given(&self) -> Option<&String> {
        match self {
            SessionName::Given(name) => Some(name),
            _ => None,
        }
    }
}

impl Parameters {
    pub(super) fn read(call: &Call) -> Result<Parameters, Refusal> {
        let members = Members::read(call)?;
        let (trust_anchor, _) = members.arn(
            "trustAnchorArn",
            ANCHOR,
            "rolesanywhere",
            &["trust-anchor", "alias/trust-anchor/"],
        )?;
        let (profile, _) = members.arn("profileArn", PROFILE, "rolesanywhere", &["profile/"])?;
        let (role, role_arn) = members.arn("roleArn", ROLE, "iam", &["role"])?;
        members.instance_properties()?;
        let duration = members.duration()?;
        let session_name = members.session_name()?;
        Ok(Parameters { trust_anchor, profile, role, role_arn, duration, session_name })
    }
}

/// Each member once, from query and body together.
struct Members(Vec<(String, Value)>);

impl Members {
    fn read(call: &Call) -> Result<Members, Refusal> {
        let query: Vec<_> =
            call.query_pairs().into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let body = body_members(&call.body)?;
        known(&query, &IN_QUERY)?;
        known(&body, &[IN_QUERY.as_slice(), IN_BODY.as_slice()].concat())?;
        no_duplicate(&query)?;
        no_duplicate(&body)?;
        let mut members = query;
        for (name, value) in body {
            match members.iter().find(|(known, _)| *known == name) {
                Some((_, same)) if *same == value => {}
                Some(_) => return Err(Refusal::member(Rule::Conflict, &name)),
                None => members.push((name, value)),
            }
        }
        Ok(Members(members))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn arn(
        &self,
        member: &str,
        pattern: &str,
        service: &str,
        resources: &[&str],
    ) -> Result<(Arn, String), Refusal> {
        let text = match self.get(member) {
            None | Some(Value::Null) => return Err(Refusal::member(Rule::Missing, member)),
            Some(Value::String(text)) => text,
            Some(_) => return Err(wrong_type(member, "a string")),
        };
        if text.is_empty() || text.chars().count() > 1011 {
            let constraint = "Member must have length between 1 and 1011";
            return Err(Refusal::constraint(Rule::MalformedArn, member, text, constraint));
        }
        let fits =
            |arn: &Arn| arn.service == service && resources.iter().any(|kind| arn.resource.starts_with(kind));
        let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
        let arn = Arn::parse(text).filter(fits);
        let arn = arn.ok_or_else(|| Refusal::constraint(Rule::MalformedArn, member, text, &constraint))?;
        Ok((arn, text.clone()))
    }

    fn duration(&self) -> Result<Option<u32>, Refusal> {
        let Some(value) = self.get("durationSeconds") else { return Ok(None) };
        let seconds = value.as_i64().ok_or_else(|| wrong_type("durationSeconds", "an integer"))?;
        let outside = |constraint| {
            Refusal::constraint(Rule::Duration, "durationSeconds", &seconds.to_string(), constraint)
        };
        match u32::try_from(seconds) {
            Ok(seconds @ 900..=43_200) => Ok(Some(seconds)),
            Ok(43_201..) => Err(outside("Member must have value less than or equal to 43200")),
            _ if seconds > 43_200 => Err(outside("Member must have value less than or equal to 43200")),
            _ => Err(outside("Member must have value greater than or equal to 900")),
        }
    }

    fn session_name(&self) -> Result<SessionName, Refusal> {
        match self.get("roleSessionName") {
            None => Ok(SessionName::Absent),
            Some(Value::Null) => Ok(SessionName::Null),
            Some(Value::String(name)) if is_session_name(name) => Ok(SessionName::Given(name.clone())),
            Some(Value::String(name)) => Err(bad_session_name(name)),
            Some(_) => Err(wrong_type("roleSessionName", "a string")),
        }
    }

    fn instance_properties(&self) -> Result<(), Refusal> {
        let Some(value) = self.get("instanceProperties") else { return Ok(()) };
        let properties = value.as_object().ok_or_else(|| wrong_type("instanceProperties", "an object"))?;
        let outside = |value: &str, constraint| {
            Refusal::constraint(Rule::InstanceProperties, "instanceProperties", value, constraint)
        };
        if properties.len() > 50 {
            return Err(outside(
                &properties.len().to_string(),
                "Member must have size less than or equal to 50",
            ));
        }
        for (key, value) in properties {
            let value =
                value.as_str().ok_or_else(|| wrong_type("instanceProperties", "an object of strings"))?;
            let bad =
                [key.as_str(), value].into_iter().find(|text| !(1..=200).contains(&text.chars().count()));
            if let Some(bad) = bad {
                return Err(outside(bad, "Member must have length between 1 and 200"));
            }
        }
        Ok(())
    }
}

pub(super) fn bad_session_name(name: &str) -> Refusal {
    let constraint = match name.chars().count() {
        0 | 1 => "Member must have length greater than or equal to 2".to_owned(),
        2..=64 => format!("Member must satisfy regular expression pattern: {SESSION_NAME}"),
        _ => "Member must have length less than or equal to 64".to_owned(),
    };
    Refusal::constraint(Rule::SessionName, "roleSessionName", name, &constraint)
}

/// 2-64 of `[\w+=,.@-]`: STS accepts it as session name and as source identity.
pub(crate) fn is_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character))
}

fn wrong_type(member: &str, wanted: &str) -> Refusal {
    Refusal::member(Rule::BodyMalformed, &format!("{member} must be {wanted}"))
}

fn known(members: &[(String, Value)], names: &[&str]) -> Result<(), Refusal> {
    match members.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        Some((name, _)) => Err(Refusal::member(Rule::UnknownParameter, name)),
        None => Ok(()),
    }
}

fn no_duplicate(members: &[(String, Value)]) -> Result<(), Refusal> {
    let twice = members
        .iter()
        .enumerate()
        .find(|(at, (name, _))| members[..*at].iter().any(|(known, _)| known == name));
    match twice {
        Some((_, (name, _))) => Err(Refusal::member(Rule::Duplicate, name)),
        None => Ok(()),
    }
}

/// The members of a JSON object with duplicates kept; an empty body has none.
fn body_members(body: &[u8]) -> Result<Vec<(String, Value)>, Refusal> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let members = json.deserialize_map(EveryMember).and_then(|members| json.end().map(|()| members));
    members.map_err(|error| Refusal::member(Rule::BodyMalformed, &error.to_string()))
}

struct EveryMember;

impl<'de> Visitor<'de> for EveryMember {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ANCHOR_ARN: &str = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a";
    const PROFILE_ARN: &str = "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/p";
    const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/demo";

    fn in_query() -> String {
        format!("profileArn={PROFILE_ARN}&roleArn={ROLE_ARN}&trustAnchorArn={ANCHOR_ARN}")
            .replace(':', "%3A")
            .replace('/', "%2F")
    }

    fn rule(query: &str, body: &str) -> Option<Rule> {
        let call = Call { query: query.to_owned(), body: body.as_bytes().to_vec(), ..Call::default() };
        Parameters::read(&call).err().map(|refusal| refusal.rule)
    }

    #[test]
    fn the_arns_may_stand_in_the_query_or_in_the_body() {
        let body = json!({"trustAnchorArn": ANCHOR_ARN, "profileArn": PROFILE_ARN, "roleArn": ROLE_ARN, "durationSeconds": 900});

        assert_eq!(rule(&in_query(), r#"{"durationSeconds":900}"#), None);
        assert_eq!(rule("", &body.to_string()), None);
        assert_eq!(rule(&in_query(), &body.to_string()), None);
    }

    #[test]
    fn a_parameter_in_both_places_with_two_values_is_refused() {
        assert_eq!(
            rule(&in_query(), r#"{"roleArn":"arn:aws:iam::111122223333:role/other"}"#),
            Some(Rule::Conflict)
        );
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        assert_eq!(rule(&format!("{}&roleArn={ROLE_ARN}", in_query()), ""), Some(Rule::Duplicate));
        assert_eq!(
            rule(&in_query(), r#"{"durationSeconds":900,"durationSeconds":900}"#),
            Some(Rule::Duplicate)
        );
    }

    #[test]
    fn a_duration_is_an_integer_from_900_to_43200() {
        for (text, expected) in [
            ("899", Some(Rule::Duration)),
            ("900", None),
            ("43200", None),
            ("43201", Some(Rule::Duration)),
            ("-1", Some(Rule::Duration)),
            ("\"900\"", Some(Rule::BodyMalformed)),
            ("900.5", Some(Rule::BodyMalformed)),
            ("null", Some(Rule::BodyMalformed)),
        ] {
            assert_eq!(rule(&in_query(), &format!("{{\"durationSeconds\":{text}}}")), expected, "{text}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_and_an_unknown_member_are_refused() {
        assert_eq!(rule(&in_query(), "[]"), Some(Rule::BodyMalformed));
        assert_eq!(rule(&in_query(), "{} {}"), Some(Rule::BodyMalformed));
        assert_eq!(rule(&in_query(), r#"{"duration":900}"#), Some(Rule::UnknownParameter));
    }
}
