//! The page of metrics, from the text that a mount gives Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::markdown::{GENERATED, inline};

const ABOUT: &str = "\
`vault read -format=raw iamra/metrics` answers OpenMetrics text, which Prometheus scrapes with a token that holds `vault-config/policies/metrics.hcl`.
Each mount has its own numbers. Counters begin at zero with each process of the plugin: after a failover, an upgrade and a reload.
No label names a caller, a role, an account or an ARN.

";

/// The page from `exposition`, an `OpenMetrics` text.
pub(crate) fn page(exposition: &str) -> String {
    let labels = labels(exposition);
    let kinds: BTreeMap<&str, &str> = after(exposition, "# TYPE ").collect();
    let mut text = format!("{GENERATED}# Metrics\n\n{ABOUT}");
    for (family, help) in after(exposition, "# HELP ") {
        let kind = kinds[family];
        let names = if kind == "histogram" {
            vec![format!("{family}_bucket"), format!("{family}_sum"), format!("{family}_count")]
        } else {
            vec![sample(family, kind)]
        };
        let of_family: BTreeSet<&str> =
            names.iter().filter_map(|name| labels.get(name.as_str())).flatten().copied().collect();
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = write!(text, "- **{}** ({kind}", names.join(", "));
        if !of_family.is_empty() {
            let shown: Vec<_> = of_family.iter().map(|label| format!("`{label}`")).collect();
            let _ = write!(text, "; by {}", shown.join(", "));
        }
        let _ = writeln!(text, "): {}.", inline(help.trim_end_matches('.')));
    }
    text
}

/// The name of a family's one sample.
fn sample(family: &str, kind: &str) -> String {
    match kind {
        "counter" => format!("{family}_total"),
        "info" => format!("{family}_info"),
        _ => family.to_owned(),
    }
}

/// The names of families and what follows them, on lines that begin with `mark`.
fn after<'a>(exposition: &'a str, mark: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    exposition.lines().filter_map(move |line| line.strip_prefix(mark)?.split_once(' '))
}

/// The labels of each sample.
fn labels(exposition: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else { continue };
        let pairs = rest.split_once('}').map_or("", |(pairs, _)| pairs);
        let names = pairs
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(label, _)| label)
            .filter(|label| *label != "le");
        all.entry(name).or_default().extend(names);
    }
    all
}
