//! A YAML file as values, and a walk over every mapping in it.

use std::fs;
use std::path::{Path, PathBuf};

use harness::binaries::workspace;
use serde_json::{Map, Value};

/// One YAML file: where it is, below the workspace, and its documents.
pub(crate) struct Manifest {
    pub(crate) path: String,
    pub(crate) documents: Vec<Value>,
}

impl Manifest {
    /// Reads a file of the workspace.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.strip_prefix(workspace()).unwrap_or(path).display().to_string();
        Self::of(&name, &text)
    }

    /// Takes a text as if it were the file `path`.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), documents }
    }

    /// Calls `visit` with every mapping: of the documents, and of the patches that kustomizations hold as text.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(&Map<String, Value>)) {
        for document in &self.documents {
            walk(document, visit);
        }
    }
}

fn walk(value: &Value, visit: &mut dyn FnMut(&Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(mapping) => {
            visit(mapping);
            mapping.values().for_each(|inner| walk(inner, visit));
            if let Some(patch) = mapping.get("patch").and_then(Value::as_str) {
                Manifest::of("a patch", patch).each(visit);
            }
        }
        _ => {}
    }
}

/// Every file below a folder of the workspace.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![workspace().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
