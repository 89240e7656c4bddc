//! What ends: by eviction, by a change, by time, by closing.

use crate::world::{
    HOUR, World, ask, bound, cache_status, granted, rate, seconds, stale_ok, unreachable, unshared, why,
};
use sessions::{CacheStatus, FlightOutcome, Limits, Made, Reply, Step, Why};

#[test]
fn a_flight_that_nobody_asked_for_in_ten_minutes_is_dropped() {
    let mut world = World::usual();
    let waiter = world.wait(ask(1, "a"));
    world.land(unreachable);
    world.scheduler.give_up(world.now, waiter);

    for _ in 0..21 {
        world.pass(seconds(31));
        world.land(unreachable);
    }

    let counts = world.scheduler.counts(world.now);
    assert_eq!((counts.queued, counts.flying), (0, 0));
}

#[test]
fn a_change_ends_what_was_kept_and_what_is_in_line() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    world.obtain(ask(1, "a"));
    let waiter = world.wait(ask(2, "a"));

    world.scheduler.invalidate(world.now, |key| key.number <= 2);
    world.collect();

    assert_eq!(why(&world.answer(waiter)), Why::Changed);
    assert!(matches!(world.ask(ask(1, "a")), Step::Wait(_)));
}

#[test]
fn a_flight_under_way_at_a_change_answers_those_who_asked_before_and_is_not_kept() {
    let mut world = World::usual();
    let before = world.wait(ask(1, "a"));
    world.scheduler.invalidate(world.now, |_| true);

    let after = world.wait(ask(1, "a"));
    world.land(World::session);

    let (before, after) = (granted(world.answer(before)), granted(world.answer(after)));
    assert_ne!(before.session, after.session);
    assert_eq!(granted(world.done(ask(1, "a"))).session, after.session);
}

#[test]
fn a_cache_of_one_keeps_the_last_and_serves_everybody() {
    let mut world = World::new(bound(1));

    world.obtain(ask(1, "a"));
    world.obtain(ask(2, "b"));

    assert_eq!(cache_status(world.done(ask(2, "b"))), CacheStatus::Shared);
    assert!(matches!(world.ask(ask(1, "a")), Step::Wait(_)));
    assert_eq!(world.scheduler.counts(world.now).evicted, 1);
}

#[test]
fn the_least_recently_used_goes_first() {
    let mut world = World::new(bound(2));
    world.obtain(ask(1, "a"));
    world.obtain(ask(2, "a"));

    world.done(ask(1, "a"));
    world.obtain(ask(3, "a"));

    assert_eq!(cache_status(world.done(ask(1, "a"))), CacheStatus::Shared);
    assert!(matches!(world.ask(ask(2, "a")), Step::Wait(_)));
}

#[test]
fn a_dead_session_goes_before_a_live_one_that_was_used_longer_ago() {
    let mut world = World::new(bound(2));
    let waiter = world.wait(ask(1, "a"));
    world.land(|world| FlightOutcome::Made(Made { session: 1, expiration: world.now.wall + seconds(60) }));
    world.answer(waiter);
    let live = world.obtain(ask(2, "a"));
    world.done(ask(1, "a"));

    world.jump(seconds(50));
    world.obtain(ask(3, "a"));

    assert_eq!(granted(world.done(ask(2, "a"))).session, live);
}

#[test]
fn closing_answers_everybody_and_starts_nothing_more() {
    let mut world = World::usual();
    world.obtain(ask(1, "a"));
    let waiters: Vec<_> = (2..20).map(|key| world.wait(ask(key, "a"))).collect();
    world.started.clear();

    world.scheduler.close(world.now);
    world.collect();

    for waiter in waiters {
        assert_eq!(why(&world.answer(waiter)), Why::Closing);
    }
    assert_eq!(why(&world.done(ask(1, "a"))), Why::Closing);
    world.pass(HOUR);
    assert!(world.started.is_empty());
}

#[test]
fn an_ask_planned_before_a_change_of_its_key_is_denied_and_leaves_nothing() {
    for planned in [ask(1, "a"), stale_ok(ask(1, "a")), unshared(ask(1, "a"))] {
        let mut world = World::usual();
        let late = world.planned(planned);
        world.scheduler.invalidate(world.now, |key| key.number == 1);

        let step = world.arrive(late);

        assert!(matches!(step, Step::Done(Reply::Denied { why: Why::Changed, .. })), "{step:?}");
        assert!(world.started.is_empty());
        assert!(matches!(world.ask(ask(1, "a")), Step::Wait(_)));
    }
}

#[test]
fn a_change_of_other_keys_denies_nobody() {
    let mut world = World::usual();
    let late = world.planned(ask(1, "a"));
    world.scheduler.invalidate(world.now, |key| key.number == 2);

    assert!(matches!(world.arrive(late), Step::Wait(_)));
}
