//! The endpoints of STS and IAM: hosts and signing regions, by the public endpoint rules of botocore.

use crate::endpoint::{Endpoint, EndpointError};
use crate::partition::{Partition, Region};
use crate::settings::Settings;

/// A service, its host, and the region that a signature for it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// The name in signatures and errors: `rolesanywhere`, `sts`, `iam`.
    pub(crate) name: &'static str,
    pub(crate) endpoint: Endpoint,
    /// The signing region. IAM has one for each partition, wherever the caller is.
    pub(crate) region: String,
}

/// IAM of one partition. It has no regions, but signatures name one.
struct Iam {
    partition: Partition,
    host: &'static str,
    fips: Option<&'static str>,
    dual_stack: Option<&'static str>,
    region: &'static str,
}

const IAM: [Iam; 6] = [
    Iam {
        partition: Partition::Aws,
        host: "iam.amazonaws.com",
        fips: Some("iam-fips.amazonaws.com"),
        dual_stack: Some("iam.global.api.aws"),
        region: "us-east-1",
    },
    Iam {
        partition: Partition::AwsCn,
        host: "iam.cn-north-1.amazonaws.com.cn",
        fips: None,
        dual_stack: Some("iam.global.api.amazonwebservices.com.cn"),
        region: "cn-north-1",
    },
    Iam {
        partition: Partition::AwsUsGov,
        host: "iam.us-gov.amazonaws.com",
        fips: Some("iam.us-gov.amazonaws.com"),
        dual_stack: Some("iam.us-gov.api.aws"),
        region: "us-gov-west-1",
    },
    Iam {
        partition: Partition::AwsIsoE,
        host: "iam.eu-isoe-west-1.cloud.adc-e.uk",
        fips: None,
        dual_stack: None,
        region: "eu-isoe-west-1",
    },
    Iam {
        partition: Partition::AwsIsoF,
        host: "iam.us-isof-south-1.csp.hci.ic.gov",
        fips: None,
        dual_stack: None,
        region: "us-isof-south-1",
    },
    Iam {
        partition: Partition::AwsEusc,
        host: "iam.eusc-de-east-1.amazonaws.eu",
        fips: None,
        dual_stack: None,
        region: "eusc-de-east-1",
    },
];

impl Service {
    /// Roles Anywhere's own API, at the host that issues sessions.
    pub(crate) fn roles_anywhere(
        settings: &Settings,
        region: &Region,
        partition: Partition,
    ) -> Result<Self, EndpointError> {
        let endpoint = Endpoint::resolve(settings, region, partition)?;
        Ok(Self { name: "rolesanywhere", endpoint, region: region.to_string() })
    }

    /// STS of a region. Never the global endpoint: some regions refuse its tokens, and it is far from most.
    pub(crate) fn sts(settings: &Settings, region: &Region) -> Result<Self, EndpointError> {
        let endpoint = match &settings.sts_endpoint {
            Some(url) => Endpoint::own(url),
            None => Endpoint::of_host(&sts_host(settings, region)?)?,
        };
        Ok(Self { name: "sts", endpoint, region: region.to_string() })
    }

    /// IAM of a partition.
    pub(crate) fn iam(settings: &Settings, partition: Partition) -> Result<Self, EndpointError> {
        let absent = EndpointError::NoServiceIn(partition);
        let iam = IAM.iter().find(|iam| iam.partition == partition).ok_or(absent)?;
        let endpoint = match &settings.iam_endpoint {
            Some(url) => Endpoint::own(url),
            None => Endpoint::of_host(iam.chosen(settings)?)?,
        };
        Ok(Self { name: "iam", endpoint, region: iam.region.to_owned() })
    }
}

impl Iam {
    fn chosen(&self, settings: &Settings) -> Result<&'static str, EndpointError> {
        match (settings.use_fips, settings.use_dualstack) {
            (true, _) => self.fips.ok_or_else(|| no_fips("IAM", self.partition.id())),
            (_, true) => self.dual_stack.ok_or(EndpointError::NoDualStack(self.partition)),
            (false, false) => Ok(self.host),
        }
    }
}

