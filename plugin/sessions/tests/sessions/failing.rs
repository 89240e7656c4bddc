//! What callers are told when the issuer fails, refuses or throttles.

use std::time::Duration;

use crate::world::{
    NOON, TestKey, World, ask, cache_status, granted, in_domain, rate, refused, seconds, stale_ok, throttled,
    unreachable, why,
};
use sessions::{CacheStatus, FlightOutcome, Limits, Made, SessionRequest, Step, Why};

const HASTE: Duration = Duration::from_millis(1800);

#[test]
fn a_patient_caller_gets_the_old_session_with_a_reason_when_aws_fails() {
    for (outcome, reason) in [
        (unreachable as fn(&mut World) -> _, Why::Unreachable("no route")),
        (refused, Why::Refused("AccessDenied")),
        (throttled, Why::Throttled("slow down")),
    ] {
        let mut world = World::usual();
        let old = world.obtain(ask(1, "a"));
        world.pass(seconds(2000));

        let waiter = world.wait(ask(1, "a"));
        world.land(outcome);
        let grant = granted(world.answer(waiter));

        assert_eq!((grant.session, grant.cache_status), (old, CacheStatus::Stale(reason)));
    }
}

#[test]
fn a_second_patient_caller_does_not_wait_for_an_aws_that_has_just_failed() {
    let mut world = World::usual();
    world.obtain(ask(1, "a"));
    world.pass(seconds(2000));
    world.wait(ask(1, "a"));
    world.land(unreachable);

    let reply = world.done(ask(1, "b"));

    assert_eq!(cache_status(reply), CacheStatus::Stale(Why::Unreachable("no route")));
}

#[test]
fn waiters_are_told_after_the_retries_and_the_flight_goes_on() {
    let mut world = World::usual();
    let waiter = world.wait(ask(1, "a"));

    for _ in 0..4 {
        assert_eq!(world.land(unreachable), 1);
        world.pass(seconds(4));
    }
    let reply = world.answer(waiter);
    world.land(World::session);

    assert_eq!(why(&reply), Why::Unreachable("no route"));
    assert_eq!(cache_status(world.done(ask(1, "a"))), CacheStatus::Shared);
}

#[test]
fn a_caller_whose_patience_ends_before_the_next_attempt_is_told_at_once() {
    let mut world = World::usual();
    world.wait(ask(1, "a"));
    for _ in 0..8 {
        world.land(unreachable);
        world.pass(seconds(31));
    }
    world.land(unreachable);

    let reply = world.done(stale_ok(ask(1, "b")));

    assert_eq!(why(&reply), Why::Unreachable("no route"));
    world.pass(seconds(31));
    world.land(World::session);
    assert_eq!(cache_status(world.done(stale_ok(ask(1, "b")))), CacheStatus::Shared);
}

/// As an SDK behind `container`.
fn hasty() -> SessionRequest<TestKey, u32> {
    SessionRequest { deadline: HASTE, ..stale_ok(ask(1, "a")) }
}

#[test]
fn a_hasty_caller_outwaits_two_failures() {
    let mut world = World::usual();
    let waiter = world.wait(hasty());

    world.land(unreachable);
    world.pass(Duration::from_millis(400));
    world.land(unreachable);
    world.pass(Duration::from_millis(800));
    world.land(World::session);

    assert_eq!(cache_status(world.answer(waiter)), CacheStatus::New);
}

#[test]
fn a_hasty_caller_is_told_after_the_third_failure() {
    let mut world = World::usual();
    let waiter = world.wait(stale_ok(ask(1, "a")));

    for milliseconds in [400, 800, 0] {
        world.land(unreachable);
        world.pass(Duration::from_millis(milliseconds));
    }

    assert_eq!(why(&world.answer(waiter)), Why::Unreachable("no route"));
}

#[test]
fn a_hasty_caller_is_told_as_soon_as_no_further_attempt_would_come_in_time() {
    let mut world = World::usual();
    let waiter = world.wait(hasty());

    world.jump(HASTE / 10 * 9);
    world.land(unreachable);

    assert_eq!(why(&world.answer(waiter)), Why::Unreachable("no route"));
}

#[test]
fn a_hasty_caller_is_told_after_fewer_where_fewer_retries_are_allowed() {
    let mut world = World::new(Limits { max_retries: 0, ..Limits::default() });
    let waiter = world.wait(hasty());

    world.land(unreachable);

    assert_eq!(why(&world.answer(waiter)), Why::Unreachable("no route"));
}

#[test]
fn a_hasty_caller_is_told_of_throttling_at_once_and_finds_the_session_when_it_comes_back() {
    let mut world = World::usual();
    let waiter = world.wait(stale_ok(ask(1, "a")));

    world.land(throttled);
    world.pass(seconds(1));
    world.land(World::session);

    assert_eq!(why(&world.answer(waiter)), Why::Throttled("slow down"));
    assert_eq!(cache_status(world.done(stale_ok(ask(1, "a")))), CacheStatus::Shared);
}

