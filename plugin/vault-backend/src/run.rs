//! A plugin process from start to end.

use std::process::ExitCode;

use goplugin::{HandshakeConfig, HostEnvironment, HostEnvironmentError, hclog, variable};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::backend::{Backend, Plugin};
use crate::host_connection::with_causes;
use crate::service;

/// Vault's side of the handshake (`sdk/plugin/serve.go`); not a secret.
const VAULT: HandshakeConfig = HandshakeConfig {
    magic_cookie_key: "VAULT_BACKEND_PLUGIN",
    magic_cookie_value: "6669da05-b1c8-4f49-97d9-c8e5bed98e20",
    protocol_version: 5,
};

/// The `main` of a plugin: serves `B` to the Vault that started the process.
///
/// `--version` prints name and version. A plugin started by hand explains on stderr how it is registered, and fails.
pub fn main<B: Backend>(plugin: Plugin) -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--version") {
        return tell(
            &mut std::io::stdout(),
            &format!("{} {}\n", plugin.name, plugin.version),
            ExitCode::SUCCESS,
        );
    }
    let environment = match HostEnvironment::from_environment(&VAULT) {
        Err(HostEnvironmentError::ByHand) => {
            return tell(&mut std::io::stderr(), &explanation(plugin), ExitCode::FAILURE);
        }
        environment => environment.map_err(|error| with_causes(&error)),
    };
    hclog::init(tracing::Level::DEBUG, plugin.quiet_logs);
    let served = environment.and_then(|environment| {
        prepare()?;
        serve::<B>(environment, plugin)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            tracing::error!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn tell(to: &mut dyn std::io::Write, text: &str, code: ExitCode) -> ExitCode {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn explanation(plugin: Plugin) -> String {
    let Plugin { name, version, about, .. } = plugin;
    format!(
        "{name} {version}\n{about}\n\n\
         This is a plugin: Vault starts it. Put this file into the plugin_directory of every Vault node, then:\n\n  \
         vault plugin register -sha256=\"$(sha256sum {name} | cut -d' ' -f1)\" -version={version} secret {name}\n  \
         vault secrets enable -path=<path> {name}\n"
    )
}

/// Disables core dumps, and locks memory if Vault asks for that.
fn prepare() -> Result<(), String> {
    if variable("VAULT_PLUGIN_METADATA_MODE").as_deref() == Some("true") {
        return Err("VAULT_PLUGIN_METADATA_MODE is set: this plugin speaks protocol 5 only, which has no metadata mode".to_owned());
    }
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|error| format!("cannot switch core dumps off: {error}"))?;
    if variable("VAULT_PLUGIN_MLOCK_ENABLED").as_deref() == Some("true") {
        mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).map_err(|error| {
            format!(
                "cannot lock memory: {error}; give the plugin's file the capability (setcap cap_ipc_lock=+ep <file>) or set disable_mlock in Vault's configuration"
            )
        })?;
    }
    Ok(())
}

/// Runs on one thread: a read takes some 40 µs, and waking another thread for a part of it costs as much as that part.
/// Work of milliseconds belongs on tokio's blocking threads, because otherwise every request waits for it.
fn serve<B: Backend>(environment: HostEnvironment, plugin: Plugin) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    let served = goplugin::serve(environment, |broker| service::routes::<B>(broker, plugin));
    let outcome = runtime.block_on(served).map_err(|error| with_causes(&error));
    runtime.shutdown_background();
    outcome
}
