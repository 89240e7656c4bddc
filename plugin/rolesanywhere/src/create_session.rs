//! The parameters of a session request, and their JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::arn::{ProfileArn, RoleArn, TrustAnchorArn};
use crate::duration::SessionDuration;

/// The parameters of one `CreateSession`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSession {
    /// The trust anchor that vouches for the certificate's CA. Its region is the region of the call.
    pub trust_anchor: TrustAnchorArn,
    /// The profile that lists the role.
    pub profile: ProfileArn,
    /// The role that the session assumes.
    pub role: RoleArn,
    /// The requested length of the session; AWS silently caps it at the profile's duration.
    pub duration: SessionDuration,
    /// A session name of 2 to 64 characters in place of the certificate's serial number. The profile must allow it.
    pub role_session_name: Option<String>,
    /// Properties of the subject's record at AWS: at most 50, with keys and values of 1 to 200 characters.
    pub instance_properties: BTreeMap<String, String>,
}

/// Parameters that AWS would refuse, found before the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Anchor and profile must be in one region.
    #[error("trust_anchor_arn and profile_arn: the regions {0} and {1} differ")]
    Regions(String, String),
    /// Anchor, profile and role must be in one account.
    #[error("trust_anchor_arn and {field}: the accounts {anchor} and {other} differ")]
    Accounts {
        /// The other ARN's field.
        field: &'static str,
        /// The anchor's account.
        anchor: String,
        /// The other ARN's account.
        other: String,
    },
    /// Anchor, profile and role must be in one partition.
    #[error("trust_anchor_arn and role_arn: the partitions {0} and {1} differ")]
    Partitions(&'static str, &'static str),
    /// The name breaks the bounds of STS's `RoleSessionName`.
    #[error("role_session_name: {0:?} is not 2 to 64 letters, digits or characters of _+=,.@-")]
    SessionName(String),
    /// Too many instance properties.
    #[error("instance_properties: {0} entries are above the maximum of 50")]
    TooManyProperties(usize),
    /// An instance property that is empty or too long.
    #[error("instance_properties: the key or value of {0:?} is not 1 to 200 characters long")]
    Property(String),
}

impl CreateSession {
    /// Refuses what AWS would refuse: regions, accounts and partitions that differ, and names and properties outside
    /// their bounds.
    pub fn check(&self) -> Result<(), RequestError> {
        self.check_places()?;
        if let Some(name) = self.role_session_name.as_ref().filter(|name| !is_session_name(name)) {
            return Err(RequestError::SessionName(name.clone()));
        }
        if self.instance_properties.len() > 50 {
            return Err(RequestError::TooManyProperties(self.instance_properties.len()));
        }
        let fits = |text: &str| (1..=200).contains(&text.chars().count());
        match self.instance_properties.iter().find(|(key, value)| !fits(key) || !fits(value)) {
            Some((key, _)) => Err(RequestError::Property(key.clone())),
            None => Ok(()),
        }
    }

    fn check_places(&self) -> Result<(), RequestError> {
        let (anchor, profile, role) = (&self.trust_anchor, &self.profile, &self.role);
        if anchor.region() != profile.region() {
            return Err(RequestError::Regions(anchor.region().to_string(), profile.region().to_string()));
        }
        for (field, account) in [("profile_arn", profile.account()), ("role_arn", role.account())] {
            if account != anchor.account() {
                let (anchor, other) = (anchor.account().to_owned(), account.to_owned());
                return Err(RequestError::Accounts { field, anchor, other });
            }
        }
        if role.partition() != anchor.partition() {
            return Err(RequestError::Partitions(anchor.partition().id(), role.partition().id()));
        }
        Ok(())
    }

    /// The body. Unset members are left out, because AWS takes a null for a value.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Wire {
            duration_seconds: self.duration.as_secs(),
            profile_arn: &self.profile,
            role_arn: &self.role,
            trust_anchor_arn: &self.trust_anchor,
            role_session_name: self.role_session_name.as_deref(),
            instance_properties: &self.instance_properties,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    duration_seconds: u32,
    profile_arn: &'a ProfileArn,
    role_arn: &'a RoleArn,
    trust_anchor_arn: &'a TrustAnchorArn,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_session_name: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    instance_properties: &'a BTreeMap<String, String>,
}

pub(crate) fn is_session_name(name: &str) -> bool {
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-');
    (2..=64).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> CreateSession {
        CreateSession {
            trust_anchor: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a".parse().unwrap(),
            profile: "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/p".parse().unwrap(),
            role: "arn:aws:iam::111122223333:role/demo".parse().unwrap(),
            duration: SessionDuration::DEFAULT,
            role_session_name: None,
            instance_properties: BTreeMap::new(),
        }
    }

    fn refused(change: impl FnOnce(&mut CreateSession)) -> String {
        let mut request = request();
        change(&mut request);
        request.check().unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_set_is_left_out_of_the_body() {
        let body = String::from_utf8(request().to_json().unwrap()).unwrap();

        assert_eq!(
            body,
            "{\"durationSeconds\":3600,\
             \"profileArn\":\"arn:aws:rolesanywhere:eu-central-1:111122223333:profile/p\",\
             \"roleArn\":\"arn:aws:iam::111122223333:role/demo\",\
             \"trustAnchorArn\":\"arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a\"}"
        );
    }

    #[test]
    fn arns_of_different_places_are_refused_with_both() {
        let other_region = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p".parse().unwrap();
        let other_account = "arn:aws:iam::444455556666:role/demo".parse().unwrap();
        let other_partition = "arn:aws-cn:iam::111122223333:role/demo".parse().unwrap();

        assert_eq!(
            refused(|r| r.profile = other_region),
            "trust_anchor_arn and profile_arn: the regions eu-central-1 and eu-west-1 differ"
        );
        assert_eq!(
            refused(|r| r.role = other_account),
            "trust_anchor_arn and role_arn: the accounts 111122223333 and 444455556666 differ"
        );
        assert_eq!(
            refused(|r| r.role = other_partition),
            "trust_anchor_arn and role_arn: the partitions aws and aws-cn differ"
        );
    }

    #[test]
    fn a_session_name_outside_its_bounds_is_refused() {
        for name in ["a", "with space", "", &"x".repeat(65), "ä-name"] {
            let text = refused(|r| r.role_session_name = Some(name.to_owned()));

            assert!(text.starts_with("role_session_name: "), "{text}");
        }
    }

    #[test]
    fn instance_properties_are_bounded_in_number_and_length() {
        let many = (0..51).map(|n| (n.to_string(), "v".to_owned())).collect();

        assert!(refused(|r| r.instance_properties = many).contains("51 entries"));
        assert!(
            refused(|r| r.instance_properties = [("k".to_owned(), "v".repeat(201))].into()).contains("\"k\"")
        );
        assert!(
            refused(|r| r.instance_properties = [(String::new(), "v".to_owned())].into()).contains("\"\"")
        );
    }
}
