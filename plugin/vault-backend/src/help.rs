//! The text of `vault path-help`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::change::{CLEAN_SLATE, CREATION, RULE};
use crate::field::Field;
use crate::request::Operation;
use crate::response::Response;
use crate::route::Route;

const WIDTH: usize = 80;

/// The response to a help call. Vault requires all three keys, and merges `openapi` into its own document.
pub(crate) fn answer(text: String, openapi: Value) -> Response {
    let data = [("help", Value::String(text)), ("see_also", Value::Null), ("openapi", openapi)];
    Response::data(data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}

/// The help of the mount: its purpose and its paths.
pub(crate) fn of_mount<B: Send + Sync + 'static>(about: &str, routes: &[Route<B>]) -> String {
    let mut text = format!("## DESCRIPTION\n\n{}\n\n## PATHS\n\n", filled(about, 0));
    text.push_str(&filled(
        "The following paths are supported by this engine. For the help of one of them use the help command with a path of that form. \
         Your token's policies may not let you use every path.",
        0,
    ));
    text.push('\n');
    let mut sorted: Vec<_> = routes.iter().map(|route| (route.pattern.template(), route.synopsis)).collect();
    sorted.sort_unstable();
    for (template, synopsis) in sorted {
        let _ = write!(text, "\n    {template}\n{}\n", filled(or(synopsis, "No synopsis."), 8));
    }
    text
}

/// The help of one route, as requested at `path`.
pub(crate) fn of_route<B: Send + Sync + 'static>(route: &Route<B>, path: &str) -> String {
    let mut text = format!("Request:        {path}\nMatching Route: {}\n", route.pattern.template());
    let _ = writeln!(text, "Operations:     {}", verbs(route).join(", "));
    let _ = write!(text, "\n{}\n\n", filled(or(route.synopsis, "No synopsis."), 0));
    let parameters = parameters(route);
    if !parameters.is_empty() {
        text.push_str("## PARAMETERS\n\n");
    }
    for (name, parameter) in parameters {
        push_parameter(&mut text, name, parameter.kind, &parameter.help);
    }
    if !route.answer.is_empty() {
        text.push_str("## ANSWER\n\n");
    }
    for key in route.answer {
        push_parameter(&mut text, key.name, key.kind.label(), &field_help(key, ""));
    }
    let _ = write!(text, "## DESCRIPTION\n\n{}\n", filled(&description(route), 0));
    text
}

fn push_parameter(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(text, "    {name} ({kind})\n\n{}\n\n", filled(help, 8));
}

/// The route's description, with the rule for changes if it keeps a document.
pub(crate) fn description<B: Send + Sync + 'static>(route: &Route<B>) -> String {
    let own = or(route.description, route.synopsis);
    if !route.keeps_a_document() {
        return own.to_owned();
    }
    let mut rule = vec![RULE];
    // what a write cannot create needs no check whether it exists
    if route.tells_create_from_update() {
        rule.push(CREATION);
        if route.operations().any(|offered| offered == Operation::Delete) {
            rule.push(CLEAN_SLATE);
        }
    }
    format!("{own}\n\n{}", rule.join(" "))
}

/// A parameter as path-help shows it.
pub(crate) struct Parameter {
    pub(crate) kind: &'static str,
    pub(crate) help: String,
}

pub(crate) fn parameters<B: Send + Sync + 'static>(route: &Route<B>) -> BTreeMap<&'static str, Parameter> {
    let in_path =
        route.pattern.names().map(|name| (name, Parameter { kind: "string", help: in_path_help(name) }));
    let mut all: BTreeMap<_, _> = in_path.collect();
    let names: Vec<_> = all.keys().copied().collect();
    for field in route.operations().flat_map(|operation| route.fields(operation)) {
        let help = if names.contains(&field.name) {
            field.help.to_owned()
        } else {
            field_help(field, when_required(route, field))
        };
        all.insert(field.name, Parameter { kind: field.kind.label(), help });
    }
    all
}

/// The help of a path's parameter that no field documents.
pub(crate) fn in_path_help(name: &str) -> String {
    format!("The {} in the path.", name.replace('_', " "))
}

/// When a field must be given that some operation requires.
fn when_required<B: Send + Sync + 'static>(route: &Route<B>, field: &Field) -> &'static str {
    let is_asked = |operation| {
        route.fields(operation).iter().any(|asked| asked.name == field.name && asked.is_required())
    };
    if route.keeps_a_document() {
        " Required where nothing is stored."
    } else if route.operations().all(is_asked) {
        " Required."
    } else {
        " Required in a write."
    }
}

pub(crate) fn field_help(field: &Field, when_required: &str) -> String {
    let mut help = String::new();
    if field.deprecated {
        help.push_str("(DEPRECATED) ");
    }
    help.push_str(field.help.trim_end_matches('.'));
    help.push('.');
    if field.is_required() {
        help.push_str(when_required);
    }
    if field.is_read_only() {
        help.push_str(" Shown by reads alone.");
    }
    if !field.one_of.is_empty() {
        let _ = write!(help, " One of: {}.", field.one_of.join(", "));
    }
    if let Some(default) = field.default_text {
        let _ = write!(help, " Default: {default}.");
    }
    help
}

/// The operations in the CLI's words.
pub(crate) fn verbs<B: Send + Sync + 'static>(route: &Route<B>) -> Vec<&'static str> {
    words(route.operations())
}

/// The CLI's words for operations, in the order of its help.
pub(crate) fn words(operations: impl Iterator<Item = Operation>) -> Vec<&'static str> {
    const VERBS: [(&str, &[Operation]); 5] = [
        ("read", &[Operation::Read]),
        ("write", &[Operation::Create, Operation::Update]),
        ("patch", &[Operation::Patch]),
        ("delete", &[Operation::Delete]),
        ("list", &[Operation::List]),
    ];
    let offered: Vec<_> = operations.collect();
    let is_offered = |one: &[Operation]| offered.iter().any(|operation| one.contains(operation));
    VERBS.iter().filter(|(_, operations)| is_offered(operations)).map(|(verb, _)| *verb).collect()
}

fn or<'a>(text: &'a str, instead: &'a str) -> &'a str {
    if text.trim().is_empty() { instead } else { text }
}

/// Indents `text` and wraps it at 80 columns. Empty lines separate paragraphs; lines that begin with a space stay as
/// they are.
fn filled(text: &str, indent: usize) -> String {
    let mut filler = Filler { indent: " ".repeat(indent), lines: Vec::new(), open: false };
    for line in text.trim().lines() {
        match line {
            "" => filler.push_line(String::new()),
            line if line.starts_with(' ') => filler.push_line(format!("{}{line}", filler.indent)),
            line => line.split_whitespace().for_each(|word| filler.push_word(word)),
        }
    }
    filler.lines.join("\n")
}

struct Filler {
    indent: String,
    lines: Vec<String>,
    /// Whether the last line takes further words.
    open: bool,
}

impl Filler {
    fn push_line(&mut self, line: String) {
        self.lines.push(line);
        self.open = false;
    }

    fn push_word(&mut self, word: &str) {
        match self.lines.last_mut() {
            Some(line) if self.open && line.chars().count() + word.chars().count() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => {
                self.lines.push(format!("{}{word}", self.indent));
                self.open = true;
            }
        }
    }
}
