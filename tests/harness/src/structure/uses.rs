//! Which module uses which: every path in a file, resolved to the file that defines the named item.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use syn::visit::{self, Visit};

use super::module::{Module, is_for_tests};

type Path = Vec<String>;

/// The items that a module's `use` items bring into scope under a name.
type Names = HashMap<Path, HashMap<String, Path>>;

pub(super) fn between(modules: &[Module]) -> BTreeMap<Path, BTreeSet<Path>> {
    let known: HashSet<&[String]> = modules.iter().map(|module| module.path.as_slice()).collect();
    let read: Vec<(&Module, Reader<'_>)> = modules
        .iter()
        .map(|module| {
            let mut reader = Reader::new(module, &known);
            reader.visit_file(&module.syntax);
            (module, reader)
        })
        .collect();
    let names: Names =
        read.iter().map(|(module, reader)| (module.path.clone(), reader.names.clone())).collect();
    let resolve = |path: &Path| resolved(path, &known, &names, 0);
    read.into_iter()
        .map(|(module, reader)| {
            let shown = reader.shown.iter().filter(|(name, _)| reader.idents.contains(name));
            let used = reader.paths.iter().chain(shown.map(|(_, path)| path));
            let to: BTreeSet<Path> = used.filter_map(resolve).filter(|to| *to != module.path).collect();
            (module.path.clone(), to)
        })
        .collect()
}

/// The module that defines the item at `path`; re-exports are followed.
fn resolved(path: &Path, known: &HashSet<&[String]>, names: &Names, depth: usize) -> Option<Path> {
    const MAX_RE_EXPORTS: usize = 8;
    let length = (0..=path.len()).rev().find(|length| known.contains(&path[..*length]))?;
    let (module, rest) = path.split_at(length);
    let target = rest.first().and_then(|name| names.get(module)?.get(name));
    match target {
        Some(target) if depth < MAX_RE_EXPORTS => {
            let onward = target.iter().chain(&rest[1..]).cloned().collect();
            resolved(&onward, known, names, depth + 1)
        }
        _ => Some(module.to_vec()),
    }
}

/// Reads the paths of one file.
struct Reader<'a> {
    module: &'a [String],
    known: &'a HashSet<&'a [String]>,
    /// The modules inside the file that enclose the item being read.
    inline: Vec<String>,
    /// Absolute paths below the crate's root.
    paths: Vec<Path>,
    /// The re-exported items, by name.
    shown: Vec<(String, Path)>,
    /// Re-exports and imports of the file's own module.
    names: HashMap<String, Path>,
    /// Every word of the code beside `use` items.
    idents: HashSet<String>,
}

impl<'a> Reader<'a> {
    fn new(module: &'a Module, known: &'a HashSet<&'a [String]>) -> Self {
        Self {
            module: &module.path,
            known,
            inline: Vec::new(),
            paths: Vec::new(),
            shown: Vec::new(),
            names: HashMap::new(),
            idents: HashSet::new(),
        }
    }

    /// A path of this crate as an absolute one; none for other crates, locals and the prelude.
    fn absolute(&self, segments: &[String]) -> Option<Path> {
        let mut here: Path = self.module.iter().chain(&self.inline).cloned().collect();
        let mut rest = segments;
        match rest.first()?.as_str() {
            "crate" => (here, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    here.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                here.push(first.to_owned());
                if !self.known.contains(here.as_slice()) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        here.extend(rest.iter().cloned());
        Some(here)
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes: &[syn::Attribute] = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() {
            self.inline.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.inline.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        let is_shown = !matches!(item.vis, syn::Visibility::Inherited);
        for (segments, name) in leaves {
            let Some(path) = self.absolute(&segments) else { continue };
            if self.inline.is_empty() {
                self.names.insert(name.clone(), path.clone());
            }
            if is_shown { self.shown.push((name, path)) } else { self.paths.push(path) }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // of one segment are locals, the prelude, and the `crate` of `pub(crate)`
        if segments.len() > 1 {
            self.paths.extend(self.absolute(&segments));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        words(item.tokens.clone(), &mut self.idents);
        visit::visit_macro(self, item);
    }

    fn visit_ident(&mut self, ident: &'ast proc_macro2::Ident) {
        self.idents.insert(ident.to_string());
    }
}

fn words(tokens: proc_macro2::TokenStream, into: &mut HashSet<String>) {
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Ident(ident) => drop(into.insert(ident.to_string())),
            proc_macro2::TokenTree::Group(group) => words(group.stream(), into),
            _ => {}
        }
    }
}

/// Every leaf of a `use` tree: its path, and the name under which it is known.
fn flatten(tree: &syn::UseTree, before: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    match tree {
        syn::UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, leaves);
            before.pop();
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| flatten(item, before, leaves)),
        syn::UseTree::Name(leaf) if leaf.ident == "self" => {
            leaves.push((before.clone(), before.last().cloned().unwrap_or_default()));
        }
        syn::UseTree::Name(leaf) => {
            let name = leaf.ident.to_string();
            leaves.push((before.iter().cloned().chain([name.clone()]).collect(), name));
        }
        syn::UseTree::Rename(leaf) => {
            let path = before.iter().cloned().chain([leaf.ident.to_string()]).collect();
            leaves.push((path, leaf.rename.to_string()));
        }
        syn::UseTree::Glob(_) => leaves.push((before.clone(), "*".to_owned())),
    }
}
