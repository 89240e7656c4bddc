//! The key of a session: two callers may share a session only if their keys are equal.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use ca::LeafProfile;
use rolesanywhere::{CreateSession, TrustAnchorArn};
use sessions::{FailureDomain, QuotaScope};

use crate::records::anchorage::Anchorage;

/// Everything that AWS or the certificate sees, and the parts that must keep sessions apart although AWS would not.
///
/// One session service belongs to one mount, so the mount is no part of it. All parts are compared by value: an identical write
/// of a role makes an equal key, so a controller that syncs roles from a repository costs no session. No part is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyParts {
    /// The engine's role, because a change of one role must not end the sessions of another.
    pub(crate) role: String,
    /// The cluster in which the caller logged in, if the role's templates need one: the `payments.api` of two clusters never
    /// share.
    pub(crate) cluster: Option<CallerCluster>,
    /// The number of changes of the mount's config that make other sessions, because another endpoint is another AWS.
    pub(crate) config: u64,
    /// The id of the issuer that signs the leaf. It is not the reference of the role, because `default` is another issuer after a
    /// rotation.
    pub(crate) issuer: String,
    /// The resolved subject and names, the key type, and the lifetime of the certificate.
    pub(crate) leaf: LeafProfile,
    /// The parameters of CreateSession in the first place: ARNs, duration, session name and instance properties.
    pub(crate) call: CreateSession,
    /// The further places in the order in which they are tried.
    pub(crate) further: Vec<Anchorage>,
}

impl KeyParts {
    /// The parameters of CreateSession in the place with this index.
    pub(crate) fn call_at(&self, place: usize) -> CreateSession {
        let mut call = self.call.clone();
        if let Some(Anchorage { trust_anchor, profile }) =
            place.checked_sub(1).and_then(|place| self.further.get(place))
        {
            (call.trust_anchor, call.profile) = (trust_anchor.clone(), profile.clone());
        }
        call
    }

    /// The trust anchors of all places.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = &TrustAnchorArn> {
        std::iter::once(&self.call.trust_anchor).chain(self.further.iter().map(|place| &place.trust_anchor))
    }
}

/// A registered cluster under its operator's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallerCluster {
    pub(crate) name: String,
    /// The accessor of its auth mount. If the operator gives the name to another auth mount, that is another cluster.
    pub(crate) accessor: String,
}

impl CallerCluster {
    pub(crate) fn new(name: &str, accessor: &str) -> Self {
        Self { name: name.to_owned(), accessor: accessor.to_owned() }
    }
}

/// [`KeyParts`] behind a pointer, hashed once. A clone costs a reference count, because the cache, the flights and the ledger all
/// hold the key.
#[derive(Clone, Debug)]
pub(crate) struct SessionKey(Arc<Hashed>);

#[derive(Debug)]
struct Hashed {
    hash: u64,
    parts: KeyParts,
    /// The account and region of each place's trust anchor, which one quota of AWS covers.
    places: Arc<[QuotaScope]>,
    /// The callers whose refusals count together. It is not compared: callers of two failure domains share a session if AWS cannot
    /// distinguish them.
    failure_domain: FailureDomain,
}

/// Seeded at random, because callers choose parts of the hashed value and could otherwise make keys collide.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Numbers the keys that [`SessionKey::apart`] makes.
static APART: AtomicU64 = AtomicU64::new(0);

impl SessionKey {
    pub(crate) fn new(parts: KeyParts, failure_domain: FailureDomain) -> Self {
        let hash = HASHER.hash_one(&parts);
        let places = parts
            .anchors()
            .map(|anchor| QuotaScope::new(format!("{}/{}", anchor.account(), anchor.region())))
            .collect();
        Self(Arc::new(Hashed { hash, parts, places, failure_domain }))
    }

    /// A new key for the same session that equals no other key: no cached session and no cached refusal answers a request for it,
    /// and its own refusals count for no other request.
    pub(crate) fn apart(&self) -> Self {
        // the name of no role has a slash and a number after it, so no role's key is equal
        let role = format!("{}/{}", self.role(), APART.fetch_add(1, Ordering::Relaxed));
        let failure_domain = FailureDomain::new(&role);
        Self::new(KeyParts { role, ..self.parts().clone() }, failure_domain)
    }

    pub(crate) fn parts(&self) -> &KeyParts {
        &self.0.parts
    }

    pub(crate) fn role(&self) -> &str {
        &self.0.parts.role
    }

    /// The callers whose refusals count together.
    pub(crate) fn domain(&self) -> FailureDomain {
        self.0.failure_domain.clone()
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.0.parts.issuer
    }

    /// Whether its caller is from the cluster called `name`; never for a role whose templates need no cluster.
    pub(crate) fn is_of_cluster(&self, name: &str) -> bool {
        self.0.parts.cluster.as_ref().is_some_and(|cluster| cluster.name == name)
    }
}

