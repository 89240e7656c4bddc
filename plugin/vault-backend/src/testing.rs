//! A backend without Vault: calls go through the same routing, parsing and wire table as over gRPC, in process.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::pb;
use serde_json::{Map, Value};

use crate::backend::{Backend, Plugin};
use crate::dispatch::{self, Table};
use crate::entity::Entity;
use crate::fake_system_view::FakeSystemView;
use crate::fault::Fault;
use crate::request::{Call, Incoming, Mount, Operation, Request};
use crate::response::LeaseEnd;
use crate::storage::Storage;
use crate::system::SystemView;
use crate::wire::{self, error_type};

/// One mount of `B` at `test/`, over storage in memory.
pub struct TestMount<B> {
    table: Arc<Table<B>>,
    /// The mount's instance.
    pub backend: Arc<B>,
    /// The mount's storage.
    pub storage: Storage,
    /// The backend's view of Vault.
    pub system: SystemView,
    /// The entity of the caller.
    pub entity_id: Option<String>,
}

/// A response as a client of Vault would see it, by a table that was measured on Vault 1.21.
#[derive(Clone, Debug, PartialEq)]
pub struct TestResponse {
    /// The HTTP status.
    pub status: u16,
    /// `data` of a success.
    pub data: Map<String, Value>,
    /// The text of a failure, without the "1 error occurred" that Vault puts before some.
    pub error: String,
    /// The warnings.
    pub warnings: Vec<String>,
    /// The lease in nanoseconds, if there is one.
    pub lease_nanoseconds: Option<i64>,
    /// The internal data, which comes back when the lease ends.
    pub internal: Map<String, Value>,
    /// The body of a raw response.
    pub raw: Option<Vec<u8>>,
}

impl<B: Backend> TestMount<B> {
    /// A mount that is set up and initialised.
    pub async fn new() -> Result<Self, Fault> {
        Self::over(Storage::in_memory()).await
    }

    /// As [`Self::new`], over existing storage.
    pub async fn over(storage: Storage) -> Result<Self, Fault> {
        let system = SystemView::fake(FakeSystemView::default());
        let mount = Mount::in_memory(storage, system);
        Self::start(dispatch::make::<B>(&mount)?, mount).await
    }

    /// A mount that `backend` serves, which the caller has created.
    pub async fn serving(backend: B, mount: Mount) -> Result<Self, Fault> {
        Self::start(Arc::new(backend), mount).await
    }

    async fn start(backend: Arc<B>, mount: Mount) -> Result<Self, Fault> {
        let (storage, system) = (mount.storage.clone(), mount.system.clone());
        dispatch::initialize(Arc::clone(&backend), mount).await?;
        let plugin =
            Plugin { name: "test", version: "v0.0.0", about: "A plugin under test.", quiet_logs: &[] };
        Ok(Self { table: Table::new(plugin), backend, storage, system, entity_id: None })
    }

    /// Makes `entity` the caller from now on, and adds it to the system view.
    #[must_use]
    pub fn asked_by(mut self, entity: Entity) -> Self {
        self.entity_id = Some(entity.id.clone());
        self.system.change(|fake| fake.entities.push(entity));
        self
    }

    /// Adds another caller of the same mount to the system view.
    #[must_use]
    pub fn beside(&self, entity: Entity) -> Self {
        let (table, backend) = (Arc::clone(&self.table), Arc::clone(&self.backend));
        let (storage, system) = (self.storage.clone(), self.system.clone());
        Self { table, backend, storage, system, entity_id: None }.asked_by(entity)
    }

    /// GET.
    pub async fn read(&self, path: &str) -> TestResponse {
        self.ask(Operation::Read, path, Map::new()).await
    }

    /// GET with a query.
    pub async fn read_with(&self, path: &str, query: Value) -> TestResponse {
        self.ask(Operation::Read, path, object(query)).await
    }

    /// LIST.
    pub async fn list(&self, path: &str) -> TestResponse {
        self.ask(Operation::List, &format!("{path}/"), Map::new()).await
    }

