//! The engine's part of `sys/internal/specs/openapi`.
//!
//! Vault merges `paths`, below the mount, and `components.schemas`, one flat namespace for all engines: so names carry a prefix. An
//! `operationId` stays empty, because Vault fills it in per mount and would repeat ours.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::backend::{Plugin, SpecialPaths};
use crate::field::{Field, FieldKind};
use crate::help::in_path_help;
use crate::parse;
use crate::request::Operation;
use crate::route::Route;

/// The parts of a document besides its routes.
pub(crate) struct Document<'a> {
    /// The prefix of each schema's name.
    pub(crate) prefix: &'a str,
    pub(crate) plugin: &'a Plugin,
    pub(crate) special: &'a SpecialPaths,
}

impl Document<'_> {
    pub(crate) fn of_routes<B: Send + Sync + 'static>(&self, routes: &[Route<B>]) -> Value {
        let mut paths = Map::new();
        let mut schemas = Map::new();
        for route in routes {
            self.add_route(route, &mut paths, &mut schemas);
        }
        json!({
            "openapi": "3.0.2",
            "info": { "title": self.plugin.name, "description": self.plugin.about, "version": self.plugin.version },
            "paths": paths,
            "components": { "schemas": schemas },
        })
    }

    fn add_route<B: Send + Sync + 'static>(
        &self,
        route: &Route<B>,
        paths: &mut Map<String, Value>,
        schemas: &mut Map<String, Value>,
    ) {
        let template = route.pattern.template();
        let mut item = Map::new();
        for operation in route.operations() {
            match operation {
                Operation::List => drop(paths.insert(format!("/{template}/"), self.list_item(route))),
                Operation::Create if route.operations().any(|other| other == Operation::Update) => {}
                other => drop(item.insert(method(other).to_owned(), self.operation(route, other, schemas))),
            }
        }
        if !item.is_empty() {
            item.append(&mut self.frame(route));
            if route.tells_create_from_update() {
                item.insert("x-vault-createSupported".to_owned(), json!(true));
            }
            paths.insert(format!("/{template}"), item.into());
        }
    }

    /// The members that all operations of a path share.
    fn frame<B: Send + Sync + 'static>(&self, route: &Route<B>) -> Map<String, Value> {
        let template = route.pattern.template();
        let fields = fields_by_name(route);
        let parameters: Vec<_> =
            route.pattern.names().map(|name| parameter(name, fields.get(name).copied())).collect();
        let mut frame = Map::from_iter([("description".to_owned(), json!(route.synopsis))]);
        if !parameters.is_empty() {
            frame.insert("parameters".to_owned(), parameters.into());
        }
        for (key, special) in
            [("x-vault-sudo", &self.special.root), ("x-vault-unauthenticated", &self.special.unauthenticated)]
        {
            if special.iter().any(|special| matches_special(special, template)) {
                frame.insert(key.to_owned(), json!(true));
            }
        }
        frame
    }

    fn list_item<B: Send + Sync + 'static>(&self, route: &Route<B>) -> Value {
        let list = json!({
            "name": "list", "in": "query", "required": true, "description": "Must be set to `true`",
            "schema": { "type": "string", "enum": ["true"] },
        });
        let mut item = self.frame(route);
        item.insert(
            "get".to_owned(),
            json!({
                "summary": route.synopsis, "tags": ["secrets"], "parameters": [list],
                "responses": { "200": { "description": "OK" } },
            }),
        );
        item.into()
    }

    fn operation<B: Send + Sync + 'static>(
        &self,
        route: &Route<B>,
        operation: Operation,
        schemas: &mut Map<String, Value>,
    ) -> Value {
        let mut described = Map::from_iter([
            ("summary".to_owned(), json!(route.synopsis)),
            ("tags".to_owned(), json!(["secrets"])),
            ("responses".to_owned(), responses(operation)),
        ]);
        let in_path: Vec<_> = route.pattern.names().collect();
        let fields: Vec<_> =
            route.fields(operation).iter().filter(|field| !in_path.contains(&field.name)).collect();
        if has_body(operation) && !fields.is_empty() {
            let name = self.schema_name(route.pattern.template(), operation);
            described.insert("requestBody".to_owned(), request_body(&name, operation));
            schemas.insert(name, body_schema(&fields, route.keeps_a_document()));
        } else if !fields.is_empty() {
            let query: Vec<_> = fields.iter().map(|field| query_parameter(field)).collect();
            described.insert("parameters".to_owned(), query.into());
        }
        described.into()
    }

    fn schema_name(&self, template: &str, operation: Operation) -> String {
        let verb = if operation == Operation::Patch { "Patch" } else { "Write" };
        format!("{}{}{verb}Request", title_case(self.prefix), title_case(template))
    }
}

fn fields_by_name<B: Send + Sync + 'static>(route: &Route<B>) -> BTreeMap<&'static str, &'static Field> {
    let fields = route.operations().flat_map(|operation| route.fields(operation));
    fields.map(|field| (field.name, field)).collect()
}

