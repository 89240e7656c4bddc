//! The account in several regions: what each holds of its own, and the account seen from one of them.

use std::mem;

use serde::{Deserialize, Serialize};

use super::{Crl, Profile, State, StateError, TrustAnchor};

/// What a further region of an account holds. IAM roles, keys and sessions are the same in every region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Region {
    /// Trust anchors.
    pub trust_anchors: Vec<TrustAnchor>,
    /// Imported certificate revocation lists.
    pub crls: Vec<Crl>,
    /// Roles Anywhere profiles.
    pub profiles: Vec<Profile>,
}

impl State {
    /// The same account seen from another of its regions: that one stands in front, and the one in front takes its place among the others. Seen
    /// from a region that it has not, the account stays as it is.
    pub(crate) fn seen_from(mut self, region: &str) -> State {
        let Some(other) = self.regions.remove(region) else { return self };
        let before = Region {
            trust_anchors: mem::replace(&mut self.trust_anchors, other.trust_anchors),
            crls: mem::replace(&mut self.crls, other.crls),
            profiles: mem::replace(&mut self.profiles, other.profiles),
        };
        let name = mem::replace(&mut self.region, region.to_owned());
        self.regions.insert(name, before);
        self
    }

    /// Each further region as strictly as the one in front.
    pub(super) fn check_regions(&self) -> Result<(), StateError> {
        if self.regions.contains_key(&self.region) {
            return Err(StateError::Twice { what: "regions", id: self.region.clone() });
        }
        self.regions.keys().try_for_each(|region| self.clone().seen_from(region).check_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> State {
        let profile =
            |id: &str| serde_json::from_value(serde_json::json!({"id": id, "name": id, "role_arns": []}));
        let region = Region { profiles: vec![profile("b").unwrap()], ..Region::default() };
        let regions = [("eu-west-1".to_owned(), region)].into();
        State { profiles: vec![profile("a").unwrap()], regions, ..State::default() }
    }

    #[test]
    fn an_account_seen_from_a_region_and_back_is_as_it_was() {
        let there = account().seen_from("eu-west-1");

        assert_eq!((there.region.as_str(), there.profiles[0].id.as_str()), ("eu-west-1", "b"));
        assert_eq!(there.seen_from("eu-central-1"), account());
    }

    #[test]
    fn an_account_has_no_other_side_in_a_region_that_it_has_not() {
        assert_eq!(account().seen_from("ap-east-1"), account());
    }

    #[test]
    fn a_region_is_in_front_or_among_the_others() {
        let mut twice = account();
        twice.regions.insert(twice.region.clone(), Region::default());

        assert!(matches!(twice.check(), Err(StateError::Twice { what: "regions", .. })));
    }
}
