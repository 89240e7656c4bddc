//! The mount's configuration: how the engine reaches AWS, the defaults of roles, and the bounds of sessions.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use rolesanywhere::{HeaderValue, ProfileArn, ProxyVariables, Settings, TrustAnchorArn};
use serde::{Deserialize, Serialize};
use sessions::{Limits, Rate};
use url::Url;
use vault_backend::{Fault, Values};

use crate::ground::bounds::Bounds;
use crate::records::anchorage::same_place;

/// The `User-Agent` by which AWS and its audit log know the plugin.
const USER_AGENT: &str = concat!("vault-plugin-secrets-iamra/", env!("CARGO_PKG_VERSION"));
/// Bounds of `connect_timeout` and `request_timeout`, in seconds.
const TIMEOUT: Bounds = Bounds { least: 1, most: 60 };
/// Bound of `rate_limit` and `rate_burst`. AWS's quota for CreateSession is 10 per second, account and region, and can be raised.
const MAX_CALLS: u32 = 10_000;
/// Bound of `max_cached_sessions`.
const MAX_SESSIONS: u32 = 1_000_000;
/// The time to issue a leaf with an RSA key on a busy machine.
const FOR_THE_LEAF: Duration = Duration::from_secs(5);
/// A read shows this in place of a proxy's user and password, and a write takes it as "unchanged".
const MASK: &str = "redacted";

