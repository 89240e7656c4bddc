//! A schema is the only description of what a path takes: each claim about its values.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use vault_backend::{Blame, Field, Values};

const FIELDS: &[Field] = &[
    Field::string("role_arn", "The role."),
    Field::int("max_retries", "How often to try again."),
    Field::bool("use_fips", "FIPS endpoints."),
    Field::duration("ttl", "How long."),
    Field::list("ous", "Units."),
    Field::pairs("tags", "Tags."),
    Field::pem("bundle", "Certificates and a key."),
    Field::string("key_type", "The kind of key.").one_of(&["ec", "rsa"]),
    Field::string("token", "A secret.").sensitive().one_of(&["open"]),
];
const REQUIRED: &[Field] = &[Field::string("text", "What to say.").required()];

fn map(body: Value) -> Map<String, Value> {
    serde_json::from_value(body).unwrap()
}

fn values(body: Value) -> Values {
    Values::from_map(FIELDS, &map(body)).unwrap()
}

fn refusal(body: Value) -> String {
    let fault = Values::from_map(FIELDS, &map(body)).unwrap_err();
    assert_eq!(fault.blame(), Blame::Caller);
    fault.to_string()
}

#[test]
fn an_unknown_field_is_refused_by_name_with_the_known_ones() {
    let text = refusal(json!({ "rol_arn": "x" }));

    assert!(
        text.starts_with("unknown field \"rol_arn\": the known fields are role_arn, max_retries"),
        "{text}"
    );
}

#[test]
fn numbers_come_as_text_from_the_cli() {
    assert_eq!(values(json!({ "max_retries": "3" })).int("max_retries").unwrap(), Some(3));
    assert_eq!(values(json!({ "max_retries": 3 })).int("max_retries").unwrap(), Some(3));
    assert_eq!(values(json!({ "max_retries": 3.0 })).int("max_retries").unwrap(), Some(3));
    assert_eq!(refusal(json!({ "max_retries": "abc" })), "max_retries: \"abc\" is not a whole number");
    assert_eq!(refusal(json!({ "max_retries": 3.5 })), "max_retries: 3.5 is not a whole number");
}

#[test]
fn truth_comes_as_text_from_the_cli() {
    for yes in [json!(true), json!("true"), json!("1"), json!(1)] {
        assert_eq!(values(json!({ "use_fips": yes })).bool("use_fips").unwrap(), Some(true));
    }
    for no in [json!(false), json!("false"), json!("0"), json!(0)] {
        assert_eq!(values(json!({ "use_fips": no })).bool("use_fips").unwrap(), Some(false));
    }
    assert_eq!(refusal(json!({ "use_fips": "maybe" })), "use_fips: \"maybe\" is not true or false");
}

#[test]
fn a_duration_is_seconds_or_has_units() {
    let spans = [
        (json!(900), 900_000),
        (json!("900"), 900_000),
        (json!("15m"), 900_000),
        (json!("1h30m"), 5_400_000),
        (json!("1.5h"), 5_400_000),
        (json!("500ms"), 500),
        (json!("2d"), 172_800_000),
    ];
    for (sent, milliseconds) in spans {
        let span = values(json!({ "ttl": sent })).duration("ttl").unwrap();

        assert_eq!(span, Some(Duration::from_millis(milliseconds)), "{sent}");
    }
}

#[test]
fn a_duration_that_is_negative_or_none_names_field_and_value() {
    assert_eq!(refusal(json!({ "ttl": -5 })), "ttl: -5 is not a duration: it is negative");
    assert_eq!(refusal(json!({ "ttl": "-1h" })), "ttl: \"-1h\" is not a duration: it is negative");
    for nonsense in ["abc", "5x", "h", "1h 5", "1..5h", "99999999999999999999999h"] {
        let text = refusal(json!({ "ttl": nonsense }));

        assert!(text.starts_with(&format!("ttl: {nonsense:?} is not a duration")), "{text}");
    }
}

#[test]
fn a_list_is_an_array_or_parted_by_commas() {
    for sent in [json!(["a", "b"]), json!("a,b"), json!(" a , b ,")] {
        assert_eq!(values(json!({ "ous": sent })).list("ous").unwrap().unwrap(), ["a", "b"]);
    }
    assert_eq!(values(json!({ "ous": ["a,b"] })).list("ous").unwrap().unwrap(), ["a,b"]);
    assert!(values(json!({ "ous": [] })).list("ous").unwrap().unwrap().is_empty());
}

#[test]
fn pairs_are_an_object_or_texts_with_an_equals_sign() {
    let pairs = Some(BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x=y".to_owned())]));

    assert_eq!(values(json!({ "tags": { "a": 1, "b": "x=y" } })).pairs("tags").unwrap(), pairs);
    assert_eq!(values(json!({ "tags": ["a=1", "b=x=y"] })).pairs("tags").unwrap(), pairs);
    assert_eq!(values(json!({ "tags": "a=1" })).pairs("tags").unwrap().unwrap().len(), 1);
    assert!(refusal(json!({ "tags": "novalue" })).starts_with("tags: \"novalue\" is not an object"));
}

#[test]
fn pem_and_sensitive_values_stay_out_of_errors() {
    assert_eq!(refusal(json!({ "bundle": "my-private-key" })), "bundle: the value is not PEM text");
    assert_eq!(refusal(json!({ "token": "hunter2" })), "token: the value is not one of open");
    assert!(!format!("{:?}", values(json!({ "role_arn": "hunter2" }))).contains("hunter2"));
}

#[test]
fn only_the_listed_values_are_taken() {
    assert_eq!(values(json!({ "key_type": "ec" })).text("key_type").unwrap(), "ec");
    assert_eq!(refusal(json!({ "key_type": "dsa" })), "key_type: \"dsa\" is not one of ec, rsa");
}

#[test]
fn null_and_an_empty_text_are_as_good_as_absent() {
    for field in FIELDS {
        for nothing in [json!(null), json!("")] {
            let values = values(json!({ field.name(): nothing }));

            assert!(!values.given(field.name()), "{} = {nothing}", field.name());
        }
    }
}

#[test]
fn a_required_field_has_to_be_there() {
    let fault = Values::from_map(REQUIRED, &Map::new()).unwrap_err();

    assert_eq!(fault.to_string(), "text: a value is required");
    assert!(Values::from_map(REQUIRED, &map(json!({ "text": "" }))).is_err());
}

#[test]
fn a_type_of_its_own_names_field_and_value_in_its_error() {
    let values = values(json!({ "role_arn": "300" }));

    let fault = values.parse::<u8>("role_arn").unwrap_err();

    assert_eq!(fault.to_string(), "role_arn: \"300\": number too large to fit in target type");
}

#[test]
fn asking_for_a_name_or_kind_that_the_schema_has_not_is_a_bug() {
    let values = values(json!({ "ttl": 5 }));

    assert_eq!(values.string("typo").unwrap_err().blame(), Blame::Bug);
    assert_eq!(values.int("ttl").unwrap_err().blame(), Blame::Bug);
}
