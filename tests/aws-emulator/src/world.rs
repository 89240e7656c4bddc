//! Everything that changes while the emulator runs.

mod locked;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::{
    clock,
    cloudtrail::Trail,
    create_session::{Credentials, Grant, assumed_role_arn, user_id, uuid},
    flights::Flights,
    http::Call,
    knobs::{Fault, Knobs, RegionKnobs, Unwell, Window},
    log::LogEntry,
    management,
    sigv4::Authorization,
    state::{Role, State},
    variation::Variation,
};

pub(crate) use locked::Locked;

/// Log entries kept; older ones are dropped.
const LOG_LIMIT: usize = 100_000;

/// A session as the admin page shows it: no secret, no token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedSession {
    /// `ASIA…`
    pub access_key_id: String,
    /// `arn:aws:sts::<account>:assumed-role/<role>/<session name>`.
    pub assumed_role_arn: String,
    /// As STS reports it.
    pub source_identity: String,
    /// Session tags by key.
    pub tags: BTreeMap<String, String>,
    /// RFC 3339, whole seconds, `Z`.
    pub expiration: String,
    /// The leaf's serial number in even lowercase hex.
    pub serial: String,
    /// `arn:aws:rolesanywhere:<region>:<account>:subject/<id>`.
    pub subject_arn: String,
    /// The last part of the assumed role's ARN.
    pub session_name: String,
    /// `<RoleId>:<session name>`, which is `aws:userid`.
    pub user_id: String,
    /// `aws:TokenIssueTime`: RFC 3339, `Z`, cut down to whole seconds.
    pub issued_at: String,
    /// The region where it was made; it is valid in all.
    #[serde(default)]
    pub region: String,
    /// Keys of the session tags that go along when this session assumes another role.
    #[serde(default)]
    pub transitive_tag_keys: Vec<String>,
}

/// A session with what is needed to check its signatures.
#[derive(Clone)]
pub(crate) struct LiveSession {
    pub(crate) shown: IssuedSession,
    pub(crate) role_arn: String,
    /// The session policies. Together they restrict the role's permissions; without any, nothing does.
    pub(crate) session_policies: Vec<Value>,
    pub(crate) credentials: Credentials,
}

/// The emulator's memory, of one account; shared by all connections.
#[derive(Clone)]
pub(crate) struct World {
    inner: Arc<Mutex<Inner>>,
    /// The accounts that are answered for at the same address, this one among them. Nobody waits for this lock who holds an account's.
    accounts: Arc<Mutex<Vec<Arc<Mutex<Inner>>>>>,
    /// The region of the call, or of the address that it came to.
    region: Option<String>,
}

pub(crate) struct Inner {
    pub(crate) state: Arc<State>,
    pub(crate) knobs: Knobs,
    /// By region and by group: `CreateSession`, the groups of the management API, and IAM.
    windows: HashMap<(String, &'static str), Window>,
    /// Inline policies that were changed but stay in force until an instant, by role.
    superseded: HashMap<String, (Instant, BTreeMap<String, Value>)>,
    unwell: Unwell,
    pub(crate) flights: Flights,
    pub(crate) log: VecDeque<LogEntry>,
    pub(crate) trail: Trail,
    sessions: Vec<LiveSession>,
    by_key: HashMap<String, usize>,
    requests: u64,
    print_log: bool,
    /// When resources of the management API were created and last changed.
    pub(crate) touched: HashMap<String, (OffsetDateTime, OffsetDateTime)>,
}

impl World {
    /// `print_log` writes each log entry to stderr as a line of JSON.
    pub(crate) fn new(state: State, print_log: bool) -> World {
        let inner = Inner {
            state: Arc::new(state),
            knobs: Knobs::default(),
            windows: HashMap::new(),
            superseded: HashMap::new(),
            unwell: Unwell::default(),
            flights: Flights::default(),
            log: VecDeque::new(),
            trail: Trail::new(),
            sessions: Vec::new(),
            by_key: HashMap::new(),
            requests: 0,
            print_log,
            touched: HashMap::new(),
        };
        let inner = Arc::new(Mutex::new(inner));
        World { accounts: Arc::new(Mutex::new(vec![inner.clone()])), inner, region: None }
    }

    /// From now on requests of the other's account that come here are its own.
    pub(crate) fn join(&self, other: &World) {
        self.accounts().push(other.inner.clone());
    }

    /// The account that a request is for: by the trust anchor it names, else by the key that signed it.
    pub(crate) fn of(&self, call: &Call) -> World {
        let found = self.find(|inner| inner.is_meant(call)).unwrap_or_else(|| self.clone());
        let scope = || Authorization::of(call).map(|authorization| authorization.scope.region);
        World { region: self.region.clone().or_else(scope), ..found }
    }

    /// As it is for calls at an address of this region.
    pub(crate) fn at(&self, region: &str) -> World {
        World { region: Some(region.to_owned()), ..self.clone() }
    }

    /// Seen from the region in front.
    pub(crate) fn home(&self) -> World {
        World { region: None, ..self.clone() }
    }

    /// The region of the call; none for one without a signature.
    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// An account by its number.
    pub(crate) fn account(&self, number: &str) -> Option<World> {
        self.find(|inner| inner.state.account == number)
    }

    fn find(&self, is_it: impl Fn(&Inner) -> bool) -> Option<World> {
        let of = |inner: &Arc<Mutex<Inner>>| World { inner: inner.clone(), ..self.clone() };
        self.accounts().iter().map(of).find(|world| is_it(&world.lock()))
    }

