//! The endpoint of Roles Anywhere: AWS's host of a region, or the operator's own URL. `service.rs` has the other
//! services.

use std::fmt;

use url::Url;

use crate::override_url;
use crate::partition::{Partition, Region};
use crate::settings::Settings;

/// The host that serves one service in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why settings and region give no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The partition has no Roles Anywhere.
    #[error("region {region}: IAM Roles Anywhere does not exist in the partition {partition}")]
    NoService {
        /// The region asked for.
        region: Region,
        /// Its partition.
        partition: Partition,
    },
    /// The region belongs to another partition.
    #[error("region {region}: belongs to the partition {belongs_to} and not to {partition}")]
    Partition {
        /// The region asked for.
        region: Region,
        /// The partition its name belongs to.
        belongs_to: Partition,
        /// The partition asked for.
        partition: Partition,
    },
    /// The region has no FIPS endpoint; its name would not resolve.
    #[error(
        "use_fips: {0} has no FIPS endpoint; us-east-1, us-east-2, us-west-1, us-west-2, us-gov-east-1 and \
         us-gov-west-1 have one"
    )]
    NoFips(Region),
    /// The partition has no dual-stack endpoint.
    #[error("use_dualstack: the partition {0} has no dual-stack endpoint")]
    NoDualStack(Partition),
    /// The partition has no Roles Anywhere, so its IAM is not needed.
    #[error("IAM Roles Anywhere does not exist in the partition {0}")]
    NoServiceIn(Partition),
    /// A service other than Roles Anywhere has no FIPS endpoint there.
    #[error("use_fips: {service} has no FIPS endpoint in {area}")]
    NoFipsOf {
        /// `STS` or `IAM`.
        service: &'static str,
        /// The region or partition.
        area: String,
    },
    /// The operator's own URL cannot be used.
    #[error("endpoint: {0}")]
    Override(String),
}

impl Endpoint {
    /// The endpoint for a region: the operator's own, or AWS's by partition, FIPS and dual-stack.
    pub fn resolve(
        settings: &Settings,
        region: &Region,
        partition: Partition,
    ) -> Result<Self, EndpointError> {
        if let Some(url) = &settings.endpoint {
            override_url::check(url, "/sessions").map_err(EndpointError::Override)?;
            return Ok(Self(url.clone()));
        }
        let belongs_to = region.partition();
        if belongs_to != partition {
            return Err(EndpointError::Partition { region: region.clone(), belongs_to, partition });
        }
        let suffix = partition
            .dns_suffix()
            .ok_or_else(|| EndpointError::NoService { region: region.clone(), partition })?;
        let (service, suffix) = match (settings.use_fips, settings.use_dualstack) {
            (true, _) if !region.has_fips_endpoint() => return Err(EndpointError::NoFips(region.clone())),
            (true, _) => ("rolesanywhere-fips", suffix),
            (false, true) => {
                let dual = partition.dual_stack_suffix().ok_or(EndpointError::NoDualStack(partition))?;
                ("rolesanywhere", dual)
            }
            (false, false) => ("rolesanywhere", suffix),
        };
        Self::of_host(&format!("{service}.{region}.{suffix}"))
    }

    /// The host of a service at AWS, over HTTPS.
    pub(crate) fn of_host(host: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(&format!("https://{host}/"));
        url.map(Self).map_err(|err| EndpointError::Override(err.to_string()))
    }

    /// The operator's own URL, which [`Settings::check`] must have accepted.
    pub(crate) fn own(url: &Url) -> Self {
        Self(url.clone())
    }

    /// Host and, where it is not the scheme's own, port: the signed `host` header.
    pub fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The URL of `CreateSession`.
    pub(crate) fn sessions_url(&self) -> String {
        self.at("/sessions")
    }

