//! A role: which AWS role a caller gets, with which certificate and for how long.

use std::collections::BTreeMap;
use std::time::Duration;

use ca::KeySpec;
use rolesanywhere::{ProfileArn, Region, RoleArn, SessionDuration, TrustAnchorArn};
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Values, quote};

use crate::ground::bounds::Bounds;
use crate::ground::faults;
use crate::records::allowed_roles;
use crate::records::anchorage::{Anchorage, same_account, same_place};
use crate::records::config::Config;
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::role_options::{LeafKey, LeaseStyle, SessionSharing};
use identity::Clusters;
use identity::SubjectField;
use identity::SubjectTexts;
use identity::name_one_caller;
use identity::word;
use identity::{Audience, Caller};
use identity::{ResolvedReference, Template};

const CERTIFICATE_TTL: Bounds = Bounds { least: 60, most: 86_400 };
const DEFAULT_CERTIFICATE_TTL: u64 = 600;
/// CreateSession takes at most 50 instance properties of 1 to 200 characters (API model, `InstancePropertyMap`).
const MAX_PROPERTIES: usize = 50;
const MAX_PROPERTY: usize = 200;
/// A caller's ttl is rounded up to this, so that a caller cannot make a session of its own for every second.
const CALLER_TTL_STEP: u64 = 900;
/// Stored as `role/<name>`; the same JSON is what a read answers.
#[expect(clippy::struct_field_names, reason = "the names are those of the API")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) role_arn: RoleArn,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_arn: Option<ProfileArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_anchor_arn: Option<TrustAnchorArn>,
    session_duration: SessionDuration,
    /// Default: the session duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_session_duration: Option<SessionDuration>,
    /// Seconds, 60 to 86400.
    certificate_ttl: u64,
    key_type: LeafKey,
    pub(crate) issuer_ref: String,
    #[serde(flatten)]
    pub(crate) subject: SubjectTexts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role_session_name: Option<Template>,
    /// The clusters whose pods get credentials; none: callers of every kind.
    #[serde(default)]
    pub(crate) clusters: Vec<String>,
    /// Whether certificates may hold what service accounts' annotations say.
    #[serde(default)]
    pub(crate) allow_tenant_metadata: bool,
    pub(crate) instance_properties: BTreeMap<String, String>,
    allow_caller_ttl: bool,
    /// Default: see [`Role::sharing`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_sharing: Option<SessionSharing>,
    #[serde(default)]
    pub(crate) lease: LeaseStyle,
    /// The region an answer names; default: the trust anchor's.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

impl Role {
    /// Reads a whole role.
    pub(crate) fn from_values(values: &Values) -> Result<Self, Fault> {
        let role_arn = values
            .parse::<RoleArn>("role_arn")?
            .ok_or_else(|| Fault::caller("role_arn: missing; give the ARN of the IAM role to assume"))?;
        let session_duration =
            session_duration(values, "session_duration")?.unwrap_or(SessionDuration::DEFAULT);
        let role = Self {
            role_arn,
            profile_arn: values.parse("profile_arn")?,
            trust_anchor_arn: values.parse("trust_anchor_arn")?,
            session_duration,
            max_session_duration: session_duration_bound(values, session_duration)?,
            certificate_ttl: certificate_ttl(values)?,
            key_type: values.parse("key_type")?.unwrap_or_default(),
            issuer_ref: values.string("issuer_ref")?.unwrap_or_else(|| DEFAULT_ISSUER.to_owned()),
            subject: SubjectTexts::from_values(values)?,
            role_session_name: session_name(values)?,
            clusters: values.list("clusters")?.unwrap_or_default(),
            allow_tenant_metadata: values.bool("allow_tenant_metadata")?.unwrap_or(false),
            instance_properties: instance_properties(values)?,
            allow_caller_ttl: values.bool("allow_caller_ttl")?.unwrap_or(false),
            session_sharing: values.parse("session_sharing")?,
            lease: values.parse("lease")?.unwrap_or_default(),
            region: values.parse("region")?,
        };
        role.check_place(None)?;
        role.check_clusters()?;
        role.check_tenant_metadata()?;
        Ok(role)
    }

