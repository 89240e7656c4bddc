//! Whose turn it is when there are more flights than the quota lets start.

use std::time::Duration;

use crate::world::{HOUR, World, ask, bound, ranked, rate, seconds, stale_ok, throttled, unshared, why};
use sessions::{FlightOutcome, Limits, Made, Rank, Renewal, SessionRequest, Step, WaiterId, Why};

#[test]
fn a_caller_with_many_keys_waits_for_a_caller_with_one() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    for key in 0..10 {
        world.wait(ask(key, "greedy"));
    }
    world.wait(ask(99, "modest"));

    world.pass(seconds(2));

    assert_eq!(world.started.iter().map(|(_, work)| *work).collect::<Vec<_>>(), [0, 1, 99]);
}

#[test]
fn a_modest_caller_lends_its_turn_to_a_greedy_ones_flight_it_needs_too() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    for key in 0..10 {
        world.wait(ask(key, "greedy"));
    }
    world.wait(ask(9, "modest"));

    world.pass(seconds(2));

    assert_eq!(world.started.iter().map(|(_, work)| *work).collect::<Vec<_>>(), [0, 1, 9]);
}

#[test]
fn one_caller_cannot_fill_the_queue() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..bound(1024) });
    for key in 0..2_000 {
        world.ask(ask(key, "greedy"));
    }

    let refused = world.done(ask(5_000, "greedy"));
    let other = world.ask(ask(5_001, "modest"));

    assert_eq!(why(&refused), Why::Full);
    assert!(matches!(other, Step::Wait(_)));
}

/// Four renewals that wait beside a crowd of newcomers, when the old sessions of `whole` have `left`; how many of 16 starts are
/// theirs.
fn renewals_of_16_starts(whole: Duration, left: Duration) -> usize {
    let mut world = World::new(Limits { rate: rate(8, 1), renewal: Renewal::OnAsk, ..Limits::default() });
    for key in 0..4 {
        world.wait(stale_ok(ask(key, "old")));
        world.pass(Duration::from_millis(125));
        world.land(|world| FlightOutcome::Made(Made { session: 1, expiration: world.now.wall + whole }));
    }
    world.pass(whole.saturating_sub(left));
    world.started.clear();
    for key in 100..200 {
        world.ask(ask(key, &key.to_string()));
    }
    for key in 0..4 {
        world.done(stale_ok(ask(key, "old")));
    }
    world.pass(seconds(2));
    world.started.iter().take(16).filter(|(_, work)| *work < 100).count()
}

#[test]
fn renewals_with_time_left_get_an_eighth_beside_a_crowd_of_newcomers() {
    assert_eq!(renewals_of_16_starts(HOUR, seconds(25 * 60)), 2);
}

#[test]
fn renewals_of_short_sessions_with_time_left_get_an_eighth_too() {
    for whole in [15, 20, 30].map(Duration::from_mins) {
        assert_eq!(renewals_of_16_starts(whole, whole.mul_f64(0.43)), 2, "{whole:?}");
    }
}

#[test]
fn renewals_of_sessions_that_end_soon_go_first() {
    assert_eq!(renewals_of_16_starts(HOUR, seconds(10 * 60)), 4);
    assert_eq!(renewals_of_16_starts(Duration::from_mins(15), seconds(5 * 60 + 30)), 4);
}

#[test]
fn the_session_that_ends_first_is_renewed_first() {
    let mut world = World::new(Limits { rate: rate(1, 1), renewal: Renewal::OnAsk, ..Limits::default() });
    for key in [1, 2, 3] {
        world.wait(stale_ok(ask(key, "a")));
        world.pass(seconds(100));
        world.land(World::session);
    }
    world.pass(seconds(2000));
    world.wait(ask(9, "blocks"));
    world.started.clear();

    for key in [3, 1, 2] {
        world.done(stale_ok(ask(key, "a")));
    }
    world.pass(seconds(3));

    assert_eq!(world.started.iter().map(|(_, work)| *work).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_rate_can_be_raised_while_a_crowd_waits() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    for key in 0..50 {
        world.wait(ask(key, &key.to_string()));
    }

    world.scheduler.set_limits(world.now, Limits { rate: rate(100, 100), ..Limits::default() });
    world.pass(seconds(2));

    assert_eq!(world.started.len(), 50);
}

#[test]
fn a_fleet_without_sharing_wastes_no_turn_on_callers_who_leave() {
    const PODS: u32 = 300;
    let step = Duration::from_millis(100);
    let deadline = Duration::from_millis(1750);
    let mut world = World::usual();
    let mut asks_at: Vec<(Duration, u32)> = (0..PODS).map(|pod| (Duration::ZERO, pod)).collect();
    let mut waits: Vec<(Duration, u32, WaiterId)> = Vec::new();
    let mut made = 0;

    for _ in 0..600 {
        let now = world.now.monotonic;
        for (_, pod) in asks_at.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
            let ask = SessionRequest { deadline, ..unshared(ask(pod, &pod.to_string())) };
            match world.ask(ask) {
                Step::Wait(waiter) => waits.push((now + deadline, pod, waiter)),
                Step::Done(_) => asks_at.push((now + seconds(1), pod)),
            }
        }
        // a call takes a step
        made += world.land(World::session);
        world.pass(step);
        let answered: Vec<WaiterId> = world.answers.drain(..).map(|(waiter, _)| waiter).collect();
        waits.retain(|(_, _, waiter)| !answered.contains(waiter));
        let now = world.now;
        for (_, pod, waiter) in
            waits.extract_if(.., |(until, _, _)| *until <= now.monotonic).collect::<Vec<_>>()
        {
            world.scheduler.give_up(now, waiter);
            asks_at.push((now.monotonic + seconds(1), pod));
        }
    }

    assert_eq!(
        (asks_at.len() + waits.len(), made),
        (0, PODS as usize),
        "pods without a session; sessions made"
    );
}

