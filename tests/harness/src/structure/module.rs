//! One file of a crate: where it is in the tree of modules, and its syntax.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use walkdir::WalkDir;

/// A module that has a file of its own.
pub struct Module {
    /// From the crate's root, which has an empty one.
    pub path: Vec<String>,
    /// Below `src`.
    pub file: PathBuf,
    /// Its syntax tree.
    pub text: String,
    pub(super) syntax: syn::File,
}

impl Module {
    /// The module of `file`, a path below `src`, with the content `text`.
    ///
    /// # Panics
    /// When `text` is not Rust.
    pub fn parse(file: &str, text: &str) -> Self {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        Self { path: path_of(file), file: PathBuf::from(file), text: text.to_owned(), syntax }
    }

    /// Every identifier of the code without tests.
    pub fn words(&self) -> HashSet<String> {
        let mut words = Words(HashSet::new());
        words.visit_file(&self.syntax);
        words.0
    }

    /// The name of every type and trait that the module defines, without tests and without what macros make.
    pub fn types(&self) -> Vec<String> {
        let named = self.syntax.items.iter().filter_map(|item| {
            let (attributes, ident) = match item {
                syn::Item::Struct(item) => (&item.attrs, &item.ident),
                syn::Item::Enum(item) => (&item.attrs, &item.ident),
                syn::Item::Trait(item) => (&item.attrs, &item.ident),
                syn::Item::Type(item) => (&item.attrs, &item.ident),
                _ => return None,
            };
            (!is_for_tests(attributes)).then(|| ident.to_string())
        });
        named.collect()
    }
}

fn path_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if ["lib", "main"].contains(&path) { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// Every module under `src` but those of tests, sorted by path.
pub(super) fn read_all(src: &Path) -> Vec<Module> {
    let files = WalkDir::new(src).into_iter().map(|entry| entry.expect("a readable folder").into_path());
    let mut modules: Vec<Module> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| {
            let text =
                fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let below = file.strip_prefix(src).expect("it was found there");
            Module::parse(&below.to_string_lossy(), &text)
        })
        .collect();
    let tests = test_modules(&modules);
    modules.retain(|module| !tests.iter().any(|test| module.path.starts_with(test)));
    modules.sort_by(|a, b| a.path.cmp(&b.path));
    modules
}

/// The paths of modules that some file declares for tests alone.
fn test_modules(modules: &[Module]) -> Vec<Vec<String>> {
    let declared = modules.iter().flat_map(|module| {
        module.syntax.items.iter().filter_map(move |item| match item {
            syn::Item::Mod(child) if child.content.is_none() && is_for_tests(&child.attrs) => {
                let mut path = module.path.clone();
                path.push(child.ident.to_string());
                Some(path)
            }
            _ => None,
        })
    });
    declared.collect()
}

/// Whether an item exists for tests alone: `#[cfg(test)]` or `#[test]`.
pub(super) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

struct Words(HashSet<String>);

impl<'ast> Visit<'ast> for Words {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_ident(&mut self, ident: &'ast proc_macro2::Ident) {
        self.0.insert(ident.to_string());
    }
}