fn method(operation: Operation) -> &'static str {
    match operation {
        Operation::Read | Operation::List => "get",
        Operation::Create | Operation::Update => "post",
        Operation::Patch => "patch",
        Operation::Delete => "delete",
    }
}

fn has_body(operation: Operation) -> bool {
    matches!(operation, Operation::Create | Operation::Update | Operation::Patch)
}

fn responses(operation: Operation) -> Value {
    match operation {
        Operation::Delete => json!({ "204": { "description": "empty body" } }),
        Operation::Read | Operation::List => json!({ "200": { "description": "OK" } }),
        _ => json!({ "200": { "description": "OK" }, "204": { "description": "empty body" } }),
    }
}

/// Vault decodes the document of an external plugin by Go field name, where `$ref` is the field `Ref`: with `$ref` alone the reference is lost.
fn request_body(name: &str, operation: Operation) -> Value {
    let path = format!("#/components/schemas/{name}");
    let media = match operation {
        Operation::Patch => "application/merge-patch+json",
        _ => "application/json",
    };
    json!({ "required": true, "content": { media: { "schema": { "$ref": path, "ref": path } } } })
}

/// A change of a document may leave out what is stored already.
fn body_schema(fields: &[&'static Field], of_a_document: bool) -> Value {
    let properties: Map<_, _> =
        fields.iter().map(|field| (field.name.to_owned(), field_schema(field))).collect();
    let mut schema =
        Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), properties.into())]);
    let required: Vec<_> =
        fields.iter().filter(|field| field.is_required()).map(|field| field.name).collect();
    if !required.is_empty() && !of_a_document {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.into()
}

fn parameter(name: &str, field: Option<&'static Field>) -> Value {
    let help = field.map_or_else(|| in_path_help(name), |field| field.help.to_owned());
    json!({ "name": name, "in": "path", "required": true, "description": help, "schema": { "type": "string" } })
}

fn query_parameter(field: &Field) -> Value {
    json!({
        "name": field.name, "in": "query", "required": field.is_required(), "description": field.help, "deprecated": field.deprecated,
        "schema": field_schema(field),
    })
}

fn field_schema(field: &Field) -> Value {
    let mut schema = kind_schema(field.kind);
    schema.insert("description".to_owned(), json!(field.help));
    if field.deprecated {
        schema.insert("deprecated".to_owned(), json!(true));
    }
    if field.is_read_only() {
        schema.insert("readOnly".to_owned(), json!(true));
    }
    if field.hides_value() {
        schema.insert("x-vault-displaySensitive".to_owned(), json!(true));
        schema.insert("x-vault-displayAttrs".to_owned(), json!({ "sensitive": true }));
    }
    if !field.one_of.is_empty() && field.kind != FieldKind::List {
        let values: Vec<_> = field.one_of.iter().map(|value| typed(field, value)).collect();
        schema.insert("enum".to_owned(), values.into());
    }
    if let Some(default) = field.default_text.filter(|text| parse::field(field, &json!(text)).is_ok()) {
        schema.insert("default".to_owned(), typed(field, default));
    }
    schema.into()
}

/// `text` as JSON of the field's kind.
fn typed(field: &Field, text: &str) -> Value {
    match field.kind {
        FieldKind::Int | FieldKind::Bool => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        _ => json!(text),
    }
}

fn kind_schema(kind: FieldKind) -> Map<String, Value> {
    let schema = match kind {
        FieldKind::String | FieldKind::Pem => json!({ "type": "string" }),
        FieldKind::Int => json!({ "type": "integer", "format": "int64" }),
        FieldKind::Bool => json!({ "type": "boolean" }),
        FieldKind::Duration => json!({ "type": "string", "format": "duration" }),
        FieldKind::List => json!({ "type": "array", "items": { "type": "string" } }),
        FieldKind::Pairs => json!({ "type": "object", "format": "kvpairs" }),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// `roles/{name}` as `RolesName`.
fn title_case(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let capitalised = |word: &str| [word[..1].to_ascii_uppercase().as_str(), &word[1..]].concat();
    words.map(capitalised).collect()
}

/// Vault's matching of special paths: `+` is one segment, `*` at the end any rest.
pub(crate) fn matches_special(special: &str, path: &str) -> bool {
    let (special, open) = special.strip_suffix('*').map_or((special, false), |special| (special, true));
    let wanted: Vec<_> = special.split('/').collect();
    let given: Vec<_> = path.split('/').collect();
    let last = wanted.len() - 1;
    let fits = |(index, wanted): (usize, &&str)| match given.get(index) {
        Some(given) if open && index == last => given.starts_with(wanted),
        Some(given) => *wanted == "+" || given == wanted,
        None => false,
    };
    wanted.iter().enumerate().all(fits) && (open || wanted.len() == given.len())
}
