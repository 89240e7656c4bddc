//! The service that a call is for, its operation, and how it words what every service may say.

use crate::{
    ecr,
    http::{Call, Reply},
    iam,
    knobs::Trouble,
    management,
    query::Parameters,
    rules::{Refusal, Rule},
    sts,
    world::Ticket,
};

/// A service of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Ecr,
    Iam,
    Sts,
    RolesAnywhere,
}

impl Service {
    pub(super) fn of(call: &Call) -> Service {
        if call.path != "/" {
            Service::RolesAnywhere
        } else if ecr::operation(call).is_some() {
            Service::Ecr
        } else if Parameters::of(call).first("Version") == iam::VERSION {
            Service::Iam
        } else {
            Service::Sts
        }
    }

    /// The operation's name in the log; `-` for an unknown one.
    pub(super) fn operation(self, call: &Call) -> &'static str {
        match self {
            Service::Ecr => ecr::operation(call).unwrap_or("-"),
            Service::Iam => iam::Action::of(&Parameters::of(call)).map_or("-", |action| action.name()),
            Service::Sts => sts::Action::of(&Parameters::of(call)).map_or("-", |action| action.entry().0),
            Service::RolesAnywhere => management::operation(call),
        }
    }

    /// Its rule for a call that its region has no ear for.
    pub(super) fn rule(self, trouble: Trouble) -> Rule {
        match (self, trouble) {
            (Service::Ecr, Trouble::NotEnabled) => Rule::EcrRegionNotEnabled,
            (Service::Ecr, Trouble::Throttled) => Rule::EcrThrottled,
            (Service::Ecr, _) => Rule::EcrUnavailable,
            (Service::Sts | Service::Iam, Trouble::NotEnabled) => Rule::StsRegionNotEnabled,
            (Service::Sts | Service::Iam, Trouble::Throttled) => Rule::StsThrottled,
            (Service::Sts | Service::Iam, _) => Rule::StsUnavailable,
            (Service::RolesAnywhere, Trouble::NotEnabled) => Rule::RegionNotEnabled,
            (Service::RolesAnywhere, Trouble::Throttled) => Rule::Throttled,
            (Service::RolesAnywhere, _) => Rule::Unavailable,
        }
    }

    /// The error document of a service that has one of its own.
    pub(super) fn document(self, refusal: &Refusal, ticket: &Ticket) -> Option<Reply> {
        match self {
            Service::Ecr => Some(ecr::refusal(refusal, ticket.variation)),
            Service::Iam => Some(iam::refusal(refusal, &ticket.request_id)),
            Service::Sts => Some(sts::refusal(refusal, &ticket.request_id)),
            Service::RolesAnywhere => None,
        }
    }
}
