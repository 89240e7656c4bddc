//! From a request to a response: the route, the handler, and panics as faults.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::{Map, Value};
use tracing::{Instrument as _, info_span};

use crate::backend::{Backend, Plugin, SpecialPaths};
use crate::fault::Fault;
use crate::help;
use crate::openapi;
use crate::parse;
use crate::request::{Call, Incoming, Mount, Operation, Request};
use crate::response::Response;
use crate::route::{Handling, Route};

/// The state that all mounts of a process share: the backend's routes.
pub(crate) struct Table<B> {
    plugin: Plugin,
    routes: Vec<Route<B>>,
    pub(crate) special: SpecialPaths,
}

impl<B: Backend> Table<B> {
    pub(crate) fn new(plugin: Plugin) -> Arc<Self> {
        let routes = B::routes();
        refuse_overlaps(&routes);
        Arc::new(Self { plugin, routes, special: B::special_paths() })
    }

    /// Answers `incoming`. Work with effects is finished even if the caller hangs up, because storage has no
    /// transactions.
    pub(crate) async fn handle(
        self: Arc<Self>,
        backend: Arc<B>,
        mut incoming: Incoming,
    ) -> Result<Response, Fault> {
        let request = &incoming.request;
        let span = info_span!("request", mount = request.mount_label(), request_id = request.id);
        let call = incoming.call;
        let answered = async move {
            let route = match call {
                Call::Route(_) => self.route(&mut incoming.request),
                _ => None,
            };
            let outcome = caught(self.answer(backend, route, incoming)).await;
            outcome.or_else(|fault| render(route, fault))
        };
        let work: Handling<Response> = Box::pin(answered.instrument(span));
        if call.has_effects() {
            tokio::spawn(work).await.unwrap_or_else(|_| Err(Fault::later("the plugin is shutting down")))
        } else {
            work.await
        }
    }

    /// Whether the path names an existing object; `None` if no route can tell.
    pub(crate) async fn exists(&self, backend: Arc<B>, mut request: Request) -> Result<Option<bool>, Fault> {
        let span = info_span!("existence", mount = request.mount_label(), request_id = request.id);
        let route = self.route(&mut request).ok_or_else(Fault::unknown_path)?;
        match span.in_scope(|| route.existence(backend, request)) {
            Some(work) => guard(work).instrument(span).await.map(Some),
            None => Ok(None),
        }
    }

    /// `route` is the route of the request, if the call is a route's and there is one.
    async fn answer(
        &self,
        backend: Arc<B>,
        route: Option<&Route<B>>,
        incoming: Incoming,
    ) -> Result<Response, Fault> {
        let Incoming { call, request, data, lease } = incoming;
        match call {
            Call::Route(_) => run(route.ok_or_else(Fault::unknown_path)?, backend, request, data).await,
            Call::Help => self.help(request, &data),
            Call::Revoke => {
                let lease = lease.ok_or_else(|| Fault::bug("a revoke without its lease"))?;
                backend.revoke(request.mount, lease).await.map(|()| Response::no_content())
            }
            Call::Rollback => {
                let _logged = guard(async move { backend.periodic(request.mount).await }).await;
                Ok(Response::no_content())
            }
            Call::Renew => Err(Fault::caller("leases of this engine are not renewable: read the path again")),
            Call::Unsupported => Err(Fault::wrong_operation()),
        }
    }

    fn help(&self, mut request: Request, data: &Map<String, Value>) -> Result<Response, Fault> {
        let prefix = data.get("requestResponsePrefix").and_then(Value::as_str).unwrap_or(self.plugin.name);
        let document = openapi::Document { prefix, plugin: &self.plugin, special: &self.special };
        if request.path.is_empty() {
            return Ok(help::answer(help::of_mount(B::HELP, &self.routes), document.of_routes(&self.routes)));
        }
        let route = self.route(&mut request).ok_or_else(Fault::unknown_path)?;
        Ok(help::answer(
            help::of_route(route, &request.path),
            document.of_routes(std::slice::from_ref(route)),
        ))
    }

