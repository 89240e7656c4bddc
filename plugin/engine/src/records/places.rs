//! The places of a role: the regions through which its sessions can be made, each by a trust anchor and a profile of its own.
//!
//! Anchors and profiles are regional, IAM roles are not, and a session of one region is valid in all of them. So a role may name
//! several pairs of one account; the first one that is well makes its sessions.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::str::FromStr;

use rolesanywhere::{ProfileArn, Region, RoleArn, TrustAnchorArn};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use vault_backend::Fault;

use crate::records::anchorage::{Anchorage, InField, check_account, check_pair};
use crate::records::role_options::PlacePolicy;

/// The places of one role, at most.
const MAX_PLACES: usize = 8;

/// ARNs of one kind in the order of preference, written with commas in between: 1 to [`MAX_PLACES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArnList<T>(Vec<T>);

/// Pairs of trust anchor and profile in the order of preference, at least one. All are in one account, no two in one region.
#[derive(Clone, Debug)]
pub(crate) struct Places(Vec<Anchorage>);

impl<T> ArnList<T> {
    pub(crate) fn one(arn: T) -> Self {
        Self(vec![arn])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T: FromStr<Err: Display>> FromStr for ArnList<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        if words.len() > MAX_PLACES {
            return Err(format!("{} ARNs, at most {MAX_PLACES} are taken", words.len()));
        }
        let arns: Result<Vec<T>, String> = words
            .iter()
            .map(|word| {
                word.parse().map_err(|error: T::Err| {
                    if words.len() == 1 { error.to_string() } else { format!("{word}: {error}") }
                })
            })
            .collect();
        arns.map(Self)
    }
}

impl<T: Display> Display for ArnList<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (nth, arn) in self.0.iter().enumerate() {
            f.write_str(if nth == 0 { "" } else { "," })?;
            arn.fmt(f)?;
        }
        Ok(())
    }
}

impl<T: Display> Serialize for ArnList<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for ArnList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Places {
    /// Returns the pairs in the order of the anchors. Each anchor goes with the profile of its region. If one list is the role's and
    /// the other is the config's, the role's list decides: what the config has in other regions is left out.
    ///
    /// # Errors
    /// The caller's: an anchor has no profile, or a profile of the same document no anchor; two are in one region, or not all in
    /// one account.
    pub(crate) fn pair(
        anchors: &InField<'_, ArnList<TrustAnchorArn>>,
        profiles: &InField<'_, ArnList<ProfileArn>>,
    ) -> Result<Self, Fault> {
        let (all_anchors, all_profiles) = (&anchors.arn.0, &profiles.arn.0);
        if let ([anchor], [profile]) = (all_anchors.as_slice(), all_profiles.as_slice()) {
            let pair = (InField::new(anchors.field, anchor), InField::new(profiles.field, profile));
            return Ok(Self(vec![Anchorage::new(&pair.0, &pair.1)?]));
        }
        one_for_a_region(anchors.field, all_anchors.iter().map(TrustAnchorArn::region))?;
        one_for_a_region(profiles.field, all_profiles.iter().map(ProfileArn::region))?;
        let is_default = |field: &str| field.starts_with("default_");
        // a region that the config gains must not break a role that names the profiles of the others
        let may_lack = is_default(anchors.field) && !is_default(profiles.field);
        let (mut places, mut lacking) = (Vec::new(), None);
        for anchor in all_anchors {
            let profile = all_profiles.iter().find(|profile| profile.region() == anchor.region());
            let Some(profile) = profile else {
                lacking.get_or_insert(anchor);
                continue;
            };
            let pair = (InField::new(anchors.field, anchor), InField::new(profiles.field, profile));
            check_pair(&pair.0, &pair.1)?;
            places.push(Anchorage::new(&pair.0, &pair.1)?);
        }
        if let Some(anchor) = lacking.filter(|_| !may_lack || places.is_empty()) {
            return Err(Fault::caller(format!(
                "{}: none is in region {}, where {} has {anchor}; give one profile for each region",
                profiles.field,
                anchor.region(),
                anchors.field
            )));
        }
        if is_default(anchors.field) == is_default(profiles.field) && all_profiles.len() > places.len() {
            return Err(Fault::caller(format!(
                "{}: {} profiles, but {} has {}; give one trust anchor for each region",
                profiles.field,
                all_profiles.len(),
                anchors.field,
                all_anchors.len()
            )));
        }
        check_one_account(anchors.field, &places)?;
        Ok(Self(places))
    }

