//! One decision a test.

use std::time::Duration;

use node_agent::cache::{Flights, Limits, Origin, Outcome, Reply, Step};

use super::{Letters, NOON, at, done, granted, waits};

const HOUR: u64 = 3600;

/// A cache with the answer 1 for `a`, which came at noon and lasts an hour.
fn with_an_answer() -> Letters {
    let mut cache = Letters::new(Limits::default());
    waits(cache.ask(at(0), &'a', None, Flights::Open));
    cache.landed(at(0), &'a', granted(1, HOUR, at(0)));
    cache
}

fn answer(origin: Origin) -> Reply<u32, &'static str> {
    Reply::Answer { value: 1, origin }
}

fn stale(seconds: u64) -> Reply<u32, &'static str> {
    answer(Origin::Stale { age: Duration::from_secs(seconds) })
}

fn refused(why: &'static str, is_repeated: bool) -> Reply<u32, &'static str> {
    Reply::Refused { why, is_repeated }
}

fn failed(pause: u64) -> Outcome<u32, &'static str> {
    Outcome::Failed { why: "away", pause: Duration::from_secs(pause) }
}

#[test]
fn an_answer_is_handed_out_for_a_minute_and_then_asked_for_again() {
    let mut cache = with_an_answer();

    assert_eq!(done(cache.ask(at(59), &'a', None, Flights::Open)), answer(Origin::Cached));
    assert!(waits(cache.ask(at(60), &'a', None, Flights::Open)).1);
}

#[test]
fn many_requests_share_one_flight_and_get_one_answer() {
    let mut cache = Letters::new(Limits::default());
    let steps: Vec<_> = (0..5).map(|_| waits(cache.ask(at(0), &'a', None, Flights::Open))).collect();

    let replies = cache.landed(at(1), &'a', granted(1, HOUR, at(1)));

    assert_eq!(steps.iter().filter(|(_, starts)| *starts).count(), 1);
    assert_eq!(replies.len(), 5);
    assert!(replies.iter().all(|(_, reply)| *reply == answer(Origin::New)));
}

#[test]
fn while_vault_is_away_an_answer_serves_until_five_minutes_are_left() {
    let mut cache = with_an_answer();
    waits(cache.ask(at(1000), &'a', None, Flights::Open));
    let replies = cache.landed(at(1000), &'a', failed(1));
    waits(cache.ask(at(HOUR - 301), &'a', None, Flights::Open));
    let last = cache.landed(at(HOUR - 301), &'a', failed(1));

    assert_eq!((&replies[0].1, &last[0].1), (&stale(1000), &stale(HOUR - 301)));
    assert_eq!(done(cache.ask(at(HOUR - 300), &'a', None, Flights::Open)), refused("away", true));
}

#[test]
fn a_short_answer_serves_until_a_third_is_left() {
    let mut cache = Letters::new(Limits::default());
    waits(cache.ask(at(0), &'a', None, Flights::Open));
    cache.landed(at(0), &'a', granted(1, 600, at(0)));
    waits(cache.ask(at(399), &'a', None, Flights::Open));

    let replies = cache.landed(at(399), &'a', failed(1));

    assert_eq!(replies[0].1, stale(399));
    assert_eq!(done(cache.ask(at(400), &'a', None, Flights::Open)), refused("away", true));
}

#[test]
fn who_waits_for_a_silent_vault_gets_the_old_answer_in_time_for_every_sdk() {
    let mut cache = with_an_answer();
    let Step::Wait { waiter, patience, .. } = cache.ask(at(100), &'a', None, Flights::Open) else {
        panic!("answered")
    };

    let reply = cache.give_up(at(101), &'a', waiter);

    assert!(patience < Duration::from_secs(1));
    assert_eq!(reply, stale(101));
    assert!(cache.landed(at(102), &'a', granted(2, HOUR, at(102))).is_empty());
}

#[test]
fn without_an_old_answer_a_silent_vault_makes_a_request_late() {
    let mut cache = Letters::new(Limits::default());
    let (waiter, _) = waits(cache.ask(at(0), &'a', None, Flights::Open));

    assert_eq!(cache.give_up(at(3), &'a', waiter), Reply::Late);
}

#[test]
fn a_refusal_ends_what_was_kept_and_is_repeated_for_five_seconds() {
    let mut cache = with_an_answer();
    waits(cache.ask(at(60), &'a', None, Flights::Open));
    let replies = cache.landed(at(60), &'a', Outcome::Refused("revoked"));

    assert_eq!(replies[0].1, refused("revoked", false));
    assert_eq!(done(cache.ask(at(64), &'a', None, Flights::Open)), refused("revoked", true));
    assert!(waits(cache.ask(at(65), &'a', None, Flights::Open)).1);
}

#[test]
fn revoked_sessions_never_stand_in() {
    let mut cache = with_an_answer();
    waits(cache.ask(at(60), &'a', None, Flights::Open));
    let void = Outcome::Void { why: "revoked", pause: Duration::from_secs(2) };

    assert_eq!(cache.landed(at(60), &'a', void)[0].1, refused("revoked", false));
    assert_eq!(done(cache.ask(at(61), &'a', None, Flights::Open)), refused("revoked", true));
    assert!(waits(cache.ask(at(62), &'a', None, Flights::Open)).1);
}

