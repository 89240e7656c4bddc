//! One condition: operator, key and values.

use serde_json::Value;

use super::{Facts, PolicyError, texts};

/// `StringEquals {"aws:SourceArn": […]}`.
#[derive(Debug)]
pub(super) struct Condition {
    operator: Operator,
    key: Key,
    values: Vec<String>,
    /// As written, for the log.
    text: String,
}

#[derive(Clone, Copy, Debug)]
struct Operator {
    test: Test,
    negated: bool,
    /// `…IfExists`: an absent key is no obstacle.
    if_exists: bool,
    set: Set,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    Arn,
    Bool,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Single,
    ForAnyValue,
    ForAllValues,
}

#[derive(Clone, Debug)]
enum Key {
    SourceArn,
    SourceAccount,
    SourceIdentity,
    SessionName,
    TagKeys,
    /// The tag's key, in lower case.
    Tag(String),
}

impl Condition {
    pub(super) fn parse_all(json: Option<&Value>) -> Result<Vec<Condition>, PolicyError> {
        let Some(json) = json else { return Ok(Vec::new()) };
        let operators = json.as_object().ok_or(PolicyError::Shape("Condition"))?;
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let operator = Operator::parse(name)?;
            for (key, values) in keys.as_object().ok_or(PolicyError::Shape("Condition"))? {
                conditions.push(Condition::parse(operator, name, key, values)?);
            }
        }
        Ok(conditions)
    }

    fn parse(operator: Operator, name: &str, key: &str, values: &Value) -> Result<Condition, PolicyError> {
        let values = match values {
            Value::Bool(one) => vec![one.to_string()],
            values => texts(Some(values)).ok_or(PolicyError::Shape("a condition's value"))?,
        };
        if let Some(variable) = values.iter().find(|value| value.contains("${")) {
            return Err(PolicyError::Variable(variable.clone()));
        }
        let text = format!("{name} {key} {values:?}");
        Ok(Condition { operator, key: Key::parse(key)?, values, text })
    }

    /// Why the condition is false, or `None` if it is true.
    pub(super) fn unmet(&self, facts: &Facts) -> Option<String> {
        let actual = self.key.values(facts);
        (!self.is_met(&actual)).then(|| format!("{} is false: it is {actual:?}", self.text))
    }

    fn is_met(&self, actual: &[String]) -> bool {
        let Operator { test, negated, if_exists, set } = self.operator;
        if test == Test::Null {
            return self.values.iter().any(|wanted| (wanted == "true") == actual.is_empty());
        }
        if actual.is_empty() {
            return if_exists || set == Set::ForAllValues || (negated && set == Set::Single);
        }
        let one = |value: &String| self.values.iter().any(|wanted| test.holds(wanted, value)) != negated;
        match set {
            Set::ForAllValues => actual.iter().all(one),
            Set::Single | Set::ForAnyValue => actual.iter().any(one),
        }
    }
}

impl Operator {
    fn parse(name: &str) -> Result<Operator, PolicyError> {
        let (set, rest) = match name.split_once(':') {
            Some(("ForAnyValue", rest)) => (Set::ForAnyValue, rest),
            Some(("ForAllValues", rest)) => (Set::ForAllValues, rest),
            Some(_) => return Err(PolicyError::Operator(name.to_owned())),
            None => (Set::Single, name),
        };
        let (base, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |base| (base, true));
        let (test, negated) = match base {
            "StringEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringEqualsIgnoreCase" => (Test::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Test::EqualsIgnoreCase, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "Bool" => (Test::Bool, false),
            "Null" if !if_exists && set == Set::Single => (Test::Null, false),
            _ => return Err(PolicyError::Operator(name.to_owned())),
        };
        Ok(Operator { test, negated, if_exists, set })
    }
}

impl Test {
    fn holds(self, wanted: &str, actual: &str) -> bool {
        match self {
            Test::Equals => wanted == actual,
            Test::EqualsIgnoreCase | Test::Bool => wanted.to_lowercase() == actual.to_lowercase(),
            Test::Like => like(wanted, actual),
            Test::Arn => arn_like(wanted, actual),
            Test::Null => false,
        }
    }
}

/// `*` is any run of characters, `?` any one.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < text.len() {
        if at < pattern.len() && pattern[at] == '*' {
            star = Some((at, from));
            at += 1;
        } else if at < pattern.len() && (pattern[at] == '?' || pattern[at] == text[from]) {
            at += 1;
            from += 1;
        } else if let Some((star_at, star_from)) = star {
            star = Some((star_at, star_from + 1));
            at = star_at + 1;
            from = star_from + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}

/// Each of the six parts on its own, so that `*` does not reach over a colon.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<&str>, Vec<&str>) =
        (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(pattern, part)| like(pattern, part))
}

