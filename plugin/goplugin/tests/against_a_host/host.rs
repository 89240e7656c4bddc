//! A host: it starts the plugin, proves itself, and serves broker connections. Certificates are made and checked as Go does:
//! P-521 and `CA:TRUE` on this side, and the plugin's by an ordinary verifier that has it as its only root.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use hyper_util::rt::TokioIo;
use proto::logical::plugin_version_server::{PluginVersion, PluginVersionServer};
use proto::logical::{Empty, VersionReply};
use proto::plugin::grpc_broker_client::GrpcBrokerClient;
use proto::plugin::{ConnInfo, conn_info::Knock};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::client::{WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader, copy_bidirectional, duplex,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

/// Longer than anything here takes; only a hanging plugin meets it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Who the host is, for one plugin.
pub(crate) struct Host {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

/// A stream of a shared socket.
type Stream = Compat<yamux::Stream>;

/// What a plugin's socket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    /// One connection.
    Plain,
    /// A yamux session.
    Shared,
}

/// Anything bytes go both ways over.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection of a peer's own making; its socket closes with it.
pub(crate) struct Dialled {
    pub(crate) stream: TlsStream<Box<dyn Duplex>>,
    _session: Option<mpsc::Receiver<Stream>>,
}

/// A started plugin.
pub(crate) struct Plugin {
    pub(crate) child: Child,
    pub(crate) fields: Vec<String>,
    pub(crate) socket_dir: TempDir,
    stdout: BufReader<ChildStdout>,
}

/// What a plugin left when it ended.
pub(crate) struct Remains {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) sockets: usize,
}

impl Host {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, key }
    }

    /// Starts the greeter, with `more` in its environment, and reads its handshake.
    pub(crate) async fn start(&self, more: &[(&str, &str)]) -> Plugin {
        let socket_dir = tempfile::tempdir().unwrap();
        let body = base64::engine::general_purpose::STANDARD.encode(&self.certificate);
        let mut child = greeter()
            .env("GREETER_PLUGIN", "hello")
            .env("PLUGIN_PROTOCOL_VERSIONS", "4,5")
            .env(
                "PLUGIN_CLIENT_CERT",
                format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"),
            )
            .env("PLUGIN_UNIX_SOCKET_DIR", socket_dir.path())
            .envs(more.iter().copied())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        timeout(PATIENCE, stdout.read_line(&mut line)).await.unwrap().unwrap();
        let fields = line.trim_end().split('|').map(str::to_owned).collect();
        Plugin { child, fields, socket_dir, stdout }
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    pub(crate) fn connector(&self, plugin: &Plugin) -> TlsConnector {
        let config =
            plugin.client_config().with_client_auth_cert(vec![self.certificate.clone()], self.private_key());
        connector(config.unwrap())
    }

    /// Of a peer that has no certificate.
    pub(crate) fn without_certificate(plugin: &Plugin) -> TlsConnector {
        connector(plugin.client_config().with_no_client_auth())
    }

    fn acceptor(&self, plugin: &Plugin) -> TlsAcceptor {
        let provider = provider();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(plugin.roots(), provider.clone()).build().unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.certificate.clone()], self.private_key())
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config).into()
    }

    /// The main connection. It fails at the first call, not here, when the plugin refuses this host.
    pub(crate) async fn connect(&self, plugin: &Plugin) -> Result<Channel, tonic::transport::Error> {
        self.channel(plugin, plugin.knock().await).await
    }

    async fn channel<T>(&self, plugin: &Plugin, io: T) -> Result<Channel, tonic::transport::Error>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let connector = self.connector(plugin);
        let mut io = Some(io);
        let dial = tower::service_fn(move |_| {
            let (connector, io) = (connector.clone(), io.take());
            async move {
                let io = io.ok_or_else(|| io::Error::other("this host connects once"))?;
                let name = ServerName::try_from("localhost").unwrap();
                connector.connect(name, io).await.map(TokioIo::new)
            }
        });
        Endpoint::from_static("http://localhost").connect_with_connector(dial).await
    }

    /// Offers connection `id` on the broker's stream, and says `version` there.
    pub(crate) fn offer(&self, plugin: &Plugin, id: u32, version: &str) -> ConnInfo {
        let path = plugin.socket_dir.path().join(format!("host{id}"));
        let listener = UnixListener::bind(&path).unwrap();
        let (acceptor, version) = (self.acceptor(plugin), version.to_owned());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(say(version.clone(), acceptor.clone(), socket));
            }
        });
        let address = path.to_str().unwrap().to_owned();
        ConnInfo { service_id: id, network: "unix".to_owned(), address, knock: None }
    }

    /// The main connection as a stream of a yamux session, with the host listening for knocks at each of `versions`.
    pub(crate) async fn connect_shared(
        &self,
        plugin: &Plugin,
        versions: HashMap<u32, String>,
    ) -> Result<Channel, tonic::transport::Error> {
        let (main, mut inbound) = open_session(plugin.knock().await).await;
        let channel = self.channel(plugin, main).await?;
        let (answers, mut knocks) = start_stream(channel.clone()).await;
        let acceptor = self.acceptor(plugin);
        tokio::spawn(async move {
            while let Some(knock) = knocks.recv().await {
                let id = knock.service_id;
                let Some(version) = versions.get(&id).cloned() else {
                    answers.send(acknowledgement(id, "no listener")).await.unwrap();
                    continue;
                };
                answers.send(acknowledgement(id, "")).await.unwrap();
                tokio::spawn(say(version, acceptor.clone(), inbound.recv().await.unwrap()));
            }
        });
        Ok(channel)
    }
}