#[test]
fn throttling_pauses_the_place_for_everybody_and_loses_nobody() {
    let mut world = World::usual();
    let first = world.wait(ask(1, "a"));

    world.land(throttled);
    let second = world.wait(ask(2, "b"));
    let during = world.started.len();
    world.pass(seconds(2));
    world.land(World::session);

    assert_eq!(during, 0);
    granted(world.answer(first));
    granted(world.answer(second));
}

#[test]
fn a_higher_rate_shortens_no_pause() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    world.wait(ask(1, "a"));
    world.land(|_| FlightOutcome::Throttled { error: "slow down", retry_after: Some(seconds(20)) });
    for key in 2..6 {
        world.wait(ask(key, &key.to_string()));
    }

    world.scheduler.set_limits(world.now, Limits { rate: rate(50, 50), ..Limits::default() });
    world.pass(seconds(19));
    let during = world.started.len();
    world.pass(seconds(12));

    assert_eq!((during, world.started.len()), (0, 5));
}

#[test]
fn the_throttled_flight_goes_first_after_the_pause() {
    let mut world = World::usual();
    world.wait(ask(1, "a"));
    world.land(throttled);
    for key in 2..6 {
        world.wait(ask(key, &key.to_string()));
    }

    world.pass(seconds(2));

    assert_eq!(world.started[0].1, 1);
}

#[test]
fn a_refused_key_is_answered_from_memory_for_five_seconds() {
    let mut world = World::usual();
    let waiter = world.wait(ask(1, "a"));
    world.land(refused);

    let first = world.answer(waiter);
    let second = world.done(ask(1, "b"));
    world.pass(seconds(6));
    let third = world.ask(ask(1, "a"));

    assert_eq!(why(&first), Why::Refused("AccessDenied"));
    assert_eq!(why(&second), Why::Refused("AccessDenied"));
    assert!(matches!(third, Step::Wait(_)));
}

#[test]
fn ten_thousand_refused_identities_of_one_role_cost_one_request_a_second() {
    let mut world = World::usual();
    for key in 0..10_000 {
        world.ask(in_domain("misconfigured", ask(key, &key.to_string())));
    }

    let spent: usize = (0..1200)
        .map(|_| {
            world.pass(Duration::from_millis(50));
            world.land(refused)
        })
        .sum();

    assert!((50..=72).contains(&spent), "{spent} in a minute");
}

#[test]
fn callers_of_another_role_get_their_turn_beside_a_refused_fleet() {
    let mut world = World::usual();
    for key in 0..5_000 {
        world.ask(in_domain("misconfigured", ask(key, &key.to_string())));
    }
    for _ in 0..20 {
        world.pass(Duration::from_millis(100));
        world.land(refused);
    }

    let waiter = world.wait(in_domain("healthy", ask(10_000, "good")));
    world.pass(seconds(1));
    let outcomes = world.started.iter().filter(|(_, work)| *work == 10_000).count();

    assert_eq!(outcomes, 1, "{waiter:?} waits behind the refused");
}

#[test]
fn one_success_ends_the_suspicion() {
    let mut world = World::usual();
    for key in 0..40 {
        world.wait(ask(key, &key.to_string()));
    }
    world.land(refused);

    world.pass(seconds(2));
    world.land(World::session);
    world.pass(seconds(2));

    assert!(world.started.len() >= 8, "{}", world.started.len());
}

#[test]
fn a_refusal_from_before_a_change_is_not_held_against_those_who_ask_after_it() {
    let mut world = World::usual();
    let before = world.wait(ask(1, "a"));
    world.scheduler.invalidate(world.now, |_| true);

    world.land(refused);
    let after = world.ask(ask(1, "b"));

    assert_eq!(why(&world.answer(before)), Why::Refused("AccessDenied"));
    assert!(matches!(after, Step::Wait(_)), "{after:?}");
}

#[test]
fn a_change_ends_the_memory_of_refusals() {
    let mut world = World::usual();
    world.wait(ask(1, "a"));
    world.land(refused);

    world.scheduler.invalidate(world.now, |_| true);

    assert!(matches!(world.ask(ask(1, "a")), Step::Wait(_)));
}

#[test]
fn a_session_born_expired_is_denied_and_not_asked_for_again_at_once() {
    let mut world = World::usual();
    let waiter = world.wait(ask(1, "a"));
    world.land(|_| FlightOutcome::Made(Made { session: 1, expiration: NOON - seconds(10) }));

    let first = world.answer(waiter);
    let second = world.done(ask(1, "a"));

    assert_eq!((why(&first), why(&second)), (Why::BornExpired, Why::BornExpired));
}

#[test]
fn one_refused_caller_does_not_make_the_healthy_ones_of_its_group_wait() {
    let mut world = World::usual();
    for _ in 0..4 {
        world.wait(in_domain("small", ask(1, "refused")));
        world.land(refused);
        world.pass(seconds(31));
    }
    for key in 100..103 {
        world.wait(in_domain("big", ask(key, &key.to_string())));
        world.land(refused);
    }
    for key in 200..260 {
        world.wait(in_domain("big", ask(key, &key.to_string())));
    }

    world.wait(in_domain("small", ask(2, "healthy")));
    world.pass(seconds(2));

    assert!(world.started.iter().any(|(_, work)| *work == 2), "{:?}", world.started);
}
