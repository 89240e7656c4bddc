//! Vault as the agent uses it: two calls, each sent to the first address that answers as Vault does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use super::answer::{Answer, EngineRefusal};
use super::explain::{self, Asked};
use super::health;
use super::login::{self, Login};
use super::session::Session;
use super::upstreams::{NodeFault, Upstreams};
use super::wire::{Received, Wire, WireError, WireSettings};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::metrics::{Meters, VaultCall};
use crate::options::VaultOptions;
use crate::reachability::Reachability;
use crate::refusal::Refusal;
use crate::role::EngineRole;
use crate::token::{Claims, PodToken};

const WIRE: WireSettings = WireSettings {
    // a node of Vault that is gone answers nothing; the next one is then tried
    connect_timeout: Duration::from_secs(1),
    // the engine itself answers `container` within 1.8 s
    call_timeout: Duration::from_millis(2500),
    uses_proxy: false,
};

/// A client of Vault. It keeps connections, and no token.
pub struct Vault {
    options: VaultOptions,
    upstreams: Upstreams,
    wire: Wire,
    clock: Clock,
    meters: Arc<Meters>,
}

/// One call, to be sent to any address.
struct Call<'a> {
    kind: VaultCall,
    method: Method,
    /// Below `/v1/`.
    path: String,
    token: Option<&'a str>,
    body: Bytes,
}

impl Vault {
    /// A client by `options`. Opens no connection yet.
    ///
    /// # Errors
    /// The CA certificates cannot be read.
    pub fn new(options: VaultOptions, clock: Clock, meters: Arc<Meters>) -> Result<Vault, Failure> {
        let cacert = options.vault_cacert.clone().filter(|path| !path.as_os_str().is_empty());
        let wire = Wire::new(cacert, WIRE).map_err(|why| Failure::new(format!("--vault-cacert: {why}")))?;
        let upstreams = Upstreams::new(options.vault_addr.clone());
        Ok(Vault { options, upstreams, wire, clock, meters })
    }

    /// Logs a pod in with its own token. `claims` are the token's, for texts.
    ///
    /// # Errors
    /// Vault refuses, or is away.
    pub async fn login(&self, token: &PodToken, claims: &Claims) -> Result<Login, Refusal> {
        let VaultOptions { auth_mount, auth_role, .. } = &self.options;
        let call = Call {
            kind: VaultCall::Login,
            method: Method::POST,
            path: format!("auth/{auth_mount}/login"),
            token: None,
            body: login::body(auth_role, token),
        };
        let login = self.call(&call).await.and_then(|answer| self.logged_in(answer, claims));
        self.meters.login(login.as_ref().err());
        login
    }

    fn logged_in(&self, answer: Answer, claims: &Claims) -> Result<Login, Refusal> {
        let asked = self.asked(claims);
        match answer {
            Answer::Success(received) => login::read(&received.body).map_err(|what| asked.no_login(what)),
            Answer::Errors(errors) => Err(asked.login(&errors)),
            Answer::Engine(EngineRefusal { code, message, .. }) => {
                Err(asked.no_login(&format!("{code}: {message}")))
            }
        }
    }

    /// Reads the session of an engine role with what a login gave.
    ///
    /// # Errors
    /// Vault or the engine refuses, or is away, or answers what is no session. [`Vault::is_missing_role`] tells one of them.
    pub async fn session(
        &self,
        login: &Login,
        role: &EngineRole,
        claims: &Claims,
    ) -> Result<Session, Refusal> {
        let call = Call {
            kind: VaultCall::Session,
            method: Method::GET,
            path: format!("{}/container/{role}", self.options.mount),
            token: Some(login.token()),
            body: Bytes::new(),
        };
        let answer = self.call(&call).await?;
        let asked = self.asked(claims);
        match answer {
            Answer::Success(received) => Session::read(&received.body, received.date, self.clock.now())
                .map_err(|problem| asked.no_session(&problem, role)),
            Answer::Engine(refusal) => Err(asked.engine(refusal, role)),
            Answer::Errors(errors) => Err(asked.read(&errors, role)),
        }
    }

    /// Whether a read was refused because the engine has no such role.
    pub fn is_missing_role(refusal: &Refusal) -> bool {
        refusal.code == explain::NO_ROLE
    }

    /// Whether Vault can be reached, as the last calls found.
    pub fn reachability(&self) -> Reachability {
        self.upstreams.reachability()
    }

    /// Asks every address for its health, for ever, with a pause of `every` between two rounds: so an address that answers again is
    /// known before a pod needs it.
    pub async fn watch(&self, every: Duration) {
        loop {
            for index in self.upstreams.all() {
                self.look(index).await;
            }
            // up to a tenth longer, so that the nodes of a cluster do not ask together
            tokio::time::sleep(every.mul_f64(1.0 + 0.1 * fastrand::f64())).await;
        }
    }

