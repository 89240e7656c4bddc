//! The lengths of files and functions, and the share of doc comments.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::module::{Module, is_for_tests};

/// The measures of one crate. Functions are counted without tests.
pub struct Measures {
    /// Files with their lines, longest first.
    pub files: Vec<(String, usize)>,
    /// Functions as `file: name` with their lines from `fn` to the last brace, longest first.
    pub functions: Vec<(String, usize)>,
    /// Lines of `///` and `//!`.
    pub doc_lines: usize,
}

impl Measures {
    pub(super) fn of(modules: &[Module]) -> Self {
        let mut files: Vec<_> = modules
            .iter()
            .map(|module| (module.file.display().to_string(), module.text.lines().count()))
            .collect();
        let mut functions: Vec<_> = modules.iter().flat_map(functions_of).collect();
        files.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
        functions.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
        let doc_lines =
            modules.iter().flat_map(|module| module.text.lines()).filter(|line| is_doc(line)).count();
        Self { files, functions, doc_lines }
    }

    /// Lines of all files.
    pub fn lines(&self) -> usize {
        self.files.iter().map(|(_, lines)| lines).sum()
    }

    /// The share of doc comments among all lines, in percent.
    pub fn doc_percent(&self) -> f64 {
        let (docs, lines) = (u32::try_from(self.doc_lines), u32::try_from(self.lines()));
        100.0 * f64::from(docs.unwrap_or(0)) / f64::from(lines.unwrap_or(1).max(1))
    }
}

/// The value of a list, longest first, that `percent` of its values do not exceed; 0 for an empty list.
pub fn percentile(longest_first: &[(String, usize)], percent: usize) -> usize {
    let over = longest_first.len() * (100 - percent) / 100;
    longest_first.get(over).map_or(0, |(_, lines)| *lines)
}

fn is_doc(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("///") || line.starts_with("//!")
}

fn functions_of(module: &Module) -> Vec<(String, usize)> {
    let mut finder = Functions { file: module.file.display().to_string(), found: Vec::new() };
    finder.visit_file(&module.syntax);
    finder.found
}

struct Functions {
    file: String,
    found: Vec<(String, usize)>,
}

impl Functions {
    fn note(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line + 1 - signature.span().start().line;
        self.found.push((format!("{}: {}", self.file, signature.ident), lines));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            self.note(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}
