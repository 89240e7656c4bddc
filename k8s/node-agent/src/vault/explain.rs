//! What a refusal of Vault or of the engine means for a pod, and the command that cures it.

use time::OffsetDateTime;

use super::answer::{EngineRefusal, VaultErrors};
use super::session::NoSession;
use super::upstreams::NodeFault;
use crate::clock::rfc3339;
use crate::options::VaultOptions;
use crate::refusal::{DEFAULT_PAUSE, Refusal, Retry};
use crate::role::EngineRole;
use crate::token::Claims;

/// Who asked, by which mounts: what the texts name.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) options: &'a VaultOptions,
    pub(super) claims: &'a Claims,
    pub(super) wall: OffsetDateTime,
}

impl Asked<'_> {
    /// The service account, as the token names it.
    fn who(&self) -> String {
        self.claims
            .account()
            .map_or_else(|| "this pod".to_owned(), |account| format!("service account {account}"))
    }

    /// A login that Vault refused.
    pub(super) fn login(&self, errors: &VaultErrors) -> Refusal {
        let VaultOptions { auth_mount, auth_role, .. } = self.options;
        let VaultErrors { status, text, .. } = errors;
        match status {
            400 if text.starts_with("invalid role name") => Refusal::lasting(
                403,
                "AuthRoleNotFound",
                format!(
                    "auth/{auth_mount} has no role {auth_role:?}: vault-config/kubernetes/setup.sh --cluster <name> --associations writes it; \
                     IAMRA_AUTH_ROLE names another"
                ),
            ),
            404 => no_auth_method(auth_mount),
            _ if text.contains("no handler for route") => no_auth_method(auth_mount),
            400..=499 if *status != 429 => Refusal::lasting(403, "LoginRefused", self.refused_login(text)),
            _ => vault_failed(errors),
        }
    }

    /// Vault says "permission denied" alone where the Kubernetes API did not confirm the token, for whichever reason, and where there is no
    /// auth method.
    fn refused_login(&self, text: &str) -> String {
        let (who, VaultOptions { auth_mount, auth_role, .. }) = (self.who(), self.options);
        if let Some(end) = self.claims.expiration.filter(|end| *end <= self.wall) {
            let end = rfc3339(end);
            return format!(
                "Vault refused the login of {who}: its token ended at {end}; the kubelet writes a new one into the pod's file"
            );
        }
        if text == "permission denied" {
            return format!(
                "Vault refused the login of {who} at auth/{auth_mount}: Kubernetes did not confirm the token, because its pod or service account \
                 is gone, it is of another cluster, or Vault cannot ask that Kubernetes (Vault's log at debug says which); or there is no auth \
                 method at that mount (vault auth list)"
            );
        }
        let hint = if text.contains("aud") {
            format!(
                "; the token is for {:?}: give the projected volume the audience of auth/{auth_mount}/role/{auth_role}",
                self.claims.audiences.join(", ")
            )
        } else {
            String::new()
        };
        format!("Vault refused the login of {who} under auth/{auth_mount}/role/{auth_role}: {text}{hint}")
    }

    /// A read that the engine refused. Its own code, text and status pass through.
    pub(super) fn engine(&self, refusal: EngineRefusal, role: &EngineRole) -> Refusal {
        let EngineRefusal { status, code, message } = refusal;
        if code == NO_ROLE {
            return self.no_role(role);
        }
        let retry = match (status, code.as_str()) {
            (_, "SessionRevoked") => Retry::Anew(DEFAULT_PAUSE),
            (429 | 500.., _) => Retry::Later(DEFAULT_PAUSE),
            _ => Retry::Useless,
        };
        Refusal::lasting(status, code, message).with(retry)
    }

    /// The engine has no such role.
    fn no_role(&self, role: &EngineRole) -> Refusal {
        let (who, mount) = (self.who(), &self.options.mount);
        Refusal::lasting(
            400,
            NO_ROLE,
            format!(
                "{who} has no engine role {role}: vault write {mount}/roles/{role} role_arn=<arn> subject=kubernetes"
            ),
        )
    }

    /// A read that Vault itself refused.
    pub(super) fn read(&self, errors: &VaultErrors, role: &EngineRole) -> Refusal {
        let (who, VaultOptions { mount, auth_mount, auth_role, .. }) = (self.who(), self.options);
        let path = format!("{mount}/container/{role}");
        match errors.status {
            403 => Refusal::lasting(
                403,
                "PolicyDenied",
                format!(
                    "Vault's policies do not let {who} read {path}: a pod may read the role of its own service account, by the policy of \
                     auth/{auth_mount}/role/{auth_role}, which vault-config/kubernetes/setup.sh --cluster <name> --associations writes"
                ),
            ),
            404 => Refusal::lasting(
                404,
                "NoEngine",
                format!(
                    "Vault has no {path}: IAMRA_MOUNT must name the mount of the secrets engine (vault secrets list)"
                ),
            ),
            400..=499 if errors.status != 429 => Refusal::lasting(
                errors.status,
                "VaultRefused",
                format!("Vault refused to read {path} for {who}: {}", errors.text),
            ),
            _ => vault_failed(errors),
        }
    }

    /// A read whose answer holds no session.
    pub(super) fn no_session(&self, problem: &NoSession, role: &EngineRole) -> Refusal {
        let mount = &self.options.mount;
        match problem {
            NoSession::Malformed(what) => Refusal::passing(
                502,
                "VaultBadAnswer",
                format!(
                    "{mount}/container/{role} answered {what}: is {mount}/ the mount of the secrets engine?"
                ),
            ),
            NoSession::Over { expiration, ahead } => Refusal::passing(
                503,
                "SessionTooShort",
                format!(
                    "{mount}/container/{role} answered a session that is over at {}, by Vault's clock{}",
                    rfc3339(*expiration),
                    skew(*ahead)
                ),
            ),
            NoSession::ClockAhead { ahead } => Refusal::passing(
                503,
                "ClockSkew",
                format!(
                    "this node's clock is {ahead} s ahead of Vault's, so every session looks over: set it by NTP"
                ),
            ),
        }
    }

    /// A login whose answer holds no token.
    pub(super) fn no_login(&self, what: &str) -> Refusal {
        let auth_mount = &self.options.auth_mount;
        Refusal::passing(502, "VaultBadAnswer", format!("auth/{auth_mount}/login answered {what}"))
    }
}