    /// LIST with a query.
    pub async fn list_with(&self, path: &str, query: Value) -> TestResponse {
        self.ask(Operation::List, &format!("{path}/"), object(query)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> TestResponse {
        self.ask(Operation::Delete, path, Map::new()).await
    }

    /// DELETE with a query.
    pub async fn delete_with(&self, path: &str, query: Value) -> TestResponse {
        self.ask(Operation::Delete, path, object(query)).await
    }

    /// PATCH with a JSON merge patch.
    pub async fn patch(&self, path: &str, body: Value) -> TestResponse {
        self.ask(Operation::Patch, path, object(body)).await
    }

    /// POST: a create if the route says that the object does not exist, otherwise an update.
    pub async fn write(&self, path: &str, body: Value) -> TestResponse {
        let request = self.request(Operation::Update, path);
        let operation = match self
            .table
            .exists(Arc::clone(&self.backend), request)
            .await
            .map_err(|fault| wire::existence_error(&fault))
        {
            Ok(Some(false)) => Operation::Create,
            Err(error) if error.err_type != error_type::UNSUPPORTED_PATH => {
                return TestResponse::of_existence(error);
            }
            Ok(_) | Err(_) => Operation::Update,
        };
        self.ask(operation, path, object(body)).await
    }

    /// The path-help of `path`.
    pub async fn help(&self, path: &str) -> TestResponse {
        self.call(Call::Help, path, Map::new(), None).await
    }

    /// Ends a lease with the internal data `internal`.
    pub async fn revoke(&self, internal: Map<String, Value>) -> TestResponse {
        let lease = LeaseEnd { internal, issued: None, ttl: Duration::from_secs(1) };
        self.call(Call::Revoke, "", Map::new(), Some(lease)).await
    }

    /// Requests the renewal of a lease.
    pub async fn renew(&self) -> TestResponse {
        self.call(Call::Renew, "", Map::new(), None).await
    }

    /// Vault's call of every minute.
    pub async fn periodic(&self) -> TestResponse {
        self.call(Call::Rollback, "", Map::new(), None).await
    }

    /// A request as a host may send it, without any check: any operation, and a body that need not be JSON. At the end
    /// of a lease, the body is its internal data.
    pub async fn send(&self, operation: &str, path: &str, body: &str) -> TestResponse {
        let text = str::to_owned;
        let secret = ["revoke", "renew"].contains(&operation).then(|| pb::Secret {
            internal_data: text(body),
            lease_options: Some(pb::LeaseOptions { ttl: i64::MIN, ..pb::LeaseOptions::default() }),
            lease_id: String::new(),
        });
        let sent = pb::Request {
            operation: text(operation),
            path: text(path),
            data: if secret.is_some() { String::new() } else { text(body) },
            secret,
            mount_point: text("test/"),
            entity_id: self.entity_id.clone().unwrap_or_default(),
            ..pb::Request::default()
        };
        let mount = Mount::in_memory(self.storage.clone(), self.system.clone());
        match wire::incoming(mount, sent) {
            Ok(incoming) => {
                let call = incoming.call;
                let outcome = Arc::clone(&self.table).handle(Arc::clone(&self.backend), incoming).await;
                TestResponse::of(call, wire::reply(call, outcome))
            }
            Err(fault) => TestResponse::of(Call::Unsupported, wire::refusal(&fault)),
        }
    }

    async fn ask(&self, operation: Operation, path: &str, data: Map<String, Value>) -> TestResponse {
        self.call(Call::Route(operation), path, data, None).await
    }

    async fn call(
        &self,
        call: Call,
        path: &str,
        data: Map<String, Value>,
        lease: Option<LeaseEnd>,
    ) -> TestResponse {
        let operation = match call {
            Call::Route(operation) => operation,
            _ => Operation::Read,
        };
        let incoming = Incoming { call, request: self.request(operation, path), data, lease };
        let outcome = Arc::clone(&self.table).handle(Arc::clone(&self.backend), incoming).await;
        TestResponse::of(call, wire::reply(call, outcome))
    }

    fn request(&self, operation: Operation, path: &str) -> Request {
        let mount = Mount::in_memory(self.storage.clone(), self.system.clone());
        Request {
            mount_point: "test/".to_owned(),
            entity_id: self.entity_id.clone(),
            ..Request::new(mount, operation, path)
        }
    }
}

impl TestResponse {
    fn blank(status: u16) -> TestResponse {
        TestResponse {
            status,
            data: Map::new(),
            error: String::new(),
            warnings: Vec::new(),
            lease_nanoseconds: None,
            internal: Map::new(),
            raw: None,
        }
    }

    fn of(call: Call, reply: pb::HandleRequestReply) -> TestResponse {
        match (reply.err, reply.response) {
            (Some(error), _) => TestResponse::of_error(error),
            (None, Some(response)) => TestResponse::of_response(call, response),
            (None, None) => TestResponse::blank(if reads(call) { 404 } else { 204 }),
        }
    }

    fn of_error(error: pb::ProtoError) -> TestResponse {
        let status = match error.err_type {
            error_type::CODED => u16::try_from(error.err_code).unwrap_or(500),
            error_type::UNSUPPORTED_OPERATION => 405,
            error_type::UNSUPPORTED_PATH => 404,
            _ => 500,
        };
        TestResponse { error: error.err_msg, ..TestResponse::blank(status) }
    }

    fn of_existence(error: pb::ProtoError) -> TestResponse {
        match error.err_type {
            error_type::USER => TestResponse { error: error.err_msg, ..TestResponse::blank(400) },
            _ => TestResponse { error: "internal error".to_owned(), ..TestResponse::blank(500) },
        }
    }

    fn of_response(call: Call, response: pb::Response) -> TestResponse {
        let data = parsed(&response.data);
        if let (1, Some(error)) = (data.len(), data.get("error").and_then(Value::as_str)) {
            return TestResponse { error: error.to_owned(), ..TestResponse::blank(400) };
        }
        if let Some(status) = data.get("http_status_code").and_then(Value::as_u64) {
            let body = data.get("http_raw_body").and_then(Value::as_str).unwrap_or_default();
            let raw = STANDARD.decode(body).ok();
            return TestResponse { data, raw, ..TestResponse::blank(u16::try_from(status).unwrap_or(500)) };
        }
        let nothing_listed = call == Call::Route(Operation::List) && !data.contains_key("keys");
        let secret = response.secret;
        TestResponse {
            data,
            warnings: response.warnings,
            lease_nanoseconds: secret
                .as_ref()
                .and_then(|secret| secret.lease_options.as_ref())
                .map(|options| options.ttl),
            internal: secret.map(|secret| parsed(&secret.internal_data)).unwrap_or_default(),
            ..TestResponse::blank(if nothing_listed { 404 } else { 200 })
        }
    }
}

fn reads(call: Call) -> bool {
    matches!(call, Call::Route(Operation::Read | Operation::List) | Call::Help)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn parsed(text: &str) -> Map<String, Value> {
    object(serde_json::from_str(text).unwrap_or_default())
}