fn sts_host(settings: &Settings, region: &Region) -> Result<String, EndpointError> {
    let partition = region.partition();
    let absent = || EndpointError::NoService { region: region.clone(), partition };
    let suffix = partition.dns_suffix().ok_or_else(absent)?;
    if settings.use_dualstack {
        let dual = partition.dual_stack_suffix().ok_or(EndpointError::NoDualStack(partition))?;
        return Ok(format!("sts.{region}.{dual}"));
    }
    if !settings.use_fips {
        return Ok(format!("sts.{region}.{suffix}"));
    }
    match partition {
        _ if !region.has_fips_endpoint() => Err(no_fips("STS", region.as_str())),
        // The ordinary hosts of the US government's regions are FIPS endpoints.
        Partition::AwsUsGov => Ok(format!("sts.{region}.{suffix}")),
        _ => Ok(format!("sts-fips.{region}.{suffix}")),
    }
}

fn no_fips(service: &'static str, area: &str) -> EndpointError {
    EndpointError::NoFipsOf { service, area: area.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn sts(region: &str, settings: &Settings) -> String {
        let service = Service::sts(settings, &region.parse().unwrap());
        service.map_or_else(|err| err.to_string(), |found| format!("{} {}", found.endpoint, found.region))
    }

    fn iam(partition: Partition, settings: &Settings) -> String {
        let service = Service::iam(settings, partition);
        service.map_or_else(|err| err.to_string(), |found| format!("{} {}", found.endpoint, found.region))
    }

    #[test]
    fn sts_is_asked_in_the_region_itself() {
        let plain = Settings::default();

        assert_eq!(sts("eu-central-1", &plain), "https://sts.eu-central-1.amazonaws.com eu-central-1");
        assert_eq!(sts("cn-north-1", &plain), "https://sts.cn-north-1.amazonaws.com.cn cn-north-1");
        assert!(sts("us-iso-east-1", &plain).contains("does not exist in the partition aws-iso"));
    }

    #[test]
    fn sts_has_fips_and_dual_stack_hosts_where_roles_anywhere_has_them() {
        let fips = Settings { use_fips: true, ..Settings::default() };
        let dual = Settings { use_dualstack: true, ..Settings::default() };

        assert_eq!(sts("us-west-2", &fips), "https://sts-fips.us-west-2.amazonaws.com us-west-2");
        assert_eq!(sts("us-gov-west-1", &fips), "https://sts.us-gov-west-1.amazonaws.com us-gov-west-1");
        assert_eq!(sts("eu-central-1", &fips), "use_fips: STS has no FIPS endpoint in eu-central-1");
        assert_eq!(sts("eu-central-1", &dual), "https://sts.eu-central-1.api.aws eu-central-1");
    }

    #[test]
    fn iam_is_one_host_and_one_signing_region_per_partition() {
        let plain = Settings::default();
        let fips = Settings { use_fips: true, ..Settings::default() };
        let dual = Settings { use_dualstack: true, ..Settings::default() };

        assert_eq!(iam(Partition::Aws, &plain), "https://iam.amazonaws.com us-east-1");
        assert_eq!(iam(Partition::AwsUsGov, &plain), "https://iam.us-gov.amazonaws.com us-gov-west-1");
        assert_eq!(iam(Partition::AwsCn, &plain), "https://iam.cn-north-1.amazonaws.com.cn cn-north-1");
        assert_eq!(iam(Partition::Aws, &fips), "https://iam-fips.amazonaws.com us-east-1");
        assert_eq!(iam(Partition::AwsCn, &fips), "use_fips: IAM has no FIPS endpoint in aws-cn");
        assert_eq!(iam(Partition::AwsUsGov, &dual), "https://iam.us-gov.api.aws us-gov-west-1");
        assert!(iam(Partition::AwsIsoF, &dual).starts_with("use_dualstack: "));
    }

    #[test]
    fn every_partition_with_roles_anywhere_has_an_iam() {
        for row in &IAM {
            assert!(row.partition.dns_suffix().is_some(), "{}", row.partition);
            assert_eq!(row.region.parse::<Region>().unwrap().partition(), row.partition);
        }
        assert!(
            iam(Partition::AwsIso, &Settings::default()).contains("does not exist in the partition aws-iso")
        );
    }

    #[test]
    fn an_own_host_keeps_the_signing_region() {
        let url = |text| Some(Url::parse(text).unwrap());
        let settings = Settings {
            sts_endpoint: url("http://127.0.0.1:4"),
            iam_endpoint: url("http://127.0.0.1:5"),
            ..Settings::default()
        };

        assert_eq!(sts("eu-central-1", &settings), "http://127.0.0.1:4 eu-central-1");
        assert_eq!(iam(Partition::Aws, &settings), "http://127.0.0.1:5 us-east-1");
    }
}
