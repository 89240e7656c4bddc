//! What a caller gets from the scheduler, and when it waits.

use crate::world::{
    HOUR, World, ask, cache_status, granted, rate, seconds, stale_ok, unreachable, unshared, why, with_work,
};
use sessions::{CacheStatus, Cause, Limits, Renewal, Step};

#[test]
fn two_asks_for_one_key_share_one_flight() {
    let mut world = World::usual();

    let first = world.wait(ask(1, "a"));
    let second = world.wait(ask(1, "b"));
    let landed = world.land(World::session);

    assert_eq!(landed, 1);
    assert_eq!(cache_status(world.answer(first)), CacheStatus::New);
    assert_eq!(cache_status(world.answer(second)), CacheStatus::Shared);
}

#[test]
fn a_kept_session_is_served_at_once_until_its_half_life() {
    let mut world = World::usual();
    let session = world.obtain(ask(1, "a"));

    world.pass(seconds(1600));
    let grant = granted(world.done(ask(1, "b")));

    assert_eq!((grant.session, grant.cache_status), (session, CacheStatus::Shared));
    assert_eq!(grant.remaining, seconds(2000));
    assert!(grant.renewal_in >= seconds(20) && grant.renewal_in <= seconds(380));
}

#[test]
fn half_lives_differ_by_ten_percent_so_that_a_fleet_does_not_move_in_step() {
    let mut world = World::new(Limits { rate: rate(1000, 1000), ..Limits::default() });

    let due: Vec<_> = (0..200)
        .map(|key| {
            world.obtain(ask(key, "a"));
            granted(world.done(ask(key, "a"))).renewal_in.as_secs()
        })
        .collect();

    assert!(due.iter().all(|due| (1619..=1981).contains(due)));
    assert!(due.iter().max().unwrap() - due.iter().min().unwrap() > 300);
}

#[test]
fn a_patient_caller_past_the_half_life_waits_for_the_new_session() {
    let mut world = World::usual();
    let old = world.obtain(ask(1, "a"));

    world.pass(seconds(2000));
    let new = world.obtain(ask(1, "a"));

    assert_ne!(old, new);
}

#[test]
fn a_hasty_caller_gets_the_old_session_at_once_while_the_new_one_is_made() {
    let mut world = World::new(Limits { renewal: Renewal::OnAsk, ..Limits::default() });
    let old = world.obtain(stale_ok(ask(1, "a")));
    world.pass(seconds(2000));

    let grant = granted(world.done(stale_ok(ask(1, "a"))));
    let flights = world.land(World::session);
    let next = granted(world.done(stale_ok(ask(1, "a"))));

    assert_eq!((grant.session, grant.cache_status), (old, CacheStatus::Renewing));
    assert_eq!(flights, 1);
    assert_ne!(next.session, old);
    assert_eq!(next.cache_status, CacheStatus::Shared);
}

#[test]
fn a_hasty_caller_waits_when_less_than_five_minutes_are_left() {
    let mut world = World::new(Limits { renewal: Renewal::OnAsk, ..Limits::default() });
    world.obtain(stale_ok(ask(1, "a")));

    world.pass(seconds(3301));
    let step = world.ask(stale_ok(ask(1, "a")));

    assert!(matches!(step, Step::Wait(_)), "{step:?}");
}

#[test]
fn a_session_of_a_hasty_caller_is_renewed_ahead_at_its_half_life() {
    let mut world = World::usual();
    let old = world.obtain(stale_ok(ask(1, "a")));

    world.pass(seconds(2000));
    world.land(World::session);
    world.pass(seconds(1300));
    let grant = granted(world.done(stale_ok(ask(1, "a"))));

    assert_ne!(grant.session, old);
    assert!(grant.remaining > seconds(2000));
}

#[test]
fn a_session_that_nobody_asked_for_during_its_life_is_not_renewed_again() {
    let mut world = World::usual();
    world.obtain(stale_ok(ask(1, "a")));

    let renewals: usize = (0..10)
        .map(|_| {
            world.pass(seconds(1000));
            world.land(World::session)
        })
        .sum();

    assert!((1..=2).contains(&renewals), "{renewals}");
    assert_eq!(world.scheduler.counts(world.now).cached, 0);
}

