//! Signing and key generation. Work that is slow with RSA runs on a thread where it delays no other request.

use ca::{Leaf, LeafProfile};
use vault_backend::Fault;

use crate::ground::clock;
use crate::ground::faults;
use crate::issuers::Loaded;

/// Issues a leaf, on another thread where its key or the issuer's is RSA. Generating an RSA key or signing with one takes so long
/// that it would delay all other requests, because one thread serves them.
///
/// # Errors
/// Those of the certificate authority: the profile breaks a rule, or the issuer is not valid now.
pub(crate) async fn issue(issuer: &Loaded, profile: &LeafProfile) -> Result<Leaf, Fault> {
    if !profile.key.is_slow() && !issuer.issuer.key_spec().is_slow() {
        return issuer.issuer.issue(profile, clock::now()).map_err(faults::ca);
    }
    let (issuer, profile) = (issuer.issuer.clone(), profile.clone());
    tokio::task::spawn_blocking(move || issuer.issue(&profile, clock::now()))
        .await
        .map_err(Fault::bug)?
        .map_err(faults::ca)
}

/// Runs key generation on another thread: for RSA it may take a second, during which the only serving thread would stand still.
/// The work is not cancelled when its request is dropped.
///
/// # Errors
/// Those of `work`, and a bug where it panicked.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ca::Error> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(Fault::bug)?.map_err(faults::ca)
}