    /// The ARNs of a call, with the config's defaults where the role names none.
    pub(crate) fn place(&self, config: &Config, mount_point: &str) -> Result<Anchorage, Fault> {
        let missing = |field: &str| {
            Fault::operator(format!("{field}: neither the role nor the config names one"))
                .cure(format!("vault write {mount_point}config default_{field}=<arn>"))
        };
        self.check_place(Some(config))?;
        let (_, trust_anchor) = self.anchor(Some(config)).ok_or_else(|| missing("trust_anchor_arn"))?;
        let (_, profile) = self.profile(Some(config)).ok_or_else(|| missing("profile_arn"))?;
        allowed_roles::check(&config.allowed_role_arns, &self.role_arn)?;
        Ok(Anchorage { trust_anchor: trust_anchor.clone(), profile: profile.clone() })
    }

    /// Refuses what AWS takes in no call: the role beside an anchor and a profile of its own or, where there is a config, of that.
    pub(crate) fn check_place(&self, config: Option<&Config>) -> Result<(), Fault> {
        let (anchor, profile) = (self.anchor(config), self.profile(config));
        if let Some((field, anchor)) = anchor {
            same_account(("role_arn", &self.role_arn), (field, anchor.account(), anchor.partition()))?;
        }
        if let Some((field, profile)) = profile {
            same_account(("role_arn", &self.role_arn), (field, profile.account(), profile.partition()))?;
        }
        match (anchor, profile) {
            (Some(anchor), Some(profile)) => same_place(anchor, profile),
            _ => Ok(()),
        }
    }