#[test]
fn a_failure_leaves_vault_alone_for_as_long_as_it_asks_within_bounds() {
    for (asked, rests) in [(0, 1), (7, 7), (3600, 30)] {
        let mut cache = Letters::new(Limits::default());
        waits(cache.ask(at(0), &'a', None, Flights::Open));
        cache.landed(at(0), &'a', failed(asked));

        assert_eq!(done(cache.ask(at(rests - 1), &'a', None, Flights::Open)), refused("away", true));
        assert!(waits(cache.ask(at(rests), &'a', None, Flights::Open)).1);
    }
}

#[test]
fn nothing_kept_is_served_after_the_tokens_end() {
    let mut cache = Letters::new(Limits::default());
    let token_ends = Some(NOON + Duration::from_secs(30));
    waits(cache.ask(at(0), &'a', token_ends, Flights::Open));
    cache.landed(at(0), &'a', granted(1, HOUR, at(0)));

    assert_eq!(done(cache.ask(at(29), &'a', token_ends, Flights::Open)), answer(Origin::Cached));
    waits(cache.ask(at(30), &'a', token_ends, Flights::Open));
    assert_eq!(cache.landed(at(30), &'a', failed(1))[0].1, refused("away", false));
}

#[test]
fn a_token_that_looks_over_is_for_vault_to_judge() {
    let mut cache = Letters::new(Limits::default());
    waits(cache.ask(at(100), &'a', Some(NOON), Flights::Open));

    assert_eq!(cache.landed(at(100), &'a', granted(1, HOUR, at(100)))[0].1, answer(Origin::New));
}

#[test]
fn what_nobody_asks_for_in_an_hour_is_forgotten() {
    let mut cache = Letters::new(Limits::default());
    waits(cache.ask(at(0), &'a', None, Flights::Open));
    cache.landed(at(0), &'a', granted(1, 12 * HOUR, at(0)));
    cache.sweep(at(HOUR - 1));
    let before = cache.counts().answers;

    cache.sweep(at(HOUR));

    assert_eq!((before, cache.counts().entries, cache.counts().bytes), (1, 0, 0));
}

#[test]
fn what_can_be_served_to_nobody_is_forgotten_at_the_next_sweep() {
    let mut cache = with_an_answer();
    waits(cache.ask(at(0), &'b', None, Flights::Open));
    cache.landed(at(0), &'b', Outcome::Refused("no"));

    cache.sweep(at(HOUR - 300));

    assert_eq!(cache.counts().entries, 0);
}

#[test]
fn a_crowd_of_refused_tokens_drops_nobodys_answer() {
    let mut cache = Letters::new(Limits { max_entries: 3, ..Limits::default() });
    waits(cache.ask(at(0), &'a', None, Flights::Open));
    cache.landed(at(0), &'a', granted(1, HOUR, at(0)));
    for letter in 'b'..='z' {
        waits(cache.ask(at(1), &letter, None, Flights::Open));
        cache.landed(at(1), &letter, Outcome::Refused("forged"));
    }

    assert_eq!(done(cache.ask(at(2), &'a', None, Flights::Open)), answer(Origin::Cached));
    assert_eq!((cache.counts().entries, cache.counts().evicted), (3, 0));
}

#[test]
fn with_every_place_in_flight_another_key_has_to_wait() {
    let mut cache = Letters::new(Limits { max_entries: 2, ..Limits::default() });
    waits(cache.ask(at(0), &'a', None, Flights::Open));
    waits(cache.ask(at(0), &'b', None, Flights::Open));

    assert_eq!(done(cache.ask(at(0), &'c', None, Flights::Open)), Reply::Full);
}

#[test]
fn with_all_flights_taken_an_old_answer_stands_in() {
    let mut cache = Letters::new(Limits { max_flights: 1, ..Limits::default() });
    waits(cache.ask(at(0), &'a', None, Flights::Open));
    cache.landed(at(0), &'a', granted(1, HOUR, at(0)));
    waits(cache.ask(at(60), &'b', None, Flights::Open));

    assert_eq!(done(cache.ask(at(60), &'a', None, Flights::Open)), stale(60));
    assert_eq!(done(cache.ask(at(60), &'c', None, Flights::Open)), Reply::Full);
}

#[test]
fn who_may_start_no_flight_gets_what_is_known_or_joins_one() {
    let mut cache = with_an_answer();
    let closed = |cache: &mut Letters, seconds, key| cache.ask(at(seconds), &key, None, Flights::Closed);

    assert_eq!(done(closed(&mut cache, 59, 'a')), answer(Origin::Cached));
    assert_eq!(done(closed(&mut cache, 60, 'a')), stale(60));
    assert_eq!(done(closed(&mut cache, 60, 'b')), Reply::Full);
    waits(cache.ask(at(61), &'b', None, Flights::Open));
    assert!(!waits(closed(&mut cache, 61, 'b')).1);
}

#[test]
fn the_oldest_stale_answer_is_counted_until_a_new_one_replaces_it() {
    let mut cache = with_an_answer();
    waits(cache.ask(at(500), &'a', None, Flights::Open));
    cache.landed(at(500), &'a', failed(1));
    let while_away = cache.counts().oldest_stale;
    waits(cache.ask(at(600), &'a', None, Flights::Open));
    cache.landed(at(600), &'a', granted(1, HOUR, at(600)));

    assert_eq!((while_away, cache.counts().oldest_stale), (Some(Duration::from_secs(500)), None));
}
