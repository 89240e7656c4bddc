//! A backend's paths as values, from which a project writes its reference: the facts of path-help and `OpenAPI`.

use crate::backend::{Backend, SpecialPaths};
use crate::field::Field;
use crate::help;
use crate::openapi::matches_special;
use crate::request::Operation;
use crate::route::Route;

/// One path of a backend.
#[derive(Clone, Debug)]
pub struct PathReference {
    /// The path below the mount, such as `roles/{name}`.
    pub template: &'static str,
    /// One line.
    pub synopsis: &'static str,
    /// As path-help has it: an empty line parts paragraphs, and indented lines stay as they are.
    pub description: String,
    /// The operations in the CLI's words: `read`, `write`, `patch`, `delete`, `list`.
    pub operations: Vec<&'static str>,
    /// The capabilities that a policy must grant for all operations, `sudo` among them.
    pub capabilities: Vec<&'static str>,
    /// Whether the path answers without a token.
    pub is_unauthenticated: bool,
    /// The parameters, those of the path first.
    pub parameters: Vec<ParameterReference>,
    /// The keys of an answer's data, where the route lists them.
    pub answer: Vec<ParameterReference>,
}

/// One parameter of a path, or one key of its answer.
#[derive(Clone, Debug)]
pub struct ParameterReference {
    /// The name on the wire.
    pub name: &'static str,
    /// The word of path-help for its kind.
    pub kind: &'static str,
    /// What it means, when it is required, its default and its values.
    pub help: String,
    /// Whether it is a part of the path.
    pub is_in_path: bool,
    /// The operations that take it; empty where all do, for a part of the path and for a key of an answer.
    pub only_in: Vec<&'static str>,
}

/// The paths of `B`, in the order of [`Backend::routes`].
#[must_use]
pub fn paths<B: Backend>() -> Vec<PathReference> {
    let special = B::special_paths();
    B::routes().iter().map(|route| path(route, &special)).collect()
}

fn path<B: Send + Sync + 'static>(route: &Route<B>, special: &SpecialPaths) -> PathReference {
    let template = route.pattern.template();
    let is_one_of = |paths: &[&str]| paths.iter().any(|special| matches_special(special, template));
    let mut capabilities: Vec<_> = route.operations().filter_map(|one| capability(route, one)).collect();
    if is_one_of(&special.root) {
        capabilities.push("sudo");
    }
    PathReference {
        template,
        synopsis: route.synopsis,
        description: help::description(route),
        operations: help::verbs(route),
        capabilities,
        is_unauthenticated: is_one_of(&special.unauthenticated),
        parameters: parameters(route),
        answer: route.answer.iter().map(key_of_answer).collect(),
    }
}

/// Without an existence check Vault takes every write for an update.
fn capability<B: Send + Sync + 'static>(route: &Route<B>, operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::Create => route.tells_create_from_update().then_some("create"),
        Operation::Read => Some("read"),
        Operation::Update => Some("update"),
        Operation::Patch => Some("patch"),
        Operation::Delete => Some("delete"),
        Operation::List => Some("list"),
    }
}

fn parameters<B: Send + Sync + 'static>(route: &Route<B>) -> Vec<ParameterReference> {
    let in_path: Vec<_> = route.pattern.names().collect();
    let described = help::parameters(route);
    let declared = route.operations().flat_map(|operation| route.fields(operation)).map(|field| field.name);
    let mut names = in_path.clone();
    for name in declared {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let reference = |name| {
        let parameter = described.get(name)?;
        let is_in_path = in_path.contains(&name);
        let only_in = if is_in_path { Vec::new() } else { only_in(route, name) };
        Some(ParameterReference {
            name,
            kind: parameter.kind,
            help: parameter.help.clone(),
            is_in_path,
            only_in,
        })
    };
    names.into_iter().filter_map(reference).collect()
}

fn only_in<B: Send + Sync + 'static>(route: &Route<B>, name: &str) -> Vec<&'static str> {
    let takes = |operation: &Operation| route.fields(*operation).iter().any(|field| field.name == name);
    if route.operations().all(|operation| takes(&operation)) {
        return Vec::new();
    }
    help::words(route.operations().filter(takes))
}

fn key_of_answer(field: &Field) -> ParameterReference {
    let help = help::field_help(field, "");
    ParameterReference {
        name: field.name,
        kind: field.kind.label(),
        help,
        is_in_path: false,
        only_in: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Fault, Mount, Params, Request, Response, Values};

    struct Shop;

    impl Backend for Shop {
        const HELP: &'static str = "A shop.";

        fn new(_: Mount) -> Self {
            Shop
        }

        fn routes() -> Vec<Route<Self>> {
            const TOTAL: &[Field] = &[Field::int("total", "what it costs")];
            vec![
                Route::at("orders/{id}").synopsis("An order.").read(read).update(write).answers(TOTAL),
                Route::at("open").synopsis("When it is open.").read(read_all),
            ]
        }

        fn special_paths() -> SpecialPaths {
            SpecialPaths { root: vec!["orders/+"], unauthenticated: vec!["open"], ..SpecialPaths::default() }
        }
    }

    struct Order;

    impl Params for Order {
        const FIELDS: &'static [Field] = &[
            Field::string("goods", "what is bought").required(),
            Field::string("id", "number of the order"),
        ];

        fn from_values(_: &Values) -> Result<Self, Fault> {
            Ok(Order)
        }
    }

    async fn read(_: Arc<Shop>, _: Request, (): ()) -> Result<Response, Fault> {
        Ok(Response::no_content())
    }

    async fn read_all(_: Arc<Shop>, _: Request, (): ()) -> Result<Response, Fault> {
        Ok(Response::no_content())
    }

    async fn write(_: Arc<Shop>, _: Request, _: Order) -> Result<Response, Fault> {
        Ok(Response::no_content())
    }

    #[test]
    fn a_path_says_what_a_policy_must_grant() {
        let paths = paths::<Shop>();

        assert_eq!(paths[0].operations, ["read", "write"]);
        assert_eq!(paths[0].capabilities, ["read", "update", "sudo"]);
        assert_eq!((paths[0].is_unauthenticated, paths[1].is_unauthenticated), (false, true));
    }

    #[test]
    fn parameters_begin_with_those_of_the_path_and_say_which_operation_takes_them() {
        let parameters = &paths::<Shop>()[0].parameters;

        let shown: Vec<_> =
            parameters.iter().map(|one| (one.name, one.is_in_path, one.only_in.clone())).collect();
        assert_eq!(shown, [("id", true, vec![]), ("goods", false, vec!["write"])]);
        assert_eq!(parameters[1].help, "what is bought. Required in a write.");
    }

    #[test]
    fn the_keys_of_an_answer_are_described() {
        let answer = &paths::<Shop>()[0].answer;

        assert_eq!(
            (answer[0].name, answer[0].kind, answer[0].help.as_str()),
            ("total", "int", "what it costs.")
        );
    }
}
