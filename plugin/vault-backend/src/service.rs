//! The gRPC services of a Vault backend: one process, an instance for each mount.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goplugin::{Broker, MESSAGE_LIMIT};
use proto::logical;
use proto::logical::plugin_version_server::{PluginVersion, PluginVersionServer};
use proto::pb;
use proto::pb::backend_server::BackendServer;
use proto::pluginutil::multiplexing::plugin_multiplexing_server::{
    PluginMultiplexing, PluginMultiplexingServer,
};
use proto::pluginutil::multiplexing::{MultiplexingSupportRequest, MultiplexingSupportResponse};
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request as Rpc, Response as RpcResponse, Status};

use crate::backend::{Backend, Plugin};
use crate::dispatch::{self, Table};
use crate::host_connection::HostConnection;
use crate::request::{Mount, Operation};
use crate::storage::{self, Storage};
use crate::system::{self, SystemView};
use crate::vault_storage::VaultStorage;
use crate::vault_system::VaultSystem;
use crate::wire;

/// Vault's `logical.TypeLogical`: a secrets engine.
const SECRETS_ENGINE: u32 = 1;
/// The metadata that names the mount of a call; absent if Vault does not multiplex.
const MULTIPLEX_ID: &str = "multiplex_id";

/// All services of the backend `B`, to be served by goplugin.
pub(crate) fn routes<B: Backend>(broker: Broker, plugin: Plugin) -> Routes {
    let Plugin { version, .. } = plugin;
    let service =
        BackendService { broker, table: Table::<B>::new(plugin), version, instances: Arc::default() };
    let backend = BackendServer::new(service)
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(MESSAGE_LIMIT);
    Routes::new(backend)
        .add_service(PluginVersionServer::new(Version(version)))
        .add_service(PluginMultiplexingServer::new(MultiplexingService))
}

struct BackendService<B> {
    broker: Broker,
    table: Arc<Table<B>>,
    version: &'static str,
    instances: Arc<Mutex<HashMap<String, Instance<B>>>>,
}

struct Instance<B> {
    backend: Arc<B>,
    mount: Mount,
}

impl<B> Clone for Instance<B> {
    fn clone(&self) -> Self {
        Self { backend: Arc::clone(&self.backend), mount: self.mount.clone() }
    }
}

impl<B: Backend> BackendService<B> {
    fn instances(&self) -> MutexGuard<'_, HashMap<String, Instance<B>>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn instance(&self, metadata: &MetadataMap) -> Result<Instance<B>, Status> {
        let found = self.instances().get(&key(metadata)).cloned();
        found.ok_or_else(|| Status::failed_precondition("this mount was not set up"))
    }

    fn mount(&self, args: pb::SetupArgs) -> Mount {
        let host = Arc::new(HostConnection::new(self.broker.clone(), args.broker_id));
        Mount {
            uuid: args.backend_uuid,
            config: Arc::new(args.config.into_iter().collect()),
            storage: Storage(storage::Inner::Vault(VaultStorage(Arc::clone(&host)))),
            system: SystemView(system::Inner::Vault(VaultSystem(host))),
            version: self.version,
        }
    }
}

