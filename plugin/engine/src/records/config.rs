//! The mount's configuration: how the engine reaches AWS, the defaults of roles, and the bounds of sessions.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use rolesanywhere::{HeaderValue, ProfileArn, ProxyVariables, Settings, TrustAnchorArn};
use serde::{Deserialize, Serialize};
use sessions::{Limits, Rate};
use url::Url;
use vault_backend::{Fault, Values};

use crate::ground::bounds::{Count, Seconds};
use crate::records::anchorage::InField;
use crate::records::document::{Pem, document};
use crate::records::places::{ArnList, Places};
use crate::records::role_options::PlacePolicy;

/// The `User-Agent` by which AWS and its audit log know the plugin.
const USER_AGENT: &str = concat!("vault-plugin-secrets-iamra/", env!("CARGO_PKG_VERSION"));
/// The time to issue a leaf with an RSA key on a busy machine.
const FOR_THE_LEAF: Duration = Duration::from_secs(5);
/// A read shows this in place of a proxy's user and password, and a write takes it as "unchanged".
const MASK: &str = "redacted";

document! {
    /// It is stored as `config`. Unset fields take AWS's public endpoints and the environment's proxy.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct Config {
        /// The endpoint of Roles Anywhere.
        #[serde(skip_serializing_if = "Option::is_none")]
        endpoint: Option<Url>,
        /// CA certificates that the client trusts at the endpoints, besides its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        endpoint_ca_pem: Option<Pem>,
        use_fips: bool,
        use_dualstack: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        proxy_url: Option<ProxyUrl>,
        #[serde(flatten)]
        tuning: Tuning,
        /// The trust anchor of roles that name none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) default_trust_anchor_arn: Option<ArnList<TrustAnchorArn>>,
        /// The profile of roles that name none. It must be in the region and account of the default trust anchor.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) default_profile_arn: Option<ArnList<ProfileArn>>,
        /// The policy of roles that name none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(crate) default_place_policy: Option<PlacePolicy>,
        /// Globs of the IAM roles that roles may name, see [`crate::records::allowed_roles`]; an empty list allows all.
        pub(crate) allowed_role_arns: Vec<String>,
    }
}

