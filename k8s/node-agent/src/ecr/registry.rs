//! The registry in an image's name, and the address of the ECR that gives its password.
//!
//! | registry | ECR |
//! | --- | --- |
//! | `<account>.dkr.ecr.<region>.<domain>` | `api.ecr.<region>.<domain>` |
//! | `<account>.dkr.ecr-fips.<region>.<domain>` | `api.ecr-fips.<region>.<domain>` |
//! | `<account>.dkr-ecr.<region>.on.<domain>` | `ecr.<region>.api.<domain>` |
//! | `<account>.dkr-ecr-fips.<region>.on.<domain>` | `ecr-fips.<region>.api.<domain>` |
//!
//! The last two are the dual-stack ones (<https://docs.aws.amazon.com/general/latest/gr/ecr.html>).

use url::Url;

/// Who names an image decides where a signed request goes, and the session's token with it. So only AWS's own domains are taken.
const DOMAINS: [&str; 7] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// The same of registries that IPv6 reaches too, without `on.` and `api.` in front.
const DUAL_STACK_DOMAINS: [&str; 3] = ["aws", "amazonwebservices.com.cn", "amazonwebservices.eu"];

/// How much of an image's name an error repeats, in characters.
const MAX_SHOWN: usize = 200;

/// Longer than the name of any region.
const MAX_REGION: usize = 32;

/// A private registry of ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registry {
    host: String,
    region: String,
    endpoint: Url,
}

impl Registry {
    /// The registry of an image as the kubelet names it: `<host>/<repository>`, here with or without a tag and a digest.
    ///
    /// # Errors
    /// The host is no private registry of ECR.
    pub(super) fn of_image(image: &str) -> Result<Registry, NoRegistry> {
        let none = || NoRegistry(image.chars().take(MAX_SHOWN).collect());
        let (host, repository) = image.split_once('/').ok_or_else(none)?;
        let labels: Vec<String> = host.split('.').map(str::to_ascii_lowercase).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let (region, ecr) = ecr_of(&labels).filter(|_| !repository.is_empty()).ok_or_else(none)?;
        let endpoint = format!("https://{ecr}/").parse().map_err(|_| none())?;
        Ok(Registry { host: host.to_owned(), region, endpoint })
    }

    /// As the image spells it, because the kubelet compares letter by letter.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The region of the registry, in which the call is signed.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// The address of the registry's ECR.
    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }
}

/// The image is not in a private registry of ECR.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "image {0:?} is in no private registry of ECR, which is <12 digits>.dkr.ecr.<region>.amazonaws.com or \
     <12 digits>.dkr-ecr.<region>.on.aws: take its registry out of matchImages in the kubelet's CredentialProviderConfig"
)]
pub(super) struct NoRegistry(String);

/// Region and host of the ECR.
fn ecr_of(labels: &[&str]) -> Option<(String, String)> {
    let [account, rest @ ..] = labels else { return None };
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match rest {
        ["dkr", service @ ("ecr" | "ecr-fips"), region, domain @ ..] => {
            let domain = known(&DOMAINS, domain)?;
            is_region(region).then(|| ((*region).to_owned(), format!("api.{service}.{region}.{domain}")))
        }
        [service @ ("dkr-ecr" | "dkr-ecr-fips"), region, "on", domain @ ..] => {
            let (domain, service) = (known(&DUAL_STACK_DOMAINS, domain)?, service.strip_prefix("dkr-")?);
            is_region(region).then(|| ((*region).to_owned(), format!("{service}.{region}.api.{domain}")))
        }
        _ => None,
    }
}