/// What is to be said of a clock that is off by more than a minute: a smaller difference causes no error.
fn skew(ahead: i64) -> String {
    match ahead {
        60.. => format!(", and this node's clock is {ahead} s ahead of Vault's"),
        ..=-60 => format!(", and this node's clock is {} s behind Vault's", ahead.unsigned_abs()),
        _ => String::new(),
    }
}

/// The engine's code for a role that does not exist (`docs/reference/container.md`).
pub(super) const NO_ROLE: &str = "RoleNotFound";

/// Vault, or a proxy before it, knows no such path. Vault itself mostly says "permission denied", which [`Asked::refused_login`] explains.
fn no_auth_method(mount: &str) -> Refusal {
    Refusal::lasting(
        403,
        "NoAuthMethod",
        format!(
            "Vault has no auth method at auth/{mount}: IAMRA_AUTH_MOUNT must name the mount of the Kubernetes auth method (vault auth list)"
        ),
    )
}

/// A failure of Vault's own that may pass.
fn vault_failed(errors: &VaultErrors) -> Refusal {
    let VaultErrors { status, text, retry_after } = errors;
    let code = if *status == 429 { "VaultThrottled" } else { "VaultFailed" };
    let retry = Retry::Later(retry_after.unwrap_or(DEFAULT_PAUSE));
    Refusal::passing(503, code, format!("Vault answered {status}: {text}")).with(retry)
}

/// None of Vault's addresses was of use. With one fault at all of them the code is that fault's.
pub(super) fn away(faults: &[(String, NodeFault)]) -> Refusal {
    let texts: Vec<String> = faults.iter().map(|(name, fault)| format!("Vault at {name} {fault}")).collect();
    let mut codes: Vec<&'static str> = faults.iter().map(|(_, fault)| fault.code()).collect();
    codes.dedup();
    let code = if let [code] = codes[..] { code } else { "VaultUnreachable" };
    Refusal::passing(503, code, texts.join("; "))
}
