//! One statement of a trust policy, with the members that are checked.

use std::collections::BTreeMap;

use serde_json::Value;

use super::mismatch::Mismatch;
use crate::arn::TrustAnchorArn;
use crate::wildcards::Wildcards::StarAndQuestionMark;

/// A statement. Members that are neither text nor list are read as empty.
pub(super) struct Statement {
    allows: bool,
    services: Vec<String>,
    /// Accounts, users, roles or everybody.
    others: Vec<String>,
    actions: Vec<String>,
    obscurity: Option<&'static str>,
    pub(super) conditions: Vec<Condition>,
}

/// One operator on one key.
pub(super) struct Condition {
    /// As the document spells it.
    pub(super) operator: String,
    /// As the document spells it.
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

impl Statement {
    pub(super) fn of(value: &Value) -> Self {
        let obscure = ["NotPrincipal", "NotAction"].into_iter().find(|member| value.get(member).is_some());
        let denies = value["Effect"] == "Deny";
        Self {
            allows: value["Effect"] == "Allow",
            services: texts(&value["Principal"]["Service"]),
            others: [texts(&value["Principal"]), texts(&value["Principal"]["AWS"])].concat(),
            actions: texts(&value["Action"]),
            obscurity: obscure.or(denies.then_some("Effect Deny")),
            conditions: conditions(&value["Condition"]),
        }
    }

    /// Why the statement is not checked.
    pub(super) fn obscurity(&self) -> Option<&'static str> {
        self.obscurity
    }

    pub(super) fn allows_service(&self, service: &str) -> bool {
        self.allows && self.services.iter().any(|one| one == service)
    }

    /// The other principals that may assume the role by it, besides services.
    pub(super) fn lets_in_others(&self) -> Option<String> {
        let opens = self.allows && self.has_action("sts:AssumeRole") && !self.others.is_empty();
        opens.then(|| self.others.join(", "))
    }

    /// IAM compares actions without regard to case.
    pub(super) fn has_action(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        self.actions.iter().any(|one| StarAndQuestionMark.fit(&one.to_ascii_lowercase(), &action))
    }
}

impl Condition {
    /// Whether it tests tags made from the certificate, or the source identity, which is its common name. The issuer's
    /// tags are equal for every certificate of the CA, and distinguish nobody.
    pub(super) fn is_about_the_certificate(&self) -> bool {
        let key = self.key.to_ascii_lowercase();
        let tag = key.strip_prefix("aws:principaltag/").or_else(|| key.strip_prefix("aws:requesttag/"));
        key == "sts:sourceidentity" || tag.is_some_and(|tag| !tag.starts_with("x509issuer/"))
    }

    /// Returns the mismatch if a session does not meet it, and it compares texts of the certificate.
    pub(super) fn unmet(&self, tags: &BTreeMap<String, String>, source_identity: &str) -> Option<Mismatch> {
        let operator = self.operator.to_ascii_lowercase();
        let compares = ["stringequals", "stringequalsignorecase", "stringlike"];
        if !self.is_about_the_certificate() || !compares.contains(&operator.trim_end_matches("ifexists")) {
            return None;
        }
        let given = match self.key.split_once('/') {
            Some((_, name)) => {
                tags.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
            }
            None => Some(source_identity),
        };
        let is_met = |given: &str| self.values.iter().any(|value| self.compares(&operator, value, given));
        if given.map_or(operator.ends_with("ifexists"), is_met) {
            return None;
        }
        Some(Mismatch { key: self.key.clone(), wanted: self.values.clone(), given: given.map(str::to_owned) })
    }

    fn compares(&self, operator: &str, value: &str, given: &str) -> bool {
        if operator.contains("ignorecase") {
            value.eq_ignore_ascii_case(given)
        } else {
            self.fits(value, given)
        }
    }

    /// Whether a request without the key meets the condition.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
    pub(super) fn passes_when_absent(&self) -> bool {
        let operator = self.operator.to_ascii_lowercase();
        let null = operator == "null" && self.values.iter().any(|value| value.eq_ignore_ascii_case("true"));
        operator.ends_with("ifexists")
            || operator.starts_with("forallvalues:")
            || operator.contains("not")
            || null
    }

    /// Whether every value meets the condition.
    pub(super) fn takes_anything(&self) -> bool {
        let operator = self.operator.to_ascii_lowercase();
        let star = |value: &String| {
            let value = value.strip_prefix("CN=").unwrap_or(value);
            value.contains('*') && value.bytes().all(|b| b == b'*' || b == b'?')
        };
        (has_patterns(&operator) && self.values.iter().any(star)) || operator == "null"
    }

    /// Whether the condition admits named trust anchors only. A session of Roles Anywhere always has the key.
    pub(super) fn ties_to_source(&self) -> bool {
        let operator = self.operator.to_ascii_lowercase();
        let positive = ["arnequals", "arnlike", "stringequals", "stringlike"];
        let name = operator.rsplit(':').next().unwrap_or_default().trim_end_matches("ifexists");
        self.key.eq_ignore_ascii_case("aws:SourceArn") && positive.contains(&name)
    }

    pub(super) fn lets_in(&self, arn: &str) -> bool {
        self.values.iter().any(|value| self.fits(value, arn))
    }

    /// Returns the values that would also admit a future anchor of the same account.
    pub(super) fn wide_values(&self, anchor: &TrustAnchorArn) -> Vec<String> {
        let start = anchor.as_str().rsplit_once('/').map_or("", |(start, _)| start);
        let other = format!("{start}/00000000-0000-4000-8000-000000000000");
        self.values.iter().filter(|value| self.fits(value, &other)).cloned().collect()
    }

    fn fits(&self, value: &str, text: &str) -> bool {
        if has_patterns(&self.operator.to_ascii_lowercase()) {
            StarAndQuestionMark.fit(value, text)
        } else {
            value == text
        }
    }
}

/// `ArnEquals` means the same as `ArnLike`.
fn has_patterns(operator: &str) -> bool {
    operator.contains("like") || operator.contains("arnequals")
}

fn conditions(value: &Value) -> Vec<Condition> {
    let operators = value.as_object().into_iter().flatten();
    let all = operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, values)| Condition {
            operator: operator.clone(),
            key: key.clone(),
            values: texts(values),
        })
    });
    all.collect()
}

/// Reads a text, or a list of texts.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Bool(flag) => vec![flag.to_string()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
