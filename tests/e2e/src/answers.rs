//! The origin of an answer: complete credentials of the reader's own, a failure of Vault, or a failure of ours.

use harness::Reply;
use harness::sts::Credentials;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::host::in_document;

/// Vault's errors for a request that was in flight in a plugin process that died.
const OF_A_DEAD_PROCESS: [&str; 5] =
    ["Unavailable", "EOF", "plugin shutdown", "connection refused", "transport is closing"];

/// Vault's errors while no member leads, or while another one begins to. Vault answers "internal error" if it could not write a token or a
/// lease. Ours has the same words, and a log line that Vault's does not have.
const WITHOUT_A_LEADER: [&str; 9] = [
    "internal error",
    "active cluster node not found",
    "error during forwarding RPC request",
    "Vault is sealed",
    "context canceled",
    "node is not the leader",
    "leadership lost",
    "no active vault",
    "raft is already shutdown",
];

/// The credentials in a success of `creds` or `container`.
///
/// # Panics
/// When a part is missing or empty, or the session is over.
pub fn whole(reply: &Reply) -> Credentials {
    let data = &reply.body["data"];
    let (credentials, expiration) = if data.is_object() {
        (Credentials::from_vault(&reply.body).expect("whole credentials"), &data["expiration"])
    } else {
        (in_document(&reply.body, "Token").expect("a whole document"), &reply.body["Expiration"])
    };
    let token = credentials.session_token.as_deref().unwrap_or_default();
    assert!(!credentials.secret_key.is_empty() && !token.is_empty(), "{credentials:?} lacks a part");
    let text = expiration.as_str().expect("an expiration");
    let expiration = OffsetDateTime::parse(text, &Rfc3339).expect("RFC 3339");
    assert!(expiration > now(), "{credentials:?} was over");
    credentials
}

/// The text of a failure: Vault's errors, or the message for an SDK.
pub fn said(reply: &Reply) -> String {
    match reply.body["message"].as_str() {
        Some(message) => message.to_owned(),
        None => reply.errors(),
    }
}

/// Whether this is Vault's own answer to a request that was in flight in a process that died.
pub fn is_vaults_own(status: u16, text: &str) -> bool {
    status == 500 && OF_A_DEAD_PROCESS.iter().any(|words| text.contains(words))
}

/// Whether this is Vault's own answer while no member led, or while another one began to.
pub fn is_vaults_own_without_a_leader(status: u16, text: &str) -> bool {
    matches!(status, 500 | 503) && WITHOUT_A_LEADER.iter().any(|words| text.contains(words))
}

/// Whether this is our answer to a read that was in flight while sessions were revoked.
pub fn is_of_a_revocation(status: u16, text: &str) -> bool {
    status == 503 && text.contains("revoked")
}

/// Whether this is our answer to an SDK that does not wait.
pub fn is_hint(status: u16, text: &str) -> bool {
    status == 503 && text.contains("ask again in")
}

fn now() -> OffsetDateTime {
    #[expect(clippy::disallowed_methods, reason = "the end of a real session is compared with the time")]
    OffsetDateTime::now_utc()
}