fn key(metadata: &MetadataMap) -> String {
    metadata.get(MULTIPLEX_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned()
}

#[tonic::async_trait]
impl<B: Backend> pb::backend_server::Backend for BackendService<B> {
    async fn handle_request(
        &self,
        rpc: Rpc<pb::HandleRequestArgs>,
    ) -> Result<RpcResponse<pb::HandleRequestReply>, Status> {
        let Instance { backend, mount } = self.instance(rpc.metadata())?;
        let wire = rpc.into_inner().request.ok_or_else(|| Status::invalid_argument("no request"))?;
        let incoming = match wire::incoming(mount, wire) {
            Ok(incoming) => incoming,
            Err(fault) => return Ok(RpcResponse::new(wire::refusal(&fault))),
        };
        let call = incoming.call;
        let outcome = Arc::clone(&self.table).handle(backend, incoming).await;
        Ok(RpcResponse::new(wire::reply(call, outcome)))
    }

    async fn handle_existence_check(
        &self,
        rpc: Rpc<pb::HandleExistenceCheckArgs>,
    ) -> Result<RpcResponse<pb::HandleExistenceCheckReply>, Status> {
        let Instance { backend, mount } = self.instance(rpc.metadata())?;
        let wire = rpc.into_inner().request.ok_or_else(|| Status::invalid_argument("no request"))?;
        let request = wire::request(mount, Operation::Update, wire);
        let found = self.table.exists(backend, request).await;
        Ok(RpcResponse::new(match found {
            Ok(found) => pb::HandleExistenceCheckReply {
                check_found: found.is_some(),
                exists: found.unwrap_or(false),
                err: None,
            },
            Err(fault) => pb::HandleExistenceCheckReply {
                err: Some(wire::existence_error(&fault)),
                ..Default::default()
            },
        }))
    }

    /// Creates the mount's instance. Vault may serve nothing behind the broker yet, so the instance must ask nothing.
    async fn setup(&self, rpc: Rpc<pb::SetupArgs>) -> Result<RpcResponse<pb::SetupReply>, Status> {
        let key = key(rpc.metadata());
        let mount = self.mount(rpc.into_inner());
        let backend = match dispatch::make(&mount) {
            Ok(backend) => backend,
            Err(fault) => return Ok(RpcResponse::new(pb::SetupReply { err: fault.to_string() })),
        };
        let before = self.instances().insert(key, Instance { backend, mount });
        if let Some(before) = before {
            dispatch::cleanup(&*before.backend, &before.mount);
        }
        Ok(RpcResponse::new(pb::SetupReply::default()))
    }

    async fn initialize(
        &self,
        rpc: Rpc<pb::InitializeArgs>,
    ) -> Result<RpcResponse<pb::InitializeReply>, Status> {
        let Instance { backend, mount } = self.instance(rpc.metadata())?;
        let outcome = dispatch::initialize(backend, mount).await;
        let err = outcome.err().map(|fault| wire::error(&fault));
        Ok(RpcResponse::new(pb::InitializeReply { err }))
    }

    async fn special_paths(&self, _: Rpc<pb::Empty>) -> Result<RpcResponse<pb::SpecialPathsReply>, Status> {
        let paths = wire::special_paths(&self.table.special);
        Ok(RpcResponse::new(pb::SpecialPathsReply { paths: Some(paths) }))
    }

    async fn cleanup(&self, rpc: Rpc<pb::Empty>) -> Result<RpcResponse<pb::Empty>, Status> {
        let gone = self.instances().remove(&key(rpc.metadata()));
        if let Some(gone) = gone {
            dispatch::cleanup(&*gone.backend, &gone.mount);
        }
        Ok(RpcResponse::new(pb::Empty {}))
    }

    async fn invalidate_key(
        &self,
        rpc: Rpc<pb::InvalidateKeyArgs>,
    ) -> Result<RpcResponse<pb::Empty>, Status> {
        let Instance { backend, mount } = self.instance(rpc.metadata())?;
        dispatch::invalidate(&*backend, &mount, &rpc.into_inner().key);
        Ok(RpcResponse::new(pb::Empty {}))
    }

    async fn r#type(&self, _: Rpc<pb::Empty>) -> Result<RpcResponse<pb::TypeReply>, Status> {
        Ok(RpcResponse::new(pb::TypeReply { r#type: SECRETS_ENGINE }))
    }
}

struct Version(&'static str);

#[tonic::async_trait]
impl PluginVersion for Version {
    async fn version(&self, _: Rpc<logical::Empty>) -> Result<RpcResponse<logical::VersionReply>, Status> {
        Ok(RpcResponse::new(logical::VersionReply { plugin_version: self.0.to_owned() }))
    }
}

struct MultiplexingService;

#[tonic::async_trait]
impl PluginMultiplexing for MultiplexingService {
    async fn multiplexing_support(
        &self,
        _: Rpc<MultiplexingSupportRequest>,
    ) -> Result<RpcResponse<MultiplexingSupportResponse>, Status> {
        Ok(RpcResponse::new(MultiplexingSupportResponse { supported: true }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use pb::backend_server::Backend as _;
    use tonic::Code;

    use super::*;
    use crate::{Fault, Request, Response, Route, SpecialPaths};

    /// Counts its calls; panics if the mount's configuration says so.
    struct Witness {
        mount: Mount,
        cleaned: AtomicUsize,
    }

    impl Backend for Witness {
        const HELP: &'static str = "A witness.";

        fn new(mount: Mount) -> Self {
            assert!(!mount.config.contains_key("panic"), "the configuration says panic");
            Self { mount, cleaned: AtomicUsize::new(0) }
        }

        fn routes() -> Vec<Route<Self>> {
            vec![Route::at("uuid").read(uuid), Route::at("stored").read(stored)]
        }

        fn special_paths() -> SpecialPaths {
            SpecialPaths { seal_wrap_storage: vec!["keys/"], ..SpecialPaths::default() }
        }

        async fn initialize(self: Arc<Self>, mount: Mount) -> Result<(), Fault> {
            mount.storage.get("x").await.map(drop).map_err(Fault::from)
        }

        fn invalidate(&self, key: &str) {
            panic!("{key} is not cached");
        }

        fn cleanup(&self) {
            self.cleaned.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn uuid(witness: Arc<Witness>, _: Request, (): ()) -> Result<Response, Fault> {
        Ok(Response::data([("uuid".to_owned(), witness.mount.uuid.clone().into())].into_iter().collect()))
    }

    async fn stored(witness: Arc<Witness>, _: Request, (): ()) -> Result<Response, Fault> {
        witness.mount.storage.get("x").await?;
        Ok(Response::no_content())
    }

    fn service() -> BackendService<Witness> {
        let plugin = Plugin { name: "witness", version: "v1.2.3", about: "A witness.", quiet_logs: &[] };
        let table = Table::new(plugin);
        BackendService {
            broker: Broker::disconnected(),
            table,
            version: plugin.version,
            instances: Arc::default(),
        }
    }

    fn rpc<T>(id: &str, message: T) -> Rpc<T> {
        let mut rpc = Rpc::new(message);
        if !id.is_empty() {
            rpc.metadata_mut().insert(MULTIPLEX_ID, id.parse().unwrap());
        }
        rpc
    }

    async fn set_up(service: &BackendService<Witness>, id: &str) -> pb::SetupReply {
        let args = pb::SetupArgs { backend_uuid: format!("uuid of {id}"), ..pb::SetupArgs::default() };
        service.setup(rpc(id, args)).await.unwrap().into_inner()
    }

    async fn read(
        service: &BackendService<Witness>,
        id: &str,
        path: &str,
    ) -> Result<pb::HandleRequestReply, Status> {
        let request = pb::Request {
            operation: "read".to_owned(),
            path: path.to_owned(),
            data: "null".to_owned(),
            ..pb::Request::default()
        };
        let args = pb::HandleRequestArgs { request: Some(request), ..pb::HandleRequestArgs::default() };
        service.handle_request(rpc(id, args)).await.map(RpcResponse::into_inner)
    }

    #[tokio::test]
    async fn a_type_probe_is_answered_with_nothing_behind_the_broker() {
        let service = service();

        assert_eq!(set_up(&service, "a").await.err, "");

        assert_eq!(service.r#type(rpc("a", pb::Empty {})).await.unwrap().into_inner().r#type, 1);
        let version = Version("v1.2.3").version(Rpc::new(logical::Empty {})).await.unwrap().into_inner();
        assert_eq!(version.plugin_version, "v1.2.3");
        let support =
            MultiplexingService.multiplexing_support(Rpc::new(MultiplexingSupportRequest {})).await.unwrap();
        assert!(support.into_inner().supported);
    }

    #[tokio::test]
    async fn each_multiplex_id_has_an_instance_of_its_own() {
        let service = service();
        set_up(&service, "a").await;
        set_up(&service, "b").await;

        let first = read(&service, "a", "uuid").await.unwrap().response.unwrap();
        let second = read(&service, "b", "uuid").await.unwrap().response.unwrap();

        assert_eq!(first.data, r#"{"uuid":"uuid of a"}"#);
        assert_eq!(second.data, r#"{"uuid":"uuid of b"}"#);
    }

    #[tokio::test]
    async fn a_host_that_does_not_multiplex_has_a_single_instance() {
        let service = service();
        set_up(&service, "").await;

        assert!(read(&service, "", "uuid").await.unwrap().response.is_some());
    }

    #[tokio::test]
    async fn cleanup_ends_one_instance_only() {
        let service = service();
        set_up(&service, "a").await;
        set_up(&service, "b").await;
        let ended = service.instance(rpc("a", ()).metadata()).unwrap();

        service.cleanup(rpc("a", pb::Empty {})).await.unwrap();

        assert_eq!(ended.backend.cleaned.load(Ordering::Relaxed), 1);
        assert_eq!(read(&service, "a", "uuid").await.unwrap_err().code(), Code::FailedPrecondition);
        assert!(read(&service, "b", "uuid").await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_while_a_mount_is_made_is_an_error_of_that_mount() {
        let service = service();
        let config = [("panic".to_owned(), "yes".to_owned())].into();

        let reply =
            service.setup(rpc("a", pb::SetupArgs { config, ..pb::SetupArgs::default() })).await.unwrap();

        assert_eq!(reply.into_inner().err, "internal error");
        assert_eq!(set_up(&service, "b").await.err, "");
    }

    #[tokio::test]
    async fn a_panic_on_an_invalidated_key_is_contained() {
        let service = service();
        set_up(&service, "a").await;

        let args = pb::InvalidateKeyArgs { key: "roles/x".to_owned() };
        service.invalidate_key(rpc("a", args)).await.unwrap();

        assert!(read(&service, "a", "uuid").await.is_ok());
    }

    #[tokio::test]
    async fn storage_out_of_reach_is_a_503() {
        let service = service();
        set_up(&service, "a").await;

        let read = read(&service, "a", "stored").await.unwrap().err.unwrap();
        let initialized = service.initialize(rpc("a", pb::InitializeArgs {})).await.unwrap().into_inner();

        assert_eq!((read.err_type, read.err_code), (3, 503));
        assert_eq!(initialized.err.unwrap().err_code, 503);
    }

    #[tokio::test]
    async fn special_paths_reach_vault() {
        let reply = service().special_paths(rpc("a", pb::Empty {})).await.unwrap().into_inner();

        assert_eq!(reply.paths.unwrap().seal_wrap_storage, ["keys/"]);
    }
}
