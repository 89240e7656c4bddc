//! The kernel's links and addresses, by netlink.

use std::io::ErrorKind;

use futures_util::TryStreamExt as _;
use ipnet::IpNet;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use rtnetlink::{Handle, LinkDummy, LinkUnspec};

use super::plan::SeenLink;
use crate::failure::Failure;

/// A connection to the kernel.
pub(super) struct Kernel(Handle);

impl Kernel {
    /// Opens the connection, and serves it in the background.
    pub(super) fn open() -> Result<Kernel, Failure> {
        let (connection, handle, _) = rtnetlink::new_connection()
            .map_err(|error| Failure::new(format!("no netlink socket can be opened: {error}")))?;
        tokio::spawn(connection);
        Ok(Kernel(handle))
    }

    /// Every link with its addresses.
    pub(super) async fn links(&self) -> Result<Vec<SeenLink>, Failure> {
        let failed = |error| failure("the links cannot be listed", &error);
        let links: Vec<LinkMessage> = self.0.link().get().execute().try_collect().await.map_err(failed)?;
        let addresses: Vec<AddressMessage> =
            self.0.address().get().execute().try_collect().await.map_err(failed)?;
        Ok(links.iter().map(|link| seen(link, &addresses)).collect())
    }

    /// Adds a dummy link.
    ///
    /// # Errors
    /// The kernel has no such links ([`AddError::NoDummies`]), or refuses.
    pub(super) async fn add(&self, name: &str) -> Result<(), AddError> {
        let added = self.0.link().add(LinkDummy::new(name).build()).execute().await;
        added.map_err(|error| match &error {
            rtnetlink::Error::NetlinkError(message) if message.to_io().kind() == ErrorKind::Unsupported => {
                AddError::NoDummies
            }
            _ => AddError::Refused(failure(&format!("the link {name} cannot be made"), &error)),
        })
    }

    pub(super) async fn add_address(&self, name: &str, index: u32, net: IpNet) -> Result<(), Failure> {
        let mut request = self.0.address().add(index, net.addr(), net.prefix_len()).replace();
        // never the source of what the node sends to others
        request.message_mut().header.scope = AddressScope::Link;
        request
            .execute()
            .await
            .map_err(|error| failure(&format!("{net} cannot be added to the link {name}"), &error))
    }

    pub(super) async fn set_up(&self, name: &str, index: u32) -> Result<(), Failure> {
        let up = LinkUnspec::new_with_index(index).up().build();
        let set = self.0.link().set(up).execute().await;
        set.map_err(|error| failure(&format!("the link {name} cannot be set up"), &error))
    }
}

/// A link could not be added.
pub(super) enum AddError {
    /// The kernel is built without dummy links, or their module is not loaded.
    NoDummies,
    /// Another reason.
    Refused(Failure),
}

fn seen(link: &LinkMessage, addresses: &[AddressMessage]) -> SeenLink {
    let index = link.header.index;
    let name = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    });
    let infos = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    let kind = infos.into_iter().flatten().find_map(|info| match info {
        LinkInfo::Kind(InfoKind::Dummy) => Some("dummy".to_owned()),
        LinkInfo::Kind(other) => Some(other.to_string()),
        _ => None,
    });
    let its = addresses.iter().filter(|address| address.header.index == index).filter_map(net);
    let is_loopback = link.header.flags.contains(LinkFlags::Loopback);
    SeenLink { index, name: name.unwrap_or_default(), kind, is_loopback, addresses: its.collect() }
}

/// The address of a message. A peer's address stands in `Address`, and the link's own then in `Local`.
fn net(message: &AddressMessage) -> Option<IpNet> {
    let of = |wanted: fn(&AddressAttribute) -> Option<std::net::IpAddr>| {
        message.attributes.iter().find_map(wanted)
    };
    let local = of(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let address = of(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    IpNet::new(local.or(address)?, message.header.prefix_len).ok()
}

/// A refusal of the kernel, and what cures it.
fn failure(what: &str, error: &rtnetlink::Error) -> Failure {
    let rtnetlink::Error::NetlinkError(message) = error else {
        return Failure::new(format!("{what}: {error}"));
    };
    let error = message.to_io();
    let cure = match error.kind() {
        ErrorKind::PermissionDenied => "; link needs CAP_NET_ADMIN in the network of the node",
        _ => "",
    };
    Failure::new(format!("{what}: {error}{cure}"))
}
