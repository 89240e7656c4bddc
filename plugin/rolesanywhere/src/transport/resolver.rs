//! Name resolution by `/etc/hosts` and `/etc/resolv.conf`, and never through a public resolver.
//!
//! A static binary must not call the C library's resolver. A resolver that silently falls back to the internet if
//! `resolv.conf` cannot be read would leak names out of closed networks. `nsswitch.conf` is not read: files come first,
//! then DNS.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver, system_conf};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::{Instant, timeout_at};

use super::error::{TransportError, TransportErrorKind};
use crate::partition::Partition;

/// The resolver for reqwest. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub(super) struct Names {
    resolver: Arc<SystemResolver>,
    within: Duration,
}

impl Names {
    /// Makes a resolver for connections within `connect_timeout`. DNS gets nine tenths of it, so that its failure is
    /// reported before the connection times out.
    pub(super) fn new(resolver: SystemResolver, connect_timeout: Duration) -> Self {
        Self { resolver: Arc::new(resolver), within: connect_timeout * 9 / 10 }
    }

    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, TransportError> {
        self.resolver.addresses(host, Instant::now() + self.within).await
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            // port 0 means the port of the URL
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// Reads `hosts` for each name, as the C library does, and `resolv.conf` again once it has changed.
#[derive(Debug)]
pub(super) struct SystemResolver {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    dns: Mutex<Option<Dns>>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::reading("/etc/hosts", "/etc/resolv.conf")
    }
}

impl SystemResolver {
    pub(super) fn reading(hosts: impl Into<PathBuf>, resolv_conf: impl Into<PathBuf>) -> Self {
        Self { hosts: hosts.into(), resolv_conf: resolv_conf.into(), dns: Mutex::default() }
    }

    /// Returns the addresses of `host`, by `ends`. A name in `hosts` is not sent to DNS, whichever kinds of address it
    /// has there.
    pub(super) async fn addresses(&self, host: &str, ends: Instant) -> Result<Vec<IpAddr>, TransportError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        if is_localhost(host) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let hosts = fs::read(&self.hosts).unwrap_or_default();
        let pinned = pinned(&String::from_utf8_lossy(&hosts), host);
        if !pinned.is_empty() {
            return Ok(pinned);
        }
        let found = match self.dns() {
            Ok(dns) => dns.look_up(host, ends).await,
            Err(err) => Err(err.to_string()),
        };
        found.map_err(|problem| TransportError {
            kind: TransportErrorKind::Unresolved,
            text: format!("the name {host} could not be resolved: {problem}"),
        })
    }

    /// The name servers that the file names now.
    fn dns(&self) -> Result<Dns, NetError> {
        let mut slot = self.dns.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&self.resolv_conf);
        if let Some(known) = slot.as_ref().filter(|known| known.stamp == stamp) {
            return Ok(known.clone());
        }
        Ok(slot.insert(Dns::read(&self.resolv_conf, stamp)?).clone())
    }
}

/// The stamp that distinguishes two contents of a file without reading it. A file that replaces another has another
/// inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    number: u64,
}

impl Stamp {
    /// None if the file does not exist.
    fn of(path: &Path) -> Option<Self> {
        let seen = fs::metadata(path).ok()?;
        Some(Self { modified: seen.modified().ok(), size: seen.len(), number: seen.ino() })
    }
}

/// The resolver made from the file, and the fault of the file.
#[derive(Clone)]
struct Dns {
    stamp: Option<Stamp>,
    resolver: TokioResolver,
    /// `10.0.0.2, 10.0.0.3 of /etc/resolv.conf`.
    servers: String,
    problem: Option<String>,
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dns")
            .field("servers", &self.servers)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

impl Dns {
    fn read(path: &Path, stamp: Option<Stamp>) -> Result<Self, NetError> {
        let (config, mut options, problem) = configuration(path);
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        // a missing record is looked up again, as the C library does
        options.negative_max_ttl = Some(Duration::ZERO);
        let addresses = config.name_servers().iter().map(|server| server.ip.to_string());
        let servers = format!("{} of {}", addresses.collect::<Vec<_>>().join(", "), path.display());
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        Ok(Self { stamp, resolver: builder.build()?, servers, problem })
    }

    /// Looks a name up. The error names the fault of DNS, the servers, and the time it took.
    async fn look_up(&self, host: &str, ends: Instant) -> Result<Vec<IpAddr>, String> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let began = Instant::now();
        let answer = timeout_at(ends, self.resolver.lookup_ip(absolute(host))).await;
        let (servers, waited) = (&self.servers, began.elapsed().as_secs_f64());
        match answer {
            Ok(Ok(found)) => Ok(found.iter().collect()),
            Err(_) | Ok(Err(NetError::Timeout)) => {
                Err(format!("DNS does not answer: {servers} said nothing for {waited:.1} s"))
            }
            Ok(Err(err)) if err.is_nx_domain() => {
                Err(format!("DNS knows no such name (asked {servers}, {waited:.1} s)"))
            }
            Ok(Err(err)) if err.is_no_records_found() => {
                Err(format!("DNS has no address of it (asked {servers}, {waited:.1} s)"))
            }
            Ok(Err(err)) => Err(format!("DNS failed: {err} (asked {servers}, {waited:.1} s)")),
        }
    }
}

/// Reads `resolv.conf`. An unusable file leaves no name server at all.
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

/// Returns the addresses of a name in lines of `hosts`: an address, then names in any case; `#` begins a comment.
fn pinned(hosts: &str, host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.');
    let of_line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.trim_end_matches('.').eq_ignore_ascii_case(host)).then_some(address)
    };
    hosts.lines().filter_map(of_line).collect()
}