impl sessions::Key for SessionKey {
    const CALL: &'static str = "CreateSession";

    fn places(&self) -> Arc<[QuotaScope]> {
        Arc::clone(&self.0.places)
    }

    fn failure_domain(&self) -> FailureDomain {
        self.0.failure_domain.clone()
    }
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.hash == other.0.hash && self.0.parts == other.0.parts)
    }
}

impl Eq for SessionKey {}

impl Hash for SessionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl Hash for KeyParts {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // without `..`: a new part that is not hashed must not compile
        let Self { role, cluster, config, issuer, leaf, call, further } = self;
        (role, cluster, config, issuer, leaf, further).hash(state);
        let CreateSession { trust_anchor, profile, role, duration, role_session_name, instance_properties } =
            call;
        (trust_anchor, profile, role, duration, role_session_name, instance_properties).hash(state);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use ca::{KeySpec, Subject};
    use rolesanywhere::SessionDuration;
    use sessions::Key as _;

    use super::*;

    pub(crate) fn parts() -> KeyParts {
        KeyParts {
            role: "web".to_owned(),
            cluster: Some(CallerCluster {
                name: "prod".to_owned(),
                accessor: "auth_kubernetes_1".to_owned(),
            }),
            config: 1,
            issuer: "11111111-1111-1111-1111-111111111111".to_owned(),
            leaf: LeafProfile {
                subject: Subject { common_name: Some("prod.payments.api".to_owned()), ..Subject::default() },
                uri_sans: vec!["spiffe://prod/ns/payments/sa/api".to_owned()],
                dns_sans: Vec::new(),
                key: KeySpec::EcP256,
                ttl: Duration::from_secs(600),
            },
            call: CreateSession {
                trust_anchor: arn(
                    "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/aaaaaaaa-0000-0000-0000-000000000000",
                ),
                profile: arn(
                    "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/bbbbbbbb-0000-0000-0000-000000000000",
                ),
                role: arn("arn:aws:iam::123456789012:role/web"),
                duration: SessionDuration::DEFAULT,
                role_session_name: None,
                instance_properties: [("team".to_owned(), "payments".to_owned())].into(),
            },
            further: Vec::new(),
        }
    }

    pub(crate) fn key(parts: KeyParts) -> SessionKey {
        SessionKey::new(parts, FailureDomain::new("web"))
    }

    fn arn<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    #[test]
    fn equal_parts_make_equal_keys() {
        let keys = HashSet::from([key(parts()), key(parts())]);

        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn each_part_alone_makes_another_key() {
        let changes: [fn(&mut KeyParts); 15] = [
            |parts| parts.role = "api".to_owned(),
            |parts| parts.cluster = None,
            |parts| parts.cluster.as_mut().unwrap().name = "dev".to_owned(),
            |parts| parts.cluster.as_mut().unwrap().accessor = "auth_kubernetes_2".to_owned(),
            |parts| parts.config = 2,
            |parts| parts.issuer = "22222222-2222-2222-2222-222222222222".to_owned(),
            |parts| parts.leaf.subject.common_name = Some("dev.payments.api".to_owned()),
            |parts| parts.leaf.uri_sans.clear(),
            |parts| parts.leaf.dns_sans = vec!["api.example.com".to_owned()],
            |parts| parts.leaf.key = KeySpec::EcP384,
            |parts| parts.call.role = arn("arn:aws:iam::123456789012:role/other"),
            |parts| parts.call.duration = Duration::from_secs(900).try_into().unwrap(),
            |parts| parts.call.role_session_name = Some("web".to_owned()),
            |parts| parts.call.instance_properties.clear(),
            |parts| {
                let CreateSession { trust_anchor, profile, .. } = parts.call.clone();
                parts.further.push(Anchorage { trust_anchor, profile });
            },
        ];

        let mut keys = HashSet::from([key(parts())]);
        for change in changes {
            let mut other = parts();
            change(&mut other);
            keys.insert(key(other));
        }

        assert_eq!(keys.len(), 16);
    }

    #[test]
    fn a_quota_scope_is_account_and_region_of_the_trust_anchor() {
        assert_eq!(key(parts()).places()[..], [QuotaScope::new("123456789012/eu-central-1")]);
    }

    #[test]
    fn callers_of_two_failure_domains_share_a_session() {
        let [one, two] = ["one", "two"].map(|domain| SessionKey::new(parts(), FailureDomain::new(domain)));

        assert_eq!(one, two);
        assert_ne!(one.failure_domain(), two.failure_domain());
    }

    #[test]
    fn a_key_apart_equals_no_other_and_is_of_the_same_quota() {
        let of_role = key(parts());
        let [one, two] = [of_role.apart(), of_role.apart()];

        assert_eq!(HashSet::from([of_role.clone(), one.clone(), two]).len(), 3);
        assert_eq!(one.places(), of_role.places());
        assert_ne!(one.failure_domain(), of_role.failure_domain());
    }
}
