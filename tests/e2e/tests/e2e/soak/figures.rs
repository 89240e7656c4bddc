//! The figures of the run, and the claims about them at its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use e2e::answers::{is_hint, is_of_a_revocation, is_vaults_own, is_vaults_own_without_a_leader, whole};
use e2e::clients::{Client, Clients, Failure};
use harness::sts::{Credentials, caller_identity};
use harness::{REGION, RaftCluster, Reply, admin, running_from};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Schedule;
use super::lives::{Life, Lives, Usage};
use super::world::World;

/// From the first read that a new process or leader serves to the end of Vault's own errors, and from the end of a revocation to that of the
/// reads that were under way.
const SETTLED: Duration = Duration::from_secs(10);
/// Between two looks at what was handed out.
const TRY: Duration = Duration::from_secs(3);

/// The number of each action.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) kills: usize,
    pub(crate) leader_changes: usize,
    /// Leaders that were asked to step down and stayed.
    pub(crate) stayed: usize,
    pub(crate) role_writes: usize,
    pub(crate) revocations: usize,
    pub(crate) rotations: usize,
    /// Sessions with which AWS accepted a call.
    pub(crate) tried: usize,
    /// Sessions that were over or revoked when they were tried.
    pub(crate) ended: usize,
    /// Failures after which an operator repeated a command.
    pub(crate) repeated: BTreeMap<String, usize>,
}

/// A session that a reader received.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) credentials: Credentials,
    pub(crate) serial: String,
}

/// The periods in which something was so; the last one may still go on.
#[derive(Default)]
pub(crate) struct Spans(Mutex<Vec<(Instant, Option<Instant>)>>);

impl Spans {
    pub(crate) fn begin(&self) {
        lock(&self.0).push((Instant::now(), None));
    }

    pub(crate) fn end(&self) {
        lock(&self.0).last_mut().expect("it began").1 = Some(Instant::now());
    }

    /// Whether a request was under way within one of them, or shortly after.
    fn reached(&self, failure: &Failure) -> bool {
        lock(&self.0)
            .iter()
            .any(|(from, to)| failure.ended >= *from && to.is_none_or(|to| failure.began <= to + SETTLED))
    }
}

/// All figures.
pub(crate) struct Figures {
    counts: Mutex<Counts>,
    /// Each key with the name of its reader.
    handed: Mutex<BTreeMap<String, String>>,
    /// Those that were not tried yet.
    fresh: Mutex<Vec<Credentials>>,
    /// The last session of each reader of `creds/app`.
    of_app: Mutex<BTreeMap<String, Held>>,
    /// When processes or leaders were missing.
    pub(crate) troubles: Spans,
    /// When sessions were being revoked.
    pub(crate) revocations: Spans,
    lives: Mutex<Vec<Life>>,
    vaults: Mutex<Vec<u32>>,
    plugin_folders: Vec<PathBuf>,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Figures {
    pub(crate) fn of(world: &World) -> Figures {
        let folder = |number| world.cluster.member(number).folder().join("plugins");
        let figures = Figures {
            counts: Mutex::default(),
            handed: Mutex::default(),
            fresh: Mutex::default(),
            of_app: Mutex::default(),
            troubles: Spans::default(),
            revocations: Spans::default(),
            lives: Mutex::default(),
            vaults: Mutex::default(),
            plugin_folders: (0..world.cluster.apis().len()).map(folder).collect(),
        };
        figures.vaults_are(&world.cluster);
        figures
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut lock(&self.counts));
    }

    pub(crate) fn vaults_are(&self, cluster: &RaftCluster) {
        *lock(&self.vaults) = (0..cluster.apis().len()).map(|number| cluster.member(number).pid()).collect();
    }

    /// Records a reader's session, which must be complete and not expired.
    pub(crate) fn handed(&self, client: &Client, reply: &Reply) {
        let credentials = whole(reply);
        let known = lock(&self.handed).insert(credentials.access_key.clone(), client.name.clone());
        assert!(known.as_ref().is_none_or(|name| *name == client.name), "{credentials:?} has two owners");
        if known.is_none() {
            lock(&self.fresh).push(credentials.clone());
        }
        if client.path == "iamra/creds/app" {
            let held = Held { credentials, serial: reply.string("serial_number").to_owned() };
            lock(&self.of_app).insert(client.name.clone(), held);
        }
    }

    pub(crate) fn some_session_of_app(&self, nth: usize) -> Option<Held> {
        let held = lock(&self.of_app);
        held.values().nth(nth % held.len().max(1)).cloned()
    }

