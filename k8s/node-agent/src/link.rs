//! `link`: the dummy link on the node that holds the addresses which SDKs ask.
//!
//! ```text
//! run ──▶ kernel   which links and addresses there are           netlink
//!    ├──▶ plan     what is missing, or what is in the way        decides, no I/O
//!    └──▶ kernel   makes what is missing; a kernel without dummy links has the addresses on the loopback link
//! ```

mod kernel;
mod plan;

use std::fs;

use ipnet::IpNet;
use tracing::Level;

use crate::failure::Failure;
use crate::logs;
use crate::options::LinkOptions;

use kernel::{AddError, Kernel};
use plan::{Plan, SeenLink};

/// The addresses of the EKS Pod Identity agent, which every SDK takes over plain http.
const STANDARD: [&str; 2] = ["169.254.170.23/32", "fd00:ec2::23/128"];

/// Makes the link, or what is missing of it. What is there already stays.
///
/// # Errors
/// Something is in the way, or the kernel refuses.
pub fn run(options: &LinkOptions) -> Result<(), Failure> {
    logs::init(Level::INFO)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the runtime cannot start: {error}")))?;
    let made = runtime.block_on(make(options));
    logs::flush();
    made
}

async fn make(options: &LinkOptions) -> Result<(), Failure> {
    let (wanted, kernel) = (wanted(options)?, Kernel::open()?);
    let (name, mut links) = (options.name.as_str(), kernel.links().await?);
    let Plan { link, missing, others } = plan::plan(name, &wanted, &links)?;
    if !others.is_empty() {
        tracing::warn!(
            link = name,
            ?others,
            "the link has other addresses too, which stay: ip address delete removes them"
        );
    }
    if link.is_none() && !missing.is_empty() {
        add(&kernel, name).await?;
        links = kernel.links().await?;
    }
    let holder = holder(name, &links)?;
    for address in &missing {
        kernel.add_address(&holder.name, holder.index, *address).await?;
    }
    kernel.set_up(&holder.name, holder.index).await?;
    tracing::info!(link = holder.name, addresses = ?wanted, added = ?missing, "the addresses are on the link");
    Ok(())
}

/// Adds the link, or says why the loopback link has to do.
async fn add(kernel: &Kernel, name: &str) -> Result<(), Failure> {
    match kernel.add(name).await {
        Ok(()) => Ok(()),
        Err(AddError::Refused(failure)) => Err(failure),
        Err(AddError::NoDummies) => {
            tracing::warn!(
                "the kernel has no dummy links (modprobe dummy), so the addresses go onto the loopback link"
            );
            Ok(())
        }
    }
}

/// The link that holds the addresses: the one with the name, or the loopback link.
fn holder<'a>(name: &str, links: &'a [SeenLink]) -> Result<&'a SeenLink, Failure> {
    let named = links.iter().find(|link| link.name == name);
    let found = named.or_else(|| links.iter().find(|link| link.is_loopback));
    found.ok_or_else(|| Failure::new("this network has no loopback link"))
}

/// The addresses that the operator gave, or the standard ones, without IPv6 where the node has none.
fn wanted(options: &LinkOptions) -> Result<Vec<IpNet>, Failure> {
    let has_ipv6 = has_ipv6();
    if options.address.is_empty() {
        let standard = STANDARD.iter().filter_map(|text| text.parse::<IpNet>().ok());
        return Ok(standard.filter(|net| net.addr().is_ipv4() || has_ipv6).collect());
    }
    match options.address.iter().find(|net| net.addr().is_ipv6() && !has_ipv6) {
        None => Ok(options.address.clone()),
        Some(net) => {
            Err(Failure::new(format!("--address {net}: this node has no IPv6; leave the address out")))
        }
    }
}

/// Whether the kernel has IPv6, and gives it to new links.
fn has_ipv6() -> bool {
    fs::read_to_string("/proc/sys/net/ipv6/conf/default/disable_ipv6")
        .is_ok_and(|disabled| disabled.trim() == "0")
}
