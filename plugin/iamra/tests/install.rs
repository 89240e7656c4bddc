//! `install` by the binary itself, as an init container runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};

use aws_lc_rs::digest::{SHA256, digest};

const BINARY: &str = env!("CARGO_BIN_EXE_vault-plugin-secrets-iamra");
const NAME: &str = "vault-plugin-secrets-iamra";

fn run(words: &[&str]) -> Output {
    Command::new(BINARY).args(words).output().unwrap()
}

fn install_into(folder: &Path) -> Output {
    run(&["install", folder.to_str().unwrap()])
}

/// What a run that failed said; it said nothing on stdout.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_copy_is_the_same_binary_that_anyone_may_run() {
    let folder = tempfile::tempdir().unwrap();

    let output = install_into(folder.path());

    assert!(output.status.success(), "{output:?}");
    let copy = folder.path().join(NAME);
    assert_eq!(fs::read(&copy).unwrap(), fs::read(BINARY).unwrap());
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(names_in(folder.path()), [NAME]);
}

#[test]
fn path_version_and_digest_are_printed_as_the_catalog_wants_them() {
    let folder = tempfile::tempdir().unwrap();

    let output = install_into(folder.path());

    let copy = folder.path().join(NAME);
    let sha256 = hex::encode(digest(&SHA256, &fs::read(&copy).unwrap()));
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!("path={}\nversion=v{version}\nsha256={sha256}\n", copy.display());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn an_older_binary_is_replaced_and_whoever_runs_it_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join(NAME);
    fs::write(&old, "old").unwrap();
    let still_open = fs::File::open(&old).unwrap();

    let output = install_into(folder.path());

    assert!(output.status.success(), "{output:?}");
    assert_eq!(still_open.metadata().unwrap().len(), 3);
    assert_eq!(fs::read(&old).unwrap(), fs::read(BINARY).unwrap());
}

#[test]
fn a_copy_installs_itself_further() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    install_into(first.path());

    let output = Command::new(first.path().join(NAME)).arg("install").arg(second.path()).output().unwrap();

    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read(second.path().join(NAME)).unwrap(), fs::read(BINARY).unwrap());
}

#[test]
fn a_folder_that_is_not_there_is_named_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("plugins");

    let said = complaint(&install_into(&missing));

    assert!(said.contains(&format!("there is no folder {}", missing.display())), "{said}");
    assert!(!missing.exists());
}

#[test]
fn a_file_in_place_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();

    let said = complaint(&install_into(&file));

    assert!(said.contains("is not a folder"), "{said}");
}

#[test]
fn a_failed_install_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join(NAME);
    fs::create_dir(&in_the_way).unwrap();

    let said = complaint(&install_into(folder.path()));

    assert!(said.contains("cannot write"), "{said}");
    assert_eq!(names_in(folder.path()), [NAME]);
}

#[test]
fn no_folder_or_two_are_answered_with_the_usage() {
    for words in [&["install"][..], &["install", "/a", "/b"]] {
        let said = complaint(&run(words));

        assert!(said.contains("usage: vault-plugin-secrets-iamra install <folder>"), "{said}");
    }
}

#[test]
fn a_start_by_hand_still_explains_itself() {
    let said = complaint(&run(&[]));

    assert!(said.contains("vault plugin register"), "{said}");
}
