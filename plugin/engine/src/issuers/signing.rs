//! Signing and key-making: what RSA makes slow runs where it holds up no other request.

use ca::{Leaf, LeafProfile};
use vault_backend::Fault;

use crate::ground::clock;
use crate::ground::faults;
use crate::issuers::Loaded;

/// An RSA key takes so long to make, and an RSA issuer so long to sign, that neither may hold up the other requests: one thread
/// serves them all.
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

/// Runs key-making, which may take a second for RSA, where it holds up no other request.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ca::Error> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(Fault::bug)?.map_err(faults::ca)
}