    fn accounts(&self) -> MutexGuard<'_, Vec<Arc<Mutex<Inner>>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account, seen from the call's region if it has that one. No panic happens while the lock is held; a poisoned one is used all the same.
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked::new(self.inner.lock().unwrap_or_else(PoisonError::into_inner), self.region())
    }
}

/// A request's number, id and variation.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) request_id: String,
    pub(crate) variation: Variation,
}

impl Inner {
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.requests += 1;
        let request_id = uuid(&crate::create_session::random());
        Ticket { request_id, variation: Variation::new(self.knobs.seed, self.requests) }
    }

    /// The fault that hits the next call, if one does; it is then used up.
    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        self.knobs.take_fault(&mut self.unwell)
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        let region = self.region_knobs(&self.state.region).map_or(0, |knobs| knobs.clock_offset_seconds);
        clock::now(self.knobs.clock_offset_seconds + region)
    }

    /// What is wrong with a region.
    pub(crate) fn region_knobs(&self, region: &str) -> Option<&RegionKnobs> {
        self.knobs.regions.get(region)
    }

    /// Puts a region in front, if the account has it.
    fn turn_to(&mut self, region: &str) {
        if self.state.regions.contains_key(region) {
            let state = Arc::make_mut(&mut self.state);
            *state = std::mem::take(state).seen_from(region);
        }
    }

    pub(crate) fn note(&mut self, entry: LogEntry) {
        if self.print_log {
            let line = serde_json::to_string(&entry).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        if self.log.len() == LOG_LIMIT {
            self.log.pop_front();
        }
        self.log.push_back(entry);
    }

    /// Remembers a granted session and gives its credentials.
    pub(crate) fn issue(&mut self, grant: &Grant, already_over: bool) -> Credentials {
        let now = self.now();
        let mut credentials = Credentials::fresh(now, grant.seconds);
        if already_over {
            credentials.expiration = now - Duration::minutes(1);
        }
        let shown = IssuedSession {
            access_key_id: credentials.access_key_id.clone(),
            assumed_role_arn: assumed_role_arn(&self.state.account, grant),
            source_identity: grant.source_identity.clone(),
            tags: grant.tags.clone(),
            expiration: clock::seconds(credentials.expiration),
            serial: grant.serial.clone(),
            subject_arn: grant.subject_arn.clone(),
            session_name: grant.session_name.clone(),
            user_id: user_id(&grant.role_arn, &grant.session_name),
            issued_at: clock::seconds(now),
            region: self.state.region.clone(),
            transitive_tag_keys: grant.transitive_tag_keys.clone(),
        };
        let session = LiveSession {
            shown,
            role_arn: grant.role_arn.clone(),
            session_policies: grant.session_policies.clone(),
            credentials: credentials.clone(),
        };
        self.by_key.insert(credentials.access_key_id.clone(), self.sessions.len());
        self.sessions.push(session);
        credentials
    }

    /// Called before a role's policies are changed, because they stay in force for the knob's delay.
    pub(crate) fn keep_in_force(&mut self, role: &Role) {
        let end = Instant::now() + std::time::Duration::from_millis(self.knobs.policy_delay_ms);
        let before = self.policies_in_force(role);
        self.superseded.insert(role.name.clone(), (end, before));
    }

    /// The role's inline policies as they are in force now.
    pub(crate) fn policies_in_force(&self, role: &Role) -> BTreeMap<String, Value> {
        match self.superseded.get(&role.name) {
            Some((end, policies)) if Instant::now() < *end => policies.clone(),
            _ => role.policies.clone(),
        }
    }

    /// The role's inline policies as reads show them now.
    pub(crate) fn visible_policies(&self, role: &Role) -> BTreeMap<String, Value> {
        if self.knobs.policy_reads_delayed { self.policies_in_force(role) } else { role.policies.clone() }
    }

    /// Whether one more call of `group` stays within `limit` a second, in the region in front.
    pub(crate) fn admits(&mut self, group: &'static str, limit: Option<u32>) -> bool {
        let Some(limit) = limit else { return true };
        let window = self.windows.entry((self.state.region.clone(), group)).or_default();
        window.admits(limit, Instant::now())
    }

    /// Whether one more `CreateSession` stays within the quota of the region in front.
    pub(crate) fn admits_session(&mut self) -> bool {
        let own = self.region_knobs(&self.state.region).and_then(|knobs| knobs.max_tps);
        self.admits("CreateSession", own.or(self.knobs.max_tps))
    }

    fn is_meant(&self, call: &Call) -> bool {
        if management::operation(call) == "CreateSession" {
            let anchor = format!(":{}:trust-anchor/", self.state.account);
            let in_query = call.query_pairs().iter().any(|(_, value)| value.contains(&anchor));
            return in_query || String::from_utf8_lossy(&call.body).contains(&anchor);
        }
        Authorization::of(call).is_some_and(|authorization| self.by_key.contains_key(&authorization.key_id))
    }

    pub(crate) fn session(&self, access_key_id: &str) -> Option<LiveSession> {
        self.by_key.get(access_key_id).map(|at| self.sessions[*at].clone())
    }

    pub(crate) fn sessions(&self) -> Vec<IssuedSession> {
        self.sessions.iter().map(|session| session.shown.clone()).collect()
    }
}
