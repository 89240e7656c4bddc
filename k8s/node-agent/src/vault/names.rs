//! Name resolution by `/etc/hosts` and `/etc/resolv.conf`: a static binary must not call the C library's resolver, and a resolver that
//! falls back to a public one would leak names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::stamp::FileStamp;

/// The files that say how names are resolved, read again when one of them changes.
const FILES: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];

/// The resolver for reqwest. Clones share one.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<Mutex<Option<(Stamps, TokioResolver)>>>);

type Stamps = [Option<FileStamp>; 2];

impl Names {
    fn resolver(&self) -> Result<TokioResolver, ResolveError> {
        let stamps = FILES.map(|file| FileStamp::of(Path::new(file)));
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, resolver)) = current.as_ref().filter(|(known, _)| *known == stamps) {
            return Ok(resolver.clone());
        }
        let resolver = read()?;
        *current = Some((stamps, resolver.clone()));
        Ok(resolver)
    }

    async fn addresses(self, host: String) -> Result<Vec<IpAddr>, ResolveError> {
        if is_localhost(&host) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let failed = |why: &dyn std::fmt::Display| {
            ResolveError(format!("the name {host} could not be resolved: {why}"))
        };
        let resolver = self.resolver().map_err(|error| failed(&error))?;
        let found = resolver.lookup_ip(host.as_str()).await.map_err(|error| failed(&error))?;
        Ok(found.iter().collect())
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move {
            // port 0 means the port of the URL
            Ok(Box::new(found.await?.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// Why a name has no address; names the host.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ResolveError(String);

/// A resolver by the files as they are now. Without a readable `resolv.conf` there is none.
fn read() -> Result<TokioResolver, ResolveError> {
    let unusable = |error| ResolveError(format!("/etc/resolv.conf cannot be used: {error}"));
    let mut builder = TokioResolver::builder_tokio().map_err(unusable)?;
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Always;
    builder.build().map_err(unusable)
}

/// `localhost` and names below it (RFC 6761, section 6.3).
fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_needs_no_file_and_no_server() {
        let found = Names::default().addresses("vault.LOCALHOST.".to_owned()).await.unwrap();

        assert_eq!(found, [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
    }
}
