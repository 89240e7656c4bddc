//! What exists in the emulated account: anchors, profiles, roles, CRLs and management keys.

mod regions;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    pki::{Certificate, RevocationList},
    policy::{IdentityPolicy, PolicyError, TrustPolicy},
};

pub use regions::Region;

/// One account: a region of it and, if it has more, the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// Twelve digits.
    pub account: String,
    /// The region in front, to which anchors, lists and profiles belong.
    pub region: String,
    /// Further regions by name; a call is of the region that its signature's scope names. STS and ECR know the account's keys in its regions alone,
    /// in one that holds nothing too.
    pub regions: BTreeMap<String, Region>,
    /// Trust anchors.
    pub trust_anchors: Vec<TrustAnchor>,
    /// Imported certificate revocation lists.
    pub crls: Vec<Crl>,
    /// Roles Anywhere profiles.
    pub profiles: Vec<Profile>,
    /// IAM roles.
    pub roles: Vec<Role>,
    /// Managed policies by ARN, each a JSON object or the text of one, which `AssumeRole` may name as session policies.
    pub managed_policies: BTreeMap<String, Value>,
    /// Keys that may call the management API.
    pub management_keys: Vec<ManagementKey>,
    /// Tags of Roles Anywhere's resources: by the resource's ARN, then by key.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// The regions beside `region` whose ECR is answered for.
    pub ecr_regions: Vec<String>,
    /// The password in every authorization token of ECR; without one, each token has its own.
    pub registry_password: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        State {
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            regions: BTreeMap::new(),
            trust_anchors: Vec::new(),
            crls: Vec::new(),
            profiles: Vec::new(),
            roles: Vec::new(),
            managed_policies: BTreeMap::new(),
            management_keys: Vec::new(),
            tags: BTreeMap::new(),
            ecr_regions: Vec::new(),
            registry_password: None,
        }
    }
}

/// A trust anchor of source type `CERTIFICATE_BUNDLE` or `AWS_ACM_PCA`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustAnchor {
    /// A UUID.
    pub id: String,
    /// 1-255 of `[ a-zA-Z0-9-_]`.
    pub name: String,
    /// A disabled anchor gives no sessions.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// One or two CA certificates. The state may hold what `CreateTrustAnchor` refuses: an expired CA, or none yet.
    pub certificates_pem: String,
    /// Makes the source type `AWS_ACM_PCA`; `certificates_pem` is then what this private CA has, and is not shown.
    #[serde(default)]
    pub acm_pca_arn: Option<String>,
    /// The settings that were put; the rest has AWS's defaults.
    #[serde(default)]
    pub notification_settings: Vec<NotificationSetting>,
}

/// When AWS sends an event about a certificate that expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationSetting {
    /// `CA_CERTIFICATE_EXPIRY` or `END_ENTITY_CERTIFICATE_EXPIRY`.
    pub event: String,
    /// Whether AWS sends events at all.
    pub enabled: bool,
    /// Days before the end, 1-360.
    pub threshold: u32,
}

/// A certificate revocation list imported for a trust anchor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crl {
    /// A UUID.
    pub id: String,
    /// 1-255 of `[ a-zA-Z0-9-_]`.
    pub name: String,
    /// A disabled list revokes nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The anchor's UUID.
    pub trust_anchor_id: String,
    /// PEM, or the DER in base64.
    pub crl_pem: String,
}

/// A Roles Anywhere profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// A UUID.
    pub id: String,
    /// 1-255 of `[ a-zA-Z0-9-_]`.
    pub name: String,
    /// A disabled profile gives no sessions.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The roles that may be assumed through it.
    pub role_arns: Vec<String>,
    /// Seconds; the upper bound of every session's duration. May be under AWS's 900, for sessions that end in a test.
    #[serde(default = "an_hour")]
    pub duration_seconds: u32,
    /// Whether a request may set `roleSessionName`.
    #[serde(default)]
    pub accept_role_session_name: bool,
    /// `null` is the default of `CreateProfile`: everything is mapped.
    #[serde(default)]
    pub attribute_mappings: Option<AttributeMappings>,
    /// An inline session policy, as a JSON object or the text of one.
    #[serde(default)]
    pub session_policy: Option<Value>,
}