    /// The places in the order in which they make the sessions of one identity. `identity` is whatever tells it from others.
    pub(crate) fn ordered_for(mut self, policy: PlacePolicy, identity: &impl Hash) -> Vec<Anchorage> {
        if policy == PlacePolicy::Spread {
            // rendezvous hashing: a place that comes or goes moves only the identities that prefer it
            self.0.sort_by_cached_key(|place| {
                let mut hasher = DefaultHasher::new();
                (identity, place.trust_anchor.region().to_string()).hash(&mut hasher);
                hasher.finish()
            });
        }
        self.0
    }

    /// The first place in the order of preference, which [`Self::pair`] always puts there.
    pub(crate) fn first(&self) -> &Anchorage {
        &self.0[0]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Anchorage> {
        self.0.iter()
    }
}

/// Checks that an IAM role is of the account and partition of every anchor and profile that is named.
///
/// # Errors
/// The caller's, with both fields and their values.
pub(crate) fn check_accounts(
    role: &InField<'_, RoleArn>,
    anchors: Option<&InField<'_, ArnList<TrustAnchorArn>>>,
    profiles: Option<&InField<'_, ArnList<ProfileArn>>>,
) -> Result<(), Fault> {
    if let Some(InField { field, arn: list }) = anchors {
        list.iter().try_for_each(|arn| check_account(role, &InField::new(field, arn)))?;
    }
    if let Some(InField { field, arn: list }) = profiles {
        list.iter().try_for_each(|arn| check_account(role, &InField::new(field, arn)))?;
    }
    Ok(())
}

/// Refuses two ARNs of one region: the second would add nothing, because one quota and one outage cover both.
fn one_for_a_region<'a>(field: &str, regions: impl Iterator<Item = &'a Region>) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    let mut twice = regions.filter(|region| !seen.insert(region.to_string()));
    twice.next().map_or(Ok(()), |region| {
        Err(Fault::caller(format!("{field}: two ARNs are in region {region}; give one for each region")))
    })
}

