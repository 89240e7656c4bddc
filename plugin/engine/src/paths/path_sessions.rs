//! `sessions` and `sessions/:serial`: who has which session now.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use vault_backend::{Fault, Field, Params, Request, Response, Route, Values};

use crate::credentials::ledger::{Entry, Filter, Selector, SessionPage};
use crate::engine::Engine;
use crate::ground::clock::{self, rfc3339};
use crate::ground::serial_number;
use crate::records::session_event::{Holding, HopRecord};

/// Sessions of one list, at most. An answer of more would take tens of megabytes.
const MAX_LISTED: usize = 10_000;

/// Which sessions a caller wants to see.
struct ListOf {
    filter: Filter,
    /// A serial number in hexadecimal with colons; empty for the beginning.
    after: String,
    limit: usize,
}

impl Params for ListOf {
    const FIELDS: &'static [Field] = &[
        Field::string("role", "only sessions of this role"),
        Field::string("entity_id", "only sessions that this Vault entity has received"),
        Field::string("cluster", "only sessions that a pod of this registered cluster has received"),
        Field::string("namespace", "only sessions that a pod of this Kubernetes namespace has received"),
        Field::string("service_account", "only sessions that a pod of this service account has received"),
        Field::string("after", "only sessions behind this one, a key of an earlier list"),
        Field::int("limit", "entries of the answer, 1 to 10000").default_text("10000"),
    ];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        let filter = Filter {
            role: values.string("role")?,
            entity_id: values.string("entity_id")?,
            cluster: values.string("cluster")?,
            namespace: values.string("namespace")?,
            service_account: values.string("service_account")?,
        };
        let after = values.string("after")?.map(|text| serial_number::parse(&text)).transpose();
        let after = after.map_err(|fault| fault.within("after"))?;
        let asked = values.int("limit")?.unwrap_or(10_000);
        let limit = usize::try_from(asked).ok().filter(|limit| (1..=MAX_LISTED).contains(limit));
        let limit = limit.ok_or_else(|| Fault::caller(format!("limit: {asked} is not 1 to {MAX_LISTED}")))?;
        Ok(Self { filter, after: after.map_or_else(String::new, |serial| serial.to_string()), limit })
    }
}

/// One session, by its serial number.
struct One {
    serial: ca::Serial,
}

const SERIAL: Field = Field::string(
    "serial",
    "serial number of the session's certificate, hexadecimal: as AWS names the session, or with - between the bytes",
);

impl Params for One {
    const FIELDS: &'static [Field] = &[SERIAL];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        // a path takes no colons, so Vault's own PKI has hyphens there too
        Ok(Self { serial: serial_number::parse(&values.text("serial")?.replace('-', ""))? })
    }
}

const ANSWER: &[Field] = &[
    Field::string(
        "serial_number",
        "serial number of the session's certificate, hexadecimal with colons; revoke takes it",
    ),
    Field::string("role", "the role that made it"),
    Field::string("role_arn", "ARN of the IAM role"),
    Field::string("trust_anchor_arn", "ARN of the trust anchor through which it was made"),
    Field::string(
        "cluster",
        "the registered cluster whose callers alone share it, if the role's templates need one",
    ),
    Field::string("access_key", "id of the access key, as CloudTrail shows it"),
    Field::string("role_session_name", "name of the session at AWS"),
    Field::string("source_identity", "source identity of the session at AWS"),
    Field::string("issued", "when AWS made it, RFC 3339 in UTC"),
    Field::string("expiration", "when it ends, RFC 3339 in UTC"),
    Field::bool("denied", "whether `revoke` wrote a policy that denies it"),
    Field::string("plugin_version", "the version of the plugin that made it"),
    Field::list(
        "holders",
        "who received it first when: entity_id or accessor, cluster, namespace, service_account, request_id, since",
    ),
    Field::bool("more_holders", "whether others received it too who are not listed"),
    Field::list(
        "hops",
        "the sessions of a target role that it made: target_role_arn, access_key, issued, expiration; callers hold these, not the session itself",
    ),
];

pub(crate) fn list_route() -> Route<Engine> {
    Route::at("sessions")
        .synopsis("The live sessions that this mount handed out.")
        .description(include_str!("../help/sessions.md"))
        .list(list)
}

pub(crate) fn route() -> Route<Engine> {
    Route::at("sessions/{serial}").synopsis("One live session, and who has it.").answers(ANSWER).read(read)
}

/// The serial numbers as AWS names the sessions, each with a summary.
///
/// # Errors
/// Storage's. A standby has Vault ask the active node, which knows what is not stored yet.
async fn list(engine: Arc<Engine>, _request: Request, ask: ListOf) -> Result<Response, Fault> {
    engine.lifecycle.active_only()?;
    let ledger = &engine.credentials.ledger;
    let page = ledger.page(clock::now(), &ask.filter, &ask.after, ask.limit).await?;
    let keys: Vec<String> = page.entries.iter().map(key).collect();
    let next = keys.last().cloned().unwrap_or_default();
    let info = page.entries.iter().map(|entry| (key(entry), summary(entry))).collect();
    let answer = warnings(&page).into_iter().fold(Response::list_with_info(keys, info), Response::warn);
    Ok(if page.has_more {
        answer.warn(format!("there are more: ask again with after={next}"))
    } else {
        answer
    })
}

