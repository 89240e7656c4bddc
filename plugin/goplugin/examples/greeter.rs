//! A whole plugin: it reports its version, and its host's version when it is asked over the broker.
//!
//! A host starts it with `GREETER_PLUGIN=hello` among go-plugin's own variables. `logical.PluginVersion` stands in for a
//! service of your own. A call that names a broker connection in the metadata `callback-id` gets the answer of the host's
//! `PluginVersion` behind that connection.

use std::process::ExitCode;

use goplugin::{Broker, HandshakeConfig, HostEnvironment, HostEnvironmentError, MESSAGE_LIMIT, hclog, serve};
use proto::logical::plugin_version_client::PluginVersionClient;
use proto::logical::plugin_version_server::{PluginVersion, PluginVersionServer};
use proto::logical::{Empty, VersionReply};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

const CONFIG: HandshakeConfig =
    HandshakeConfig { magic_cookie_key: "GREETER_PLUGIN", magic_cookie_value: "hello", protocol_version: 5 };

struct Greeter {
    broker: Broker,
}

#[tonic::async_trait]
impl PluginVersion for Greeter {
    async fn version(&self, request: Request<Empty>) -> Result<Response<VersionReply>, Status> {
        let Some(id) = request.metadata().get("callback-id") else {
            return Ok(Response::new(VersionReply { plugin_version: "v0.1.0".to_owned() }));
        };
        let id = id.to_str().ok().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| Status::invalid_argument("callback-id is not a number"))?;
        tracing::info!(id, "asking the host");
        let host = self.broker.dial(id).await.map_err(|error| Status::unavailable(error.to_string()))?;
        PluginVersionClient::new(host).max_decoding_message_size(MESSAGE_LIMIT).version(Empty {}).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    hclog::init(tracing::Level::DEBUG, &[]);
    let environment = match HostEnvironment::from_environment(&CONFIG) {
        Ok(environment) => environment,
        Err(HostEnvironmentError::ByHand) => {
            tracing::error!("this is a plugin; a host has to start it");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let services = |broker| Routes::new(PluginVersionServer::new(Greeter { broker }));
    match serve(environment, services).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot serve");
            ExitCode::FAILURE
        }
    }
}
