//! OpenSSL's command line: an independent verifier, and the maker of certificate authorities that are not ours.

use std::fs;
use std::process::Command;

use tempfile::TempDir;
use time::OffsetDateTime;

/// A directory in which `openssl` works; removed on drop.
pub(crate) struct OpenSsl(TempDir);

/// A certificate and its key, both PEM.
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A CA to be made.
#[derive(Clone, Copy)]
pub(crate) struct Ca<'a> {
    pub(crate) subject: &'a str,
    /// Options of `openssl genpkey`.
    pub(crate) key: &'a [&'a str],
    pub(crate) digest: &'a [&'a str],
    pub(crate) extensions: &'a str,
    pub(crate) signed_by: Option<&'a Made>,
}

pub(crate) const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub(crate) const P384: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
pub(crate) const P521: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"];
pub(crate) const RSA_2048: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

/// An issuer's extensions as AWS and this crate want them.
pub(crate) const ISSUING: &str = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
/// A parent's: no path length.
pub(crate) const PARENT: &str =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";

/// A self-signed P-256 CA with the extensions of an issuer.
pub(crate) const GOOD: Ca<'_> =
    Ca { subject: "/CN=OpenSSL CA", key: P256, digest: &["-sha256"], extensions: ISSUING, signed_by: None };

impl OpenSsl {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Runs `openssl` and gives its standard output; panics with its error output where it fails.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        self.attempt(args).unwrap_or_else(|text| panic!("openssl {args:?}: {text}"))
    }

    /// Runs `openssl`; its output of either kind is the error where it fails.
    pub(crate) fn attempt(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new("openssl").args(args).current_dir(self.0.path()).output();
        let output = output
            .unwrap_or_else(|error| panic!("openssl does not run ({error}): install the package openssl"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stdout) + &text(&output.stderr))
        }
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    pub(crate) fn ca(&self, ca: Ca<'_>) -> Made {
        self.run(&[&["genpkey", "-out", "ca.key"], ca.key].concat());
        self.certify("ca.key", ca)
    }

    /// A certificate as `ca` describes it for a key that is there already.
    pub(crate) fn certify(&self, key: &str, ca: Ca<'_>) -> Made {
        self.write("req.cnf", "[req]\ndistinguished_name=dn\nstring_mask=utf8only\n[dn]\n");
        let request = [
            "req", "-new", "-utf8", "-config", "req.cnf", "-key", key, "-subj", ca.subject, "-out", "ca.csr",
        ];
        self.run(&request);
        let certificate = match ca.signed_by {
            Some(parent) => self.sign_request("ca.csr", parent, ca.digest, ca.extensions),
            None => self.finish("ca.csr", &[&["-signkey", key], ca.digest].concat(), ca.extensions),
        };
        Made { certificate, key: self.read(key) }
    }

    /// Signs the PKCS#10 request in a file.
    pub(crate) fn sign_request(
        &self,
        request: &str,
        parent: &Made,
        digest: &[&str],
        extensions: &str,
    ) -> String {
        self.write("parent.pem", &parent.certificate);
        self.write("parent.key", &parent.key);
        let how = [&["-CA", "parent.pem", "-CAkey", "parent.key", "-CAcreateserial"], digest].concat();
        self.finish(request, &how, &format!("{extensions}authorityKeyIdentifier=keyid\n"))
    }

    fn finish(&self, request: &str, how: &[&str], extensions: &str) -> String {
        self.write("extensions", extensions);
        let what = ["x509", "-req", "-in", request, "-days", "100", "-extfile", "extensions"];
        self.run(&[&what[..], how].concat())
    }

    /// Verifies a certificate as a TLS client's under the one trusted CA given.
    pub(crate) fn verify(&self, leaf: &str, trusted: &str) -> Result<String, String> {
        self.write("leaf.pem", leaf);
        self.write("trusted.pem", trusted);
        let args = [
            "verify",
            "-x509_strict",
            "-partial_chain",
            "-purpose",
            "sslclient",
            "-CAfile",
            "trusted.pem",
            "leaf.pem",
        ];
        self.attempt(&args)
    }

    /// `openssl x509 -text` of a PEM certificate.
    pub(crate) fn text(&self, certificate: &str) -> String {
        self.write("shown.pem", certificate);
        self.run(&["x509", "-in", "shown.pem", "-noout", "-text", "-nameopt", "oneline"])
    }
}

/// Now, by the clock with which OpenSSL dates its certificates.
#[expect(clippy::disallowed_methods, reason = "OpenSSL 3.0 cannot be told another time for its certificates")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
