//! The mount's configuration: how AWS is reached, and what roles may fall back on.

use std::time::Duration;

use rolesanywhere::{ProfileArn, Settings, TrustAnchorArn};
use serde::{Deserialize, Serialize};
use url::Url;
use vault_backend::{Fault, Values};

use crate::seconds::Bounds;

const TIMEOUT: Bounds = Bounds { least: 1, most: 60 };
/// What a read shows in place of a proxy's password, and a write takes as "unchanged".
const MASK: &str = "redacted";

/// Stored as `config`; what is not set takes AWS's public endpoint and the environment's proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<Url>,
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
    max_retries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_trust_anchor_arn: Option<TrustAnchorArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_profile_arn: Option<ProfileArn>,
    pub(crate) allowed_role_arns: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            endpoint_ca_pem: None,
            use_fips: false,
            use_dualstack: false,
            proxy_url: None,
            connect_timeout: 3,
            request_timeout: 10,
            max_retries: 3,
            default_trust_anchor_arn: None,
            default_profile_arn: None,
            allowed_role_arns: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a write of `config`, whole; `stored` lends the proxy password that a read had masked.
    pub(crate) fn take(values: &Values, stored: Option<&Self>) -> Result<Self, Fault> {
        let usual = Self::default();
        let proxy_url = values.parse::<Url>("proxy_url")?.map(ProxyUrl);
        let stored_proxy = stored.and_then(|config| config.proxy_url.as_ref());
        let config = Self {
            endpoint: values.parse("endpoint")?,
            endpoint_ca_pem: values.pem("endpoint_ca_pem")?,
            use_fips: values.bool("use_fips")?.unwrap_or(usual.use_fips),
            use_dualstack: values.bool("use_dualstack")?.unwrap_or(usual.use_dualstack),
            proxy_url: proxy_url.map(|given| given.unmasked(stored_proxy)).transpose()?,
            connect_timeout: timeout(values, "connect_timeout", usual.connect_timeout)?,
            request_timeout: timeout(values, "request_timeout", usual.request_timeout)?,
            max_retries: retries(values, usual.max_retries)?,
            default_trust_anchor_arn: values.parse("default_trust_anchor_arn")?,
            default_profile_arn: values.parse("default_profile_arn")?,
            allowed_role_arns: values.list("allowed_role_arns")?.unwrap_or_default(),
        };
        config.check_defaults()?;
        Ok(config)
    }

    /// How the Roles Anywhere client is to be made.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            endpoint: self.endpoint.clone(),
            endpoint_ca_pem: self.endpoint_ca_pem.clone(),
            use_fips: self.use_fips,
            use_dualstack: self.use_dualstack,
            proxy_url: self.proxy_url.clone().map(|proxy| proxy.0),
            connect_timeout: Duration::from_secs(self.connect_timeout),
            request_timeout: Duration::from_secs(self.request_timeout),
            max_retries: self.max_retries,
        }
    }

    /// What a read shows: what a write takes, with the proxy's password masked.
    pub(crate) fn shown(&self) -> Self {
        Self { proxy_url: self.proxy_url.as_ref().map(ProxyUrl::masked), ..self.clone() }
    }

    fn check_defaults(&self) -> Result<(), Fault> {
        match (&self.default_trust_anchor_arn, &self.default_profile_arn) {
            (Some(anchor), Some(profile)) => {
                same_place(("default_trust_anchor_arn", anchor), ("default_profile_arn", profile))
            }
            _ => Ok(()),
        }
    }
}

/// Refuses an anchor and a profile of different regions or accounts: Roles Anywhere takes no such pair.
pub(crate) fn same_place(
    (anchor_field, anchor): (&str, &TrustAnchorArn),
    (profile_field, profile): (&str, &ProfileArn),
) -> Result<(), Fault> {
    if anchor.region() != profile.region() {
        return Err(Fault::caller(format!(
            "{profile_field}: {profile} is in region {}, but {anchor_field} is in {}; both must be in one region",
            profile.region(),
            anchor.region()
        )));
    }
    if anchor.account() != profile.account() {
        return Err(Fault::caller(format!(
            "{profile_field}: {profile} is in account {}, but {anchor_field} is in {}; both must be in one account",
            profile.account(),
            anchor.account()
        )));
    }
    Ok(())
}

fn timeout(values: &Values, field: &str, usual: u64) -> Result<u64, Fault> {
    match values.duration(field)? {
        Some(given) => Ok(TIMEOUT.check(field, given)?.as_secs()),
        None => Ok(usual),
    }
}

fn retries(values: &Values, usual: u32) -> Result<u32, Fault> {
    let Some(given) = values.int("max_retries")? else {
        return Ok(usual);
    };
    match u32::try_from(given) {
        Ok(count) if count <= 10 => Ok(count),
        _ => Err(Fault::caller(format!("max_retries: {given} is outside 0 to 10"))),
    }
}

/// A proxy's address, whose password no log line and no read shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct ProxyUrl(Url);

impl ProxyUrl {
    fn masked(&self) -> Self {
        let mut url = self.0.clone();
        if url.password().is_some() {
            // Fails only for URLs without a host, which hold no password.
            let _ = url.set_password(Some(MASK));
        }
        Self(url)
    }

    /// `self` with the password of `stored`, where `self` is what a read of `stored` shows.
    fn unmasked(self, stored: Option<&Self>) -> Result<Self, Fault> {
        if self.0.password() != Some(MASK) {
            return Ok(self);
        }
        match stored {
            Some(stored) if stored.masked() == self => Ok(stored.clone()),
            _ => Err(Fault::caller(format!(
                "proxy_url: {MASK:?} stands for a stored password, give the password"
            ))),
        }
    }
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.masked().0.as_str())
    }
}
