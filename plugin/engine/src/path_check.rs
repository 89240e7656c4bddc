//! `check/:role`: every link between the CA and AWS's answer, each with what was seen and the cure.

use std::sync::Arc;

use vault_backend::{Answer, Ask, Fault, Field, Request, Route, Values};

use crate::Engine;
use crate::check;
use crate::session;

/// The role that is checked as whoever asks.
struct Named {
    role: String,
}

/// The role, and the caller in whose place it is checked.
struct InPlaceOf {
    role: String,
    entity_id: String,
}

const ROLE: Field = Field::string("role", "name of the role");

impl Ask for Named {
    const FIELDS: &'static [Field] = &[ROLE];

    fn take(values: &Values) -> Result<Self, Fault> {
        Ok(Self { role: values.text("role")? })
    }
}

impl Ask for InPlaceOf {
    const FIELDS: &'static [Field] = &[
        ROLE,
        Field::string("entity_id", "Vault's entity in whose place to ask, as vault token lookup shows it")
            .required(),
    ];

    fn take(values: &Values) -> Result<Self, Fault> {
        let entity_id = values.string("entity_id")?.filter(|id| !id.is_empty());
        let entity_id =
            entity_id.ok_or_else(|| Fault::caller("entity_id: missing; to check as yourself: vault read"))?;
        Ok(Self { role: values.text("role")?, entity_id })
    }
}

pub(crate) fn route() -> Route<Engine> {
    Route::at("check/{role}")
        .synopsis("Why a read of the role's credentials is refused.")
        .description(
            "Looks at each link between the mount's CA and AWS's answer, in order, and says of each `ok`, `warning`, `broken` or `not checked`, what was seen, and the cure. It issues a certificate and calls CreateSession with it as creds does, when no reader needs the rate, and forgets the session; no credentials are in the answer. A mount does four checks at once, and two for one caller. Anchor, profile and the IAM role's trust policy are read with the check_role_arn of a trust anchor of that account (trust-anchors/<name>); without one, what CreateSession tells of them counts.\n\nA read checks as whoever asks. A write with entity_id checks in the place of that caller, and shows that caller's names; it is for operators.",
        )
        .read(read)
        .update(update)
}

async fn read(engine: Arc<Engine>, request: Request, ask: Named) -> Result<Answer, Fault> {
    let who = session::turn(&request);
    answer(&engine, &request, (&ask.role, &who)).await
}

async fn update(engine: Arc<Engine>, request: Request, ask: InPlaceOf) -> Result<Answer, Fault> {
    let id = ask.entity_id;
    if request.mount.system.entity_info(&id).await?.is_none() {
        return Err(Fault::caller(format!("entity_id: Vault knows no entity {id:?}")));
    }
    let who = session::turn(&request).into_owned();
    let mut request = request;
    request.entity_id = Some(id);
    answer(&engine, &request, (&ask.role, &who)).await
}

async fn answer(
    engine: &Arc<Engine>,
    request: &Request,
    (role, who): (&str, &str),
) -> Result<Answer, Fault> {
    engine.active_only()?;
    let _look = engine.checks.begin(who)?;
    let report = engine.until_closed(Box::pin(check::run(engine, request, role))).await?;
    Ok(Answer::data(report.shown()))
}
