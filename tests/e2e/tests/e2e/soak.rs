//! A long run: readers of three kinds, role writes, rotations, revocations, killed plugins, leader changes and a failing AWS, all
//! at once on a cluster of three. Reads fail only with Vault's own errors, each session belongs to its reader, and no resource grows.
//!
//! `make soak` runs it for half an hour, or for `SOAK_SECONDS`. Processes are killed and leaders changed in the first 60 % of that; then one
//! plugin process lives to the end under all the rest, because a leak shows only in a process that lives.

mod figures;
mod lives;
mod operator;
mod trouble;
mod world;

use std::sync::Arc;
use std::time::Duration;

use e2e::say;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::figures::Figures;
use self::operator::Operator;
use self::world::World;

/// The duration, unless `SOAK_SECONDS` sets another.
const USUAL: Duration = Duration::from_secs(1800);
const MINUTE: Duration = Duration::from_secs(60);
/// The pause between two measurements of processes and tasks.
const LOOK: Duration = Duration::from_secs(1);

/// When a run ends, and when processes are no longer disturbed.
#[derive(Clone, Copy)]
struct Schedule {
    began: Instant,
    calm: Instant,
    end: Instant,
}

impl Schedule {
    fn of(length: Duration) -> Schedule {
        let began = Instant::now();
        Schedule { began, calm: began + length * 6 / 10, end: began + length }
    }

    /// The time from one kill or leader change to the next.
    fn between_troubles(self) -> Duration {
        ((self.end - self.began) / 8).min(Duration::from_secs(40))
    }

    /// The age at which two processes are compared: none of them is killed younger.
    fn warm(self) -> Duration {
        self.between_troubles() / 2
    }
}

#[tokio::test]
#[ignore = "half an hour: `make soak`"]
async fn nothing_fails_and_nothing_grows_in_a_long_run_of_all_at_once() {
    let mut world = World::new().await;
    let schedule = Schedule::of(length());
    let figures = Arc::new(Figures::of(&world));
    let mut clients = world.readers(&figures);
    let mut tasks = JoinSet::new();
    tasks.spawn(Operator::of(&world, &figures).work(schedule.end));
    tasks.spawn(figures::try_each_session(world.aws.url().to_owned(), Arc::clone(&figures), schedule.end));
    tasks.spawn(trouble::weather(world.aws.url().to_owned(), schedule.end));

    let disturb = trouble::disturb(&mut world.cluster, &figures, schedule);
    let watch = async {
        let mut next_report = schedule.began + MINUTE;
        while Instant::now() < schedule.end || !tasks.is_empty() {
            sleep(LOOK).await;
            clients.all_read();
            while let Some(ended) = tasks.try_join_next() {
                ended.expect("what goes on beside the readers does not fail");
            }
            figures.look_at_processes();
            if Instant::now() >= next_report {
                say(&figures.line(schedule.began, &clients));
                next_report += MINUTE;
            }
        }
    };
    tokio::join!(disturb, watch);

    say(&figures.line(schedule.began, &clients));
    let failures = clients.failures();
    let tally = clients.end().await;
    say(&format!("soak: {tally}"));
    let owned = figures.each_is_its_readers(world.aws.url()).await;
    let lives = figures.lives(schedule);
    say(&format!("soak: {owned} sessions, each its reader's own\n{lives}"));
    figures.assert_all_vaults_own(&failures);
    world.assert_no_bug();
    assert!(lives.nothing_grew(), "{lives}");
    figures.assert_it_all_happened();
}

#[expect(clippy::disallowed_methods, reason = "how `make soak` asks for another time")]
fn length() -> Duration {
    let seconds = std::env::var("SOAK_SECONDS").ok();
    seconds.map_or(USUAL, |seconds| Duration::from_secs(seconds.parse().expect("whole seconds")))
}
