//! One condition: operator, key and values.

use serde_json::Value;

use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::{
    Kind, PolicyError,
    facts::{Facts, Key},
    texts,
};

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
    /// `…IfExists`: an absent key satisfies it.
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
    /// Whether the actual date may be before, at and after the wanted one.
    Date {
        before: bool,
        at: bool,
        after: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Single,
    ForAnyValue,
    ForAllValues,
}

impl Condition {
    pub(super) fn parse_all(json: Option<&Value>, kind: Kind) -> Result<Vec<Condition>, PolicyError> {
        let Some(json) = json else { return Ok(Vec::new()) };
        let operators = json.as_object().ok_or(PolicyError::Shape("Condition"))?;
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let operator = Operator::parse(name)?;
            for (key, values) in keys.as_object().ok_or(PolicyError::Shape("Condition"))? {
                let key = (key.as_str(), Key::parse(key, kind)?);
                conditions.push(Condition::parse(operator, name, key, values)?);
            }
        }
        Ok(conditions)
    }

    fn parse(
        operator: Operator,
        name: &str,
        (written, key): (&str, Key),
        values: &Value,
    ) -> Result<Condition, PolicyError> {
        let values = match values {
            Value::Bool(one) => vec![one.to_string()],
            values => texts(Some(values)).ok_or(PolicyError::Shape("a condition's value"))?,
        };
        if let Some(variable) = values.iter().find(|value| value.contains("${")) {
            return Err(PolicyError::Variable(variable.clone()));
        }
        let dated = matches!(operator.test, Test::Date { .. });
        if let Some(odd) = values.iter().find(|value| dated && instant(value).is_none()) {
            return Err(PolicyError::Date(odd.clone()));
        }
        let text = format!("{name} {written} {values:?}");
        Ok(Condition { operator, key, values, text })
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
            "DateEquals" => (date(false, true, false), false),
            "DateNotEquals" => (date(false, true, false), true),
            "DateLessThan" => (date(true, false, false), false),
            "DateLessThanEquals" => (date(true, true, false), false),
            "DateGreaterThan" => (date(false, false, true), false),
            "DateGreaterThanEquals" => (date(false, true, true), false),
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
            Test::Date { before, at, after } => match (instant(wanted), instant(actual)) {
                (Some(wanted), Some(actual)) if actual < wanted => before,
                (Some(wanted), Some(actual)) if actual > wanted => after,
                (Some(_), Some(_)) => at,
                _ => false,
            },
        }
    }
}

fn date(before: bool, at: bool, after: bool) -> Test {
    Test::Date { before, at, after }
}

/// ISO 8601 with or without a time, or seconds since 1970.
fn instant(text: &str) -> Option<OffsetDateTime> {
    if let Ok(seconds) = text.parse() {
        return OffsetDateTime::from_unix_timestamp(seconds).ok();
    }
    let day = || Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    let midnight = || day().map(|day| day.midnight().assume_utc());
    OffsetDateTime::parse(text, &Rfc3339).ok().or_else(midnight)
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
    pattern[at..].iter().all(|character| *character == '*')
}

/// Each of the six parts on its own, so that `*` does not reach over a colon.
pub(super) fn arn_like(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<&str>, Vec<&str>) =
        (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(pattern, part)| like(pattern, part))
}

#[cfg(test)]
mod tests {
    use super::super::Fact;
    use super::*;
    use serde_json::json;

    fn facts() -> Facts {
        let anchor = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a";
        Facts::default()
            .with(Fact::SourceArn, anchor)
            .with(Fact::SourceAccount, "111122223333")
            .with(Fact::AssumedSourceIdentity, "CN=payments.api")
            .with(Fact::SessionName, "01ff")
            .with_tags([("x509Subject/CN".to_owned(), "payments.api".to_owned())].into())
    }

    fn met(condition: &Value) -> bool {
        let conditions = Condition::parse_all(Some(condition), Kind::Trust).unwrap();
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