/// Which attributes become session tags, by certificate field; a field that is absent maps nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct AttributeMappings {
    /// `*` or names such as `CN`, `OU`.
    pub x509_subject: Vec<String>,
    /// `*` or names such as `CN`, `OU`.
    pub x509_issuer: Vec<String>,
    /// `DNS`, `URI`, `Name/*`, `Name/CN`, …
    #[serde(rename = "x509SAN")]
    pub x509_san: Vec<String>,
}

impl AttributeMappings {
    /// What `CreateProfile` sets: all of subject and issuer, and DNS, URI and directory names.
    pub fn everything() -> AttributeMappings {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        AttributeMappings {
            x509_subject: owned(&["*"]),
            x509_issuer: owned(&["*"]),
            x509_san: owned(&["DNS", "URI", "Name/*"]),
        }
    }
}

/// An IAM role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Without its path.
    pub name: String,
    /// `/`, or a path that begins and ends with one.
    #[serde(default = "root")]
    pub path: String,
    /// Seconds, 3600-43200; a longer session is refused.
    #[serde(default = "an_hour")]
    pub max_session_duration: u32,
    /// An IAM trust policy. Operators and keys the emulator does not evaluate make the whole state an error.
    pub trust_policy: Value,
    /// Inline policies by name, each a JSON object or the text of one. Without any, the role's sessions may call nothing but
    /// `GetCallerIdentity`.
    #[serde(default)]
    pub policies: BTreeMap<String, Value>,
    /// The boundary, which restricts the role's policies.
    #[serde(default)]
    pub permissions_boundary: Option<Boundary>,
}

/// A permissions boundary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boundary {
    /// The managed policy's ARN.
    pub arn: String,
    /// Its document, a JSON object or the text of one.
    pub policy: Value,
}

/// A long-lived key of the user `management`, for the management API and IAM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagementKey {
    /// `AKIA…`
    pub access_key_id: String,
    /// The secret; shown by the admin page's state, never logged.
    pub secret_access_key: String,
    /// Its permissions; `null` allows everything.
    #[serde(default)]
    pub policies: Option<BTreeMap<String, Value>>,
}

impl std::fmt::Debug for ManagementKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ManagementKey").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

fn yes() -> bool {
    true
}

fn an_hour() -> u32 {
    3600
}

fn root() -> String {
    "/".to_owned()
}

