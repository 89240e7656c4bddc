//! The service on tokio, in paused time.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessions::{
    CacheStatus, Cause, Epoch, FailureDomain, FlightOutcome, FlightSpec, FlightWork, Freshness, Grant, Key,
    Limits, Made, QuotaScope, Rank, Rate, Reply, Requester, SessionRequest, Sessions, Sharing, Why, work,
};
use time::macros::datetime;
use tokio::time::Instant;
use zeroize::{Zeroize, ZeroizeOnDrop};

const HOUR: Duration = Duration::from_hours(1);

type Error = &'static str;
type Service = Sessions<Number, Arc<Credentials>, Error>;

/// A key without parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Number(u32);

impl Key for Number {
    const CALL: &'static str = "Make";

    fn places(&self) -> std::sync::Arc<[QuotaScope]> {
        [QuotaScope::new("here")].into()
    }

    fn failure_domain(&self) -> FailureDomain {
        FailureDomain::new("web")
    }
}

/// Overwrites its secret when dropped, and counts that.
struct Credentials {
    number: usize,
    secret: String,
    overwritten: Arc<AtomicUsize>,
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.secret.zeroize();
        self.overwritten.fetch_add(1, Ordering::SeqCst);
    }
}

impl ZeroizeOnDrop for Credentials {}

/// An issuer that takes its time, and counts.
#[derive(Clone, Default)]
struct Issuer {
    asked: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    overwritten: Arc<AtomicUsize>,
}