document! {
    /// The fields that change no session: bounds, and the endpoints of the engine's own calls. They are stored among the others.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    struct Tuning {
        /// The endpoint of STS, for calls that the engine makes on its own account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sts_endpoint: Option<Url>,
        /// The endpoint of IAM, for the same calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        iam_endpoint: Option<Url>,
        connect_timeout: Seconds<1, 60, 3>,
        request_timeout: Seconds<1, 60, 10>,
        /// Further attempts after a first one.
        max_retries: Count<0, 10, 3>,
        /// CreateSession calls per second, account and region, in the long run. AWS's quota is 10, and can be raised.
        #[serde(default)]
        rate_limit: Count<1, 10_000, 8>,
        /// CreateSession calls that may start at once after a pause.
        #[serde(default)]
        rate_burst: Count<1, 10_000, 8>,
        /// AssumeRole calls of roles with `target_role_arn` per second, account and region, in the long run. STS allows 600 calls per
        /// second, account and region, of AssumeRole, GetCallerIdentity and some others together, and other callers of the account
        /// need their share: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
        #[serde(default)]
        assume_role_rate_limit: Count<1, 10_000, 100>,
        /// AssumeRole calls that may start at once after a pause.
        #[serde(default)]
        assume_role_rate_burst: Count<1, 10_000, 100>,
        /// Sessions in memory. Beyond the bound the cache evicts.
        #[serde(default)]
        max_cached_sessions: Count<1, 1_000_000, 20_000>,
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
        let mut config = Self::from_fields(values)?;
        let stored_proxy = stored.and_then(|config| config.proxy_url.as_ref());
        config.proxy_url = config.proxy_url.map(|given| given.unmasked(stored_proxy)).transpose()?;
        config.check_defaults()?;
        Ok(config)
    }

    /// Returns the settings of the AWS client in a process with these proxy `variables`.
    pub(crate) fn settings(&self, variables: &ProxyVariables) -> Settings {
        Settings {
            endpoint: self.endpoint.clone(),
            sts_endpoint: self.tuning.sts_endpoint.clone(),
            iam_endpoint: self.tuning.iam_endpoint.clone(),
            endpoint_ca_pem: self.endpoint_ca_pem.clone().map(|pem| pem.0),
            use_fips: self.use_fips,
            use_dualstack: self.use_dualstack,
            proxy_url: self.proxy_url.clone().map(|proxy| proxy.0),
            proxy_variables: variables.clone(),
            connect_timeout: self.tuning.connect_timeout.as_duration(),
            request_timeout: self.tuning.request_timeout.as_duration(),
            max_retries: self.tuning.max_retries.get(),
            user_agent: HeaderValue::from_static(USER_AGENT),
        }
    }

    /// Returns the bounds of the mount's sessions.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            rate: Rate {
                per_second: self.tuning.rate_limit.non_zero(),
                burst: self.tuning.rate_burst.non_zero(),
            },
            max_sessions: self.tuning.max_cached_sessions.non_zero().try_into().unwrap_or(NonZeroUsize::MAX),
            max_retries: self.tuning.max_retries.get(),
            flight_timeout: self.flight_timeout(),
            ..Limits::default()
        }
    }

    /// Returns the bounds of the mount's hops: STS's rate, and time for a flight to get its hub.
    pub(crate) fn hop_limits(&self) -> Limits {
        Limits {
            rate: Rate {
                per_second: self.tuning.assume_role_rate_limit.non_zero(),
                burst: self.tuning.assume_role_rate_burst.non_zero(),
            },
            flight_timeout: 3 * self.flight_timeout(),
            ..self.limits()
        }
    }

    /// The longest time for one leaf and one attempt of CreateSession.
    pub(crate) fn flight_timeout(&self) -> Duration {
        self.tuning.connect_timeout.as_duration() + self.tuning.request_timeout.as_duration() + FOR_THE_LEAF
    }

    /// Returns whether sessions that were made under `other` are the same that this config makes: the two differ only in their
    /// [`Tuning`]. The cache then stays, so an operator can raise the rate while a fleet starts.
    pub(crate) fn makes_the_same_as(&self, other: &Self) -> bool {
        Self { tuning: other.tuning.clone(), ..self.clone() } == *other
    }

    /// Returns the config as a read shows it: the fields of a write, with the proxy's user and password masked.
    pub(crate) fn shown(&self) -> Self {
        Self { proxy_url: self.proxy_url.as_ref().map(ProxyUrl::masked), ..self.clone() }
    }

    /// Checks that the default ARNs go together. One alone is fine, because roles may name the other.
    fn check_defaults(&self) -> Result<(), Fault> {
        match (&self.default_trust_anchor_arn, &self.default_profile_arn) {
            (Some(anchor), Some(profile)) => {
                let anchor = InField::new("default_trust_anchor_arn", anchor);
                Places::pair(&anchor, &InField::new("default_profile_arn", profile)).map(drop)
            }
            _ => Ok(()),
        }
    }
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

impl FromStr for ProxyUrl {
    type Err = <Url as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
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
    fn an_unset_bound_of_sessions_is_the_schedulers_own() {
        let (limits, usual) = (Config::default().limits(), Limits::default());

        assert_eq!(limits.rate.per_second, usual.rate.per_second);
        assert_eq!(limits.rate.burst, usual.rate.burst);
        assert_eq!(limits.max_sessions, usual.max_sessions);
    }

    #[test]
    fn aws_is_told_the_program_and_its_version() {
        let settings = Config::default().settings(&ProxyVariables::default());

        let agent = settings.user_agent.to_str().unwrap();

        assert_eq!(agent, format!("vault-plugin-secrets-iamra/{}", env!("CARGO_PKG_VERSION")));
    }
}
