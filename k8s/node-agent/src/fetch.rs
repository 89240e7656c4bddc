//! One flight: a login with the pod's token, and the session of the first of its engine roles that the engine has.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::answers::{Document, SessionSource};
use crate::refusal::Refusal;
use crate::role::{EngineRole, RoleChoice};
use crate::token::{Claims, PodToken};
use crate::vault::{Login, Session, Vault};

/// The number of flights that ask Vault at one time. The others wait for their turn, within their own time.
const MAX_AT_ONCE: usize = 32;

/// Asks Vault for sessions.
pub struct Fetcher {
    vault: Arc<Vault>,
    turns: Semaphore,
}

/// What one flight is about.
#[derive(Clone, Debug)]
pub struct Flight {
    /// The pod's token.
    pub token: PodToken,
    /// What it says.
    pub claims: Claims,
    /// Which engine roles are tried.
    pub choice: RoleChoice,
}

impl Fetcher {
    /// Asks this Vault.
    pub fn new(vault: Arc<Vault>) -> Fetcher {
        Fetcher { vault, turns: Semaphore::new(MAX_AT_ONCE) }
    }

    /// A new session.
    ///
    /// # Errors
    /// Vault or the engine refuses, or is away.
    pub async fn fetch(&self, flight: &Flight) -> Result<Document, Refusal> {
        let Flight { token, claims, choice } = flight;
        // the semaphore is never closed
        let _turn = self.turns.acquire().await;
        let login = self.vault.login(token, claims).await?;
        let (session, role) = session(&self.vault, &login, choice, claims).await?;
        Ok(document(&session, role, login))
    }
}

/// The session of the first role that the engine has, and that role.
///
/// # Errors
/// Vault or the engine refuses, or is away.
pub(crate) async fn session(
    vault: &Vault,
    login: &Login,
    choice: &RoleChoice,
    claims: &Claims,
) -> Result<(Session, EngineRole), Refusal> {
    let refusal = match vault.session(login, &choice.first, claims).await {
        Ok(session) => return Ok((session, choice.first.clone())),
        Err(refusal) => refusal,
    };
    let Some(fallback) = choice.fallback.as_ref().filter(|_| Vault::is_missing_role(&refusal)) else {
        return Err(refusal);
    };
    match vault.session(login, fallback, claims).await {
        Ok(session) => Ok((session, fallback.clone())),
        Err(second) => {
            let message = format!("{refusal}; and by the fallback role {fallback}: {second}");
            Err(Refusal { message, ..second })
        }
    }
}

fn document(session: &Session, role: EngineRole, login: Login) -> Document {
    let source = SessionSource {
        role,
        access_key_id: session.access_key_id.clone(),
        login_id: login.request_id,
        expiration: session.expiration,
    };
    Document { json: session.document(), ends: session.ends, source: Arc::new(source) }
}
