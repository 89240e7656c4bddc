//! The clusters whose pods a role admits: which it may name, and which it gets where it need not name them.

use identity::{Clusters, word};
use vault_backend::{Fault, quote};

/// The most names that an error lists.
const MAX_LISTED: usize = 8;

/// Returns the clusters of a role with a pod's subject that names none: the registered one. A cluster that is registered later is then
/// not admitted unasked.
///
/// # Errors
/// The caller's where several are registered, because the role has to say whose pods it means; the operator's where none is.
pub(super) fn only_one(known: &Clusters, mount_point: &str) -> Result<Vec<String>, Fault> {
    let mut names: Vec<&str> = known.names().collect();
    names.sort_unstable();
    match names.as_slice() {
        [] => Err(Fault::operator(
            "subject: kubernetes is for pods of a registered cluster, and none is registered",
        )
        .cure(format!("vault write {mount_point}clusters/<name> accessor=<accessor of its auth mount>"))),
        [name] => Ok(vec![(*name).to_owned()]),
        several => Err(Fault::caller(format!(
            "clusters: {} are registered ({}), and a role with subject=kubernetes names those whose pods get credentials: give clusters=<name>",
            several.len(),
            listed(several)
        ))),
    }
}

/// The first [`MAX_LISTED`] of these names, and an ellipsis for the others.
fn listed(names: &[&str]) -> String {
    let more = if names.len() > MAX_LISTED { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(MAX_LISTED)].join(", "))
}

/// Checks that every cluster of a role is in `known`.
///
/// # Errors
/// The operator's, with the command that registers the first one missing.
pub(super) fn check_registered(
    clusters: &[String],
    known: &Clusters,
    mount_point: &str,
) -> Result<(), Fault> {
    match clusters.iter().find(|name| known.accessor(name).is_none()) {
        None => Ok(()),
        Some(name) => {
            Err(Fault::operator(format!("clusters: {} is not registered", quote(name))).cure(format!(
                "vault write {mount_point}clusters/{} accessor=<accessor of its auth mount>",
                word(name, "<name>")
            )))
        }
    }
}

/// Returns a warning where `now` admits callers that `before` refused; `None` where there are none.
pub(super) fn opened(before: &[String], now: &[String]) -> Option<String> {
    if before.is_empty() {
        return None;
    }
    let until_now = before.join(", ");
    if now.is_empty() {
        return Some(format!(
            "clusters: lifted; callers of every kind now get credentials, until now only pods of {until_now}"
        ));
    }
    let new: Vec<_> = now.iter().filter(|name| !before.contains(name)).map(String::as_str).collect();
    (!new.is_empty()).then(|| {
        format!("clusters: widened by {}; until now only pods of {until_now} got credentials", new.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why a role that names no cluster is refused where so many are registered.
    fn refusal(clusters: u8) -> String {
        let known: Clusters = (0..clusters).map(|n| (format!("auth_{n}"), format!("c{n}"))).collect();
        only_one(&known, "iamra/").unwrap_err().to_string()
    }

    #[test]
    fn an_error_lists_eight_clusters_and_no_more() {
        assert!(refusal(2).starts_with("clusters: 2 are registered (c0, c1), "), "{}", refusal(2));
        assert!(refusal(8).contains("(c0, c1, c2, c3, c4, c5, c6, c7), "), "{}", refusal(8));
        assert!(
            refusal(9).contains("9 are registered (c0, c1, c2, c3, c4, c5, c6, c7, …), "),
            "{}",
            refusal(9)
        );
    }
}
