//! A role: the AWS role that a caller gets, the certificate for it, and the session's duration.

use std::collections::BTreeMap;
use std::time::Duration;

use ca::KeySpec;
use rolesanywhere::{AssumeRole, ProfileArn, Region, RoleArn, SessionDuration, TrustAnchorArn};
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Values};

use crate::ground::bounds::{Bounds, Seconds};
use crate::ground::faults;
use crate::records::admitted_clusters;
use crate::records::document::FromField;
use crate::records::hop::Hop;
use crate::records::instance_properties::instance_properties;
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::places::ArnList;
use crate::records::role_options::{LeafKey, LeaseStyle, PlacePolicy, SessionSharing};
use identity::Clusters;
use identity::StandardTexts;
use identity::SubjectField;
use identity::SubjectTexts;
use identity::name_one_caller;
use identity::{Audience, Caller};
use identity::{ResolvedReference, Template};

/// The life of a leaf certificate: 60 s to a day, 10 minutes by default. The bounds are the engine's own: AWS documents none, and
/// asks only that the certificate is valid during CreateSession.
type CertificateTtl = Seconds<60, 86_400, 600>;
/// Seconds. A caller's ttl is rounded up to a multiple of this, so a caller cannot force a session of its own for every second.
const CALLER_TTL_STEP: u64 = 900;
/// The longest ttl that a caller may ask for where the role makes a hop.
const MAX_HOP: SessionDuration = AssumeRole::MAX_DURATION;

/// It is stored as `role/<name>`, and a read returns the same JSON.
#[expect(clippy::struct_field_names, reason = "the names are those of the API")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) role_arn: RoleArn,
    /// Default: the config's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profile_arn: Option<ArnList<ProfileArn>>,
    /// Default: the config's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trust_anchor_arn: Option<ArnList<TrustAnchorArn>>,
    /// Default: the config's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) place_policy: Option<PlacePolicy>,
    /// The duration of a session whose caller asks for no ttl.
    session_duration: SessionDuration,
    /// The longest ttl that a caller may ask for. Default: `session_duration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_session_duration: Option<SessionDuration>,
    certificate_ttl: CertificateTtl,
    key_type: LeafKey,
    /// The issuer's id or name, or `default`. An issuer's name cannot change while a role has it here.
    pub(crate) issuer_ref: String,
    #[serde(flatten)]
    pub(crate) subject: SubjectTexts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role_session_name: Option<Template>,
    /// The clusters whose pods get credentials. An empty list lets callers of every kind in.
    #[serde(default)]
    pub(crate) clusters: Vec<String>,
    /// Whether certificates may hold values from annotations of service accounts.
    #[serde(default)]
    pub(crate) allow_tenant_metadata: bool,
    pub(crate) instance_properties: BTreeMap<String, String>,
    allow_caller_ttl: bool,
    /// Default: see [`Role::sharing`]. Unset is stored as unset, because the default depends on the templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_sharing: Option<SessionSharing>,
    #[serde(default)]
    pub(crate) lease: LeaseStyle,
    /// The region that an answer names. Default: the trust anchor's.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
    /// The further role whose sessions callers get, if there is one.
    #[serde(flatten)]
    pub(crate) hop: Hop,
}