/// It is stored as `config`. Unset fields take AWS's public endpoints and the environment's proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Config {
    /// The endpoint of Roles Anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<Url>,
    /// The endpoint of STS, for calls that the engine makes on its own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sts_endpoint: Option<Url>,
    /// The endpoint of IAM, for the same calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iam_endpoint: Option<Url>,
    /// CA certificates that the client trusts at these endpoints, besides its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_ca_pem: Option<String>,
    use_fips: bool,
    use_dualstack: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_url: Option<ProxyUrl>,
    /// Seconds, 1 to 60.
    connect_timeout: u64,
    /// Seconds, 1 to 60.
    request_timeout: u64,
    /// Further attempts after a first one, 0 to 10.
    max_retries: u32,
    /// CreateSession calls per second, account and region, in the long run.
    #[serde(default = "usual_rate")]
    rate_limit: NonZeroU32,
    /// CreateSession calls that may start at once after a pause.
    #[serde(default = "usual_rate")]
    rate_burst: NonZeroU32,
    /// Sessions in memory. Beyond the bound the cache evicts.
    #[serde(default = "usual_sessions")]
    max_cached_sessions: NonZeroUsize,
    /// The trust anchor of roles that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_trust_anchor_arn: Option<TrustAnchorArn>,
    /// The profile of roles that name none. It must be in the region and account of the default trust anchor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_profile_arn: Option<ProfileArn>,
    /// Globs of the IAM roles that roles may name, see [`crate::records::allowed_roles`]; an empty list allows all.
    pub(crate) allowed_role_arns: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            sts_endpoint: None,
            iam_endpoint: None,
            endpoint_ca_pem: None,
            use_fips: false,
            use_dualstack: false,
            proxy_url: None,
            connect_timeout: 3,
            request_timeout: 10,
            max_retries: 3,
            rate_limit: usual_rate(),
            rate_burst: usual_rate(),
            max_cached_sessions: usual_sessions(),
            default_trust_anchor_arn: None,
            default_profile_arn: None,
            allowed_role_arns: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a whole config. `stored` is the present one: it gives the proxy's user and password where `values` hold the masked
    /// ones of a read.
    ///
    /// # Errors
    /// The caller's: a value is malformed or outside its bounds, the default ARNs do not go together, or the masked proxy is not
    /// the stored one.
    pub(crate) fn from_values(values: &Values, stored: Option<&Self>) -> Result<Self, Fault> {
        let usual = Self::default();
        let proxy_url = values.parse::<Url>("proxy_url")?.map(ProxyUrl);
        let stored_proxy = stored.and_then(|config| config.proxy_url.as_ref());
        let config = Self {
            endpoint: values.parse("endpoint")?,
            sts_endpoint: values.parse("sts_endpoint")?,
            iam_endpoint: values.parse("iam_endpoint")?,
            endpoint_ca_pem: values.pem("endpoint_ca_pem")?,
            use_fips: values.bool("use_fips")?.unwrap_or(usual.use_fips),
            use_dualstack: values.bool("use_dualstack")?.unwrap_or(usual.use_dualstack),
            proxy_url: proxy_url.map(|given| given.unmasked(stored_proxy)).transpose()?,
            connect_timeout: timeout(values, "connect_timeout", usual.connect_timeout)?,
            request_timeout: timeout(values, "request_timeout", usual.request_timeout)?,
            max_retries: retries(values, usual.max_retries)?,
            rate_limit: above_zero(values, "rate_limit", MAX_CALLS)?.unwrap_or(usual.rate_limit),
            rate_burst: above_zero(values, "rate_burst", MAX_CALLS)?.unwrap_or(usual.rate_burst),
            max_cached_sessions: above_zero(values, "max_cached_sessions", MAX_SESSIONS)?
                .map_or(usual.max_cached_sessions, sessions_of),
            default_trust_anchor_arn: values.parse("default_trust_anchor_arn")?,
            default_profile_arn: values.parse("default_profile_arn")?,
            allowed_role_arns: values.list("allowed_role_arns")?.unwrap_or_default(),
        };
        config.check_defaults()?;
        Ok(config)
    }

    /// Returns the settings of the AWS client in a process with these proxy `variables`.
    pub(crate) fn settings(&self, variables: &ProxyVariables) -> Settings {
        Settings {
            endpoint: self.endpoint.clone(),
            sts_endpoint: self.sts_endpoint.clone(),
            iam_endpoint: self.iam_endpoint.clone(),
            endpoint_ca_pem: self.endpoint_ca_pem.clone(),
            use_fips: self.use_fips,
            use_dualstack: self.use_dualstack,
            proxy_url: self.proxy_url.clone().map(|proxy| proxy.0),
            proxy_variables: variables.clone(),
            connect_timeout: Duration::from_secs(self.connect_timeout),
            request_timeout: Duration::from_secs(self.request_timeout),
            max_retries: self.max_retries,
            user_agent: HeaderValue::from_static(USER_AGENT),
        }
    }

    /// Returns the bounds of the mount's sessions.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            rate: Rate { per_second: self.rate_limit, burst: self.rate_burst },
            max_sessions: self.max_cached_sessions,
            max_retries: self.max_retries,
            flight_timeout: self.flight_timeout(),
            ..Limits::default()
        }
    }

    /// The longest time for one leaf and one attempt of CreateSession.
    pub(crate) fn flight_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout + self.request_timeout) + FOR_THE_LEAF
    }

    /// Returns whether sessions that were made under `other` are the same that this config makes: the two differ only in bounds,
    /// or in the endpoints of the engine's own calls. The cache then stays, so an operator can raise the rate while a fleet
    /// starts.
    ///
    /// A new field counts as a difference unless it is named here.
    pub(crate) fn makes_the_same_as(&self, other: &Self) -> bool {
        let Self { connect_timeout, request_timeout, max_retries, .. } = *other;
        let Self { rate_limit, rate_burst, max_cached_sessions, .. } = *other;
        let bounded = Self {
            sts_endpoint: other.sts_endpoint.clone(),
            iam_endpoint: other.iam_endpoint.clone(),
            connect_timeout,
            request_timeout,
            max_retries,
            rate_limit,
            rate_burst,
            max_cached_sessions,
            ..self.clone()
        };
        bounded == *other
    }

    /// Returns the config as a read shows it: the fields of a write, with the proxy's user and password masked.
    pub(crate) fn shown(&self) -> Self {
        Self { proxy_url: self.proxy_url.as_ref().map(ProxyUrl::masked), ..self.clone() }
    }

    /// Checks that the default ARNs go together. One alone is fine, because roles may name the other.
    fn check_defaults(&self) -> Result<(), Fault> {
        match (&self.default_trust_anchor_arn, &self.default_profile_arn) {
            (Some(anchor), Some(profile)) => {
                same_place(("default_trust_anchor_arn", anchor), ("default_profile_arn", profile))
            }
            _ => Ok(()),
        }
    }
}

