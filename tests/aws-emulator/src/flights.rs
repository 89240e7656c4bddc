//! The number of calls of `CreateSession` in flight at once, from the arrival of a request to its answer or the end of its connection.

use crate::{http::Call, management, world::World};

/// The count of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flights {
    now: usize,
    most: usize,
}

impl Flights {
    /// The largest number at one moment.
    pub(crate) fn most(self) -> usize {
        self.most
    }

    fn begin(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }

    fn end(&mut self) {
        self.now -= 1;
    }
}

/// A call that is in flight until this is dropped.
pub(crate) struct Flight(World);

impl Flight {
    /// Counts a call of `CreateSession`, and no other.
    pub(crate) fn of(world: &World, call: &Call) -> Option<Flight> {
        (management::operation(call) == "CreateSession").then(|| {
            let world = world.of(call);
            world.lock().flights.begin();
            Flight(world)
        })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.lock().flights.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_at_once_is_kept_when_they_end() {
        let mut flights = Flights::default();

        flights.begin();
        flights.end();
        flights.begin();
        flights.begin();
        flights.end();
        flights.end();

        assert_eq!(flights, Flights { now: 0, most: 2 });
    }
}