impl Role {
    /// Reads a whole role, without its config and the registered clusters, which may change later.
    ///
    /// # Errors
    /// The caller's: a value is missing, malformed or outside its bounds, the ARNs do not go together, or the templates confuse
    /// clusters or hold tenant metadata that the role does not allow.
    pub(crate) fn from_values(values: &Values) -> Result<Self, Fault> {
        let role_arn = values
            .parse::<RoleArn>("role_arn")?
            .ok_or_else(|| Fault::caller("role_arn: missing; give the ARN of the IAM role to assume"))?;
        let session_duration =
            session_duration(values, "session_duration")?.unwrap_or(SessionDuration::DEFAULT);
        let role = Self {
            hop: Hop::from_values(values, &role_arn)?,
            role_arn,
            profile_arn: values.parse("profile_arn")?,
            trust_anchor_arn: values.parse("trust_anchor_arn")?,
            place_policy: values.parse("place_policy")?,
            session_duration,
            max_session_duration: session_duration_bound(values, session_duration)?,
            certificate_ttl: CertificateTtl::from_field(values, "certificate_ttl")?,
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
        role.check_arns(None)?;
        role.check_clusters()?;
        role.check_tenant_metadata()?;
        Ok(role)
    }

    /// Returns the session duration for a caller that asks for `ttl`: rounded up to [`CALLER_TTL_STEP`], but not above the role's
    /// maximum.
    ///
    /// # Errors
    /// The caller's: the role lets no caller choose, or `ttl` is below AWS's minimum or above the role's maximum.
    pub(crate) fn duration(&self, ttl: Option<Duration>) -> Result<SessionDuration, Fault> {
        let Some(ttl) = ttl else {
            return Ok(self.session_duration);
        };
        if !self.allow_caller_ttl {
            return Err(Fault::caller(
                "ttl: this role does not let callers choose (allow_caller_ttl is false)",
            ));
        }
        let most = self.max_session_duration.unwrap_or(self.session_duration);
        let most = u64::from(if self.hop.target().is_some() { most.min(MAX_HOP) } else { most }.as_secs());
        let least = u64::from(SessionDuration::MIN.as_secs());
        let asked = Bounds { least, most }.check("ttl", ttl)?.as_secs();
        let rounded = asked.div_ceil(CALLER_TTL_STEP) * CALLER_TTL_STEP;
        SessionDuration::try_from(Duration::from_secs(rounded.min(most)))
            .map_err(|error| Fault::caller(format!("ttl: {error}")))
    }

    /// Returns who may have the same session: callers that AWS cannot distinguish, unless the role says otherwise.
    ///
    /// Where nothing that AWS sees names one caller, those would be all callers of a cluster or a namespace, or all callers of
    /// the role. An operator must ask for that explicitly, so the default is then that nobody shares.
    pub(crate) fn sharing(&self) -> SessionSharing {
        self.session_sharing.unwrap_or(if self.names_caller() {
            SessionSharing::Identity
        } else {
            SessionSharing::None
        })
    }

    /// Returns whether the sessions of `other` are the same that this role makes. Setting `session_sharing` to the default that
    /// was in force changes none, and neither does a standard subject in place of the same texts.
    pub(crate) fn makes_the_same_as(&self, other: &Self) -> bool {
        let in_force = |role: &Self| Self {
            session_sharing: Some(role.sharing()),
            subject: role.subject.in_force(),
            ..role.clone()
        };
        in_force(self) == in_force(other)
    }

    fn names_caller(&self) -> bool {
        name_one_caller(self.texts().flat_map(|(_, text)| text.references()))
    }

    pub(crate) fn key(&self) -> KeySpec {
        self.key_type.spec()
    }

    pub(crate) fn certificate_ttl(&self) -> Duration {
        self.certificate_ttl.as_duration()
    }

    /// Returns the region that an answer names, with which SDKs call AWS.
    pub(crate) fn region(&self, anchor: &TrustAnchorArn) -> String {
        self.region.as_ref().unwrap_or(anchor.region()).to_string()
    }

    /// Checks that certificates of the role, called `name`, can be issued, as far as that does not depend on the caller.
    ///
    /// # Errors
    /// The caller's, with the field that no certificate can have. The role's name is the default common name.
    pub(crate) fn check_certificate(&self, name: &str) -> Result<(), Fault> {
        if self.subject.common_name().is_none() {
            SubjectField::CommonName.check(name).map_err(|fault| {
                Fault::caller(format!("{fault}; the default common_name is the role's name"))
            })?;
        }
        let nobody = Caller::nobody(name);
        for (field, text) in self.texts().filter(|(_, text)| !text.asks_who()) {
            text.resolve(field, &nobody)?;
        }
        self.subject.sample(name, self.key(), self.certificate_ttl()).check().map_err(faults::ca)
    }

    /// Returns the role with the clusters that it admits. A pod's subject admits pods alone, so such a role that names no cluster gets
    /// the registered one.
    ///
    /// # Errors
    /// A cluster of the role is not in `known`; or its subject is a pod's, it names none, and `known` has none or several.
    pub(crate) fn admitting(mut self, known: &Clusters, mount_point: &str) -> Result<Self, Fault> {
        if self.subject.standard() == Some(StandardTexts::Kubernetes) && self.clusters.is_empty() {
            self.clusters = admitted_clusters::only_one(known, mount_point)?;
        }
        admitted_clusters::check_registered(&self.clusters, known, mount_point)?;
        Ok(self)
    }

    /// Returns the role as a read shows it: the standard subject with what it amounts to.
    pub(crate) fn shown(&self) -> Self {
        Self { subject: self.subject.shown(), ..self.clone() }
    }

    /// Returns the rules of the role, called `name`, about its callers.
    pub(crate) fn audience<'a>(&'a self, name: &'a str) -> Audience<'a> {
        Audience {
            role_name: name,
            asks_who: self.asks_who(),
            clusters: &self.clusters,
            takes_tenant_metadata: self.allow_tenant_metadata,
        }
    }

    /// Whether any part of a session depends on the caller. A role for some clusters depends on it even without templates.
    fn asks_who(&self) -> bool {
        !self.clusters.is_empty() || self.texts().any(|(_, text)| text.asks_who())
    }

    /// Returns whether certificates depend on the caller's pod.
    pub(crate) fn asks_pod(&self) -> bool {
        self.texts().any(|(_, text)| text.asks_pod())
    }

    /// Returns each reference of the role with its value for `caller`, the session name's last.
    ///
    /// # Errors
    /// A reference has no value for this caller.
    pub(crate) fn uses(&self, caller: &Caller<'_>) -> Result<Vec<(SubjectField, ResolvedReference)>, Fault> {
        let mut uses = self.subject.uses(caller)?;
        if let Some(name) = &self.role_session_name {
            let field = SubjectField::SessionName;
            uses.extend(name.uses(field, caller)?.into_iter().map(|found| (field, found)));
        }
        uses.extend(self.hop.uses(caller)?);
        Ok(uses)
    }

    fn texts(&self) -> impl Iterator<Item = (SubjectField, &Template)> {
        let names = self.role_session_name.iter().map(|name| (SubjectField::SessionName, name));
        self.subject.all().chain(names).chain(self.hop.texts())
    }

    /// Returns warnings for the operator about this role, called `name`; each is about a setting that is legal.
    pub(crate) fn warnings(&self, name: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.subject.common_name().is_none() {
            warnings.push(format!(
                "common_name is not set: AWS sees every caller of this role as {name:?}, and CloudTrail cannot distinguish them"
            ));
        }
        if self.session_sharing.is_none()
            && !self.names_caller()
            && self.texts().any(|(_, text)| text.asks_who())
        {
            warnings.push(
                "session_sharing is none by default, because the certificate or session name depends on the caller but names no single one (by an entity, an alias, a uid, or a service account with its namespace): each read makes a session; with session_sharing=identity, callers that AWS cannot distinguish share one".to_owned(),
            );
        }
        let seconds = self.session_duration.as_secs();
        warnings.extend(self.hop.warning(self.session_duration));
        if self.allow_tenant_metadata {
            warnings.push(
                "allow_tenant_metadata: anyone who may edit a service account chooses these values; no policy in AWS should rely on them".to_owned(),
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

    /// Returns a warning where callers get credentials that the `clusters` of `before` refused; `None` where there are none.
    pub(crate) fn opened_since(&self, before: &Self) -> Option<String> {
        admitted_clusters::opened(&before.clusters, &self.clusters)
    }

    /// Refuses templates that give pods of one name in two clusters the same result. A role for exactly one cluster may have
    /// them. Only fields that name a single caller are checked: O, OU, C and L are attributes of many.
    fn check_clusters(&self) -> Result<(), Fault> {
        let names_pods = |field| {
            matches!(
                field,
                SubjectField::CommonName
                    | SubjectField::UriSan
                    | SubjectField::DnsSan
                    | SubjectField::SessionName
            )
        };
        let confusing = self.texts().find(|(field, text)| names_pods(*field) && text.confuses_clusters());
        match confusing {
            Some((field, _)) if self.clusters.len() != 1 => Err(Fault::caller(format!(
                "{}: names namespaces or service accounts without {{{{kubernetes.cluster}}}}: AWS could not distinguish those of one name in two clusters; add it, or name one cluster in clusters",
                field.name()
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses metadata that a tenant is known to write, unless the role allows it. Metadata that is found to be a tenant's only
    /// from the caller's alias is refused at the read.
    fn check_tenant_metadata(&self) -> Result<(), Fault> {
        match self.texts().find(|(_, text)| text.asks_tenant()) {
            Some((field, _)) if !self.allow_tenant_metadata => Err(Fault::caller(format!(
                "{}: holds metadata that anyone who may edit the service account writes; if that is intended, set allow_tenant_metadata=true",
                field.name()
            ))),
            _ => Ok(()),
        }
    }
}

/// Reads a duration within AWS's bounds; `None` where the field is unset.
fn session_duration(values: &Values, field: &str) -> Result<Option<SessionDuration>, Fault> {
    let Some(given) = values.duration(field)? else {
        return Ok(None);
    };
    SessionDuration::try_from(given).map(Some).map_err(|error| Fault::caller(format!("{field}: {error}")))
}

/// Reads `max_session_duration`, which must not be below the duration `usual` of the role.
fn session_duration_bound(values: &Values, usual: SessionDuration) -> Result<Option<SessionDuration>, Fault> {
    let most = session_duration(values, "max_session_duration")?;
    match most {
        Some(most) if most < usual => Err(Fault::caller(format!(
            "max_session_duration: {} is below session_duration ({})",
            most.as_secs(),
            usual.as_secs()
        ))),
        _ => Ok(most),
    }
}

fn session_name(values: &Values) -> Result<Option<Template>, Fault> {
    let given = values.string(SubjectField::SessionName.name())?;
    given.map(|text| Template::parse(SubjectField::SessionName, &text)).transpose()
}

#[cfg(test)]
impl Role {
    /// A role with an ARN and defaults, as a version before templates stored it.
    pub(crate) fn plain() -> Self {
        serde_json::from_value(serde_json::json!({
            "role_arn": "arn:aws:iam::111122223333:role/app", "session_duration": 3600, "certificate_ttl": 600,
            "key_type": "ec-p256", "issuer_ref": "default", "organization": [], "organizational_unit": [], "country": [],
            "locality": [], "uri_sans": [], "dns_sans": [], "instance_properties": {}, "allow_caller_ttl": false,
        }))
        .expect("a role stored before templates is still read")
    }
}