/// Whether a name is complete: no search list of a cluster is tried before AWS's own names.
fn absolute(host: &str) -> String {
    let is_open = Partition::is_home_of(host) && !host.ends_with('.');
    if is_open { format!("{host}.") } else { host.to_owned() }
}

/// `localhost` and names below it, RFC 6761 section 6.3.
fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const AWS: &str = "rolesanywhere.eu-central-1.amazonaws.com";
    /// Of a network for documentation, RFC 5737: nobody answers there.
    const NOBODY: &str = "nameserver 192.0.2.1\nnameserver 192.0.2.2\n";

    /// The two files, in a folder of their own.
    struct Files(TempDir);

    impl Files {
        fn new(hosts: &str, resolv_conf: &str) -> Self {
            let files = Self(TempDir::new().unwrap());
            files.write("hosts", hosts);
            files.write("resolv.conf", resolv_conf);
            files
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        fn resolver(&self) -> SystemResolver {
            SystemResolver::reading(self.path("hosts"), self.path("resolv.conf"))
        }
    }

    async fn resolved(resolver: &SystemResolver, host: &str) -> Result<Vec<String>, String> {
        let ends = Instant::now() + Duration::from_secs(3);
        let found = resolver.addresses(host, ends).await;
        found.map(|all| all.iter().map(ToString::to_string).collect()).map_err(|err| err.to_string())
    }

    #[tokio::test]
    async fn localhost_and_addresses_need_no_file() {
        let resolver = SystemResolver::reading("/nonexistent/hosts", "/nonexistent/resolv.conf");

        assert_eq!(resolved(&resolver, "localhost").await.unwrap(), ["127.0.0.1", "::1"]);
        assert_eq!(resolved(&resolver, "a.localhost.").await.unwrap(), ["127.0.0.1", "::1"]);
        assert_eq!(resolved(&resolver, "fd00::1").await.unwrap(), ["fd00::1"]);
    }

    #[tokio::test]
    async fn without_resolv_conf_a_name_is_refused_by_naming_the_file() {
        let resolver = SystemResolver::reading("/nonexistent/hosts", "/nonexistent/resolv.conf");

        let err = resolved(&resolver, AWS).await.unwrap_err();

        assert!(err.contains("/nonexistent/resolv.conf cannot be used"), "{err}");
    }

    #[test]
    fn without_resolv_conf_there_is_no_name_server_at_all() {
        let (config, _, problem) = configuration("/nonexistent/resolv.conf".as_ref());

        assert!(config.name_servers().is_empty());
        assert!(problem.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_hosts_pins_is_there_at_once_though_dns_is_dead() {
        let files = Files::new(&format!("# vpce\n10.1.2.3\t{AWS} other # {AWS}\n"), NOBODY);
        let began = Instant::now();

        let found = resolved(&files.resolver(), &AWS.to_uppercase()).await;

        assert_eq!(found.unwrap(), ["10.1.2.3"]);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn every_line_of_hosts_counts_and_a_changed_file_is_read_again() {
        let files = Files::new(&format!("10.1.2.3 {AWS}\nfd00::3 x {AWS}.\nnonsense {AWS}\n"), NOBODY);
        let resolver = files.resolver();

        assert_eq!(resolved(&resolver, AWS).await.unwrap(), ["10.1.2.3", "fd00::3"]);
        files.write("hosts", &format!("10.1.2.4 {AWS}\n"));
        assert_eq!(resolved(&resolver, AWS).await.unwrap(), ["10.1.2.4"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_dns_is_told_with_the_servers_and_how_long_they_were_silent() {
        let files = Files::new("", NOBODY);
        let began = Instant::now();

        let err = resolved(&files.resolver(), AWS).await.unwrap_err();

        assert!(err.contains("could not be resolved: DNS ") && err.contains(" s"), "{err}");
        assert!(err.contains("192.0.2.1, 192.0.2.2 of ") && err.contains("resolv.conf"), "{err}");
        assert!(began.elapsed() <= Duration::from_secs(3), "{:?}", began.elapsed());
    }

    #[test]
    fn name_servers_are_read_again_once_the_file_has_changed() {
        let files = Files::new("", "nameserver 192.0.2.1\n");
        let resolver = files.resolver();
        let servers = || resolver.dns().unwrap().servers;

        assert!(servers().starts_with("192.0.2.1 of "));
        files.write("resolv.conf", NOBODY);
        assert!(servers().starts_with("192.0.2.1, 192.0.2.2 of "));
        fs::remove_file(files.path("resolv.conf")).unwrap();
        assert!(resolver.dns().unwrap().problem.is_some());
    }

    #[test]
    fn every_name_of_aws_skips_the_search_list_and_no_other_does() {
        for complete in [
            AWS,
            "rolesanywhere-fips.us-east-1.amazonaws.com",
            "sts.eu-central-1.amazonaws.com",
            "iam.amazonaws.com",
            "IAM.cn-north-1.amazonaws.com.cn",
            "sts.eu-central-1.api.aws",
            "iam.us-isof-south-1.csp.hci.ic.gov",
            "vpce-1-2.rolesanywhere.eu-central-1.vpce.amazonaws.com",
        ] {
            assert_eq!(absolute(complete), format!("{complete}."));
            assert_eq!(absolute(&format!("{complete}.")), format!("{complete}."));
        }
        for open in ["squid.infra", "notamazonaws.com", "amazonaws.com.internal"] {
            assert_eq!(absolute(open), open);
        }
    }
}
