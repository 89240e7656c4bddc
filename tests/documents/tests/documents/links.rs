//! Each link of each document leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use documents::document::Document;
use documents::links::{broken, documents, resolve};
use documents::repository;

#[test]
fn every_link_of_every_document_leads_to_a_file_and_an_anchor() {
    let root = repository();
    let documents = documents(&root).unwrap();

    let broken = broken(&root, &documents).unwrap();

    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(documents.contains(&PathBuf::from("README.md")), "README.md was not looked at");
}

#[test]
fn the_book_lists_every_page_of_docs_once() {
    let root = repository().join("docs");
    let summary = Document::read(&fs::read_to_string(root.join("SUMMARY.md")).unwrap());
    let here = PathBuf::from("SUMMARY.md");

    let listed: Vec<_> = summary.links.iter().filter_map(|link| resolve(&here, &link.destination)).collect();

    let pages = documents(&root).unwrap().into_iter().filter(|page| *page != here);
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), pages.collect());
    assert_eq!(listed.len(), listed.iter().collect::<BTreeSet<_>>().len(), "a page stands there twice");
}

#[test]
fn a_link_that_leads_nowhere_is_named_with_its_document() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("a")).unwrap();
    fs::write(
        folder.path().join("a/one.md"),
        "[x](two.md) [y](../b.md#no) [z](../../out) [ok](../b.md#yes) [w](https://x)",
    )
    .unwrap();
    fs::write(folder.path().join("b.md"), "# Yes\n").unwrap();

    let broken = broken(folder.path(), &documents(folder.path()).unwrap()).unwrap();

    assert_eq!(
        broken,
        [
            "a/one.md: \"two.md\" leads to no file",
            "a/one.md: \"../b.md#no\": b.md has no anchor \"no\"",
            "a/one.md: \"../../out\" leads out of the repository",
        ]
    );
}
