//! The session with which ECR is asked: a login at Vault with the pod's token, and a read of its engine role.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::fetch;
use crate::refusal::{Refusal, Retry};
use crate::role::{RoleChoice, Roles};
use crate::token::{Claims, PodToken};
use crate::vault::{Session, Vault};

/// The longest pause before Vault is asked again, whatever it advises: the kubelet waits.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The session of the service account behind `token`. Begins no attempt after `deadline`.
///
/// # Errors
/// Vault or the engine refuses, or is away for too long.
pub(super) async fn of_pod(
    vault: &Vault,
    roles: &Roles,
    token: &PodToken,
    deadline: Instant,
) -> Result<Session, Failure> {
    let claims = token.claims();
    let choice = roles.choose(None, &claims).map_err(|refusal| told(&refusal))?;
    loop {
        let refusal = match attempt(vault, &choice, token, &claims).await {
            Ok(session) => return Ok(session),
            Err(refusal) => refusal,
        };
        let (Retry::Later(pause) | Retry::Anew(pause)) = refusal.retry else { return Err(told(&refusal)) };
        let pause = pause.min(MAX_PAUSE);
        if Instant::now() + pause >= deadline {
            return Err(told(&refusal));
        }
        sleep(pause).await;
    }
}

async fn attempt(
    vault: &Vault,
    choice: &RoleChoice,
    token: &PodToken,
    claims: &Claims,
) -> Result<Session, Refusal> {
    let login = vault.login(token, claims).await?;
    let (session, _) = fetch::session(vault, &login, choice, claims).await?;
    Ok(session)
}

fn told(refusal: &Refusal) -> Failure {
    Failure::new(format!("{}: {}", refusal.code, refusal.message))
}
