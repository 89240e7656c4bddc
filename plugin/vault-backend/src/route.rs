//! Routes: a path, its operations, and its help.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::change::Change;
use crate::fault::Fault;
use crate::field::Field;
use crate::key_page::KeyPage;
use crate::params::Params;
use crate::pattern::Pattern;
use crate::request::{Operation, Request};
use crate::response::{Raw, Response};
use crate::unknown;
use crate::values::Values;

pub(crate) type Handling<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;
type RequestBody = Map<String, Value>;
type Handler<B> = Arc<dyn Fn(Arc<B>, Request, RequestBody) -> Handling<Response> + Send + Sync>;
type Existence<B> = Box<dyn Fn(Arc<B>, Request) -> Handling<bool> + Send + Sync>;

/// One path of a backend, with its operations and its help.
///
/// ```
/// # use std::sync::Arc;
/// # use vault_backend::{Response, Backend, Fault, Mount, Request, Route};
/// struct Hello;
///
/// impl Backend for Hello {
///     const HELP: &'static str = "Says hello.";
///
///     fn new(_: Mount) -> Self {
///         Hello
///     }
///
///     fn routes() -> Vec<Route<Self>> {
///         vec![Route::at("hello/{name}").synopsis("Say hello.").read(read)]
///     }
/// }
///
/// async fn read(_: Arc<Hello>, request: Request, (): ()) -> Result<Response, Fault> {
///     let text = format!("hello, {}", request.parameter("name"));
///     Ok(Response::data(serde_json::Map::from_iter([("text".to_owned(), text.into())])))
/// }
/// ```
pub struct Route<B> {
    pub(crate) pattern: Pattern,
    pub(crate) synopsis: &'static str,
    pub(crate) description: &'static str,
    pub(crate) entries: BTreeMap<Operation, RouteOperation<B>>,
    pub(crate) answer: &'static [Field],
    existence: Option<Existence<B>>,
    failure: Option<fn(&Fault) -> Raw>,
}

/// One operation of a route.
pub(crate) struct RouteOperation<B> {
    pub(crate) fields: &'static [Field],
    run: Handler<B>,
}

