//! The wall clock is set an hour back or forward: what is kept is neither served too long nor lost.

use std::time::Duration;

use crate::world::{HOUR, TestKey, World, ask, granted, seconds, stale_ok, unshared, why};
use sessions::{CacheStatus, Cause, FlightOutcome, Limits, Made, Renewal, SessionRequest, Step, Why};

/// A patient and a hasty caller's ask, each with a session of an hour that nobody renews ahead.
fn warm() -> (World, [SessionRequest<TestKey, u32>; 2]) {
    let mut world = World::new(Limits { renewal: Renewal::OnAsk, ..Limits::default() });
    let asks = [ask(1, "patient"), stale_ok(ask(2, "hasty"))];
    for ask in asks.clone() {
        world.obtain(ask);
    }
    (world, asks)
}

/// Sets the wall clock, as an operator or a time service does.
fn set(world: &mut World, hours: i64) {
    world.now.wall += time::Duration::hours(hours);
}

#[test]
fn a_clock_set_back_an_hour_lengthens_no_session() {
    let (mut world, asks) = warm();

    set(&mut world, -1);
    world.pass(seconds(1200));

    for ask in asks.clone() {
        assert_eq!(granted(world.done(ask)).remaining, seconds(2400));
    }
    world.pass(seconds(2101));
    for ask in asks {
        assert!(matches!(world.ask(ask), Step::Wait(_)));
    }
}

#[test]
fn a_clock_set_forward_an_hour_has_nothing_served_until_it_is_set_right() {
    let (mut world, asks) = warm();

    set(&mut world, 1);
    for ask in asks.clone() {
        assert!(matches!(world.ask(ask), Step::Wait(_)));
    }
    set(&mut world, -1);

    for ask in asks {
        assert_eq!(granted(world.done(ask)).cache_status, CacheStatus::Shared);
    }
}

#[test]
fn a_session_that_comes_while_the_clock_is_an_hour_behind_is_kept_for_its_hour() {
    for one in [ask(1, "a"), stale_ok(ask(1, "a")), unshared(ask(1, "a"))] {
        let mut world = World::new(Limits { renewal: Renewal::OnAsk, ..Limits::default() });
        let waiter = world.wait(one.clone());

        world.land(|world| FlightOutcome::Made(Made { session: 1, expiration: world.now.wall + 2 * HOUR }));
        let grant = granted(world.answer(waiter));
        world.pass(seconds(3301));

        assert_eq!(grant.remaining, HOUR);
        assert!(matches!(world.ask(one), Step::Wait(_)));
    }
}

#[test]
fn a_session_that_comes_while_the_clock_is_an_hour_ahead_is_none() {
    for one in [ask(1, "a"), stale_ok(ask(1, "a")), unshared(ask(1, "a"))] {
        let mut world = World::usual();
        let waiter = world.wait(one);

        world.land(|world| FlightOutcome::Made(Made { session: 1, expiration: world.now.wall }));

        assert_eq!(why(&world.answer(waiter)), Why::BornExpired);
    }
}

#[test]
fn a_clock_set_back_an_hour_delays_no_renewal() {
    let mut world = World::usual();
    world.obtain(stale_ok(ask(1, "a")));

    set(&mut world, -1);
    world.pass(seconds(2000));

    assert_eq!(world.causes, [Cause::Asked, Cause::Ahead]);
}

#[test]
fn a_renewal_that_was_due_while_the_clock_was_an_hour_ahead_is_made_up_for() {
    let mut world = World::usual();
    world.obtain(stale_ok(ask(1, "a")));
    world.pass(seconds(1500));

    set(&mut world, 1);
    world.pass(seconds(600));
    let during = world.causes.len();
    set(&mut world, -1);
    world.pass(Duration::from_mins(1));

    assert_eq!(during, 1);
    assert_eq!(world.causes, [Cause::Asked, Cause::Ahead]);
}
