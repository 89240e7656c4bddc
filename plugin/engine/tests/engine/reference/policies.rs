//! The page of policies, from the files that operators write into Vault.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::markdown::{GENERATED, inline};

const ABOUT: &str = "\
The policies that ship with the engine, one for each person or program. Write one with `vault policy write <name> <file>`, after the mount's path
in it is yours.

";

/// Each file and who holds it.
const FILES: [(&str, &str); 7] = [
    ("vault-config/policies/application-container.hcl", "An application on the container endpoint"),
    ("vault-config/policies/application-file.hcl", "An application that receives files"),
    ("vault-config/policies/associations.hcl", "All pods of a cluster, through the node agent"),
    ("vault-config/policies/operator.hcl", "An operator"),
    ("vault-config/policies/incident.hcl", "An incident responder"),
    ("vault-config/policies/metrics.hcl", "Prometheus"),
    ("vault-config/plugin/plugin-operator.hcl", "The registration of the plugin"),
];

/// The page.
///
/// # Panics
/// When a policy is not listed, or is not written as the others are.
pub(crate) fn page(repository: &Path) -> String {
    let mut text = format!("{GENERATED}# Policies\n\n{ABOUT}");
    for entry in fs::read_dir(repository.join("vault-config/policies")).expect("the policies can be listed") {
        let file = format!("vault-config/policies/{}", entry.expect("an entry").file_name().display());
        assert!(FILES.iter().any(|(known, _)| *known == file), "{file} is not on the page");
    }
    for (file, who) in FILES {
        let policy = fs::read_to_string(repository.join(file)).expect("the policy can be read");
        let (about, rules) = read(&policy);
        let _ = write!(text, "## {who}\n\nFile: [`{file}`](../../{file})\n\n");
        for paragraph in about.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
            let _ = write!(text, "{}\n\n", inline(paragraph));
        }
        for rule in rules {
            let capabilities: Vec<_> = rule.capabilities.iter().map(|one| format!("`{one}`")).collect();
            let why = if rule.why.is_empty() { String::new() } else { format!(". {}", inline(&rule.why)) };
            let _ = writeln!(text, "- **`{}`**: {}{why}", rule.path, capabilities.join(", "));
        }
        text.push('\n');
    }
    format!("{}\n", text.trim_end())
}

struct Rule {
    path: String,
    capabilities: Vec<String>,
    why: String,
}

/// The comment that opens a policy, and its rules, each with the comment before it.
///
/// The opening comment belongs to the file, because every file has one; the first rule has none then.
fn read(policy: &str) -> (String, Vec<Rule>) {
    let mut about = None;
    let mut comment: Vec<&str> = Vec::new();
    let mut rules: Vec<Rule> = Vec::new();
    for line in policy.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some(rest) = line.strip_prefix("path \"") {
            let path = rest.split('"').next().unwrap_or_default().to_owned();
            let why = filled(&std::mem::take(&mut comment));
            let why = if about.is_none() { about.replace(why).unwrap_or_default() } else { why };
            rules.push(Rule { path, capabilities: Vec::new(), why });
        } else if let Some(list) = line.strip_prefix("capabilities = ") {
            let words =
                list.trim_matches(['[', ']']).split(", ").map(|word| word.trim_matches('"').to_owned());
            rules.last_mut().expect("capabilities stand in a rule").capabilities.extend(words);
        } else if line.is_empty() && about.is_none() && !comment.is_empty() {
            about = Some(filled(&std::mem::take(&mut comment)));
        }
    }
    assert!(rules.iter().all(|rule| !rule.capabilities.is_empty()), "a rule without capabilities");
    (about.unwrap_or_default(), rules)
}

/// Lines of a comment as paragraphs.
fn filled(lines: &[&str]) -> String {
    lines.split(|line| line.is_empty()).map(|lines| lines.join(" ")).collect::<Vec<_>>().join("\n\n")
}
