//! What is missing of the link, or what is in its way.

use ipnet::IpNet;

use crate::failure::Failure;

/// A link of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenLink {
    pub(super) index: u32,
    pub(super) name: String,
    /// What kind of link it is, as `ip link add type` names it; none for hardware.
    pub(super) kind: Option<String>,
    pub(super) is_loopback: bool,
    pub(super) addresses: Vec<IpNet>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The link, if it is there.
    pub(super) link: Option<u32>,
    /// Addresses to add.
    pub(super) missing: Vec<IpNet>,
    /// Addresses of the link that nobody asked for.
    pub(super) others: Vec<IpNet>,
}

/// What is to be done for a dummy link `name` with the addresses `wanted`, where the node has `links`. The loopback link serves too, and an
/// address that is there is not missing: a kernel without dummy links has them there.
///
/// # Errors
/// The name is that of a link of another kind, or an address is on another link.
pub(super) fn plan(name: &str, wanted: &[IpNet], links: &[SeenLink]) -> Result<Plan, Failure> {
    let ours = links.iter().find(|link| link.name == name);
    check_kind(ours)?;
    for net in wanted {
        let is_another = |link: &&SeenLink| link.name != name && !link.is_loopback && link.holds(net);
        if let Some(other) = links.iter().find(is_another) {
            return Err(taken(net, other));
        }
    }
    let holders = || links.iter().filter(|link| link.name == name || link.is_loopback);
    let known = ours.map(|link| link.addresses.as_slice()).unwrap_or_default();
    let is_wanted = |net: &IpNet| wanted.iter().any(|other| other.addr() == net.addr());
    Ok(Plan {
        link: ours.map(|link| link.index),
        missing: wanted.iter().filter(|net| !holders().any(|link| link.holds(net))).copied().collect(),
        others: known.iter().filter(|net| !is_wanted(net) && !is_the_kernels(net)).copied().collect(),
    })
}

impl SeenLink {
    fn holds(&self, net: &IpNet) -> bool {
        self.addresses.iter().any(|known| known.addr() == net.addr())
    }
}

/// Refuses a link of the agent's name that somebody made for another purpose.
///
/// # Errors
/// It is neither a dummy link nor the loopback link.
fn check_kind(link: Option<&SeenLink>) -> Result<(), Failure> {
    let Some(SeenLink { name, kind, is_loopback, .. }) = link else { return Ok(()) };
    let kind = kind.as_deref().unwrap_or("hardware");
    if kind == "dummy" || *is_loopback {
        return Ok(());
    }
    Err(Failure::new(format!("{name} is a link of the kind {kind}, not dummy: give another --name")))
}

/// The refusal of an address that another link holds, such as that of AWS's own agent: two agents cannot serve it.
fn taken(net: &IpNet, other: &SeenLink) -> Failure {
    Failure::new(format!(
        "{} is on the link {} already: the EKS Pod Identity agent (pod-id-link0) and this one cannot both have it; give another --address, \
         or remove that link",
        net.addr(),
        other.name
    ))
}

/// An address that the kernel gives a link by itself: of the loopback link, or link-local in IPv6.
fn is_the_kernels(net: &IpNet) -> bool {
    net.addr().is_loopback() || matches!(net, IpNet::V6(net) if net.addr().is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn link(index: u32, name: &str, kind: Option<&str>, addresses: &[&str]) -> SeenLink {
        let addresses = addresses.iter().map(|text| net(text)).collect();
        SeenLink {
            index,
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            is_loopback: name == "lo",
            addresses,
        }
    }

    fn planned(links: &[SeenLink]) -> Result<Plan, String> {
        let wanted = [net("169.254.170.23/32"), net("fd00:ec2::23/128")];
        plan("iamra0", &wanted, links).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_node_without_the_link_gets_it_with_its_addresses() {
        let plan = planned(&[link(1, "lo", None, &["127.0.0.1/8"])]).unwrap();

        assert_eq!((plan.link, plan.missing.len(), plan.others), (None, 2, vec![]));
    }

    #[test]
    fn a_link_that_is_right_is_left_as_it_is() {
        let right =
            link(7, "iamra0", Some("dummy"), &["169.254.170.23/32", "fd00:ec2::23/128", "fe80::1/64"]);

        assert_eq!(planned(&[right]).unwrap(), Plan { link: Some(7), missing: vec![], others: vec![] });
    }

    #[test]
    fn a_link_with_another_address_keeps_that_and_gets_the_right_one() {
        let plan =
            planned(&[link(7, "iamra0", Some("dummy"), &["169.254.170.99/32", "fd00:ec2::23/128"])]).unwrap();

        assert_eq!(
            (plan.missing, plan.others),
            (vec![net("169.254.170.23/32")], vec![net("169.254.170.99/32")])
        );
    }

    #[test]
    fn addresses_on_the_loopback_link_serve_too() {
        let loopback =
            link(1, "lo", None, &["127.0.0.1/8", "::1/128", "169.254.170.23/32", "fd00:ec2::23/128"]);
        let wanted = [net("169.254.170.23/32")];

        assert_eq!(
            planned(std::slice::from_ref(&loopback)).unwrap(),
            Plan { link: None, missing: vec![], others: vec![] }
        );
        assert_eq!(plan("lo", &wanted, &[loopback]).unwrap().others, [net("fd00:ec2::23/128")]);
    }

    #[test]
    fn a_name_that_another_kind_of_link_has_is_refused() {
        let bridge = planned(&[link(7, "iamra0", Some("bridge"), &[])]).unwrap_err();
        let card = planned(&[link(7, "iamra0", None, &[])]).unwrap_err();

        assert!(
            bridge.contains("iamra0 is a link of the kind bridge") && bridge.contains("--name"),
            "{bridge}"
        );
        assert!(card.contains("of the kind hardware"), "{card}");
    }

    #[test]
    fn an_address_on_another_link_is_refused() {
        let taken = planned(&[link(7, "pod-id-link0", Some("dummy"), &["169.254.170.23/32"])]).unwrap_err();

        assert!(taken.contains("169.254.170.23 is on the link pod-id-link0 already"), "{taken}");
    }
}
