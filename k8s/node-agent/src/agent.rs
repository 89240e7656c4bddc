//! What the agent does with a request for credentials, once it is read: token and role to an answer.

use std::sync::Arc;

use crate::answers::{AnswerKey, AnswerReply, Answers, PendingFetch, SessionSource};
use crate::cache::{Flights, Limits, Origin, Reply};
use crate::clock::{Clock, rfc3339};
use crate::fetch::{Fetcher, Flight};
use crate::metrics::{Meters, RequestOutcome};
use crate::role::{EngineRole, RoleChoice, Roles};
use crate::token::{Claims, PodToken};
use crate::vault::Vault;

/// Answers pods. Clones share one cache.
#[derive(Clone)]
pub struct Agent {
    roles: Arc<Roles>,
    fetcher: Arc<Fetcher>,
    answers: Answers,
    meters: Arc<Meters>,
}

/// A request for credentials.
#[derive(Debug)]
pub struct CredentialsRequest {
    /// By which logs name it; the SDK gets it too.
    pub id: String,
    /// The pod's token.
    pub token: PodToken,
    /// The role in the path.
    pub role: Option<EngineRole>,
    /// Whether Vault may be asked for it.
    pub flights: Flights,
}

impl Agent {
    /// An agent in front of `vault`.
    pub fn new(vault: Arc<Vault>, roles: Roles, limits: Limits, clock: Clock, meters: Arc<Meters>) -> Agent {
        Agent {
            roles: Arc::new(roles),
            fetcher: Arc::new(Fetcher::new(vault)),
            answers: Answers::new(limits, clock),
            meters,
        }
    }

    /// The credentials of a pod, or why it gets none. Counts and logs which.
    pub async fn credentials(&self, request: CredentialsRequest) -> AnswerReply {
        let claims = request.token.claims();
        let id = request.id.clone();
        let reply = match self.roles.choose(request.role.clone(), &claims) {
            Ok(choice) => self.answer(request, claims.clone(), choice).await,
            Err(why) => Reply::Refused { why, is_repeated: false },
        };
        self.meters.request(RequestOutcome::of(&reply));
        log(&id, &claims, &reply);
        reply
    }

    async fn answer(&self, request: CredentialsRequest, claims: Claims, choice: RoleChoice) -> AnswerReply {
        let CredentialsRequest { token, role, flights, .. } = request;
        let key = AnswerKey { token: token.digest(), role };
        let token_ends = claims.expiration;
        let fetch = || -> PendingFetch {
            let (fetcher, flight) = (Arc::clone(&self.fetcher), Flight { token, claims, choice });
            Box::pin(async move { fetcher.fetch(&flight).await })
        };
        self.answers.get(key, token_ends, flights, fetch).await
    }

    /// The answers, for their upkeep and counts.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }
}

/// One line for each answer. What repeats without news is at debug.
fn log(request_id: &str, claims: &Claims, reply: &AnswerReply) {
    let Claims { namespace, service_account, pod, .. } = claims;
    let (namespace, service_account, pod) =
        (namespace.as_deref(), service_account.as_deref(), pod.as_deref());
    match reply {
        Reply::Answer { value, origin } => log_answer(request_id, claims, &value.source, *origin),
        Reply::Refused { why, is_repeated: false } => {
            tracing::warn!(request_id, namespace, service_account, pod, code = &*why.code, "refused: {why}");
        }
        Reply::Refused { why, is_repeated: true } => {
            tracing::debug!(
                request_id,
                namespace,
                service_account,
                pod,
                code = &*why.code,
                "refused again: {why}"
            );
        }
        Reply::Late => {
            tracing::warn!(request_id, namespace, service_account, pod, "Vault gave no session in time");
        }
        Reply::Full => {
            tracing::debug!(request_id, namespace, service_account, pod, "refused: too many requests");
        }
    }
}

fn log_answer(request_id: &str, claims: &Claims, source: &SessionSource, origin: Origin) {
    let Claims { namespace, service_account, pod, .. } = claims;
    let (namespace, service_account, pod) =
        (namespace.as_deref(), service_account.as_deref(), pod.as_deref());
    let SessionSource { role, access_key_id, login_id, expiration } = source;
    let (role, expiration) = (role.as_str(), rfc3339(*expiration));
    match origin {
        Origin::New => tracing::info!(
            request_id,
            namespace,
            service_account,
            pod,
            role,
            access_key_id,
            expiration,
            login_id,
            "answered a session"
        ),
        Origin::Cached => tracing::debug!(
            request_id,
            namespace,
            service_account,
            pod,
            role,
            access_key_id,
            expiration,
            "answered a cached session"
        ),
        Origin::Stale { age } => tracing::warn!(
            request_id,
            namespace,
            service_account,
            pod,
            role,
            access_key_id,
            expiration,
            age_seconds = age.as_secs(),
            "answered an old session because Vault gave no new one"
        ),
    }
}