    /// The URL of a path, which begins with a slash.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(region: &str, settings: &Settings) -> String {
        let region: Region = region.parse().unwrap();
        match Endpoint::resolve(settings, &region, region.partition()) {
            Ok(endpoint) => endpoint.to_string(),
            Err(err) => err.to_string(),
        }
    }

    fn own(url: &str) -> Result<String, String> {
        let settings = Settings { endpoint: Some(Url::parse(url).unwrap()), ..Settings::default() };
        let region: Region = "eu-central-1".parse().unwrap();
        Endpoint::resolve(&settings, &region, Partition::Aws)
            .map(|endpoint| endpoint.sessions_url())
            .map_err(|err| err.to_string())
    }

    #[test]
    fn each_partition_has_its_own_suffix() {
        let plain = Settings::default();

        assert_eq!(resolved("eu-central-1", &plain), "https://rolesanywhere.eu-central-1.amazonaws.com");
        assert_eq!(resolved("cn-north-1", &plain), "https://rolesanywhere.cn-north-1.amazonaws.com.cn");
        assert_eq!(resolved("us-gov-west-1", &plain), "https://rolesanywhere.us-gov-west-1.amazonaws.com");
        assert_eq!(resolved("eu-isoe-west-1", &plain), "https://rolesanywhere.eu-isoe-west-1.cloud.adc-e.uk");
        assert_eq!(
            resolved("us-isof-south-1", &plain),
            "https://rolesanywhere.us-isof-south-1.csp.hci.ic.gov"
        );
        assert_eq!(resolved("eusc-de-east-1", &plain), "https://rolesanywhere.eusc-de-east-1.amazonaws.eu");
        assert_eq!(resolved("ap-moon-9", &plain), "https://rolesanywhere.ap-moon-9.amazonaws.com");
    }

    #[test]
    fn two_partitions_have_no_endpoint() {
        for region in ["us-iso-east-1", "us-isob-east-1"] {
            assert!(
                resolved(region, &Settings::default()).contains("does not exist in the partition aws-iso")
            );
        }
    }

    #[test]
    fn fips_exists_in_six_regions_only() {
        let fips = Settings { use_fips: true, ..Settings::default() };

        assert_eq!(resolved("us-east-2", &fips), "https://rolesanywhere-fips.us-east-2.amazonaws.com");
        assert_eq!(
            resolved("us-gov-east-1", &fips),
            "https://rolesanywhere-fips.us-gov-east-1.amazonaws.com"
        );
        assert!(resolved("eu-central-1", &fips).starts_with("use_fips: eu-central-1 has no FIPS endpoint"));
        assert!(resolved("ca-central-1", &fips).starts_with("use_fips: "));
    }

    #[test]
    fn dual_stack_names_follow_the_partition() {
        let dual = Settings { use_dualstack: true, ..Settings::default() };

        assert_eq!(resolved("eu-central-1", &dual), "https://rolesanywhere.eu-central-1.api.aws");
        assert_eq!(
            resolved("cn-north-1", &dual),
            "https://rolesanywhere.cn-north-1.api.amazonwebservices.com.cn"
        );
        assert_eq!(
            resolved("eusc-de-east-1", &dual),
            "https://rolesanywhere.eusc-de-east-1.api.amazonwebservices.eu"
        );
        assert!(resolved("us-isof-east-1", &dual).starts_with("use_dualstack: "));
    }

    #[test]
    fn an_own_endpoint_keeps_its_port_and_nothing_else() {
        assert_eq!(own("https://vpce.example:8443/").unwrap(), "https://vpce.example:8443/sessions");
        assert_eq!(own("https://vpce.example:443").unwrap(), "https://vpce.example/sessions");
        assert!(own("https://vpce.example/base").unwrap_err().contains("the signed path is /sessions"));
        assert!(own("https://vpce.example/?x=1").is_err());
    }

    #[test]
    fn http_goes_to_loopback_hosts_only() {
        for loopback in
            ["http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:8080", "http://localhost:1"]
        {
            assert!(own(loopback).is_ok(), "{loopback}");
        }
        for outside in [
            "http://example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert!(
                own(outside).unwrap_err().contains("http is only allowed to a loopback host"),
                "{outside}"
            );
        }
        assert!(own("ftp://127.0.0.1").unwrap_err().contains("https is expected"));
    }

    #[test]
    fn a_password_in_an_endpoint_is_refused_and_not_repeated() {
        let text = own("https://user:hunter2@vpce.example").unwrap_err();

        assert!(text.contains("holds a user or password") && !text.contains("hunter2"), "{text}");
    }
}
