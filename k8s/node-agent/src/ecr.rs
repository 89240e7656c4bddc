//! `ecr`: a credential provider of the kubelet, so that a pod's image is pulled from a private registry of ECR as the pod's own service
//! account. <https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/>
//!
//! ```text
//! kubelet ── CredentialProviderRequest {image, serviceAccountToken} on stdin ──▶ kubelet
//!              registry   account, region and ECR's address from the image's name
//!              session    login at Vault with that token, session of <mount>/container/<role>
//!              login      ecr:GetAuthorizationToken, signed and read; client sends it
//! kubelet ◀── CredentialProviderResponse {auth, cacheDuration} on stdout ── kubelet
//! ```
//!
//! The kubelet ends a provider after a minute and shows what it wrote to stderr in its own log. Nothing is stored between two runs: the
//! kubelet caches the answer.

mod client;
mod kubelet;
mod login;
mod registry;
mod session;

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use client::Ecr;
use kubelet::{MAX_REQUEST, PullRequest};
use registry::Registry;

use crate::clock::Clock;
use crate::failure::Failure;
use crate::metrics::Meters;
use crate::options::EcrOptions;
use crate::role::Roles;
use crate::vault::Vault;

/// How long the kubelet has for its request.
const READ: Duration = Duration::from_secs(10);
/// When Vault, and then ECR, is given up: what is under way then has time to end before [`END`].
const VAULT: Duration = Duration::from_secs(20);
const ECR: Duration = Duration::from_secs(32);
/// The end of everything. The kubelet's own is a minute after it began.
const END: Duration = Duration::from_secs(45);

/// Answers one request of the kubelet.
///
/// # Errors
/// The request is none that this provider can answer, or Vault or ECR refuses, or is away for too long.
pub fn run(options: &EcrOptions) -> Result<(), Failure> {
    let request = PullRequest::read(&stdin()?)?;
    let registry = Registry::of_image(&request.image).map_err(|error| Failure::new(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("no runtime: {error}")))?;
    let answer = runtime.block_on(answer(options, &request, &registry))?;
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(&answer).and_then(|()| stdout.flush());
    written.map_err(|error| Failure::new(format!("the answer cannot be written to stdout: {error}")))
}

async fn answer(
    options: &EcrOptions,
    request: &PullRequest,
    registry: &Registry,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let began = Instant::now();
    let clock = Clock::of_this_machine();
    let roles =
        Roles { pattern: options.vault.role_pattern.clone(), fallback: options.vault.fallback_role.clone() };
    // nobody reads the metrics of a process that ends at once
    let vault = Vault::new(options.vault.clone(), clock, Arc::<Meters>::default())?;
    let ecr = Ecr::new(options, clock)?;
    let work = async {
        let session = session::of_pod(&vault, &roles, &request.token, began + VAULT).await?;
        let login = ecr.login(registry, &session, began + ECR).await?;
        let cached = login.cacheable(session.expiration);
        kubelet::response(registry, &login, cached)
    };
    let late = |_| Failure::new(format!("no login within {} s: Vault or ECR is too slow", END.as_secs()));
    timeout_at(began + END, work).await.map_err(late)?
}

/// All of stdin, or one byte more than a request may have. In a thread of its own, because a reader that is never done cannot be ended,
/// and this process must.
fn stdin() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_REQUEST + 1));
        let read = io::stdin().lock().take(MAX_REQUEST as u64 + 1).read_to_end(&mut text);
        // nobody waits any more after the time is over
        let _ = sender.send(read.map(|_| text));
    });
    let late = |_| {
        let text = format!("stdin has not ended within {} s", READ.as_secs());
        Failure::new(format!("{text}: the kubelet writes a CredentialProviderRequest there"))
    };
    let read = receiver.recv_timeout(READ).map_err(late)?;
    read.map_err(|error| Failure::new(format!("stdin cannot be read: {error}")))
}
