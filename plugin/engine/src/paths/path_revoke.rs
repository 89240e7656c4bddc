//! `revoke`: denies single sessions everything, by serial number, entity or cluster. The path requires `sudo` (see
//! `special_paths` in `backend.rs`).

use std::sync::Arc;

use rolesanywhere::RoleArn;
use serde_json::{Map, json};
use vault_backend::{Fault, Field, Params, Request, Response, Route, Values, is_name_with_at_signs, quote};

use crate::credentials::ledger::Selector;
use crate::engine::Engine;
use crate::ground::clock::rfc3339;
use crate::ground::serial_number;
use crate::incident::break_glass::OUT_OF_REACH;
use crate::incident::sessions::{RevocationReport, RevocationRequest};
use crate::incident::targets;
use crate::paths::entity_id;
use crate::paths::owner::owner;

impl Params for RevocationRequest {
    const FIELDS: &'static [Field] = &[
        Field::string(
            "serial_number",
            "serial number of the session's certificate, as answers, logs and AWS show it: hexadecimal with or without colons, or decimal",
        ),
        Field::string("entity_id", "Vault entity whose sessions are denied"),
        Field::string(
            "cluster",
            "registered cluster whose callers' sessions are denied, of roles that name the cluster",
        ),
        Field::string(
            "role",
            "only sessions of this role; needed with a serial number that `sessions` does not have",
        ),
        Field::string(
            "role_arn",
            "IAM role in which a session that `sessions` does not have is denied; default: the role's current role_arn",
        ),
        Field::bool("force", "also deny sessions that other callers share; they lose them too")
            .default_text("false"),
    ];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        let serial =
            values.string("serial_number")?.map(|text| serial_number::parse(&text).map(Selector::Serial));
        let entity = values.string("entity_id")?.map(|id| entity_id::parse(id).map(Selector::Entity));
        let cluster = values.string("cluster")?.map(|name| Ok(Selector::Cluster(name)));
        let mut given_ones = serial.into_iter().chain(entity).chain(cluster);
        let (Some(which), None) = (given_ones.next(), given_ones.next()) else {
            return Err(Fault::caller("give one of serial_number, entity_id and cluster"));
        };
        let which = which?;
        let role_arn: Option<RoleArn> = values.parse("role_arn")?;
        if role_arn.is_some() && !matches!(which, Selector::Serial(_)) {
            return Err(Fault::caller("role_arn: allowed only with serial_number"));
        }
        let role = values.string("role")?.map(role_name).transpose()?;
        Ok(Self { which, role, role_arn, force: values.bool("force")?.unwrap_or(false) })
    }
}

/// A name that a role can have under the route `roles/:name`. It becomes part of a storage key, so a slash or a leading dot must
/// not get through.
///
/// # Errors
/// The caller's fault, with the characters that a name may have.
fn role_name(text: String) -> Result<String, Fault> {
    if is_name_with_at_signs(&text) {
        return Ok(text);
    }
    Err(Fault::caller(format!(
        "role: {} is not a role name (letters, digits and _, inside also -, @ and single dots)",
        quote(&text)
    )))
}

pub(crate) fn route() -> Route<Engine> {
    Route::at("revoke")
        .synopsis("Deny single sessions everything at AWS.")
        .description(include_str!("../help/revoke.md"))
        .update(revoke)
}

/// Ends the sessions and renders the report.
///
/// # Errors
/// Those of `Incidents::end`. An IAM role that could not be changed is listed in `failed` if another one could.
async fn revoke(engine: Arc<Engine>, request: Request, ask: RevocationRequest) -> Result<Response, Fault> {
    engine.lifecycle.active_only()?;
    Ok(shown(engine.incidents.end(owner(&request), &ask).await?))
}

/// The report as the response. `failed` is there only if something failed, so a script can test for the key.
fn shown(report: RevocationReport) -> Response {
    let mut data = Map::from_iter([
        ("revoked".to_owned(), json!(report.revoked)),
        ("roles".to_owned(), json!(report.roles)),
        ("role_arns".to_owned(), json!(report.role_arns)),
        ("policy_name".to_owned(), json!(report.policy_name)),
        ("until".to_owned(), json!(report.until.map(rfc3339))),
        ("seen_at_iam".to_owned(), json!(report.unseen.is_empty())),
    ]);
    if !report.targets.is_empty() {
        data.insert("target_policies".to_owned(), targets::policies(&report.targets));
    }
    if !report.failed.is_empty() {
        data.insert("failed".to_owned(), json!(report.failed));
    }
    report.warnings.into_iter().fold(Response::data(data), Response::warn).warn(OUT_OF_REACH)
}
