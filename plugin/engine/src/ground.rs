//! Floor 1: what every other floor stands on: time, faults, bounds, serial numbers. It knows no request and no record.

pub(crate) mod bounds;
pub(crate) mod clock;
pub(crate) mod concurrency;
pub(crate) mod faults;
pub(crate) mod lifecycle;
pub(crate) mod serial_number;