/// Refuses places of two accounts: the role's IAM role is in one.
fn check_one_account(field: &str, places: &[Anchorage]) -> Result<(), Fault> {
    let account = |place: &Anchorage| place.trust_anchor.account().to_owned();
    let other = places.iter().find(|place| account(place) != account(&places[0]));
    other.map_or(Ok(()), |other| {
        Err(Fault::caller(format!(
            "{field}: {} is in account {}, but {} is in {}; all must be in one account",
            other.trust_anchor,
            other.trust_anchor.account(),
            places[0].trust_anchor,
            places[0].trust_anchor.account()
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(account: &str, region: &str) -> String {
        format!("arn:aws:rolesanywhere:{region}:{account}:trust-anchor/0f0f0f0f-1111-4222-8333-444444444444")
    }

    fn profile(account: &str, region: &str) -> String {
        format!("arn:aws:rolesanywhere:{region}:{account}:profile/0f0f0f0f-1111-4222-8333-555555555555")
    }

    const A: &str = "111122223333";
    const B: &str = "444455556666";

    /// The regions of the pairs that these two lists make, or the refusal.
    fn paired(
        anchors: &[String],
        profiles: &[String],
        profile_field: &'static str,
    ) -> Result<Vec<String>, String> {
        paired_in(["trust_anchor_arn", profile_field], anchors, profiles)
    }

    /// The same for lists in these fields.
    fn paired_in(
        [anchor_field, profile_field]: [&'static str; 2],
        anchors: &[String],
        profiles: &[String],
    ) -> Result<Vec<String>, String> {
        let anchors: ArnList<TrustAnchorArn> = anchors.join(",").parse()?;
        let profiles: ArnList<ProfileArn> = profiles.join(", ").parse()?;
        let fields = (InField::new(anchor_field, &anchors), InField::new(profile_field, &profiles));
        let places = Places::pair(&fields.0, &fields.1).map_err(|fault| fault.to_string())?;
        Ok(places.iter().map(|place| place.profile.region().to_string()).collect())
    }

    #[test]
    fn each_anchor_goes_with_the_profile_of_its_region_in_the_anchors_order() {
        let anchors = [anchor(A, "eu-central-1"), anchor(A, "us-east-1")];
        let profiles = [profile(A, "us-east-1"), profile(A, "eu-central-1")];

        assert_eq!(paired(&anchors, &profiles, "profile_arn").unwrap(), ["eu-central-1", "us-east-1"]);
    }

    #[test]
    fn what_does_not_pair_is_refused_with_field_value_and_cure() {
        let eu = |account| (anchor(account, "eu-central-1"), profile(account, "eu-central-1"));
        let us = |account| (anchor(account, "us-east-1"), profile(account, "us-east-1"));
        let nine: Vec<String> = (0..9).map(|number| anchor(A, &format!("eu-north-{number}"))).collect();
        for (anchors, profiles, expected) in [
            (vec![eu(A).0, us(A).0], vec![eu(A).1], "profile_arn: none is in region us-east-1"),
            (vec![eu(A).0], vec![eu(A).1, us(A).1], "profile_arn: 2 profiles, but trust_anchor_arn has 1"),
            (vec![eu(A).0, us(B).0], vec![eu(A).1, us(B).1], "must be in one account"),
            (vec![eu(A).0, us(A).0], vec![eu(A).1, us(B).1], "both must be in one account"),
            (vec![eu(A).0, eu(A).0], vec![eu(A).1], "two ARNs are in region eu-central-1"),
            (nine, vec![eu(A).1], "9 ARNs, at most 8 are taken"),
            (vec![eu(A).0], vec![us(A).1], "both must be in one region"),
        ] {
            let refused = paired(&anchors, &profiles, "profile_arn").unwrap_err();

            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn a_role_may_name_one_of_the_configs_places() {
        let profiles = [profile(A, "us-east-1"), profile(A, "eu-central-1")];

        let places = paired(&[anchor(A, "eu-central-1")], &profiles, "default_profile_arn");

        assert_eq!(places.unwrap(), ["eu-central-1"]);
    }

    #[test]
    fn a_region_that_the_config_gains_leaves_out_roles_whose_profile_is_elsewhere() {
        let fields = ["default_trust_anchor_arn", "profile_arn"];
        let anchors = [anchor(A, "eu-central-1"), anchor(A, "us-east-1")];

        let places = paired_in(fields, &anchors, &[profile(A, "eu-central-1")]);
        let none = paired_in(fields, &anchors, &[profile(A, "eu-west-1")]).unwrap_err();

        assert_eq!(places.unwrap(), ["eu-central-1"]);
        assert!(none.contains("profile_arn: none is in region eu-central-1"), "{none}");
    }

    #[test]
    fn a_single_arn_is_written_as_before_and_several_with_commas() {
        for text in
            [anchor(A, "eu-central-1"), format!("{},{}", anchor(A, "eu-central-1"), anchor(A, "us-east-1"))]
        {
            let list: ArnList<TrustAnchorArn> = text.parse().unwrap();

            assert_eq!(serde_json::to_value(&list).unwrap(), serde_json::json!(text));
        }
    }

    #[test]
    fn spread_gives_each_identity_its_own_order_and_each_place_its_share() {
        let regions = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];
        let (anchors, profiles): (Vec<_>, Vec<_>) =
            regions.iter().map(|region| (anchor(A, region), profile(A, region))).unzip();
        let lists: (ArnList<TrustAnchorArn>, ArnList<ProfileArn>) =
            (anchors.join(",").parse().unwrap(), profiles.join(",").parse().unwrap());
        let places = Places::pair(&InField::new("a", &lists.0), &InField::new("p", &lists.1)).unwrap();
        let first = |policy, identity: u32| {
            places.clone().ordered_for(policy, &identity)[0].trust_anchor.region().to_string()
        };

        let mut shares = std::collections::BTreeMap::<String, u32>::new();
        for identity in 0..1000 {
            assert_eq!(first(PlacePolicy::Failover, identity), "eu-central-1");
            assert_eq!(first(PlacePolicy::Spread, identity), first(PlacePolicy::Spread, identity));
            *shares.entry(first(PlacePolicy::Spread, identity)).or_default() += 1;
        }
        assert!(shares.len() == 4 && shares.values().all(|share| (150..=350).contains(share)), "{shares:?}");
    }
}