fn known(domains: &[&'static str], labels: &[&str]) -> Option<&'static str> {
    let domain = labels.join(".");
    domains.iter().find(|known| **known == domain).copied()
}

fn is_region(label: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    label.len() <= MAX_REGION
        && label.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && label.bytes().all(is_inside)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn is_at(image: &str, region: &str, ecr: &str) {
        let registry = Registry::of_image(image).unwrap();

        assert_eq!(registry.region(), region);
        assert_eq!(registry.endpoint().as_str(), format!("https://{ecr}/"));
        assert_eq!(Some(registry.host()), image.split('/').next());
    }

    /// The endpoints are those of botocore's rules for ECR, version 1.43.11.
    #[test]
    fn each_kind_of_registry_has_the_ecr_that_the_sdks_would_ask() {
        is_at(
            "111122223333.dkr.ecr.eu-central-1.amazonaws.com/app",
            "eu-central-1",
            "api.ecr.eu-central-1.amazonaws.com",
        );
        is_at(
            "444455556666.dkr.ecr.us-east-1.amazonaws.com/team/app",
            "us-east-1",
            "api.ecr.us-east-1.amazonaws.com",
        );
        is_at(
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/app",
            "cn-north-1",
            "api.ecr.cn-north-1.amazonaws.com.cn",
        );
        is_at(
            "111122223333.dkr.ecr.us-gov-west-1.amazonaws.com/app",
            "us-gov-west-1",
            "api.ecr.us-gov-west-1.amazonaws.com",
        );
        is_at(
            "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/app",
            "us-east-1",
            "api.ecr-fips.us-east-1.amazonaws.com",
        );
        is_at(
            "111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu/app",
            "eusc-de-east-1",
            "api.ecr.eusc-de-east-1.amazonaws.eu",
        );
        is_at(
            "111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov/app",
            "us-iso-east-1",
            "api.ecr.us-iso-east-1.c2s.ic.gov",
        );
        is_at("111122223333.dkr-ecr.eu-west-1.on.aws/app", "eu-west-1", "ecr.eu-west-1.api.aws");
        is_at("111122223333.dkr-ecr-fips.us-east-2.on.aws/app", "us-east-2", "ecr-fips.us-east-2.api.aws");
        is_at(
            "111122223333.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/app",
            "cn-north-1",
            "ecr.cn-north-1.api.amazonwebservices.com.cn",
        );
    }

    #[test]
    fn a_tag_a_digest_and_capital_letters_change_nothing() {
        let host = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";
        let plain = Registry::of_image(&format!("{host}/app")).unwrap();

        for image in [format!("{host}/app:1.2"), format!("{host}/team/app@sha256:00")] {
            assert_eq!(Registry::of_image(&image).unwrap(), plain);
        }
        let capital = Registry::of_image("111122223333.DKR.ECR.eu-central-1.AmazonAWS.com/app").unwrap();
        assert_eq!(capital.endpoint(), plain.endpoint());
        assert_eq!(capital.host(), "111122223333.DKR.ECR.eu-central-1.AmazonAWS.com");
    }

    #[test]
    fn what_is_no_ecr_image_is_refused_with_the_line_to_change() {
        for image in [
            "",
            "busybox",
            "docker.io/library/busybox",
            "public.ecr.aws/docker/library/busybox",
            "111122223333.dkr.ecr.eu-central-1.amazonaws.com",
            "111122223333.dkr.ecr.eu-central-1.amazonaws.com/",
            "111122223333.dkr.ecr.eu-central-1.amazonaws.com:443/app",
            "11112222333.dkr.ecr.eu-central-1.amazonaws.com/app",
            "111122223333.dkr.ecr.amazonaws.com/app",
            "111122223333.dkr.ecr.eu_central_1.amazonaws.com/app",
            "111122223333.dkr-ecr.eu-west-1.amazonaws.com/app",
            "https://111122223333.dkr.ecr.eu-central-1.amazonaws.com/app",
        ] {
            let error = Registry::of_image(image).unwrap_err().to_string();

            assert!(error.contains(&format!("{image:?}")) && error.contains("matchImages"), "{error}");
        }
    }

    #[test]
    fn no_image_leads_a_signed_request_to_a_host_that_is_not_awss() {
        for image in [
            "111122223333.dkr.ecr.eu-central-1.amazonaws.com.evil.example/app",
            "111122223333.dkr.ecr.evil.example/app",
            "111122223333.dkr.ecr.eu-central-1.evil.example/amazonaws.com",
            "111122223333.dkr.ecr.evil#.amazonaws.com/app",
            "111122223333.dkr.ecr.user@evil.amazonaws.com/app",
            "evil.example?111122223333.dkr.ecr.eu-central-1.amazonaws.com/app",
            "111122223333.dkr-ecr.eu-west-1.on.aws.evil.example/app",
        ] {
            assert!(Registry::of_image(image).is_err(), "{image}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_leads_to_a_domain_of_awss(image in "[0-9]{12}\\.dkr\\.ecr\\.[ -~]{1,30}/a") {
            if let Ok(registry) = Registry::of_image(&image) {
                let host = registry.endpoint().host_str().unwrap_or_default();
                prop_assert!(DOMAINS.iter().any(|domain| host.ends_with(&format!(".{domain}"))), "{host}");
            }
        }
    }
}