impl<B: Send + Sync + 'static> Route<B> {
    /// A route at `template`, such as `roles/{name}`. A named segment takes letters, digits, `_`, and inside `.` and `-`.
    #[must_use]
    pub fn at(template: &'static str) -> Route<B> {
        Route {
            pattern: Pattern::new(template),
            synopsis: "",
            description: "",
            entries: BTreeMap::new(),
            answer: &[],
            existence: None,
            failure: None,
        }
    }

    /// Allows `@` inside names, as in the role names of Vault's own aws engine (`framework.GenericNameWithAtRegex`).
    #[must_use]
    pub fn with_at_signs(mut self) -> Route<B> {
        self.pattern = self.pattern.with_at_signs();
        self
    }

    /// One line of help.
    #[must_use]
    pub fn synopsis(mut self, text: &'static str) -> Route<B> {
        self.synopsis = text;
        self
    }

    /// The whole help. It is wrapped anew; an empty line separates paragraphs, and indented lines stay as they are.
    #[must_use]
    pub fn description(mut self, text: &'static str) -> Route<B> {
        self.description = text.trim_end();
        self
    }

    /// Documents the keys of an answer's data in path-help and in [`crate::reference`]; it changes no answer.
    #[must_use]
    pub fn answers(mut self, keys: &'static [Field]) -> Route<B> {
        self.answer = keys;
        self
    }

    /// Answers GET. A query parameter that is not a field is ignored with a warning; a field is checked.
    #[must_use]
    pub fn read<A, F, R>(self, handler: F) -> Route<B>
    where
        A: Params,
        F: Fn(Arc<B>, Request, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        self.on(Operation::Read, handler)
    }

    /// Answers POST and PUT if [`Route::exists`] says that the object does not exist.
    #[must_use]
    pub fn create<A, F, R>(self, handler: F) -> Route<B>
    where
        A: Params,
        F: Fn(Arc<B>, Request, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        self.on(Operation::Create, handler)
    }

    /// Answers POST and PUT if the object exists, or if the route has no [`Route::exists`].
    #[must_use]
    pub fn update<A, F, R>(self, handler: F) -> Route<B>
    where
        A: Params,
        F: Fn(Arc<B>, Request, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        self.on(Operation::Update, handler)
    }

    /// Answers every POST and PUT.
    #[must_use]
    pub fn write<A, F, R>(self, handler: F) -> Route<B>
    where
        A: Params,
        F: Fn(Arc<B>, Request, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        let entry = with_params(handler);
        self.with(Operation::Create, entry.clone()).with(Operation::Update, entry)
    }

    /// Answers DELETE. A request with an unknown parameter is refused, and deletes nothing.
    #[must_use]
    pub fn delete<A, F, R>(self, handler: F) -> Route<B>
    where
        A: Params,
        F: Fn(Arc<B>, Request, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        self.on(Operation::Delete, handler)
    }

    /// Answers LIST, and ignores what [`Route::read`] ignores.
    #[must_use]
    pub fn list<A, F, R>(self, handler: F) -> Route<B>
    where
        A: Params,
        F: Fn(Arc<B>, Request, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        self.on(Operation::List, handler)
    }

    /// Answers LIST with everything there is, of which the library gives the page that a request asks for: `limit` keys behind
    /// `after`, as in lists of `OpenBao`.
    #[must_use]
    pub fn list_all<F, R>(self, handler: F) -> Route<B>
    where
        F: Fn(Arc<B>, Request) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        self.list(move |backend, request, page: KeyPage| {
            let listing = handler(backend, request);
            async move { Ok(listing.await?.page(&page)) }
        })
    }

    /// Answers POST, PUT and PATCH of a document with these fields. Each request changes the fields that it names; see
    /// [`Change`].
    #[must_use]
    pub fn change<F, R>(self, fields: &'static [Field], handler: F) -> Route<B>
    where
        F: Fn(Arc<B>, Request, Change) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        let run: Handler<B> = Arc::new(move |backend, request, body| {
            let parameters = request.parameters.clone();
            let what = (request.operation, request.path.clone());
            match Change::read(fields, parameters, what, body) {
                Ok(change) => Box::pin(handler(backend, request, change)),
                Err(fault) => Box::pin(std::future::ready(Err(fault))),
            }
        });
        let entry = RouteOperation { fields, run };
        self.with(Operation::Create, entry.clone())
            .with(Operation::Update, entry.clone())
            .with(Operation::Patch, entry)
    }

    /// Says whether the object of the request's path exists, which separates create from update. It must not read the
    /// body.
    #[must_use]
    pub fn exists<F, R>(mut self, handler: F) -> Route<B>
    where
        F: Fn(Arc<B>, Request) -> R + Send + Sync + 'static,
        R: Future<Output = Result<bool, Fault>> + Send + 'static,
    {
        self.existence = Some(Box::new(move |backend, request| Box::pin(handler(backend, request))));
        self
    }

    /// Renders errors in a format of this route's own, for clients that do not read Vault's `errors`: faults of the
    /// handler, its panics, and refused fields. Three faults keep Vault's format: a node that may not write, because
    /// Vault forwards only its own text; a path without a route; and an operation that the route does not have.
    ///
    /// Vault's audit then has only the hash of the body and no error text, so refusals are logged at info.
    #[must_use]
    pub fn render_errors_with(mut self, form: fn(&Fault) -> Raw) -> Route<B> {
        self.failure = Some(form);
        self
    }

    fn on<A, F, R>(self, operation: Operation, handler: F) -> Route<B>
    where
        A: Params,
        F: Fn(Arc<B>, Request, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        self.with(operation, with_params(handler))
    }

    fn with(mut self, operation: Operation, entry: RouteOperation<B>) -> Route<B> {
        self.entries.insert(operation, entry);
        self
    }

    /// Returns the work that answers `request`, which has the parameters of its path; the caller must poll it.
    pub(crate) fn run(&self, backend: Arc<B>, request: Request, body: RequestBody) -> Handling<Response> {
        match self.entries.get(&request.operation) {
            Some(entry) => (entry.run)(backend, request, body),
            None => Box::pin(std::future::ready(Err(Fault::wrong_operation()))),
        }
    }

    /// Renders `fault` if the route has its own format and the fault is not for Vault itself.
    pub(crate) fn form(&self, fault: &Fault) -> Option<Raw> {
        self.failure.filter(|_| !fault.is_for_vault()).map(|form| form(fault))
    }

    /// Whether the object of the path exists, if the route can tell.
    pub(crate) fn existence(&self, backend: Arc<B>, request: Request) -> Option<Handling<bool>> {
        self.existence.as_ref().map(|handler| handler(backend, request))
    }

    /// Whether Vault's policies can tell `create` from `update` here.
    pub(crate) fn tells_create_from_update(&self) -> bool {
        self.existence.is_some()
    }

    /// Whether writes change a document, and therefore only the fields that they name.
    pub(crate) fn keeps_a_document(&self) -> bool {
        self.entries.contains_key(&Operation::Patch)
    }

    /// The operations that the route offers.
    pub(crate) fn operations(&self) -> impl Iterator<Item = Operation> {
        self.entries.keys().copied()
    }

    /// The fields that `operation` takes.
    pub(crate) fn fields(&self, operation: Operation) -> &'static [Field] {
        self.entries.get(&operation).map_or(&[], |entry| entry.fields)
    }
}

impl<B> Clone for RouteOperation<B> {
    fn clone(&self) -> Self {
        RouteOperation { fields: self.fields, run: Arc::clone(&self.run) }
    }
}

/// An operation that reads its whole [`Params`] from the body.
fn with_params<B, A, F, R>(handler: F) -> RouteOperation<B>
where
    A: Params,
    F: Fn(Arc<B>, Request, A) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Response, Fault>> + Send + 'static,
{
    let run: Handler<B> = Arc::new(move |backend, request, mut body| {
        let parameters = request.parameters.clone();
        let ignored = match request.operation {
            Operation::Read | Operation::List => unknown::take_out(A::FIELDS, &parameters, &mut body),
            Operation::Create | Operation::Update | Operation::Patch | Operation::Delete => None,
        };
        let ask = match Values::read(A::FIELDS, parameters, &body).and_then(|values| A::from_values(&values))
        {
            Ok(ask) => ask,
            Err(fault) => return Box::pin(std::future::ready(Err(fault))),
        };
        let work = handler(backend, request, ask);
        match ignored {
            Some(warning) => Box::pin(async move { Ok(work.await?.warn_beside_data(warning)) }),
            None => Box::pin(work),
        }
    });
    RouteOperation { fields: A::FIELDS, run }
}
