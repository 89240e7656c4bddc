//! The places of a role: its own or the config's, and the rules about all of its ARNs.

use rolesanywhere::{ProfileArn, TrustAnchorArn};
use vault_backend::Fault;

use crate::records::allowed_roles;
use crate::records::anchorage::{Anchorage, InField};
use crate::records::config::Config;
use crate::records::places::{self, ArnList, Places};
use crate::records::role::Role;
use crate::records::role_options::PlacePolicy;

impl Role {
    /// Returns the first of [`Self::places`].
    ///
    /// # Errors
    /// Those of [`Self::places`].
    pub(crate) fn anchorage(&self, config: &Config, mount_point: &str) -> Result<Anchorage, Fault> {
        Ok(self.places(config, mount_point)?.first().clone())
    }

    /// The order in which the places make sessions.
    pub(crate) fn place_policy(&self, config: &Config) -> PlacePolicy {
        self.place_policy.or(config.default_place_policy).unwrap_or_default()
    }

    /// Returns the pairs of trust anchor and profile of a call, those of the config where the role names none.
    ///
    /// # Errors
    /// The operator's: neither names one, or `allowed_role_arns` forbids the IAM role. The caller's: the ARNs do not go together.
    pub(crate) fn places(&self, config: &Config, mount_point: &str) -> Result<Places, Fault> {
        let missing = |field: &str| {
            Fault::operator(format!("{field}: neither the role nor the config names one"))
                .cure(format!("vault write {mount_point}config default_{field}=<arn>"))
        };
        self.check_arns(Some(config))?;
        let anchor = self.anchor(Some(config)).ok_or_else(|| missing("trust_anchor_arn"))?;
        let profile = self.profile(Some(config)).ok_or_else(|| missing("profile_arn"))?;
        self.check_allowed(config)?;
        Places::pair(&anchor, &profile)
    }

    /// Checks that AWS can take the role's ARNs together; with a `config`, also its defaults for those that the role leaves out.
    ///
    /// # Errors
    /// The caller's, with the fields that do not go together.
    pub(crate) fn check_arns(&self, config: Option<&Config>) -> Result<(), Fault> {
        let role = InField::new("role_arn", &self.role_arn);
        let (anchor, profile) = (self.anchor(config), self.profile(config));
        places::check_accounts(&role, anchor.as_ref(), profile.as_ref())?;
        match (&anchor, &profile) {
            (Some(anchor), Some(profile)) => Places::pair(anchor, profile).map(drop),
            _ => Ok(()),
        }
    }

    /// The trust anchors of a call; `None` where neither role nor config has one.
    fn anchor<'a>(&'a self, config: Option<&'a Config>) -> Option<InField<'a, ArnList<TrustAnchorArn>>> {
        let own = self.trust_anchor_arn.as_ref().map(|anchor| InField::new("trust_anchor_arn", anchor));
        let default =
            || Some(InField::new("default_trust_anchor_arn", config?.default_trust_anchor_arn.as_ref()?));
        own.or_else(default)
    }

    /// The profiles of a call; `None` where neither role nor config has one.
    fn profile<'a>(&'a self, config: Option<&'a Config>) -> Option<InField<'a, ArnList<ProfileArn>>> {
        let own = self.profile_arn.as_ref().map(|profile| InField::new("profile_arn", profile));
        own.or_else(|| Some(InField::new("default_profile_arn", config?.default_profile_arn.as_ref()?)))
    }

    /// Checks that the config's `allowed_role_arns` allow the IAM role and the target of the hop.
    ///
    /// # Errors
    /// The operator's, with the field.
    pub(crate) fn check_allowed(&self, config: &Config) -> Result<(), Fault> {
        let globs = &config.allowed_role_arns;
        allowed_roles::check(globs, "role_arn", &self.role_arn)?;
        self.hop.target().map_or(Ok(()), |target| allowed_roles::check(globs, "target_role_arn", target))
    }

    /// The same role with this place alone, for a look at each of several.
    pub(crate) fn at_place(&self, place: &Anchorage) -> Self {
        let mut role = self.clone();
        role.trust_anchor_arn = Some(ArnList::one(place.trust_anchor.clone()));
        role.profile_arn = Some(ArnList::one(place.profile.clone()));
        role.place_policy = None;
        role
    }
}
