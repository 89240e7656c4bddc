//! A page of a list: clients of `OpenBao` ask for `after` and `limit`, as its own engines take them.

use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::field::Field;
use crate::params::Params;
use crate::values::Values;

/// The part of a list that a request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyPage {
    /// Only keys behind this one, which need not exist.
    after: String,
    /// How many; all if none.
    limit: Option<usize>,
}

impl Params for KeyPage {
    const FIELDS: &'static [Field] = &[
        Field::string("after", "only keys behind this one, which need not exist"),
        Field::int("limit", "number of keys in the answer; 0 for all of them").default_text("0"),
    ];

    fn from_values(values: &Values) -> Result<KeyPage, Fault> {
        let limit = values.int("limit")?.and_then(|limit| usize::try_from(limit).ok());
        Ok(KeyPage {
            after: values.string("after")?.unwrap_or_default(),
            limit: limit.filter(|limit| *limit > 0),
        })
    }
}

impl KeyPage {
    /// Leaves the page of a list's answer: keys in the order of their bytes, and the details of these alone. A request without `after`
    /// and `limit` changes nothing.
    pub(crate) fn cut(&self, data: &mut Map<String, Value>) {
        if *self == KeyPage::default() {
            return;
        }
        let Some(Value::Array(all)) = data.remove("keys") else { return };
        let mut keys: Vec<String> = all.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        keys.retain(|key| *key > self.after);
        keys.sort_unstable();
        keys.truncate(self.limit.unwrap_or(usize::MAX));
        if let Some(Value::Object(mut info)) = data.remove("key_info") {
            info.retain(|key, _| keys.contains(key));
            if !info.is_empty() {
                data.insert("key_info".to_owned(), info.into());
            }
        }
        if !keys.is_empty() {
            data.insert("keys".to_owned(), keys.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cut(after: &str, limit: Option<usize>) -> Value {
        let Value::Object(mut data) = json!({
            "keys": ["c", "a", "d", "b"],
            "key_info": { "a": { "n": 1 }, "b": { "n": 2 }, "d": { "n": 4 } },
        }) else {
            unreachable!()
        };
        KeyPage { after: after.to_owned(), limit }.cut(&mut data);
        data.into()
    }

    #[test]
    fn a_page_is_in_order_and_has_the_details_of_its_keys_alone() {
        assert_eq!(
            cut("", Some(2)),
            json!({ "keys": ["a", "b"], "key_info": { "a": { "n": 1 }, "b": { "n": 2 } } })
        );
        assert_eq!(cut("b", Some(1)), json!({ "keys": ["c"] }));
        assert_eq!(cut("bb", None), json!({ "keys": ["c", "d"], "key_info": { "d": { "n": 4 } } }));
    }

    #[test]
    fn a_page_behind_the_last_key_is_empty() {
        assert_eq!(cut("d", Some(9)), json!({}));
    }

    #[test]
    fn without_either_the_list_stays_as_it_is() {
        assert_eq!(cut("", None)["keys"], json!(["c", "a", "d", "b"]));
    }
}
