//! `ca/pem` and `ca_chain`: the default issuer's certificate, for everyone.

use std::sync::Arc;

use vault_backend::{Answer, Fault, Raw, Request, Route};

use crate::Engine;
use crate::issuers::Loaded;
use crate::role::DEFAULT_ISSUER;

pub(crate) fn pem_route() -> Route<Engine> {
    Route::at("ca/pem")
        .synopsis("The default issuer's certificate, PEM, unauthenticated.")
        .description(
            "This, and none of its parents, is what a trust anchor must hold: with a parent there, every certificate under that parent could ask for sessions. Read it with curl or -format=raw.",
        )
        .read(pem)
}

pub(crate) fn chain_route() -> Route<Engine> {
    Route::at("ca_chain")
        .synopsis("The default issuer's certificate and its parents, PEM, unauthenticated.")
        .description("For verifying certificates, not for a trust anchor: see ca/pem.")
        .read(chain)
}

async fn pem(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Answer, Fault> {
    raw(&engine, |loaded| loaded.record.certificate_pem.clone()).await
}

async fn chain(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Answer, Fault> {
    raw(&engine, |loaded| loaded.record.certificate_pem.clone() + &loaded.record.chain_pem.concat()).await
}

/// Without a CA the answer is empty, as Vault's PKI engine has it.
async fn raw(engine: &Arc<Engine>, text: impl Fn(&Loaded) -> String) -> Result<Answer, Fault> {
    let snapshot = engine.snapshot().await?;
    Ok(match snapshot.issuers.find(DEFAULT_ISSUER) {
        Some(loaded) => Answer::raw(Raw::ok("application/pem-certificate-chain", text(loaded))),
        None => Answer::raw(Raw::no_content()),
    })
}