/// Reads a timeout in whole seconds, or returns the default `usual`.
fn timeout(values: &Values, field: &str, usual: u64) -> Result<u64, Fault> {
    match values.duration(field)? {
        Some(given) => Ok(TIMEOUT.check(field, given)?.as_secs()),
        None => Ok(usual),
    }
}

/// Reads `max_retries`: 0 to 10.
fn retries(values: &Values, usual: u32) -> Result<u32, Fault> {
    let Some(given) = values.int("max_retries")? else {
        return Ok(usual);
    };
    match u32::try_from(given) {
        Ok(count) if count <= 10 => Ok(count),
        _ => Err(Fault::caller(format!("max_retries: {given} is outside 0 to 10"))),
    }
}

/// Reads a number from 1 to `most`; `None` where the field is unset.
fn above_zero(values: &Values, field: &str, most: u32) -> Result<Option<NonZeroU32>, Fault> {
    let Some(given) = values.int(field)? else {
        return Ok(None);
    };
    let number = u32::try_from(given).ok().filter(|number| *number <= most).and_then(NonZeroU32::new);
    number.map(Some).ok_or_else(|| Fault::caller(format!("{field}: {given} is outside 1 to {most}")))
}

fn sessions_of(number: NonZeroU32) -> NonZeroUsize {
    number.try_into().unwrap_or(NonZeroUsize::MAX)
}

/// The default of `rate_limit` and `rate_burst`, also for records that were stored without them.
fn usual_rate() -> NonZeroU32 {
    Limits::default().rate.per_second
}

/// The default of `max_cached_sessions`, also for records that were stored without it.
fn usual_sessions() -> NonZeroUsize {
    Limits::default().max_sessions
}

/// A proxy's address. No log line and no read shows its user and password; the user may be a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct ProxyUrl(Url);

impl ProxyUrl {
    /// The address as a read shows it. A user or password that is not set stays so.
    fn masked(&self) -> Self {
        // an empty user stays empty: the mask must not claim a user that is not stored
        let user = if self.0.username().is_empty() { "" } else { MASK };
        self.with(user, self.0.password().map(|_| MASK))
    }

    /// Returns `stored` where `self` is the masked form of it, and `self` where it holds no [`MASK`].
    ///
    /// # Errors
    /// The caller's: `self` is masked and is not the masked form of `stored`. If one part could be given with the other one
    /// masked, the answer would tell whether the given part is the stored one.
    fn unmasked(self, stored: Option<&Self>) -> Result<Self, Fault> {
        if self.0.username() != MASK && self.0.password() != Some(MASK) {
            return Ok(self);
        }
        stored.filter(|stored| stored.masked() == self).cloned().ok_or_else(|| {
            Fault::caller(format!(
                "proxy_url: {MASK:?} stands for the stored user or password of exactly this proxy: send the URL as a read shows it, or send both again"
            ))
        })
    }

    /// The same address with this user and password.
    fn with(&self, user: &str, password: Option<&str>) -> Self {
        let mut url = self.0.clone();
        // Fails only for URLs without a host, which hold neither.
        let _ = url.set_username(user).and_then(|()| url.set_password(password));
        Self(url)
    }
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.masked().0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_is_told_the_program_and_its_version() {
        let settings = Config::default().settings(&ProxyVariables::default());

        let agent = settings.user_agent.to_str().unwrap();

        assert_eq!(agent, format!("vault-plugin-secrets-iamra/{}", env!("CARGO_PKG_VERSION")));
    }
}