impl Plugin {
    pub(crate) fn socket(&self) -> &Path {
        Path::new(&self.fields[3])
    }

    /// A connection to the socket, on which nothing was said.
    pub(crate) async fn knock(&self) -> UnixStream {
        UnixStream::connect(self.socket()).await.unwrap()
    }

    /// A connection on which TLS is up, as far as the dialling side can tell.
    pub(crate) async fn dial(&self, socket: Socket, connector: TlsConnector) -> io::Result<Dialled> {
        let (io, session): (Box<dyn Duplex>, _) = match socket {
            Socket::Plain => (Box::new(self.knock().await), None),
            Socket::Shared => {
                let (stream, session) = open_session(self.knock().await).await;
                (Box::new(stream), Some(session))
            }
        };
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), io).await?;
        Ok(Dialled { stream, _session: session })
    }

    /// What the system knows of the process.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().unwrap().to_string()).join(name)
    }

    fn client_config(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let provider = provider();
        let verifier = WebPkiServerVerifier::builder_with_provider(self.roots(), provider.clone()).build();
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_webpki_verifier(verifier.unwrap())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let der = base64::engine::general_purpose::STANDARD_NO_PAD.decode(&self.fields[5]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(der.into()).unwrap();
        Arc::new(roots)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().unwrap()));
        rustix::process::kill_process(pid.unwrap(), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) async fn remains(mut self) -> Remains {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("the plugin lives on").unwrap();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).await.unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        let names =
            std::fs::read_dir(self.socket_dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let sockets = names.filter(|name| name.to_string_lossy().starts_with("plugin")).count();
        Remains { code: status.code(), stdout, stderr, sockets }
    }
}

fn connector(mut config: ClientConfig) -> TlsConnector {
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config).into()
}

/// Speaks yamux as a host does, until nobody waits any more for the streams that the plugin opens: the stream that was opened, and
/// those.
async fn open_session(socket: UnixStream) -> (Stream, mpsc::Receiver<Stream>) {
    let mut session = yamux::Connection::new(socket.compat(), yamux::Config::default(), yamux::Mode::Client);
    let main = poll_fn(|context| session.poll_new_outbound(context)).await.unwrap();
    let (streams, inbound) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(Ok(stream)) = poll_fn(|context| session.poll_next_inbound(context)) => {
                    streams.send(stream.compat()).await.unwrap();
                }
                () = streams.closed() => break,
                else => break,
            }
        }
    });
    (main.compat(), inbound)
}

/// The greeter with an empty environment.
pub(crate) fn greeter() -> Command {
    let mut path = PathBuf::from(std::env::current_exe().unwrap().parent().unwrap().parent().unwrap());
    path.push("examples/greeter");
    assert!(path.exists(), "cargo test builds {}; with --test alone add --examples", path.display());
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Opens the broker's stream: what to say there, and what is heard.
pub(crate) async fn start_stream(channel: Channel) -> (mpsc::Sender<ConnInfo>, mpsc::Receiver<ConnInfo>) {
    let (say, said) = mpsc::channel(16);
    let (hear, heard) = mpsc::channel(16);
    let stream = GrpcBrokerClient::new(channel).start_stream(ReceiverStream::new(said)).await.unwrap();
    tokio::spawn(async move {
        let mut stream = stream.into_inner();
        while let Some(Ok(info)) = stream.next().await {
            hear.send(info).await.unwrap();
        }
    });
    (say, heard)
}

fn acknowledgement(id: u32, error: &str) -> ConnInfo {
    let knock = Knock { knock: true, ack: true, error: error.to_owned() };
    ConnInfo { service_id: id, knock: Some(knock), ..ConnInfo::default() }
}

/// Serves a version to the plugin on one connection, once it has proved itself.
async fn say<T>(version: String, acceptor: TlsAcceptor, io: T)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut stream = acceptor.accept(io).await.unwrap();
    let (near, mut far) = duplex(64 * 1024);
    tokio::spawn(async move { copy_bidirectional(&mut stream, &mut far).await });
    let one = tokio_stream::once(Ok::<_, io::Error>(near)).chain(tokio_stream::pending());
    let service = PluginVersionServer::new(HostVersion(version));
    Server::builder().add_service(service).serve_with_incoming(one).await.unwrap();
}

struct HostVersion(String);

#[tonic::async_trait]
impl PluginVersion for HostVersion {
    async fn version(&self, _request: Request<Empty>) -> Result<Response<VersionReply>, Status> {
        Ok(Response::new(VersionReply { plugin_version: self.0.clone() }))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
