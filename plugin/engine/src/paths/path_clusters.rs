//! `clusters` and `clusters/:name`: registers which auth mount belongs to which cluster.

use std::sync::Arc;

use serde_json::{Map, json};
use vault_backend::{Change, Fault, Field, Request, Response, Route};

use crate::engine::Engine;
use crate::paths::named::Named;
use crate::store::cluster_key;
use identity::{Cluster, is_as_vault_makes_it};

const NAME: Field =
    Field::string("name", "name of the cluster, a DNS label: it begins common names and SPIFFE ids");

const FIELDS: &[Field] = &[
    NAME,
    Field::string(
        "accessor",
        "accessor of the auth mount through which the cluster's pods log in, as `vault auth list` shows it",
    )
    .required(),
];

pub(crate) fn list_route() -> Route<Engine> {
    Route::at("clusters").synopsis("The clusters and their auth mounts.").list_all(list)
}

pub(crate) fn route() -> Route<Engine> {
    Route::at("clusters/{name}")
        .synopsis("The auth mount of a cluster.")
        .description(include_str!("../help/clusters-name.md"))
        .read(read)
        .change(FIELDS, change)
        .delete(delete)
        .exists(exists)
}

/// Whether the cluster is there: by this Vault tells `create` from `update` in policies.
async fn exists(engine: Arc<Engine>, request: Request) -> Result<bool, Fault> {
    Ok(engine.store().cluster(request.parameter("name")).await?.is_some())
}

/// The names, each with its accessor. One that is deleted between the two reads is listed without details.
async fn list(engine: Arc<Engine>, _request: Request) -> Result<Response, Fault> {
    let names = engine.store().cluster_names().await?;
    let mut accessors = Map::new();
    for name in &names {
        if let Some(Cluster { accessor }) = engine.store().cluster(name).await? {
            accessors.insert(name.clone(), json!({ "accessor": accessor }));
        }
    }
    Ok(Response::list_with_info(names, accessors))
}

/// The cluster; 404 if there is none.
async fn read(engine: Arc<Engine>, _request: Request, ask: Named) -> Result<Response, Fault> {
    match engine.store().cluster(&ask.name).await? {
        Some(cluster) => Response::json(&cluster),
        None => Ok(Response::not_found()),
    }
}

/// Registers a cluster or gives it another auth mount, which ends the cached sessions of its callers.
///
/// # Errors
/// The caller's fault if the accessor belongs to another cluster: a mount with two clusters would let one service account pass
/// for another.
async fn change(engine: Arc<Engine>, _request: Request, change: Change) -> Result<Response, Fault> {
    let name = change.path.text("name")?;
    let writer = engine.store().write().await;
    let stored = writer.cluster(&name).await?;
    let cluster = Cluster::new(&name, &change.onto(stored.as_ref())?.text("accessor")?)?;
    let known = writer.clusters().await?;
    if let Some(other) = known.name(&cluster.accessor).filter(|other| *other != name) {
        return Err(Fault::caller(format!(
            "accessor: {} is already the auth mount of the cluster {other} (a mount belongs to one cluster)",
            cluster.accessor
        )));
    }
    let before = stored.map(|stored| stored.accessor);
    if before.as_ref() == Some(&cluster.accessor) {
        // Storage has this already, but the cache may not: an earlier write may have landed although its answer was lost.
        writer.changed(&cluster_key(&name));
    } else {
        writer.put_cluster(&name, &cluster).await?;
    }
    Ok(warnings(&name, before, &cluster.accessor).into_iter().fold(Response::no_content(), Response::warn))
}

/// What the operator should look at: Vault shows a plugin no list of its auth mounts, so an accessor can be judged only by its
/// form.
fn warnings(name: &str, before: Option<String>, accessor: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(before) = before.filter(|before| before != accessor) {
        warnings.push(format!(
            "{name} was the auth mount {before} until now: callers that log in at {accessor} have the identities of {name} from now on"
        ));
    }
    if !is_as_vault_makes_it(accessor) {
        warnings.push(format!(
            "accessor: {accessor} does not end in _ and eight hex digits, as Vault's accessors do: compare it with `vault auth list`. Vault shows a plugin no list of its auth mounts, and with a wrong accessor every pod of {name} is refused"
        ));
    }
    if !accessor.starts_with("auth_kubernetes_") {
        warnings.push(format!(
            "accessor: {accessor} is not a Kubernetes auth mount by its name: the mount must set the metadata service_account_namespace, service_account_name and service_account_uid of its aliases, as a role of a JWT auth mount does with claim_mappings: vault path-help <this mount>/clusters/{name}"
        ));
    }
    warnings
}

/// Deletes the cluster, which ends the cached sessions of its callers. Succeeds if there is none.
///
/// # Errors
/// The operator's fault if a role names the cluster: without it nobody would get credentials of that role. The lock is held from
/// this check to the deletion, so no role can name it in between.
async fn delete(engine: Arc<Engine>, _request: Request, ask: Named) -> Result<Response, Fault> {
    let writer = engine.store().write().await;
    for (role_name, role) in writer.roles().await? {
        if role.clusters.contains(&ask.name) {
            return Err(Fault::operator(format!(
                "name: the role {role_name:?} names the cluster {}",
                ask.name
            ))
            .cure("change its `clusters` first"));
        }
    }
    writer.delete_cluster(&ask.name).await?;
    Ok(Response::no_content())
}