    /// The trust anchor of a call, and the field that names it.
    fn anchor<'a>(&'a self, config: Option<&'a Config>) -> Option<(&'static str, &'a TrustAnchorArn)> {
        let own = self.trust_anchor_arn.as_ref().map(|anchor| ("trust_anchor_arn", anchor));
        let default = || Some(("default_trust_anchor_arn", config?.default_trust_anchor_arn.as_ref()?));
        own.or_else(default)
    }

    /// The profile of a call, and the field that names it.
    fn profile<'a>(&'a self, config: Option<&'a Config>) -> Option<(&'static str, &'a ProfileArn)> {
        let own = self.profile_arn.as_ref().map(|profile| ("profile_arn", profile));
        own.or_else(|| Some(("default_profile_arn", config?.default_profile_arn.as_ref()?)))
    }

    /// How long a session the caller gets, when it asks for `ttl`.
    pub(crate) fn duration(&self, ttl: Option<Duration>) -> Result<SessionDuration, Fault> {
        let Some(ttl) = ttl else {
            return Ok(self.session_duration);
        };
        if !self.allow_caller_ttl {
            return Err(Fault::caller(
                "ttl: this role does not let callers choose (allow_caller_ttl is false)",
            ));
        }
        let most = u64::from(self.max_session_duration.unwrap_or(self.session_duration).as_secs());
        let least = u64::from(SessionDuration::MIN.as_secs());
        let asked = Bounds { least, most }.check("ttl", ttl)?.as_secs();
        let rounded = asked.div_ceil(CALLER_TTL_STEP) * CALLER_TTL_STEP;
        SessionDuration::try_from(Duration::from_secs(rounded.min(most)))
            .map_err(|error| Fault::caller(format!("ttl: {error}")))
    }

    /// Who may have the same session: callers who are the same at AWS, unless the role says otherwise. Where nothing that AWS sees
    /// names one caller, that would be all of a cluster or a namespace, or everybody, which nobody gets unasked.
    pub(crate) fn sharing(&self) -> SessionSharing {
        self.session_sharing.unwrap_or(if self.names_caller() {
            SessionSharing::Identity
        } else {
            SessionSharing::None
        })
    }

    /// Whether the sessions of `other` are those that this role makes. To write down what was in force by default changes none.
    pub(crate) fn makes_the_same_as(&self, other: &Self) -> bool {
        let in_force = |role: &Self| Self { session_sharing: Some(role.sharing()), ..role.clone() };
        in_force(self) == in_force(other)
    }

    fn names_caller(&self) -> bool {
        name_one_caller(self.texts().flat_map(|(_, text)| text.references()))
    }

    pub(crate) fn key(&self) -> KeySpec {
        self.key_type.spec()
    }

    pub(crate) fn certificate_ttl(&self) -> Duration {
        Duration::from_secs(self.certificate_ttl)
    }

    /// The region an answer names.
    pub(crate) fn region(&self, anchor: &TrustAnchorArn) -> String {
        self.region.as_ref().unwrap_or(anchor.region()).to_string()
    }

    /// Refuses a role whose certificates could not be issued: the default common name is `name`.
    pub(crate) fn check_certificate(&self, name: &str) -> Result<(), Fault> {
        if self.subject.common_name.is_none() {
            SubjectField::CommonName
                .check(name)
                .map_err(|fault| Fault::caller(format!("{fault}; the role's name is the default")))?;
        }
        let nobody = Caller::nobody(name);
        for (place, text) in self.texts().filter(|(_, text)| !text.asks_who()) {
            text.resolve(place, &nobody)?;
        }
        self.subject.sample(name, self.key(), self.certificate_ttl()).check().map_err(faults::ca)
    }

    /// Refuses a role that names a cluster which is not in `known`.
    pub(crate) fn check_registered(&self, known: &Clusters, mount_point: &str) -> Result<(), Fault> {
        match self.clusters.iter().find(|name| known.accessor(name).is_none()) {
            None => Ok(()),
            Some(name) => {
                Err(Fault::operator(format!("clusters: {} is not registered", quote(name))).cure(format!(
                    "vault write {mount_point}clusters/{} accessor=<accessor of its auth mount>",
                    word(name, "<name>")
                )))
            }
        }
    }

    /// What the role, called `name`, says of its callers.
    pub(crate) fn audience<'a>(&'a self, name: &'a str) -> Audience<'a> {
        Audience {
            role_name: name,
            asks_who: self.asks_who(),
            clusters: &self.clusters,
            takes_tenant_metadata: self.allow_tenant_metadata,
        }
    }

    /// Whether anything of a session depends on who asks.
    fn asks_who(&self) -> bool {
        !self.clusters.is_empty() || self.texts().any(|(_, text)| text.asks_who())
    }

    /// Whether certificates depend on the caller's pod.
    pub(crate) fn asks_pod(&self) -> bool {
        self.texts().any(|(_, text)| text.asks_pod())
    }

    /// What each reference of the role stands for.
    pub(crate) fn uses(&self, caller: &Caller<'_>) -> Result<Vec<(SubjectField, ResolvedReference)>, Fault> {
        let mut uses = self.subject.uses(caller)?;
        if let Some(name) = &self.role_session_name {
            let place = SubjectField::SessionName;
            uses.extend(name.uses(place, caller)?.into_iter().map(|found| (place, found)));
        }
        Ok(uses)
    }

    fn texts(&self) -> impl Iterator<Item = (SubjectField, &Template)> {
        self.subject.all().chain(self.role_session_name.iter().map(|name| (SubjectField::SessionName, name)))
    }

    /// What an operator should know about this role, though it is legal.
    pub(crate) fn warnings(&self, name: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.subject.common_name.is_none() {
            warnings.push(format!(
                "common_name is not set: every caller of this role is {name:?} at AWS, and CloudTrail cannot tell them apart"
            ));
        }
        if self.session_sharing.is_none()
            && !self.names_caller()
            && self.texts().any(|(_, text)| text.asks_who())
        {
            warnings.push(
                "session_sharing is none by default: what AWS sees depends on who asks, but nothing of it names one caller (an entity, an alias, a uid, or a service account with its namespace), so that each read makes a session; with session_sharing=identity callers who look the same at AWS share one".to_owned(),
            );
        }
        let seconds = self.session_duration.as_secs();
        if self.allow_tenant_metadata {
            warnings.push(
                "allow_tenant_metadata: whoever may edit a service account chooses these values; no policy in AWS should rely on them".to_owned(),
            );
        }
        if seconds < 3600 {
            warnings.push(format!(
                "session_duration of {seconds} s: botocore refreshes from 15 minutes before the end, so short sessions are refreshed all the time; 3600 s or more is advised"
            ));
        }
        if self.key().is_slow() {
            warnings.push(format!(
                "key_type {}: making an RSA key takes about 100 ms of CPU per session",
                self.key()
            ));
        }
        warnings
    }

    /// What to say where callers get credentials who were kept out by the `clusters` of `before`.
    pub(crate) fn opened_since(&self, before: &Self) -> Option<String> {
        if before.clusters.is_empty() {
            return None;
        }
        let until_now = before.clusters.join(", ");
        if self.clusters.is_empty() {
            return Some(format!(
                "clusters: lifted; callers of every kind get credentials from now on, until now only pods of {until_now}"
            ));
        }
        let new: Vec<_> =
            self.clusters.iter().filter(|name| !before.clusters.contains(name)).map(String::as_str).collect();
        (!new.is_empty()).then(|| {
            format!(
                "clusters: widened by {}; until now only pods of {until_now} got credentials",
                new.join(", ")
            )
        })
    }

    /// Refuses texts by which pods of one name in two clusters would look the same, unless one cluster alone is served.
    fn check_clusters(&self) -> Result<(), Fault> {
        let names_pods = |place| {
            matches!(
                place,
                SubjectField::CommonName
                    | SubjectField::UriSan
                    | SubjectField::DnsSan
                    | SubjectField::SessionName
            )
        };
        let confusing = self.texts().find(|(place, text)| names_pods(*place) && text.confuses_clusters());
        match confusing {
            Some((place, _)) if self.clusters.len() != 1 => Err(Fault::caller(format!(
                "{}: names namespaces or service accounts without {{{{kubernetes.cluster}}}}: those of one name in two clusters would be the same at AWS; add it, or name one cluster in clusters",
                place.field()
            ))),
            _ => Ok(()),
        }
    }

    fn check_tenant_metadata(&self) -> Result<(), Fault> {
        match self.texts().find(|(_, text)| text.asks_tenant()) {
            Some((place, _)) if !self.allow_tenant_metadata => Err(Fault::caller(format!(
                "{}: holds metadata that whoever edits the service account writes; if that is meant, set allow_tenant_metadata=true",
                place.field()
            ))),
            _ => Ok(()),
        }
    }
}