    /// Asks one address for its health, and records it.
    async fn look(&self, index: usize) {
        match self.health(index).await {
            Ok(()) => self.upstreams.answered(index),
            Err(fault) => self.upstreams.failed(index, &fault, self.clock.now().wall),
        }
    }

    async fn health(&self, index: usize) -> Result<(), NodeFault> {
        let received = self.page(index, health::HEALTH).await?;
        if let Some(date) = received.date {
            self.meters.clock_ahead((self.clock.now().wall - date).whole_seconds());
        }
        if health::needs_leader(&received.body)? {
            health::leader(&self.page(index, health::LEADER).await?.body)?;
        }
        Ok(())
    }

    /// A page that needs no token.
    async fn page(&self, index: usize, path: &'static str) -> Result<Received, NodeFault> {
        let (kind, method, path) = (VaultCall::Health, Method::GET, path.to_owned());
        match self.answer(&Call { kind, method, path, token: None, body: Bytes::new() }, index).await? {
            Answer::Success(received) => Ok(received),
            Answer::Errors(errors) => {
                Err(NodeFault::Foreign(format!("status {} {}", errors.status, errors.text)))
            }
            Answer::Engine(refusal) => {
                Err(NodeFault::Foreign(format!("status {} {}", refusal.status, refusal.message)))
            }
        }
    }

    /// The namespace of a call: the health of a node is of none.
    fn namespace(&self, kind: VaultCall) -> Option<&str> {
        let namespace = self.options.vault_namespace.as_deref();
        namespace.filter(|name| !name.is_empty() && kind != VaultCall::Health)
    }

    fn asked<'a>(&'a self, claims: &'a Claims) -> Asked<'a> {
        Asked { options: &self.options, claims, wall: self.clock.now().wall }
    }

    /// Sends a call to one address after the other, until one answers as a Vault that can be used.
    async fn call(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let mut faults = Vec::new();
        for index in self.upstreams.order() {
            match self.send(call, index).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => faults.push((self.upstreams.name(index), fault)),
            }
        }
        Err(explain::away(&faults))
    }

    /// Sends a call to one address, and records whether that is of use.
    async fn send(&self, call: &Call<'_>, index: usize) -> Result<Answer, NodeFault> {
        let answered = self.answer(call, index).await;
        match &answered {
            Ok(_) => self.upstreams.answered(index),
            Err(fault) => self.upstreams.failed(index, fault, self.clock.now().wall),
        }
        answered
    }

    async fn answer(&self, call: &Call<'_>, index: usize) -> Result<Answer, NodeFault> {
        let unusable = |why: &str| NodeFault::Unreachable(format!("no request can be made: {why}"));
        let url = self.upstreams.url(index).ok_or_else(|| unusable("no such address"))?;
        let request = request(call, url, self.namespace(call.kind));
        let began = Instant::now();
        let sent = self.wire.send(request.map_err(|error| unusable(&error.to_string()))?).await;
        self.meters.vault(call.kind, began.elapsed());
        match Answer::of(sent.map_err(fault)?).map_err(NodeFault::Foreign)? {
            Answer::Errors(errors) if errors.text.contains("sealed") && errors.status == 503 => {
                Err(NodeFault::Sealed)
            }
            Answer::Errors(errors) if errors.is_of_this_node_alone() => {
                Err(NodeFault::NotActive(format!("status {} {}", errors.status, errors.text)))
            }
            answer => Ok(answer),
        }
    }
}

fn fault(error: WireError) -> NodeFault {
    match error {
        WireError::Unreachable(why) => NodeFault::Unreachable(why),
        WireError::Untrusted(why) => NodeFault::Untrusted(why),
        WireError::TooLarge => NodeFault::Foreign(format!("more than {} KiB", super::wire::MAX_BODY / 1024)),
    }
}

/// A request to one address. `X-Vault-Request` is what a Vault Agent or Proxy in between may ask for against forged requests.
fn request(call: &Call<'_>, url: &Url, namespace: Option<&str>) -> http::Result<Request<Bytes>> {
    let base = url.as_str().trim_end_matches('/');
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(format!("{base}/v1/{}", call.path))
        .header("X-Vault-Request", "true");
    if let Some(namespace) = namespace {
        request = request.header("X-Vault-Namespace", namespace);
    }
    if let Some(token) = call.token {
        let text = Zeroizing::new(token.to_owned());
        let mut value = http::HeaderValue::try_from(text.as_str())?;
        value.set_sensitive(true);
        request = request.header("X-Vault-Token", value);
    }
    if !call.body.is_empty() {
        request = request.header("Content-Type", "application/json");
    }
    request.body(call.body.clone())
}