    /// Measures each plugin process that runs.
    pub(crate) fn look_at_processes(&self) {
        let mut lives = lock(&self.lives);
        for pid in self.plugin_folders.iter().flat_map(|folder| running_from(folder)) {
            if !lives.iter().any(|life| life.pid == pid) {
                lives.push(Life::of(pid));
            }
        }
        lives.iter_mut().for_each(Life::look);
    }

    /// The failures by origin: lost connections, Vault's own, hints to SDKs, reads under way at a revocation; and ours, each with its text.
    fn failures(&self, failures: &[Failure]) -> ([usize; 4], Vec<String>) {
        let (mut known, mut ours) = ([0; 4], Vec::new());
        for failure in failures {
            let Failure { path, status, text, .. } = failure;
            let in_trouble = self.troubles.reached(failure);
            let vaults = is_vaults_own(*status, text) || is_vaults_own_without_a_leader(*status, text);
            if *status == 0 && in_trouble {
                known[0] += 1;
            } else if vaults && in_trouble {
                known[1] += 1;
            } else if path.contains("/container/") && is_hint(*status, text) {
                known[2] += 1;
            } else if is_of_a_revocation(*status, text) && self.revocations.reached(failure) {
                known[3] += 1;
            } else {
                ours.push(format!("{path}: {status} {text}"));
            }
        }
        (known, ours)
    }

    /// One line of figures.
    pub(crate) fn line(&self, began: Instant, clients: &Clients) -> String {
        let ([lost, vaults, hints, revoked], ours) = self.failures(&clients.failures());
        let counts = lock(&self.counts).clone();
        let mut line = format!(
            "soak {:4} s: {} reads; {lost} lost connections, {vaults} of Vault's own errors, {hints} hints, {revoked} reads at a revocation, {} failures of ours; {} sessions, \
             {} tried; {} kills, {} leader changes ({} step-downs that Vault left), {} rotations, {} revocations, {} role writes; ",
            began.elapsed().as_secs(),
            clients.succeeded(),
            ours.len(),
            lock(&self.handed).len(),
            counts.tried,
            counts.kills,
            counts.leader_changes,
            counts.stayed,
            counts.rotations,
            counts.revocations,
            counts.role_writes
        );
        if let Some((age, usage)) = lock(&self.lives).last().and_then(Life::last) {
            let _ = write!(line, "plugin {usage} at {} s", age.as_secs());
        }
        for usage in lock(&self.vaults).iter().filter_map(|pid| Usage::of(*pid)) {
            let _ = write!(line, "; Vault {usage}");
        }
        line
    }

    pub(crate) fn lives(&self, schedule: Schedule) -> Lives {
        Lives::compare(&lock(&self.lives), schedule.warm())
    }

    /// Asserts that every key that was handed out is, in AWS's own record, a session of its reader. Returns their number.
    pub(crate) async fn each_is_its_readers(&self, aws: &str) -> usize {
        let sessions = admin(aws, "GET", "sessions", None).await;
        let owners: BTreeMap<&str, &Value> = sessions
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|session| Some((session["access_key_id"].as_str()?, &session["source_identity"])))
            .collect();
        let handed = lock(&self.handed);
        for (key, name) in &*handed {
            let owner = owners.get(key.as_str()).unwrap_or_else(|| panic!("AWS knows no {key}"));
            assert_eq!(**owner, format!("CN={name}"), "{key}");
        }
        handed.len()
    }

    pub(crate) fn assert_all_vaults_own(&self, failures: &[Failure]) {
        let ours = self.failures(failures).1;
        assert!(
            ours.is_empty(),
            "{} failures are not Vault's: {:#?}",
            ours.len(),
            &ours[..ours.len().min(20)]
        );
    }

    /// A run in which nothing happened shows nothing.
    pub(crate) fn assert_it_all_happened(&self) {
        let counts = lock(&self.counts);
        let least = [
            counts.kills,
            counts.leader_changes,
            counts.rotations,
            counts.revocations,
            counts.role_writes,
            counts.tried,
        ];
        assert!(least.iter().all(|count| *count > 0), "{counts:?}");
    }
}

/// Signs a call with each session soon after it was handed out. AWS accepts it, unless it was revoked or has expired by then.
pub(crate) async fn try_each_session(aws: String, figures: Arc<Figures>, end: Instant) {
    while Instant::now() < end {
        sleep(TRY).await;
        let fresh = std::mem::take(&mut *lock(&figures.fresh));
        for credentials in fresh {
            match caller_identity(&aws, REGION, None, &credentials).await {
                Ok(_) => figures.count(|counts| counts.tried += 1),
                Err(error) => {
                    let text = error.to_string();
                    let is_over = text.contains("ExpiredToken") || text.contains("AccessDenied");
                    assert!(is_over, "{credentials:?}: {text}");
                    figures.count(|counts| counts.ended += 1);
                }
            }
        }
    }
}
