//! AWS partitions and regions, with the facts that Roles Anywhere needs.

use std::fmt;
use std::str::FromStr;

/// A group of AWS regions with its own DNS names: the second part of an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partition {
    /// `aws`: the public regions.
    Aws,
    /// `aws-cn`: China.
    AwsCn,
    /// `aws-us-gov`: the US government's regions.
    AwsUsGov,
    /// `aws-iso`: has no Roles Anywhere.
    AwsIso,
    /// `aws-iso-b`: has no Roles Anywhere.
    AwsIsoB,
    /// `aws-iso-e`.
    AwsIsoE,
    /// `aws-iso-f`.
    AwsIsoF,
    /// `aws-eusc`: the European Sovereign Cloud.
    AwsEusc,
}

/// The facts of one partition in botocore's public endpoint model.
struct Row {
    partition: Partition,
    id: &'static str,
    region_prefix: &'static str,
    dns_suffix: Option<&'static str>,
    dual_stack_suffix: Option<&'static str>,
}

/// The partitions by region prefix. Specific prefixes come first; the public partition takes the rest.
const PARTITIONS: [Row; 8] = [
    Row {
        partition: Partition::AwsCn,
        id: "aws-cn",
        region_prefix: "cn-",
        dns_suffix: Some("amazonaws.com.cn"),
        dual_stack_suffix: Some("api.amazonwebservices.com.cn"),
    },
    Row {
        partition: Partition::AwsUsGov,
        id: "aws-us-gov",
        region_prefix: "us-gov-",
        dns_suffix: Some("amazonaws.com"),
        dual_stack_suffix: Some("api.aws"),
    },
    Row {
        partition: Partition::AwsIso,
        id: "aws-iso",
        region_prefix: "us-iso-",
        dns_suffix: None,
        dual_stack_suffix: None,
    },
    Row {
        partition: Partition::AwsIsoB,
        id: "aws-iso-b",
        region_prefix: "us-isob-",
        dns_suffix: None,
        dual_stack_suffix: None,
    },
    Row {
        partition: Partition::AwsIsoE,
        id: "aws-iso-e",
        region_prefix: "eu-isoe-",
        dns_suffix: Some("cloud.adc-e.uk"),
        dual_stack_suffix: None,
    },
    Row {
        partition: Partition::AwsIsoF,
        id: "aws-iso-f",
        region_prefix: "us-isof-",
        dns_suffix: Some("csp.hci.ic.gov"),
        dual_stack_suffix: None,
    },
    Row {
        partition: Partition::AwsEusc,
        id: "aws-eusc",
        region_prefix: "eusc-",
        dns_suffix: Some("amazonaws.eu"),
        dual_stack_suffix: Some("api.amazonwebservices.eu"),
    },
    Row {
        partition: Partition::Aws,
        id: "aws",
        region_prefix: "",
        dns_suffix: Some("amazonaws.com"),
        dual_stack_suffix: Some("api.aws"),
    },
];

impl Partition {
    /// The name in ARNs, such as `aws-cn`.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// The DNS suffix after `rolesanywhere.<region>.`; none if the partition does not have the service.
    pub fn dns_suffix(self) -> Option<&'static str> {
        self.row().dns_suffix
    }

    /// The DNS suffix after `rolesanywhere.<region>.` for IPv4 and IPv6; none if no such name is published.
    pub fn dual_stack_suffix(self) -> Option<&'static str> {
        self.row().dual_stack_suffix
    }

    /// Whether a host name belongs to AWS in any partition, and is therefore complete.
    pub(crate) fn is_home_of(host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let suffixes = PARTITIONS.iter().flat_map(|row| [row.dns_suffix, row.dual_stack_suffix]);
        suffixes.flatten().any(|suffix| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
    }

    fn row(self) -> &'static Row {
        let [.., public] = &PARTITIONS;
        PARTITIONS.iter().find(|row| row.partition == self).unwrap_or(public)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A partition name that AWS does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an AWS partition such as aws, aws-cn or aws-us-gov")]
pub struct UnknownPartition(String);

impl FromStr for Partition {
    type Err = UnknownPartition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let row = PARTITIONS.iter().find(|row| row.id == text);
        row.map(|row| row.partition).ok_or_else(|| UnknownPartition(text.to_owned()))
    }
}

/// The name of an AWS region, such as `eu-central-1`. Its form is checked, not its existence: AWS adds regions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

impl Region {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition the name's prefix belongs to.
    pub fn partition(&self) -> Partition {
        let row = PARTITIONS.iter().find(|row| self.0.starts_with(row.region_prefix));
        row.map_or(Partition::Aws, |row| row.partition)
    }

    /// Whether the service ran there when this version was made. False may mean a new region or a typing error.
    pub fn is_known(&self) -> bool {
        KNOWN_REGIONS.contains(&self.as_str())
    }

    /// Whether FIPS endpoints of Roles Anywhere and STS exist there.
    pub fn has_fips_endpoint(&self) -> bool {
        FIPS_REGIONS.contains(&self.as_str())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Region {
    type Error = RegionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

/// A text that cannot be a region's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a region name such as eu-central-1")]
pub struct RegionError(String);

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_well_formed(text) { Ok(Self(text.to_owned())) } else { Err(RegionError(text.to_owned())) }
    }
}

/// Lower-case words separated by hyphens, ending in a number: `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
fn is_well_formed(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [words @ .., number] = parts.as_slice() else { return false };
    let is_word =
        |word: &&str| (1..=16).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase());
    (2..=4).contains(&words.len())
        && words.iter().all(is_word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

const FIPS_REGIONS: [&str; 6] =
    ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1", "us-gov-west-1"];

const KNOWN_REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "cn-north-1",
    "cn-northwest-1",
    "us-gov-east-1",
    "us-gov-west-1",
    "eu-isoe-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "eusc-de-east-1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_region_is_well_formed_and_in_a_partition_with_the_service() {
        for name in KNOWN_REGIONS.iter().chain(&FIPS_REGIONS) {
            let region: Region = name.parse().unwrap();

            assert!(region.partition().dns_suffix().is_some(), "{name}");
        }
    }

    #[test]
    fn the_prefix_of_a_region_names_its_partition() {
        let cases = [
            ("eu-central-1", Partition::Aws),
            ("us-gov-west-1", Partition::AwsUsGov),
            ("cn-north-1", Partition::AwsCn),
            ("us-iso-east-1", Partition::AwsIso),
            ("us-isob-east-1", Partition::AwsIsoB),
            ("eu-isoe-west-1", Partition::AwsIsoE),
            ("us-isof-south-1", Partition::AwsIsoF),
            ("eusc-de-east-1", Partition::AwsEusc),
        ];

        for (name, partition) in cases {
            assert_eq!(name.parse::<Region>().unwrap().partition(), partition, "{name}");
        }
    }

    #[test]
    fn a_region_of_tomorrow_is_accepted_as_unknown() {
        let region: Region = "eu-central-9".parse().unwrap();

        assert!(!region.is_known());
        assert_eq!(region.partition(), Partition::Aws);
    }

    #[test]
    fn what_cannot_be_a_region_is_refused() {
        for text in
            ["", "eu", "eu-central", "EU-central-1", "eu-central-1a", "eu--1", "eu.central-1", "a-b-c-d-e-1"]
        {
            assert!(text.parse::<Region>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_partition_reads_back_from_its_name() {
        for row in &PARTITIONS {
            assert_eq!(row.id.parse::<Partition>(), Ok(row.partition));
            assert_eq!(row.partition.to_string(), row.id);
        }
    }
}