fn session_duration(values: &Values, field: &str) -> Result<Option<SessionDuration>, Fault> {
    let Some(given) = values.duration(field)? else {
        return Ok(None);
    };
    SessionDuration::try_from(given).map(Some).map_err(|error| Fault::caller(format!("{field}: {error}")))
}

fn session_duration_bound(values: &Values, usual: SessionDuration) -> Result<Option<SessionDuration>, Fault> {
    let most = session_duration(values, "max_session_duration")?;
    match most {
        Some(most) if most < usual => Err(Fault::caller(format!(
            "max_session_duration: {} is below session_duration, which is {}",
            most.as_secs(),
            usual.as_secs()
        ))),
        _ => Ok(most),
    }
}

fn certificate_ttl(values: &Values) -> Result<u64, Fault> {
    match values.duration("certificate_ttl")? {
        Some(given) => Ok(CERTIFICATE_TTL.check("certificate_ttl", given)?.as_secs()),
        None => Ok(DEFAULT_CERTIFICATE_TTL),
    }
}

fn session_name(values: &Values) -> Result<Option<Template>, Fault> {
    let given = values.string(SubjectField::SessionName.field())?;
    given.map(|text| Template::parse(SubjectField::SessionName, &text)).transpose()
}

fn instance_properties(values: &Values) -> Result<BTreeMap<String, String>, Fault> {
    let given = values.pairs("instance_properties")?.unwrap_or_default();
    if given.len() > MAX_PROPERTIES {
        return Err(Fault::caller(format!(
            "instance_properties: {} entries, at most {MAX_PROPERTIES} are allowed",
            given.len()
        )));
    }
    let lengths = 1..=MAX_PROPERTY;
    for (key, value) in &given {
        if !lengths.contains(&key.chars().count()) || !lengths.contains(&value.chars().count()) {
            return Err(Fault::caller(format!(
                "instance_properties: {} and its value must have 1 to {MAX_PROPERTY} characters",
                quote(key)
            )));
        }
    }
    Ok(given)
}

#[cfg(any(test, fuzzing))]
impl Role {
    /// A role with nothing but its ARN.
    #[expect(clippy::expect_used, reason = "a claim or a test begins with it")]
    pub(crate) fn plain() -> Self {
        serde_json::from_value(serde_json::json!({
            "role_arn": "arn:aws:iam::111122223333:role/app", "session_duration": 3600, "certificate_ttl": 600,
            "key_type": "ec-p256", "issuer_ref": "default", "organization": [], "organizational_unit": [], "country": [],
            "locality": [], "uri_sans": [], "dns_sans": [], "instance_properties": {}, "allow_caller_ttl": false,
        }))
        .expect("a role stored before templates is still read")
    }
}