impl Issuer {
    fn work(&self, latency: Duration) -> FlightWork<Arc<Credentials>, Error> {
        let issuer = self.clone();
        let began = Instant::now();
        work(move |_| {
            let issuer = issuer.clone();
            async move {
                let number = issuer.asked.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(latency).await;
                issuer.ended.fetch_add(1, Ordering::SeqCst);
                let expiration = wall_at(began.elapsed()) + HOUR;
                let secret = "wJalrXUtnFEMI".to_owned();
                let session =
                    Arc::new(Credentials { number, secret, overwritten: issuer.overwritten.clone() });
                FlightOutcome::Made(Made { session, expiration })
            }
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn wall_at(elapsed: Duration) -> time::OffsetDateTime {
    datetime!(2026-01-02 12:00 UTC) + elapsed
}

fn service(limits: Limits) -> Service {
    let began = Instant::now();
    Sessions::new(limits, fastrand::Rng::with_seed(3), move || wall_at(began.elapsed()))
}

fn ask(
    key: u32,
    work: FlightWork<Arc<Credentials>, Error>,
) -> SessionRequest<Number, FlightWork<Arc<Credentials>, Error>> {
    SessionRequest {
        key: Number(key),
        sharing: Sharing::SameKey,
        spec: FlightSpec {
            requester: Requester::new("entity"),
            freshness: Freshness::Prefer,
            rank: Rank::InTurn,
            duration: HOUR,
            work,
            epoch: Epoch::default(),
        },
        deadline: Duration::from_secs(15),
    }
}

fn granted(reply: Reply<Arc<Credentials>, Error>) -> Grant<Arc<Credentials>, Error> {
    match reply {
        Reply::Granted(grant) => grant,
        Reply::Denied { why, .. } => panic!("denied: {why:?}"),
    }
}

fn why(reply: Reply<Arc<Credentials>, Error>) -> Why<Error> {
    match reply {
        Reply::Denied { why, .. } => why,
        Reply::Granted(grant) => panic!("granted: session {}", grant.session.number),
    }
}

const LATENCY: Duration = Duration::from_millis(150);

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_at_once_share_one_request() {
    let (service, issuer) = (service(Limits::default()), Issuer::default());

    let replies: Vec<_> = (0..100)
        .map(|_| {
            let (service, work) = (service.clone(), issuer.work(LATENCY));
            tokio::spawn(async move { service.get(ask(1, work)).await })
        })
        .collect();
    for reply in replies {
        granted(reply.await.unwrap());
    }

    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_cancels_nothing_for_the_others() {
    let (service, issuer) = (service(Limits::default()), Issuer::default());
    let first = {
        let (service, work) = (service.clone(), issuer.work(LATENCY));
        tokio::spawn(async move { service.get(ask(1, work)).await })
    };
    tokio::time::sleep(LATENCY / 3).await;
    let second = {
        let (service, work) = (service.clone(), issuer.work(LATENCY));
        tokio::spawn(async move { service.get(ask(1, work)).await })
    };
    tokio::time::sleep(LATENCY / 3).await;

    first.abort();
    let grant = granted(second.await.unwrap());

    assert_eq!(grant.session.number, 1);
    assert_eq!(issuer.asked(), 1);
    assert_eq!(service.counts().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_flight_goes_on_when_its_only_caller_hangs_up() {
    let (service, issuer) = (service(Limits::default()), Issuer::default());
    let requester = {
        let (service, work) = (service.clone(), issuer.work(LATENCY));
        tokio::spawn(async move { service.get(ask(1, work)).await })
    };
    tokio::time::sleep(LATENCY / 3).await;
    requester.abort();
    tokio::time::sleep(LATENCY).await;

    let grant = granted(service.get(ask(1, issuer.work(LATENCY))).await);

    assert_eq!(grant.cache_status, CacheStatus::Shared);
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn patience_ends_with_a_reason_and_the_next_ask_finds_the_session() {
    let (service, issuer) = (service(Limits::default()), Issuer::default());
    let slow = Duration::from_secs(20);
    let began = Instant::now();

    let reply = service.get(ask(1, issuer.work(slow))).await;
    let waited = began.elapsed();
    tokio::time::sleep(Duration::from_secs(6)).await;

    assert_eq!(why(reply), Why::Slow("Make"));
    assert_eq!(waited, Duration::from_secs(15));
    assert_eq!(granted(service.get(ask(1, issuer.work(slow))).await).session.number, 1);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_served_at_the_rate() {
    let (service, issuer) = (service(Limits::default()), Issuer::default());
    let began = Instant::now();

    let replies: Vec<_> = (0..80)
        .map(|key| {
            let (service, work) = (service.clone(), issuer.work(LATENCY));
            tokio::spawn(async move { service.get(ask(key, work)).await })
        })
        .collect();
    for reply in replies {
        granted(reply.await.unwrap());
    }

    let took = began.elapsed().as_secs_f64();
    assert!((9.9..10.3).contains(&took), "{took} s for 80 at 8 a second");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_never_ends_is_given_up_and_made_again() {
    let service = service(Limits::default());
    let attempts = Arc::new(AtomicUsize::new(0));
    let hang = {
        let attempts = Arc::clone(&attempts);
        work(move |_| {
            attempts.fetch_add(1, Ordering::SeqCst);
            std::future::pending()
        })
    };

    let reply = service.get(ask(1, hang)).await;
    tokio::time::sleep(Duration::from_secs(30)).await;

    assert_eq!(why(reply), Why::Slow("Make"));
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_panics_answers_its_waiters() {
    let service = service(Limits::default());

    let reply = service.get(ask(1, work(|_| async { panic!("a bug in the attempt") }))).await;

    assert_eq!(why(reply), Why::Lost);
}

#[tokio::test(start_paused = true)]
async fn closing_answers_waiters_and_ends_attempts_at_once() {
    let (service, issuer) = (service(Limits::default()), Issuer::default());
    let requester = {
        let (service, work) = (service.clone(), issuer.work(Duration::from_secs(10)));
        tokio::spawn(async move { service.get(ask(1, work)).await })
    };
    tokio::time::sleep(LATENCY).await;
    let began = Instant::now();

    service.close();
    let reply = requester.await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;

    assert_eq!(why(reply), Why::Closing);
    assert!(began.elapsed() < Duration::from_secs(61));
    assert_eq!((issuer.asked(), issuer.ended.load(Ordering::SeqCst)), (1, 0));
    assert_eq!(why(service.get(ask(2, issuer.work(LATENCY))).await), Why::Closing);
}

#[tokio::test(start_paused = true)]
async fn attempts_end_when_the_last_handle_is_gone() {
    let (service, issuer) = (service(Limits::default()), Issuer::default());
    let requester = {
        let (service, work) = (service.clone(), issuer.work(Duration::from_secs(10)));
        tokio::spawn(async move { service.get(ask(1, work)).await })
    };
    tokio::time::sleep(LATENCY).await;

    requester.abort();
    drop(service);
    tokio::time::sleep(Duration::from_secs(60)).await;

    assert_eq!((issuer.asked(), issuer.ended.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn secrets_are_overwritten_when_a_session_is_evicted_forgotten_or_has_died() {
    let one = Limits { max_sessions: NonZeroUsize::MIN, ..Limits::default() };
    let (service, issuer) = (service(one), Issuer::default());
    let overwritten = || issuer.overwritten.load(Ordering::SeqCst);

    drop(service.get(ask(1, issuer.work(LATENCY))).await);
    assert_eq!(overwritten(), 0);

    drop(service.get(ask(2, issuer.work(LATENCY))).await);
    assert_eq!(overwritten(), 1);

    service.invalidate(|key| key.0 == 2);
    assert_eq!(overwritten(), 2);

    drop(service.get(ask(3, issuer.work(LATENCY))).await);
    tokio::time::sleep(HOUR).await;
    assert_eq!(overwritten(), 3);
}

#[tokio::test(start_paused = true)]
async fn new_limits_reach_those_who_wait() {
    let rate = |n| {
        let n = NonZeroU32::new(n).unwrap();
        Rate { per_second: n, burst: n }
    };
    let (service, issuer) = (service(Limits { rate: rate(1), ..Limits::default() }), Issuer::default());
    let requesters: Vec<_> = (0..40)
        .map(|key| {
            let (service, work) = (service.clone(), issuer.work(LATENCY));
            tokio::spawn(async move { service.get(ask(key, work)).await })
        })
        .collect();
    tokio::time::sleep(LATENCY).await;

    service.set_limits(Limits { rate: rate(100), ..Limits::default() });

    for requester in requesters {
        granted(requester.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_knows_whether_somebody_asked_or_the_session_is_due() {
    let (service, issuer) = (service(Limits::default()), Issuer::default());
    let causes = Arc::new(Mutex::new(Vec::new()));
    let inner = issuer.work(LATENCY);
    let seen = Arc::clone(&causes);
    let telling = work(move |departure| {
        seen.lock().unwrap().push(departure.cause);
        inner(departure)
    });
    let ask = ask(1, telling);

    granted(
        service
            .get(SessionRequest { spec: FlightSpec { freshness: Freshness::StaleOk, ..ask.spec }, ..ask })
            .await,
    );
    tokio::time::sleep(HOUR / 3 * 2).await;

    assert_eq!(*causes.lock().unwrap(), [Cause::Asked, Cause::Ahead]);
}

#[tokio::test(start_paused = true)]
async fn an_ask_planned_before_a_change_and_made_after_it_is_denied() {
    let (service, issuer) = (service(Limits::default()), Issuer::default());
    let early = service.epoch();
    service.invalidate(|key| key.0 == 1);

    let ask = |key, epoch| {
        let ask = ask(key, issuer.work(LATENCY));
        SessionRequest { spec: FlightSpec { epoch, ..ask.spec }, ..ask }
    };
    let (outdated, other) = (service.get(ask(1, early)).await, service.get(ask(2, early)).await);
    let current = service.get(ask(1, service.epoch())).await;

    assert_eq!(why(outdated), Why::Changed);
    granted(other);
    granted(current);
}