#[test]
fn a_session_of_patient_callers_is_not_renewed_ahead() {
    let mut world = World::usual();
    world.obtain(ask(1, "a"));

    world.pass(HOUR);

    assert!(world.started.is_empty());
    assert_eq!(world.scheduler.counts(world.now).cached, 0);
}

#[test]
fn an_expired_session_is_not_served_even_if_nobody_told_the_time() {
    let mut world = World::usual();
    world.obtain(ask(1, "a"));

    world.jump(HOUR);
    let step = world.ask(ask(1, "a"));

    assert!(matches!(step, Step::Wait(_)), "{step:?}");
}

#[test]
fn a_flight_whose_callers_left_keeps_its_result() {
    let mut world = World::usual();
    let waiter = world.wait(ask(1, "a"));

    let reply = world.scheduler.give_up(world.now, waiter);
    world.land(World::session);
    let grant = granted(world.done(ask(1, "a")));

    assert_eq!(why(&reply).to_string(), "the answer to Make is not there yet");
    assert_eq!(grant.cache_status, CacheStatus::Shared);
}

#[test]
fn a_flight_still_in_line_stays_there_when_its_caller_leaves() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    world.wait(ask(1, "a"));
    let waiter = world.wait(ask(2, "b"));

    let reply = world.scheduler.give_up(world.now, waiter);
    world.pass(seconds(1));

    assert_eq!(why(&reply).to_string(), "it waits for its turn under the rate limit of Make");
    assert_eq!(world.started.iter().map(|(_, work)| *work).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn an_unshared_session_is_for_one_ask_and_is_not_kept() {
    let mut world = World::usual();

    let first = world.obtain(unshared(ask(1, "a")));
    let second = world.obtain(unshared(ask(1, "a")));

    assert_ne!(first, second);
    assert_eq!(world.scheduler.counts(world.now).cached, 0);
}

#[test]
fn an_unshared_flight_in_line_ends_with_its_caller() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    world.wait(ask(1, "a"));
    let waiter = world.wait(unshared(ask(2, "b")));

    world.scheduler.give_up(world.now, waiter);
    world.pass(seconds(3));

    assert_eq!(world.started.len(), 1);
}

#[test]
fn a_flight_in_line_is_made_the_way_the_newest_caller_knows() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    world.wait(ask(1, "a"));
    world.wait(with_work(20, ask(2, "b")));
    world.wait(with_work(21, ask(2, "c")));

    world.pass(seconds(1));

    assert_eq!(world.started.iter().map(|(_, work)| *work).collect::<Vec<_>>(), [1, 21]);
}

#[test]
fn another_attempt_is_made_the_way_the_newest_caller_knows() {
    let mut world = World::usual();
    world.wait(with_work(10, ask(1, "a")));
    world.land(unreachable);
    world.wait(with_work(11, ask(1, "b")));

    world.pass(seconds(1));

    assert_eq!(world.started[0].1, 11);
}

#[test]
fn a_renewal_ahead_is_made_the_way_the_newest_caller_knows() {
    let mut world = World::usual();
    world.obtain(stale_ok(with_work(10, ask(1, "a"))));
    world.done(with_work(11, ask(1, "b")));

    world.pass(seconds(2000));

    assert_eq!(world.started[0].1, 11);
    assert_eq!(world.causes, [Cause::Asked, Cause::Ahead]);
}

#[test]
fn a_caller_who_planned_under_earlier_limits_takes_no_newer_work_away() {
    let mut world = World::usual();
    let early = world.planned(with_work(10, ask(1, "a")));
    world.scheduler.set_limits(world.now, Limits::default());
    world.obtain(stale_ok(with_work(11, ask(1, "b"))));

    world.arrive(early);
    world.pass(seconds(2000));

    assert_eq!(world.started[0].1, 11);
}

#[test]
fn a_renewal_that_somebody_asks_for_before_it_starts_is_not_ahead_of_need() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    world.obtain(stale_ok(ask(1, "a")));
    world.jump(seconds(2000));
    world.wait(ask(2, "has the only token"));
    world.scheduler.tick(world.now);

    world.done(stale_ok(ask(1, "a")));
    world.pass(seconds(1));

    assert_eq!(world.started.iter().map(|(_, work)| *work).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(world.causes, [Cause::Asked; 3]);
}
