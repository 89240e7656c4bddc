//! Host names to addresses as `/etc/hosts` and `/etc/resolv.conf` say, and never by way of a public resolver.
//!
//! A static binary must not call the C library's resolver, and one that quietly asks a resolver on the internet where
//! `resolv.conf` cannot be read would leak names out of closed networks. `nsswitch.conf` is not read.

use std::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_resolver::config::{LookupIpStrategy, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver, system_conf};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Reads the system's files on first use, and again after a failed look-up, so that a repaired file is noticed.
#[derive(Debug)]
pub(super) struct SystemResolver {
    resolv_conf: PathBuf,
    loaded: Arc<Mutex<Option<Loaded>>>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::reading("/etc/resolv.conf")
    }
}

impl SystemResolver {
    fn reading(resolv_conf: impl Into<PathBuf>) -> Self {
        Self { resolv_conf: resolv_conf.into(), loaded: Arc::default() }
    }

    fn loaded(&self) -> Result<Loaded, Box<dyn Error + Send + Sync>> {
        let mut slot = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*slot {
            return Ok(loaded.clone());
        }
        let fresh = Loaded::read(&self.resolv_conf)?;
        Ok(slot.insert(fresh).clone())
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        if is_localhost(&host) {
            return Box::pin(std::future::ready(Ok(addresses([
                Ipv4Addr::LOCALHOST.into(),
                Ipv6Addr::LOCALHOST.into(),
            ]))));
        }
        let (loaded, slot) = (self.loaded(), Arc::clone(&self.loaded));
        Box::pin(async move {
            let found = loaded?.look_up(&host).await;
            if found.is_err() {
                slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
            found.map_err(Into::into)
        })
    }
}

/// The files' content as a resolver, and what is wrong with `resolv.conf`.
#[derive(Clone)]
struct Loaded {
    resolver: TokioResolver,
    problem: Option<String>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("problem", &self.problem).finish_non_exhaustive()
    }
}

impl Loaded {
    fn read(path: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let (config, mut options, problem) = configuration(path);
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        Ok(Self { resolver: builder.build()?, problem })
    }

    async fn look_up(&self, host: &str) -> Result<Addrs, String> {
        match self.resolver.lookup_ip(absolute(host)).await {
            Ok(found) => Ok(addresses(found.iter())),
            Err(err) => {
                let cause = self.problem.clone().unwrap_or_else(|| err.to_string());
                Err(format!("the name {host} could not be resolved: {cause}"))
            }
        }
    }
}

/// What `resolv.conf` says. One that cannot be used leaves no name server at all; `/etc/hosts` still answers then.
fn configuration(path: &Path) -> (ResolverConfig, ResolverOpts, Option<String>) {
    let parsed = fs::read(path)
        .map_err(|err| err.to_string())
        .and_then(|text| system_conf::parse_resolv_conf(text).map_err(|err| err.to_string()));
    match parsed {
        Ok((config, options)) => (config, options, None),
        Err(err) => {
            let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
            (none, ResolverOpts::default(), Some(format!("{} cannot be used: {err}", path.display())))
        }
    }
}

/// AWS's own names are complete: no search list of a cluster is tried before them.
fn absolute(host: &str) -> String {
    let complete = host.starts_with("rolesanywhere") && host.split('.').count() >= 4;
    if complete && !host.ends_with('.') { format!("{host}.") } else { host.to_owned() }
}

/// `localhost` and names below it, RFC 6761 section 6.3.
fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// The connector puts the right port in.
fn addresses(all: impl IntoIterator<Item = IpAddr>) -> Addrs {
    let all: Vec<SocketAddr> = all.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
    Box::new(all.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolved(resolver: &SystemResolver, host: &str) -> Result<Vec<IpAddr>, String> {
        let found = resolver.resolve(host.parse().unwrap()).await;
        found.map(|all| all.map(|address| address.ip()).collect()).map_err(|err| err.to_string())
    }

    #[tokio::test]
    async fn localhost_needs_no_file() {
        let resolver = SystemResolver::reading("/nonexistent/resolv.conf");

        let found = resolved(&resolver, "localhost").await.unwrap();

        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty());
    }

    #[tokio::test]
    async fn without_resolv_conf_a_name_is_refused_by_naming_the_file() {
        let resolver = SystemResolver::reading("/nonexistent/resolv.conf");

        let err = resolved(&resolver, "rolesanywhere.eu-central-1.amazonaws.com").await.unwrap_err();

        assert!(err.contains("/nonexistent/resolv.conf cannot be used"), "{err}");
    }

    #[test]
    fn without_resolv_conf_there_is_no_name_server_at_all() {
        let (config, _, problem) = configuration("/nonexistent/resolv.conf".as_ref());

        assert!(config.name_servers().is_empty());
        assert!(problem.is_some());
    }

    #[test]
    fn aws_names_skip_the_search_list() {
        assert_eq!(
            absolute("rolesanywhere.eu-central-1.amazonaws.com"),
            "rolesanywhere.eu-central-1.amazonaws.com."
        );
        assert_eq!(absolute("squid.infra"), "squid.infra");
    }
}
