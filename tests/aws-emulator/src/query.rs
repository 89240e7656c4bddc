//! AWS's Query protocol, as STS and IAM speak it: the request is a form, the answer XML.

use std::collections::BTreeMap;

use crate::{
    http::{Call, Reply},
    rules::{Refusal, Rule},
};

/// One member of a list: its fields by name.
pub(crate) type Member = BTreeMap<String, String>;

/// The request's parameters, from the form or the query.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn of(call: &Call) -> Parameters {
        Parameters(if call.method == "POST" { call.form_pairs() } else { call.query_pairs() })
    }

    /// The first value of a parameter, empty without one.
    pub(crate) fn first(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// The one value of a parameter; a second one breaks `bounds`.
    pub(crate) fn one(&self, name: &str, bounds: Rule) -> Result<Option<&str>, Refusal> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(second)) => Err(Refusal::constraint(bounds, name, second, "Member must be given once")),
            (first, None) => Ok(first),
        }
    }

    /// The members of a list, in their order: `<list>.member.<number>.<field>`, and without a field `<list>.member.<number>`. A field given twice
    /// breaks `bounds`.
    pub(crate) fn members(&self, list: &str, bounds: Rule) -> Result<Vec<Member>, Refusal> {
        let mut members: BTreeMap<u32, Member> = BTreeMap::new();
        for (name, value) in &self.0 {
            let Some(rest) = name.strip_prefix(list).and_then(|rest| rest.strip_prefix(".member.")) else {
                continue;
            };
            let (number, field) = rest.split_once('.').unwrap_or((rest, ""));
            let number = number.parse().map_err(|_| Refusal::member(bounds, name))?;
            if members.entry(number).or_default().insert(field.to_owned(), value.clone()).is_some() {
                return Err(Refusal::constraint(bounds, name, value, "Member must be given once"));
            }
        }
        Ok(members.into_values().collect())
    }

    /// The first parameter that is neither among `known` nor of one of the `lists`.
    pub(crate) fn other_than(&self, known: &[&str], lists: &[&str]) -> Option<&str> {
        let of_a_list = |name: &str| {
            let rest = |list: &&str| name.strip_prefix(*list);
            lists.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with(".member."))
        };
        let unknown = |name: &&str| !known.contains(name) && !of_a_list(name);
        self.0.iter().map(|(name, _)| name.as_str()).find(unknown)
    }
}

/// `<OperationResponse>` around a result, which may be empty.
pub(crate) fn response(namespace: &str, operation: &str, result: &str, request_id: &str) -> Reply {
    let result = match result {
        "" => String::new(),
        result => format!("  <{operation}Result>\n{result}  </{operation}Result>\n"),
    };
    let body = format!(
        "<{operation}Response xmlns=\"{namespace}\">\n{result}  <ResponseMetadata>\n    \
         <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n</{operation}Response>\n"
    );
    Reply::new(200, "text/xml", body)
}

/// The error document.
pub(crate) fn refusal(namespace: &str, refusal: &Refusal, request_id: &str) -> Reply {
    let row = refusal.rule.row();
    let party = if row.status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{party}</Type>\n    \
         <Code>{:?}</Code>\n    <Message>{}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n",
        row.kind,
        escape(&refusal.message),
    );
    Reply::new(row.status, "text/xml", body)
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