    /// Finds the route of `request`, and gives the request the parameters in its path.
    fn route(&self, request: &mut Request) -> Option<&Route<B>> {
        self.routes.iter().find(|route| {
            let parameters = route.pattern.matches(request.operation, &request.path);
            parameters.map(|parameters| request.parameters = parameters).is_some()
        })
    }
}

/// Answers a request by its route.
async fn run<B: Backend>(
    route: &Route<B>,
    backend: Arc<B>,
    request: Request,
    data: Map<String, Value>,
) -> Result<Response, Fault> {
    let warnings = parse::split_texts(route.fields(request.operation), &data);
    let answer = route.run(backend, request, data).await?;
    Ok(warnings.into_iter().fold(answer, Response::warn))
}

/// Logs `fault`, and renders it as its route renders errors.
fn render<B: Backend>(route: Option<&Route<B>>, fault: Fault) -> Result<Response, Fault> {
    if let Some(raw) = route.and_then(|route| route.form(&fault)) {
        fault.log_for_audit();
        return Ok(Response::raw(raw));
    }
    fault.log();
    Err(fault)
}

impl Call {
    fn has_effects(self) -> bool {
        !matches!(self, Call::Route(Operation::Read | Operation::List) | Call::Help)
    }
}

/// Creates a mount's instance.
pub(crate) fn make<B: Backend>(mount: &Mount) -> Result<Arc<B>, Fault> {
    contain(|| B::new(mount.clone())).map(Arc::new)
}

/// Tells an instance that Vault is available.
pub(crate) async fn initialize<B: Backend>(backend: Arc<B>, mount: Mount) -> Result<(), Fault> {
    let span = info_span!("initialize", mount = mount.uuid);
    guard(async move { backend.initialize(mount).await }).instrument(span).await
}

/// Tells an instance that another node wrote `key`.
pub(crate) fn invalidate<B: Backend>(backend: &B, mount: &Mount, key: &str) {
    let _logged =
        info_span!("invalidate", mount = mount.uuid).in_scope(|| contain(|| backend.invalidate(key)));
}

/// Tells an instance that its mount goes away.
pub(crate) fn cleanup<B: Backend>(backend: &B, mount: &Mount) {
    let _logged = info_span!("cleanup", mount = mount.uuid).in_scope(|| contain(|| backend.cleanup()));
}

/// Logs a fault where it happens, and turns a panic into one, so that it ends this call alone.
async fn guard<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    caught(work).await.inspect_err(Fault::log)
}

/// Turns a panic into a fault.
async fn caught<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// As [`guard`], for a call that returns at once.
fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panicked(&*panic)).inspect_err(Fault::log)
}

fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Fault::bug(format!("a handler panicked: {}", text.unwrap_or("without a text")))
}

/// Panics where two routes would answer the same operation on the same path, because the order of the list would decide which one.
fn refuse_overlaps<B: Send + Sync + 'static>(routes: &[Route<B>]) {
    for (index, one) in routes.iter().enumerate() {
        for other in &routes[index + 1..] {
            let both = one.operations().find(|operation| other.operations().any(|its| its == *operation));
            let (first, second) = (one.pattern.template(), other.pattern.template());
            assert!(
                both.is_none() || !one.pattern.overlaps(&other.pattern),
                "the routes {first} and {second} both answer {both:?} on some path"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(template: &'static str) -> Route<()> {
        Route::at(template).read(|_: Arc<()>, _: Request, (): ()| async { Ok(Response::no_content()) })
    }

    #[test]
    fn routes_of_different_paths_stand_beside_each_other() {
        refuse_overlaps(&[route("notes/{name}"), route("notes"), route("notes/{name}/lines")]);
    }

    #[test]
    #[should_panic(expected = "the routes notes/{name} and notes/first both answer Some(Read) on some path")]
    fn two_routes_that_answer_one_path_are_refused_at_the_start() {
        refuse_overlaps(&[route("notes/{name}"), route("notes/first")]);
    }
}
