//! Lays the book out for mdBook: the pages of `docs/`, and a copy of each file outside to which a page links.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::document::Document;
use crate::links::{documents, is_elsewhere, resolve};

/// Where copies of files outside the book stand in it.
const COPIES: &str = "repository";

/// Writes the source of the book into `target`, which is made anew: `docs/` with links that stay in the book.
///
/// A page's link to a file outside `docs/` leads to a copy of that file, as plain text that browsers show. A folder becomes a list of its
/// files. Without this, such a link works in the repository and nowhere else.
///
/// # Errors
/// When a file cannot be read or written, or a link out of the book is not written as `[text](destination)`.
pub fn lay_out(root: &Path, target: &Path) -> io::Result<()> {
    if target.exists() {
        fs::remove_dir_all(target)?;
    }
    copy_folder(&root.join("docs"), target)?;
    for page in documents(&root.join("docs"))? {
        let path = target.join(&page);
        let text = fs::read_to_string(&path)?;
        let laid_out = keep_inside(root, target, &page, &text)?;
        if laid_out != text {
            fs::write(&path, laid_out)?;
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The text of `page` with its links out of the book turned into links to copies, which are made.
fn keep_inside(root: &Path, target: &Path, page: &Path, text: &str) -> io::Result<String> {
    let in_repository = Path::new("docs").join(page);
    let mut changed = text.to_owned();
    // from the end, so that ranges before a change stay true
    for link in Document::read(text).links.into_iter().rev() {
        let path = link.destination.split('#').next().unwrap_or_default();
        let leads_to = resolve(&in_repository, path).filter(|_| !is_elsewhere(&link.destination));
        let Some(outside) = leads_to.filter(|target| !target.starts_with("docs")) else { continue };
        let copy = copy(root, target, &outside)?;
        let ups = "../".repeat(page.components().count() - 1);
        let at = destination(text, &link.range, &link.destination).ok_or_else(|| {
            io::Error::other(format!(
                "{}: write {:?} as [text](destination)",
                page.display(),
                link.destination
            ))
        })?;
        changed.replace_range(at, &format!("{ups}{copy}"));
    }
    Ok(changed)
}

/// The bytes of the destination in the link at `range`.
fn destination(text: &str, range: &Range<usize>, destination: &str) -> Option<Range<usize>> {
    let mark = format!("]({destination}");
    let at = range.start + text[range.clone()].rfind(&mark)? + "](".len();
    Some(at..at + destination.len())
}

/// Copies `path` of the repository into the book as plain text, and tells where the copy is.
fn copy(root: &Path, target: &Path, path: &Path) -> io::Result<String> {
    let shown = path.display().to_string();
    // without `.md`, because mdBook makes `.html` of it wherever it stands in a link
    let name = format!("{COPIES}/{}.txt", shown.strip_suffix(".md").unwrap_or(&shown));
    let copy = target.join(&name);
    fs::create_dir_all(copy.parent().unwrap_or(target))?;
    let from = root.join(path);
    if from.is_dir() {
        fs::write(copy, listed(&from, path)?)?;
    } else {
        fs::copy(from, copy)?;
    }
    Ok(name)
}

/// The files and folders of a folder, one a line.
fn listed(folder: &Path, path: &Path) -> io::Result<String> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(path.join(entry?.file_name())));
    let mut entries = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort();
    let lines: Vec<_> = entries.iter().map(|entry| entry.display().to_string()).collect();
    Ok(lines.join("\n") + "\n")
}
