//! Name constraints (RFC 5280, section 4.2.1.10): directory names, DNS names and URIs are decided, other kinds refused.

use x509_cert::{
    ext::pkix::{constraints::name::GeneralSubtree, name::GeneralName},
    name::Name,
};

/// An issuer's constraints on the names below it.
#[derive(Clone, Debug)]
pub(crate) struct NameConstraints(pub(crate) x509_cert::ext::pkix::NameConstraints);

/// The names of one certificate.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) subject: &'a Name,
    pub(crate) alternatives: &'a [GeneralName],
}

impl NameConstraints {
    /// Whether every name is inside a permitted subtree of its kind, if there is one, and in no excluded subtree.
    pub(crate) fn admit(&self, names: Names<'_>) -> bool {
        let subject = GeneralName::DirectoryName(names.subject.clone());
        let subject = (!names.subject.is_empty()).then_some(&subject);
        names.alternatives.iter().chain(subject).all(|name| self.admits(name))
    }

    fn admits(&self, name: &GeneralName) -> bool {
        let permitted = of_kind(self.0.permitted_subtrees.as_ref(), name);
        let excluded = of_kind(self.0.excluded_subtrees.as_ref(), name);
        let inside = |subtree: &&GeneralSubtree| within(name, &subtree.base);
        (permitted.is_empty() || permitted.iter().any(|subtree| inside(subtree) == Some(true)))
            && excluded.iter().all(|subtree| inside(subtree) == Some(false))
    }
}

fn of_kind<'a>(subtrees: Option<&'a Vec<GeneralSubtree>>, name: &GeneralName) -> Vec<&'a GeneralSubtree> {
    let kind = std::mem::discriminant(name);
    subtrees.into_iter().flatten().filter(|subtree| std::mem::discriminant(&subtree.base) == kind).collect()
}

/// Whether `name` is in the subtree below `base`; `None` if this kind cannot be decided.
fn within(name: &GeneralName, base: &GeneralName) -> Option<bool> {
    match (name, base) {
        (GeneralName::DirectoryName(name), GeneralName::DirectoryName(base)) => Some(begins_with(name, base)),
        (GeneralName::DnsName(name), GeneralName::DnsName(base)) => {
            Some(dns_within(name.as_ref(), base.as_ref()))
        }
        (GeneralName::UniformResourceIdentifier(name), GeneralName::UniformResourceIdentifier(base)) => {
            host_of(name.as_ref()).map(|host| host_within(&host, base.as_ref()))
        }
        _ => None,
    }
}

fn begins_with(name: &Name, base: &Name) -> bool {
    base.len() <= name.len() && base.iter_rdn().zip(name.iter_rdn()).all(|(base, name)| base == name)
}

/// A DNS constraint covers the name itself and everything below it.
fn dns_within(name: &str, base: &str) -> bool {
    let (name, base) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    let base = base.strip_prefix('.').unwrap_or(&base);
    base.is_empty() || name == base || name.strip_suffix(base).is_some_and(|rest| rest.ends_with('.'))
}

/// A URI constraint without a leading period covers that host only; with one, what is below it only.
fn host_within(host: &str, base: &str) -> bool {
    let base = base.to_ascii_lowercase();
    if base.starts_with('.') { host.ends_with(&base) } else { host == base }
}

/// The host of a URI's authority; a URI without one cannot be decided, and so is refused where URIs are constrained.
fn host_of(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dns_constraint_covers_the_name_and_what_is_below_it() {
        assert!(dns_within("a.example.com", "example.com"));
        assert!(dns_within("Example.com", "example.com"));
        assert!(!dns_within("badexample.com", "example.com"));
    }

    #[test]
    fn a_uri_constraint_covers_one_host_or_with_a_period_its_children() {
        let host = host_of("spiffe://prod.example/ns/a/sa/b").unwrap();

        assert!(host_within(&host, "prod.example"));
        assert!(host_within(&host, ".example"));
        assert!(!host_within(&host, "example"));
        assert_eq!(host_of("urn:example:x"), None);
    }
}
