//! Floor 7: what is done when a key or a credential leaked.

pub(crate) mod break_glass;
pub(crate) mod compromise;
pub(crate) mod incidents;
pub(crate) mod sessions;
