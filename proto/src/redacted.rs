//! `Debug` for the messages that can hold a secret: harmless names stay, contents go.

use std::fmt;

use crate::{pb, plugin};

macro_rules! redacted {
    ($($message:path { $($shown:ident),* })*) => {$(
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message))$(.field(stringify!($shown), &self.$shown))*.finish_non_exhaustive()
            }
        }
    )*};
}

redacted! {
    plugin::StdioData { channel }
    pb::Request { id, operation, path, mount_point, entity_id }
    pb::Auth { lease_options, display_name, entity_id }
    pb::TokenEntry { path, display_name, entity_id }
    pb::Secret { lease_options }
    pb::Response { secret, auth, warnings, mount_type }
    pb::ResponseWrapInfo { ttl, creation_path }
    pb::StorageEntry { key, seal_wrap }
    pb::ResponseWrapDataArgs { ttl }
    pb::GeneratePasswordFromPolicyReply {}
    pb::GenerateIdentityTokenResponse { ttl }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "s3cr3t-canary";

    #[test]
    fn no_secret_of_a_request_or_response_is_shown_by_debug() {
        let secret =
            pb::Secret { internal_data: CANARY.into(), lease_id: CANARY.into(), ..Default::default() };
        let request = pb::HandleRequestArgs {
            request: Some(pb::Request {
                path: "creds/demo".into(),
                data: CANARY.into(),
                client_token: CANARY.into(),
                secret: Some(secret.clone()),
                auth: Some(pb::Auth { client_token: CANARY.into(), ..Default::default() }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let reply = pb::HandleRequestReply {
            response: Some(pb::Response { data: CANARY.into(), secret: Some(secret), ..Default::default() }),
            err: None,
        };

        let shown = format!("{request:?} {reply:?}");

        assert!(shown.contains("creds/demo"), "{shown}");
        assert!(!shown.contains(CANARY), "{shown}");
    }

    #[test]
    fn no_stored_value_wrapping_token_or_password_is_shown_by_debug() {
        let entry = pb::StorageEntry { key: "issuer/1".into(), value: CANARY.into(), seal_wrap: true };
        let wrap = pb::ResponseWrapInfo { token: CANARY.into(), ..Default::default() };
        let password = pb::GeneratePasswordFromPolicyReply { password: CANARY.into() };
        let token = pb::GenerateIdentityTokenResponse { token: CANARY.into(), ttl: 1 };

        let shown = format!("{entry:?} {wrap:?} {password:?} {token:?}");

        assert!(shown.contains("issuer/1"), "{shown}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}
