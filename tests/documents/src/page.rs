//! The book as mdBook made it: whether its links lead to a file and an anchor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::attributes::attributes;
use crate::links::{is_elsewhere, resolve};

/// What mdBook serves at an address of which it knows nothing: its links begin at the book's root.
const NOT_FOUND: &str = "404.html";

struct Page {
    links: Vec<String>,
    ids: BTreeSet<String>,
}

/// A sentence for each link of the book at `root` that leads to no file or to no id, and how many links were looked at.
///
/// # Errors
/// When a file cannot be read.
pub fn broken(root: &Path) -> io::Result<(usize, Vec<String>)> {
    let mut pages = BTreeMap::new();
    for path in html(root, Path::new(""))? {
        let text = fs::read_to_string(root.join(&path))?;
        let of = |names: &[&str]| -> Vec<String> {
            attributes(&text, names).map(|(_, value)| value.replace("&amp;", "&")).collect()
        };
        let page = Page { links: of(&["href", "src"]), ids: of(&["id"]).into_iter().collect() };
        pages.insert(path, page);
    }
    let mut problems = Vec::new();
    let mut looked_at = 0;
    for (path, page) in pages.iter().filter(|(path, _)| !path.ends_with(NOT_FOUND)) {
        for link in page.links.iter().filter(|link| !is_elsewhere(link)) {
            looked_at += 1;
            if !leads_somewhere(root, &pages, path, link) {
                problems.push(format!("{}: {link:?} leads nowhere", path.display()));
            }
        }
    }
    Ok((looked_at, problems))
}

fn leads_somewhere(root: &Path, pages: &BTreeMap<PathBuf, Page>, from: &Path, link: &str) -> bool {
    let (path, id) = link.split_once('#').unwrap_or((link, ""));
    let Some(target) = resolve(from, path) else { return false };
    let has_id = |page: &Page| id.is_empty() || page.ids.contains(id);
    root.join(&target).is_file() && pages.get(&target).is_none_or(has_id)
}

fn html(root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(html(root, &path)?);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            found.push(path);
        }
    }
    Ok(found)
}