fn works(world: &World) -> Vec<u32> {
    world.started.iter().map(|(_, work)| *work).collect()
}

#[test]
fn what_must_not_wait_starts_without_a_token_and_in_a_pause() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    world.wait(ask(1, "reader"));
    world.wait(ask(2, "reader"));

    world.wait(ranked(Rank::First, unshared(ask(10, "incident"))));
    let without_a_token = works(&world);
    world.land(throttled);
    world.started.clear();
    world.wait(ranked(Rank::First, unshared(ask(11, "incident"))));

    assert_eq!(without_a_token, [1, 10]);
    assert_eq!(world.scheduler.counts(world.now).paused, 1);
    assert_eq!(works(&world), [11]);
}

#[test]
fn what_must_not_wait_spends_a_token_that_the_next_in_turn_waits_for() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    world.wait(ranked(Rank::First, unshared(ask(10, "incident"))));
    world.wait(ranked(Rank::First, unshared(ask(11, "incident"))));
    world.wait(ask(1, "reader"));

    world.pass(Duration::from_millis(1999));
    let early = works(&world);
    world.pass(Duration::from_millis(1));

    assert_eq!((early, works(&world)), (vec![10, 11], vec![10, 11, 1]));
}

#[test]
fn what_must_not_wait_rests_between_attempts_where_the_issuer_throttles_it_too() {
    let mut world = World::usual();
    let waiter = world.wait(ranked(Rank::First, unshared(ask(10, "incident"))));
    let (mut attempts, mut rests) = (0, 0..20);

    while world.answers.is_empty() {
        rests.next().expect("an answer within 20 rests");
        attempts += world.land(throttled);
        assert!(world.started.is_empty(), "another attempt at once");
        world.pass(seconds(4));
    }

    assert_eq!(attempts, 1 + usize::try_from(Limits::default().max_retries).unwrap());
    assert_eq!(why(&world.answer(waiter)), Why::Throttled("slow down"));
}

#[test]
fn a_full_queue_takes_what_must_not_wait() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..bound(1024) });
    for key in 0..2_000 {
        world.ask(ask(key, &key.to_string()));
    }

    let reader = world.done(ask(5_000, "reader"));
    let incident = world.ask(ranked(Rank::First, ask(5_001, "incident")));

    assert_eq!(why(&reader), Why::Full);
    assert!(matches!(incident, Step::Wait(_)));
    assert_eq!(works(&world), [0, 5_001]);
}

#[test]
fn spare_work_without_end_leaves_others_half_of_the_burst() {
    let mut world = World::usual();
    for key in 0..500 {
        world.ask(ranked(Rank::Spare, unshared(ask(key, &format!("spare {key}")))));
        world.pass(Duration::from_millis(10));
    }
    let spare = world.started.len();
    world.started.clear();

    for key in 1000..1004 {
        world.wait(ask(key, &format!("reader {key}")));
    }

    assert!((20..30).contains(&spare), "{spare}: half of the rate is used");
    assert_eq!(works(&world), [1000, 1001, 1002, 1003]);
}

#[test]
fn spare_work_has_one_start_in_sixteen_beside_a_crowd() {
    let mut world = World::new(Limits { rate: rate(8, 1), ..Limits::default() });
    for key in 0..400 {
        world.wait(ask(key, &key.to_string()));
    }
    for key in 1000..1100 {
        world.wait(ranked(Rank::Spare, ask(key, "spare")));
    }
    world.started.clear();

    world.pass(seconds(20));

    assert_eq!(works(&world).iter().filter(|work| **work >= 1000).count(), 10, "of {}", works(&world).len());
}

#[test]
fn a_session_that_spare_work_waits_for_is_made_in_turn_once_a_reader_wants_it() {
    let mut world = World::new(Limits { rate: rate(1, 1), ..Limits::default() });
    world.wait(ranked(Rank::Spare, ask(0, "spare")));
    for key in 1..10 {
        world.wait(ranked(Rank::Spare, ask(key, "spare")));
    }

    world.wait(ask(9, "reader"));
    world.pass(seconds(1));

    assert_eq!(works(&world), [0, 9]);
}