/// The session; 404 if it is over or was never handed out here.
///
/// # Errors
/// As of [`list`].
async fn read(engine: Arc<Engine>, _request: Request, ask: One) -> Result<Response, Fault> {
    engine.lifecycle.active_only()?;
    let which = Selector::Serial(ask.serial);
    let known = engine.credentials.ledger.known(clock::now(), |entry| entry.is_meant(&which, None)).await?;
    Ok(known
        .find(&which, None)
        .first()
        .map_or_else(Response::not_found, |entry| Response::data(whole(entry))))
}

/// The name of an entry: a path and AWS take no colons.
fn key(entry: &Entry) -> String {
    entry.serial().replace(':', "")
}

/// What a list says of a session. The pod is that of the first holder.
fn summary(entry: &Entry) -> Value {
    let record = &entry.record;
    let first = entry.holdings.values().min_by_key(|holding| holding.since);
    let mut summary = Map::from_iter([
        ("role".to_owned(), json!(record.role)),
        ("role_arn".to_owned(), json!(record.role_arn)),
        ("access_key".to_owned(), json!(record.access_key)),
        ("expiration".to_owned(), json!(rfc3339(entry.expiration()))),
        ("denied".to_owned(), json!(entry.is_denied)),
        ("holders".to_owned(), json!(entry.holdings.len())),
        ("more_holders".to_owned(), json!(entry.has_more)),
    ]);
    summary.extend(first.map(who).unwrap_or_default());
    Value::Object(summary)
}

/// All that is known of a session.
fn whole(entry: &Entry) -> Map<String, Value> {
    let record = &entry.record;
    let mut holdings: Vec<&Holding> = entry.holdings.values().collect();
    holdings.sort_by_key(|holding| holding.since);
    let holders: Vec<Value> = holdings
        .into_iter()
        .map(|holding| {
            let mut holder = who(holding);
            holder.insert("request_id".to_owned(), json!(holding.request_id));
            holder.insert("since".to_owned(), json!(at(holding.since)));
            Value::Object(holder)
        })
        .collect();
    Map::from_iter([
        ("serial_number".to_owned(), json!(record.serial)),
        ("role".to_owned(), json!(record.role)),
        ("role_arn".to_owned(), json!(record.role_arn)),
        ("trust_anchor_arn".to_owned(), json!(record.trust_anchor_arn)),
        ("cluster".to_owned(), json!(record.cluster)),
        ("access_key".to_owned(), json!(record.access_key)),
        ("role_session_name".to_owned(), json!(record.role_session_name)),
        ("source_identity".to_owned(), json!(record.source_identity)),
        ("issued".to_owned(), json!(at(record.issued))),
        ("expiration".to_owned(), json!(at(record.expiration))),
        ("denied".to_owned(), json!(entry.is_denied)),
        ("plugin_version".to_owned(), json!(record.plugin_version)),
        ("holders".to_owned(), json!(holders)),
        ("more_holders".to_owned(), json!(entry.has_more)),
        ("hops".to_owned(), json!(hops(entry))),
    ])
}

/// The sessions of further roles that a session made, oldest first.
fn hops(entry: &Entry) -> Vec<Value> {
    let mut hops: Vec<&HopRecord> = entry.hops.iter().collect();
    hops.sort_by_key(|hop| hop.issued);
    let shown = |hop: &HopRecord| {
        json!({
            "target_role_arn": hop.target_role_arn,
            "access_key": hop.access_key,
            "issued": at(hop.issued),
            "expiration": at(hop.expiration),
        })
    };
    hops.into_iter().map(shown).collect()
}

/// A holder, by all names that are known of it.
fn who(holding: &Holding) -> Map<String, Value> {
    let id = if holding.is_entity { "entity_id" } else { "accessor" };
    let pod = &holding.pod;
    let names = [
        (id, Some(&holding.holder).filter(|holder| !holder.is_empty())),
        ("cluster", pod.cluster.as_ref()),
        ("namespace", pod.namespace.as_ref()),
        ("service_account", pod.service_account.as_ref()),
    ];
    names.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect()
}

/// Seconds since 1970 as answers show them.
fn at(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map(rfc3339).unwrap_or_default()
}

/// What the list lacks.
fn warnings(page: &SessionPage) -> Option<String> {
    (!page.unreadable.is_empty()).then(|| {
        let keys = page.unreadable.join(", ");
        format!("the list is incomplete, because these parts of storage cannot be read: {keys}")
    })
}