impl Key {
    /// Keys are matched without regard to case.
    fn parse(name: &str) -> Result<Key, PolicyError> {
        let lower = name.to_ascii_lowercase();
        if let Some(tag) =
            lower.strip_prefix("aws:principaltag/").or_else(|| lower.strip_prefix("aws:requesttag/"))
        {
            return Ok(Key::Tag(tag.to_owned()));
        }
        match lower.as_str() {
            "aws:sourcearn" => Ok(Key::SourceArn),
            "aws:sourceaccount" => Ok(Key::SourceAccount),
            "aws:tagkeys" => Ok(Key::TagKeys),
            "sts:sourceidentity" => Ok(Key::SourceIdentity),
            "sts:rolesessionname" => Ok(Key::SessionName),
            _ => Err(PolicyError::Key(name.to_owned())),
        }
    }

    fn values(&self, facts: &Facts) -> Vec<String> {
        match self {
            Key::SourceArn => vec![facts.source_arn.clone()],
            Key::SourceAccount => vec![facts.source_account.clone()],
            Key::SourceIdentity => vec![facts.source_identity.clone()],
            Key::SessionName => vec![facts.session_name.clone()],
            Key::TagKeys => facts.tags.keys().cloned().collect(),
            Key::Tag(wanted) => {
                let tag = facts.tags.iter().find(|(key, _)| key.to_ascii_lowercase() == *wanted);
                tag.map(|(_, value)| value.clone()).into_iter().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts() -> Facts {
        Facts {
            source_arn: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a".to_owned(),
            source_account: "111122223333".to_owned(),
            source_identity: "CN=payments.api".to_owned(),
            session_name: "01ff".to_owned(),
            tags: [("x509Subject/CN".to_owned(), "payments.api".to_owned())].into(),
        }
    }

    fn met(condition: &Value) -> bool {
        let conditions = Condition::parse_all(Some(condition)).unwrap();
        conditions.iter().all(|condition| condition.unmet(&facts()).is_none())
    }

    #[test]
    fn an_absent_tag_fails_string_equals_and_passes_string_not_equals() {
        let key = "aws:PrincipalTag/x509SAN/URI";

        assert!(!met(&json!({"StringEquals": {key: "spiffe://a/b"}})));
        assert!(met(&json!({"StringNotEquals": {key: "spiffe://a/b"}})));
        assert!(met(&json!({"StringEqualsIfExists": {key: "spiffe://a/b"}})));
        assert!(met(&json!({"Null": {key: "true"}})));
        assert!(!met(&json!({"Null": {key: "false"}})));
        assert!(!met(&json!({"ForAnyValue:StringEquals": {key: "spiffe://a/b"}})));
        assert!(met(&json!({"ForAllValues:StringEquals": {key: "spiffe://a/b"}})));
    }

    #[test]
    fn tag_keys_ignore_case_and_tag_values_do_not() {
        assert!(met(&json!({"StringEquals": {"AWS:principaltag/X509subject/cn": "payments.api"}})));
        assert!(!met(&json!({"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "Payments.api"}})));
        assert!(met(&json!({"StringLike": {"aws:PrincipalTag/x509Subject/CN": ["x", "payments.*"]}})));
        assert!(!met(&json!({"StringNotLike": {"sts:SourceIdentity": "CN=pay*"}})));
    }

    #[test]
    fn an_arn_pattern_does_not_reach_over_a_colon() {
        assert!(met(
            &json!({"ArnEquals": {"aws:SourceArn": "arn:aws:rolesanywhere:*:111122223333:trust-anchor/*"}})
        ));
        assert!(!met(&json!({"ArnLike": {"aws:SourceArn": "arn:aws:*:trust-anchor/a"}})));
    }

    #[test]
    fn every_condition_must_be_met() {
        let both =
            json!({"StringEquals": {"aws:SourceAccount": "111122223333", "sts:RoleSessionName": "other"}});

        assert!(!met(&both));
    }

    #[test]
    fn wildcards_backtrack() {
        assert!(like("a*b?d*", "aXXbYbcd"));
        assert!(!like("a*b", "abc"));
        assert!(like("*", ""));
    }
}
