//! Which links of which documents lead nowhere.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::document::{Document, Link};

/// Folders with documents that are not ours.
const NOT_OURS: [&str; 4] = ["target", "node_modules", "venv", ".git"];

/// Every Markdown document of the repository, as paths below `root`, sorted.
///
/// # Errors
/// When a folder cannot be listed.
pub fn documents(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if kind.is_dir() && !NOT_OURS.contains(&name) {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A sentence for each link of `documents`, paths below `root`, that leads to no file, or to no anchor of a document.
///
/// # Errors
/// When a document cannot be read.
pub fn broken(root: &Path, documents: &[PathBuf]) -> io::Result<Vec<String>> {
    let mut read = BTreeMap::new();
    for path in documents {
        read.insert(path.clone(), Document::read(&fs::read_to_string(root.join(path))?));
    }
    let mut broken = Vec::new();
    for (path, document) in &read {
        let problems = document.links.iter().filter_map(|link| problem(root, &read, path, link));
        broken.extend(problems.map(|problem| format!("{}: {problem}", path.display())));
    }
    Ok(broken)
}

/// Whether a link leads out of the repository, to where nothing is checked.
#[must_use]
pub fn is_elsewhere(destination: &str) -> bool {
    ["http:", "https:", "mailto:"].iter().any(|scheme| destination.starts_with(scheme))
}

fn problem(root: &Path, read: &BTreeMap<PathBuf, Document>, from: &Path, link: &Link) -> Option<String> {
    let destination = &link.destination;
    if is_elsewhere(destination) {
        return None;
    }
    let (path, anchor) = match destination.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (destination.as_str(), None),
    };
    let Some(target) = resolve(from, path) else {
        return Some(format!("{destination:?} leads out of the repository"));
    };
    if !root.join(&target).exists() {
        return Some(format!("{destination:?} leads to no file"));
    }
    match (anchor, read.get(&target)) {
        (None, _) => None,
        (Some(anchor), Some(document)) if document.anchors.contains(anchor) => None,
        (Some(anchor), Some(_)) => {
            Some(format!("{destination:?}: {} has no anchor {anchor:?}", target.display()))
        }
        (Some(_), None) => Some(format!("{destination:?} names an anchor of a file without anchors")),
    }
}

/// The path below the root to which `path` leads from the document `from`; none when that is outside.
#[must_use]
pub fn resolve(from: &Path, path: &str) -> Option<PathBuf> {
    if path.is_empty() {
        return Some(from.to_owned());
    }
    let mut target = from.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir if !target.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            Component::Normal(name) => target.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(target)
}
