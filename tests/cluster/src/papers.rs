//! The cluster's certificates and kubeconfigs: one CA, one client certificate a component, named as Kubernetes' RBAC knows it.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::json;

use crate::layout::{API_PORT, API_SERVICE, BRIDGE_ADDRESS, Layout, NODE};

/// The cluster's CA, and the folder for the certificates that it signs.
pub(crate) struct Papers {
    layout: Layout,
    ca: Issuer<'static, KeyPair>,
    ca_pem: String,
}

impl Papers {
    /// A new CA, its certificate in `ca.pem`, and the key that signs service-account tokens in `service-accounts.key` and `.pub`.
    pub(crate) fn new(layout: &Layout) -> Papers {
        fs::create_dir_all(layout.papers()).expect("the cluster's folder is writable");
        let key = KeyPair::generate().expect("a P-256 key");
        let mut params = named("iamra test cluster", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_pem = params.self_signed(&key).expect("fixed parameters").pem();
        let papers = Papers { layout: layout.clone(), ca: Issuer::new(params, key), ca_pem };
        papers.keep("ca.pem", &papers.ca_pem);
        let tokens = KeyPair::generate().expect("a P-256 key");
        papers.keep("service-accounts.key", &tokens.serialize_pem());
        papers.keep("service-accounts.pub", &tokens.public_key_pem());
        papers
    }

    /// The API server's own certificate, in `apiserver.pem` and `apiserver.key`.
    pub(crate) fn server(&self) {
        let mut params = named("kube-apiserver", None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
        params.subject_alt_names = [BRIDGE_ADDRESS, API_SERVICE]
            .map(|address| SanType::IpAddress(IpAddr::V4(address)))
            .into_iter()
            .chain(names.map(|name| SanType::DnsName(name.try_into().expect("a DNS name"))))
            .collect();
        let (certificate, key) = self.sign(&params);
        self.keep("apiserver.pem", &certificate);
        self.keep("apiserver.key", &key);
    }

    /// A client certificate in `<file>.pem` and `<file>.key`.
    pub(crate) fn client(&self, file: &str, user: &str, group: Option<&str>) {
        let (certificate, key) = self.client_pair(user, group);
        self.keep(&format!("{file}.pem"), &certificate);
        self.keep(&format!("{file}.key"), &key);
    }

    /// A kubeconfig that holds a client certificate of its own.
    pub(crate) fn kubeconfig(&self, path: PathBuf, user: &str, group: Option<&str>) -> PathBuf {
        let (certificate, key) = self.client_pair(user, group);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": NODE,
            "contexts": [{ "name": NODE, "context": { "cluster": NODE, "user": user } }],
            "clusters": [{ "name": NODE, "cluster": {
                "server": format!("https://{BRIDGE_ADDRESS}:{API_PORT}"),
                "certificate-authority-data": STANDARD.encode(&self.ca_pem),
            }}],
            "users": [{ "name": user, "user": {
                "client-certificate-data": STANDARD.encode(certificate),
                "client-key-data": STANDARD.encode(key),
            }}],
        });
        fs::write(&path, config.to_string()).expect("the cluster's folder is writable");
        path
    }

    fn client_pair(&self, user: &str, group: Option<&str>) -> (String, String) {
        let mut params = named(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().expect("a P-256 key");
        let certificate = params.signed_by(&key, &self.ca).expect("fixed parameters");
        (certificate.pem(), key.serialize_pem())
    }

    fn keep(&self, file: &str, text: &str) {
        fs::write(self.layout.papers().join(file), text).expect("the cluster's folder is writable");
    }
}

fn named(user: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}
