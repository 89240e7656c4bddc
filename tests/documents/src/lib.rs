//! The documents of this repository: their links are checked, their pictures rendered, and the book laid out for mdBook.
//!
//! ```text
//! every *.md ──▶ document: links and anchors ──▶ links: which lead nowhere
//! docs/pictures/*.pikchr ──▶ pictures ──▶ docs/pictures/*.svg
//! docs/ ──▶ book: pages with links out of the book turned into copies ──▶ mdBook ──▶ page: HTML, whose links are checked again
//! ```

mod attributes;
pub mod book;
pub mod document;
pub mod links;
pub mod page;
pub mod pictures;

use std::path::{Path, PathBuf};

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap_or(root)
}
