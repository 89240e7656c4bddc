//! Pages of paths.

use std::fmt::Write as _;

use vault_backend::reference::{ParameterReference, PathReference};

use super::Page;
use super::markdown::{GENERATED, inline, paragraphs, sentence};

/// One page.
pub(crate) fn page(page: &Page, paths: &[PathReference]) -> String {
    let mut text = format!("{GENERATED}# {}\n\n{}\n\n", page.title, page.about);
    for (at, template) in page.templates.iter().enumerate() {
        let path = find(paths, template);
        let mut before = page.templates[..at].iter().map(|template| find(paths, template));
        match before.find(|before| before.synopsis == path.synopsis) {
            Some(same) => push_same(&mut text, path, same),
            None => push_path(&mut text, path),
        }
    }
    format!("{}\n", text.trim_end())
}

/// The table of all paths.
pub(crate) fn index(pages: &[Page], paths: &[PathReference]) -> String {
    let mut text = format!(
        "{GENERATED}# Reference\n\nEvery path below the mount, which this book calls `iamra/`. `vault path-help iamra/<path>` prints the same descriptions.\n\n"
    );
    for page in pages {
        let _ = writeln!(text, "- [{}]({}): {}", page.title, page.file, page.about);
    }
    text.push_str("- [policies](policies.md): what each policy of `vault-config/policies` grants.\n");
    text.push_str("- [audit](audit.md): what Vault's audit log shows of an answer.\n");
    text.push_str("- [metrics](metrics.md): what Prometheus scrapes.\n\n");
    text.push_str("| path | operations | about |\n| --- | --- | --- |\n");
    for page in pages {
        for template in page.templates {
            let path = find(paths, template);
            let operations = path.operations.join(", ");
            let anchor = anchor(template);
            let _ = writeln!(
                text,
                "| [`{template}`]({}#{anchor}) | {operations}{} | {} |",
                page.file,
                marks(path),
                inline(path.synopsis)
            );
        }
    }
    text
}

fn marks(path: &PathReference) -> &'static str {
    match (path.is_unauthenticated, path.capabilities.contains(&"sudo")) {
        (true, _) => "; no token",
        (_, true) => "; `sudo`",
        _ => "",
    }
}

/// The anchor of a heading, as mdBook and GitHub make it.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

fn find<'a>(paths: &'a [PathReference], template: &str) -> &'a PathReference {
    paths.iter().find(|path| path.template == template).unwrap_or_else(|| panic!("no route at {template}"))
}

/// A path that is another one under a second name.
fn push_same(text: &mut String, path: &PathReference, same: &PathReference) {
    let (template, same) = (path.template, same.template);
    let _ = write!(text, "## `{template}`\n\nAs [`{same}`](#{}).\n\n", anchor(same));
}

fn push_path(text: &mut String, path: &PathReference) {
    let _ = write!(text, "## `{}`\n\n{}\n\n", path.template, inline(path.synopsis));
    let capabilities: Vec<_> = path.capabilities.iter().map(|one| format!("`{one}`")).collect();
    let _ = writeln!(text, "- Operations: {}", path.operations.join(", "));
    if path.is_unauthenticated {
        text.push_str("- Policy: none, because the path answers without a token\n\n");
    } else {
        let _ = write!(text, "- Policy capabilities: {}\n\n", capabilities.join(", "));
    }
    if path.description != path.synopsis {
        text.push_str(&paragraphs(&path.description));
    }
    push_list(text, "Parameters", &path.parameters);
    push_list(text, "Answer", &path.answer);
}

fn push_list(text: &mut String, title: &str, entries: &[ParameterReference]) {
    if entries.is_empty() {
        return;
    }
    let _ = write!(text, "**{title}**\n\n");
    for entry in entries {
        let placement = if entry.is_in_path { ", in the path".to_owned() } else { only_in(&entry.only_in) };
        let help = format!("{}.", entry.help.trim_end_matches('.'));
        let _ = writeln!(
            text,
            "- **`{}`** ({}{placement}): {}",
            entry.name,
            entry.kind,
            inline(&sentence(&help))
        );
    }
    text.push('\n');
}

/// A document's rule says already that writes and patches take its fields.
fn only_in(operations: &[&str]) -> String {
    if operations.is_empty() || operations == ["write", "patch"] {
        String::new()
    } else {
        format!(", in {}", operations.join(" and "))
    }
}
