//! ECR over HTTPS: the call for a registry's login, repeated while AWS is busy, and dated by AWS's clock where the node's is off.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Instant, sleep};
use url::Url;

use super::login::{self, NoLogin, RegistryLogin};
use super::registry::Registry;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::options::EcrOptions;
use crate::vault::Session;
use crate::vault::wire::{Wire, WireError, WireSettings};

/// A pod starts later rather than not at all, so ECR has more time than Vault.
const WIRE: WireSettings = WireSettings {
    connect_timeout: Duration::from_secs(5),
    call_timeout: Duration::from_secs(10),
    // AWS is outside, where a node may reach it by its proxy alone
    uses_proxy: true,
};

/// The first pause between two calls. Each further one is twice as long, and a random part of it is left out, because the nodes of a
/// cluster would otherwise ask together.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A client of ECR.
pub(super) struct Ecr {
    wire: Wire,
    /// Asked in place of a registry's own ECR.
    endpoint: Option<Url>,
    clock: Clock,
}

impl Ecr {
    /// A client by `options`. Opens no connection yet.
    ///
    /// # Errors
    /// The CA certificates cannot be read.
    pub(super) fn new(options: &EcrOptions, clock: Clock) -> Result<Ecr, Failure> {
        let cacert = options.ecr_cacert.clone().filter(|path| !path.as_os_str().is_empty());
        let wire = Wire::new(cacert, WIRE).map_err(|why| Failure::new(format!("--ecr-cacert: {why}")))?;
        Ok(Ecr { wire, endpoint: options.ecr_endpoint.clone(), clock })
    }

    /// The login of a registry, with a session that may ask for it. Begins no call after `deadline`.
    ///
    /// # Errors
    /// ECR refuses, or is busy for too long.
    pub(super) async fn login(
        &self,
        registry: &Registry,
        session: &Session,
        deadline: Instant,
    ) -> Result<RegistryLogin, Failure> {
        let (mut pause, mut behind) = (FIRST_PAUSE, time::Duration::ZERO);
        loop {
            let now = self.clock.now().wall + behind;
            match self.ask(registry, session, now).await {
                Ok(login) => return Ok(login),
                Err(NoLogin::ClockOff(date)) if behind.is_zero() => behind = date - now,
                Err(NoLogin::Passing(_)) if Instant::now() + pause < deadline => {
                    sleep(pause.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
                    pause *= 2;
                }
                Err(refused) => return Err(Failure::new(refused.to_string())),
            }
        }
    }

    /// One call, dated `now`.
    async fn ask(
        &self,
        registry: &Registry,
        session: &Session,
        now: OffsetDateTime,
    ) -> Result<RegistryLogin, NoLogin> {
        let endpoint = self.endpoint.as_ref().unwrap_or_else(|| registry.endpoint());
        let request = login::request(endpoint, registry.region(), session, now)?;
        let answer = self.wire.send(request).await.map_err(|error| lost(endpoint, error))?;
        login::read(&answer, registry, now)
    }
}

fn lost(endpoint: &Url, error: WireError) -> NoLogin {
    match error {
        WireError::Unreachable(why) => {
            NoLogin::Passing(format!("ECR at {endpoint} cannot be reached: {why}"))
        }
        WireError::Untrusted(why) => NoLogin::Lasting(format!(
            "ECR at {endpoint} has a certificate that is not trusted: {why}; AWS_CA_BUNDLE names the file of its CA"
        )),
        WireError::TooLarge => {
            NoLogin::Lasting(format!("{endpoint} answered more than ECR does: a proxy may stand in between"))
        }
    }
}