/// A state from which the emulator could not answer truthfully.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not the state's JSON.
    #[error("the state is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// A trust anchor without readable certificates.
    #[error("trust anchor `{id}`: certificates_pem: {reason}")]
    Anchor {
        /// The anchor's id.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// A CRL that does not parse, or names an anchor that is not there.
    #[error("crl `{id}`: {reason}")]
    Crl {
        /// The list's id.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// A profile whose session policy is not a JSON object or whose duration is 0.
    #[error("profile `{id}`: {reason}")]
    Profile {
        /// The profile's id.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// A trust policy the emulator cannot evaluate.
    #[error("role `{name}`: trust_policy: {source}")]
    TrustPolicy {
        /// The role's name.
        name: String,
        /// What is wrong.
        source: PolicyError,
    },
    /// An identity policy or a permissions boundary the emulator cannot evaluate.
    #[error("`{owner}`: policy `{name}`: {source}")]
    Policy {
        /// The role's name, the access key's id, or the account of a managed policy.
        owner: String,
        /// The policy's name.
        name: String,
        /// What is wrong.
        source: PolicyError,
    },
    /// A role whose path does not begin and end with `/`.
    #[error("role `{name}`: path: \"{path}\" does not begin and end with /")]
    Path {
        /// The role's name.
        name: String,
        /// Its path.
        path: String,
    },
    /// Two resources of a kind have one id.
    #[error("{what}: `{id}` is there twice")]
    Twice {
        /// The list's name.
        what: &'static str,
        /// The id.
        id: String,
    },
}

impl State {
    /// Reads and checks the JSON form.
    pub fn from_json(json: &[u8]) -> Result<State, StateError> {
        let state: State = serde_json::from_slice(json)?;
        state.check()?;
        Ok(state)
    }

    /// Refuses everything that would otherwise be silently wrong: certificates, lists and policies that cannot be evaluated.
    pub fn check(&self) -> Result<(), StateError> {
        self.check_front()?;
        self.check_regions()?;
        unique("roles", self.roles.iter().map(|role| &role.name))?;
        self.roles.iter().try_for_each(check_role)?;
        check_policies(&self.account, &self.managed_policies)?;
        let policies = |key: &ManagementKey| key.policies.clone().unwrap_or_default();
        self.management_keys.iter().try_for_each(|key| check_policies(&key.access_key_id, &policies(key)))
    }

    /// The region in front.
    fn check_front(&self) -> Result<(), StateError> {
        self.check_ids()?;
        self.trust_anchors.iter().try_for_each(check_anchor)?;
        self.crls.iter().try_for_each(|crl| self.check_crl(crl))?;
        self.profiles.iter().try_for_each(check_profile)
    }

    fn check_ids(&self) -> Result<(), StateError> {
        unique("trust_anchors", self.trust_anchors.iter().map(|anchor| &anchor.id))?;
        unique("crls", self.crls.iter().map(|crl| &crl.id))?;
        unique("profiles", self.profiles.iter().map(|profile| &profile.id))
    }

    fn check_crl(&self, crl: &Crl) -> Result<(), StateError> {
        let error = |reason: String| StateError::Crl { id: crl.id.clone(), reason };
        if !self.trust_anchors.iter().any(|anchor| anchor.id == crl.trust_anchor_id) {
            return Err(error(format!("no trust anchor `{}`", crl.trust_anchor_id)));
        }
        RevocationList::from_text(&crl.crl_pem)
            .map(drop)
            .map_err(|reason| error(format!("crl_pem: {reason}")))
    }

    /// `arn:aws:rolesanywhere:<region>:<account>:trust-anchor/<id>`.
    pub fn trust_anchor_arn(&self, id: &str) -> String {
        self.resource_arn("trust-anchor", id)
    }

    /// `arn:aws:rolesanywhere:<region>:<account>:profile/<id>`.
    pub fn profile_arn(&self, id: &str) -> String {
        self.resource_arn("profile", id)
    }

    /// `arn:aws:iam::<account>:role<path><name>`.
    pub fn role_arn(&self, role: &Role) -> String {
        format!("arn:aws:iam::{}:role{}{}", self.account, role.path, role.name)
    }

    pub(crate) fn resource_arn(&self, kind: &str, id: &str) -> String {
        format!("arn:aws:rolesanywhere:{}:{}:{kind}/{id}", self.region, self.account)
    }
}

fn check_anchor(anchor: &TrustAnchor) -> Result<(), StateError> {
    let error = |reason: String| StateError::Anchor { id: anchor.id.clone(), reason };
    Certificate::all_from_pem(&anchor.certificates_pem).map(drop).map_err(|reason| error(reason.to_string()))
}

fn check_profile(profile: &Profile) -> Result<(), StateError> {
    let error = |reason: &str| StateError::Profile { id: profile.id.clone(), reason: reason.to_owned() };
    if profile.duration_seconds == 0 {
        return Err(error("duration_seconds: 0"));
    }
    match &profile.session_policy {
        None | Some(Value::Object(_)) => Ok(()),
        Some(Value::String(text))
            if serde_json::from_str::<Value>(text).is_ok_and(|json| json.is_object()) =>
        {
            Ok(())
        }
        Some(_) => Err(error("session_policy: not a JSON object")),
    }
}

fn check_role(role: &Role) -> Result<(), StateError> {
    let name = || role.name.clone();
    if !(role.path.starts_with('/') && role.path.ends_with('/')) {
        return Err(StateError::Path { name: name(), path: role.path.clone() });
    }
    TrustPolicy::parse(&role.trust_policy)
        .map_err(|source| StateError::TrustPolicy { name: name(), source })?;
    let boundary = role.permissions_boundary.iter().map(|boundary| (&boundary.arn, &boundary.policy));
    let boundary = boundary.map(|(arn, policy)| (arn.clone(), policy.clone())).collect();
    check_policies(&role.name, &role.policies).and_then(|()| check_policies(&role.name, &boundary))
}

fn check_policies(owner: &str, policies: &BTreeMap<String, Value>) -> Result<(), StateError> {
    let error =
        |name: &str, source| StateError::Policy { owner: owner.to_owned(), name: name.to_owned(), source };
    policies.iter().try_for_each(|(name, policy)| {
        IdentityPolicy::parse(policy).map(drop).map_err(|source| error(name, source))
    })
}

fn unique<'a>(what: &'static str, ids: impl Iterator<Item = &'a String>) -> Result<(), StateError> {
    let mut seen = std::collections::HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(StateError::Twice { what, id: id.clone() });
        }
    }
    Ok(())
}
