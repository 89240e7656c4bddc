//! The structure of a crate: which file uses which, the circles among them, and the lengths of files and functions.
//!
//! ```text
//! folder ─▶ Module, one a file ─▶ uses: crate::, super:: and child paths, re-exports followed ─▶ Graph ─▶ circles
//! ```
//!
//! Declarations (`mod`) and re-exports (`pub use`) do not count as uses. Test code (`#[cfg(test)]`) is left out.

mod measure;
mod module;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

pub use measure::{Measures, percentile};
pub use module::Module;

/// Every module of one crate that has a file of its own.
pub struct Crate {
    modules: Vec<Module>,
}

/// The modules of a circle, by path, as `folder::file`.
pub type Circle = BTreeSet<String>;

impl Crate {
    /// Reads the files under `src`.
    ///
    /// # Panics
    /// When a file cannot be read or is not Rust.
    pub fn read(src: &Path) -> Self {
        Self { modules: module::read_all(src) }
    }

    /// The modules, sorted by path; the crate's root has an empty one.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Which module uses which.
    pub fn uses(&self) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
        uses::between(&self.modules)
    }

    /// Circles between files, and between the folders and files of each folder.
    pub fn circles(&self) -> Vec<Circle> {
        let uses = self.uses();
        let mut found = BTreeSet::new();
        found.extend(circles(
            uses.iter().map(|(from, to)| (name(from), to.iter().map(|to| name(to)).collect())),
        ));
        let folders: BTreeSet<&[String]> = self
            .modules
            .iter()
            .flat_map(|module| (0..module.path.len()).map(|depth| &module.path[..depth]))
            .collect();
        for folder in folders {
            found.extend(circles(siblings(folder, &uses)));
        }
        found.into_iter().collect()
    }

    /// Lengths and shares, measured over all modules.
    pub fn measures(&self) -> Measures {
        Measures::of(&self.modules)
    }
}

/// The uses between the direct children of `folder`, each with everything below it.
fn siblings(
    folder: &[String],
    uses: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
) -> impl Iterator<Item = (String, Vec<String>)> {
    let child = |path: &[String]| {
        let is_below = path.len() > folder.len() && path.starts_with(folder);
        is_below.then(|| name(&path[..=folder.len()]))
    };
    let mut collapsed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in uses {
        let Some(from) = child(from) else { continue };
        let others = to.iter().filter_map(|to| child(to)).filter(|to| *to != from);
        collapsed.entry(from.clone()).or_default().extend(others);
    }
    collapsed.into_iter().map(|(from, to)| (from, to.into_iter().collect()))
}

fn circles(edges: impl Iterator<Item = (String, Vec<String>)>) -> Vec<Circle> {
    let edges: Vec<_> = edges.collect();
    let mut graph: DiGraphMap<&str, ()> = DiGraphMap::new();
    for (from, to) in &edges {
        for to in to.iter().filter(|to| *to != from) {
            graph.add_edge(from, to, ());
        }
    }
    let strong = tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1);
    strong.map(|circle| circle.into_iter().map(str::to_owned).collect()).collect()
}

/// A module's path as it is written; the root's is `crate`.
pub fn name(path: &[String]) -> String {
    if path.is_empty() { "crate".to_owned() } else { path.join("::") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Crate {
        let modules = files.iter().map(|(path, text)| Module::parse(path, text)).collect();
        Crate { modules }
    }

    fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        of(files).circles().into_iter().map(|circle| circle.into_iter().collect()).collect()
    }

    #[test]
    fn two_files_that_use_each_other_are_a_circle() {
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")];

        assert_eq!(circles_of(&files), [["a", "b"]]);
    }

    #[test]
    fn a_parent_that_re_exports_a_child_and_is_used_by_another_child_is_no_circle() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod one; mod two; pub use one::One;"),
            ("a/one.rs", "pub struct One;"),
            ("a/two.rs", "use super::One;"),
        ];

        assert!(circles_of(&files).is_empty());
    }

    #[test]
    fn a_parent_that_calls_a_child_which_needs_the_parents_own_type_is_a_circle() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod one; pub struct Own; fn call() { one::called() }"),
            ("a/one.rs", "use super::Own; pub fn called() {}"),
        ];

        assert_eq!(circles_of(&files), [["a", "a::one"]]);
    }

    #[test]
    fn folders_go_in_circles_though_none_of_their_files_do() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod one; mod two;"),
            ("a/one.rs", "use crate::b::three::Three;"),
            ("a/two.rs", ""),
            ("b.rs", "mod three; mod four;"),
            ("b/three.rs", ""),
            ("b/four.rs", "fn f() { crate::a::two::g() }"),
        ];

        assert_eq!(circles_of(&files), [["a", "b"]]);
    }

    #[test]
    fn what_tests_use_is_left_out() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
        ];

        assert!(circles_of(&files).is_empty());
    }

    #[test]
    fn a_re_export_that_the_file_uses_itself_is_a_use() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod one; pub use one::One; pub struct Own(One);"),
            ("a/one.rs", "use crate::a::Own; pub struct One;"),
        ];

        assert_eq!(circles_of(&files), [["a", "a::one"]]);
    }
}
