//! `config`: how the engine reaches AWS, and the defaults of roles.

use std::sync::Arc;

use rolesanywhere::Client;
use strum::VariantNames as _;
use vault_backend::{Change, Fault, Field, Request, Response, Route};

use crate::engine::Engine;
use crate::ground::faults;
use crate::records::allowed_roles;
use crate::records::config::Config;
use crate::records::role_options::PlacePolicy;
use crate::store::{CONFIG, Ends};

const FIELDS: &[Field] = &[
        Field::string("endpoint", "URL of the Roles Anywhere endpoint, in place of the region's own; http only to loopback")
        // A user may have put a password into it, which is refused and must not be quoted.
        .sensitive(),
        Field::string("sts_endpoint", "URL of the STS endpoint that check and revoke ask, in place of the region's own; http only to loopback").sensitive(),
        Field::string("iam_endpoint", "URL of the IAM endpoint that check and revoke ask, in place of the partition's own; http only to loopback").sensitive(),
        Field::pem("endpoint_ca_pem", "further certificate authorities, PEM, to trust for the endpoints")
        // As much as the bundle of an operating system.
        .longest(512 << 10),
        Field::bool("use_fips", "use the FIPS endpoint; only some regions have one").default_text("false"),
        Field::bool("use_dualstack", "use the dual-stack (IPv4 and IPv6) endpoint").default_text("false"),
        Field::string("proxy_url", "HTTP proxy; default: HTTPS_PROXY and NO_PROXY of Vault's environment, read as Vault reads them. A read masks its user and password, and a write of the masked value leaves them unchanged")
            .sensitive(),
        Field::duration("connect_timeout", "longest time to connect, 1 to 60 seconds").default_text("3s"),
        Field::duration("request_timeout", "longest time for one try, 1 to 60 seconds").default_text("10s"),
        Field::int("max_retries", "tries after the first, 0 to 10, for 429, 5xx and network errors").default_text("3"),
        Field::int("rate_limit", "CreateSession calls per second for each account and region, 1 to 10000; AWS's quota is 10").default_text("8"),
        Field::int("rate_burst", "CreateSession calls at once after a rest, 1 to 10000").default_text("8"),
        Field::int("assume_role_rate_limit", "AssumeRole calls of roles with target_role_arn per second for each account and region, 1 to 10000; AWS's quota is 600, for all callers of STS in the account together").default_text("100"),
        Field::int("assume_role_rate_burst", "AssumeRole calls at once after a rest, 1 to 10000").default_text("100"),
        Field::int("max_cached_sessions", "sessions in the cache, 1 to 1000000").default_text("20000"),
        Field::string(
        "default_trust_anchor_arn",
        "trust anchor of roles that name none; up to 8, as of a role",
    ),
        Field::string("default_profile_arn", "profile of roles that name none; of the trust anchor's region and account"),
    Field::string("default_place_policy", "place_policy of roles that name none; default: failover")
        .one_of(PlacePolicy::VARIANTS),
        Field::list("allowed_role_arns", "globs (*) of the IAM roles that roles may name; none: all").at_most(256),
];

pub(crate) fn route() -> Route<Engine> {
    Route::at("config")
        .synopsis("How the engine reaches AWS, and the defaults of roles.")
        .description(
            "Without a configuration, the engine uses the region's public endpoint and the environment's proxy.\n\nA change ends the sessions that callers share, unless it changes only timeouts, retries, the rates and the size of the cache.",
        )
        .read(read)
        .change(FIELDS, change)
        .delete(delete)
        .exists(exists)
}

/// Whether a config was written: by this Vault tells `create` from `update` in policies.
async fn exists(engine: Arc<Engine>, _request: Request) -> Result<bool, Fault> {
    Ok(engine.store().config().await?.is_some())
}

/// The config, with the proxy's user and password masked; 404 if none was written.
async fn read(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Response, Fault> {
    match engine.store().config().await? {
        Some(config) => Response::json(&config.shown()),
        None => Ok(Response::not_found()),
    }
}

/// Stores a config that a client can be made of.
///
/// # Errors
/// The caller's fault if a value is out of its bounds; the operator's if no client can be made of the values together.
async fn change(engine: Arc<Engine>, _request: Request, change: Change) -> Result<Response, Fault> {
    let writer = engine.store().write().await;
    let stored = writer.config().await?;
    let config = Config::from_values(&change.onto(stored.as_ref())?, stored.as_ref())?;
    // Before the write, and thrown away: a config that no client can be made of would fail every read.
    Client::new(&config.settings(&engine.proxy_variables)).map_err(faults::client)?;
    if stored.as_ref() == Some(&config) {
        // Storage has this already, but the cache may not: an earlier write may have landed although its answer was lost.
        writer.changed(CONFIG);
        return Ok(Response::no_content());
    }
    let stored = stored.unwrap_or_default();
    writer.put_config(&config, ends(&stored, &config)).await?;
    Ok(changed(&stored, &config))
}

/// All cached sessions end, unless the new config makes the same ones: timeouts, retries, the rates, the cache size, and the
/// endpoints that only the engine's own calls use leave them alone.
fn ends(before: &Config, after: &Config) -> Ends<'static> {
    if before.makes_the_same_as(after) { Ends::Nothing } else { Ends::All }
}

/// A response that warns if roles may now name IAM roles that they could not name before.
fn changed(before: &Config, after: &Config) -> Response {
    let lifted = allowed_roles::lifted(&before.allowed_role_arns, &after.allowed_role_arns);
    lifted.into_iter().fold(Response::no_content(), Response::warn)
}

/// Returns to the defaults, as a write of them would. Succeeds if there is no config.
async fn delete(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Response, Fault> {
    let writer = engine.store().write().await;
    let Some(stored) = writer.config().await? else {
        // Storage has this already, but the cache may not: an earlier write may have landed although its answer was lost.
        writer.changed(CONFIG);
        return Ok(Response::no_content());
    };
    writer.delete_config(ends(&stored, &Config::default())).await?;
    Ok(changed(&stored, &Config::default()))
}
