//! Floor 1: the parts that every other floor needs: time, faults, bounds, serial numbers, the lifecycle of a mount and its limits
//! of concurrency. It knows no request and no record.

pub(crate) mod bounds;
pub(crate) mod clock;
pub(crate) mod concurrency;
pub(crate) mod faults;
pub(crate) mod lifecycle;
pub(crate) mod serial_number;
