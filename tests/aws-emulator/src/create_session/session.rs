//! A granted session: its identity, length, size, credentials and the reply that carries them.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::{Grant, certificate::serial_hex, parameters::is_session_name, tags::Tags};
use crate::{
    clock,
    http::Reply,
    pki::Certificate,
    rules::Rule,
    state::{Profile, Role, State},
    variation::Variation,
};

/// Characters of session policy and tags that make 100 percent. STS packs into a binary form of unknown density.
const PACKED_LIMIT: usize = 2048;

/// `CN=<cn>` up to 61 characters, the bare CN up to 64, `ID=<even hex serial>` without a CN. A text that STS would refuse is
/// an error; AWS does not document its answer then.
pub(super) fn source_identity(leaf: &Certificate) -> Result<String, String> {
    let names: Vec<String> =
        leaf.subject_attributes().into_iter().filter(|one| one.name == "CN").map(|one| one.value).collect();
    let name = names.join("/");
    let identity = match name.chars().count() {
        0 => format!("ID={}", serial_hex(leaf)),
        1..=61 => format!("CN={name}"),
        _ => name,
    };
    if is_session_name(&identity) {
        Ok(identity)
    } else {
        Err(format!("STS does not take source identity \"{identity}\""))
    }
}

/// The lesser of profile and request, which must not exceed the role's maximum. A request for more than the profile allows
/// is not an error.
pub(super) fn seconds(asked: Option<u32>, profile: &Profile, role: &Role) -> Result<u32, (Rule, String)> {
    let seconds = asked.unwrap_or(u32::MAX).min(profile.duration_seconds);
    if seconds > role.max_session_duration {
        let detail = format!("{seconds} s, the role allows {} s", role.max_session_duration);
        return Err((Rule::MaxSessionDuration, detail));
    }
    Ok(seconds)
}

/// The share of the packed size that session policy and tags take, in percent.
pub(super) fn packed_percent(profile: &Profile, tags: &Tags) -> Result<usize, (Rule, String)> {
    if tags.len() > 50 {
        return Err((Rule::TooManyTags, format!("{} tags, at most 50", tags.len())));
    }
    let policy = match &profile.session_policy {
        None => 0,
        Some(Value::String(text)) => text.chars().filter(|character| !character.is_whitespace()).count(),
        Some(json) => json.to_string().len(),
    };
    let used = policy + tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    let percent = (used * 100).div_ceil(PACKED_LIMIT);
    if percent > 100 { Err((Rule::PackedSize, format!("{percent} percent"))) } else { Ok(percent) }
}

/// One subject per distinct X.509 subject, with the same id in every run.
pub(super) fn subject_arn(state: &State, leaf: &Certificate) -> String {
    let digest = Sha256::new()
        .chain_update(format!("{}/{}/", state.account, state.region))
        .chain_update(leaf.subject().to_string())
        .finalize();
    state.resource_arn("subject", &uuid(digest.first_chunk().unwrap_or(&[0; 16])))
}

/// A UUID of version 4's form from any 16 bytes.
pub(crate) fn uuid(bytes: &[u8; 16]) -> String {
    let mut bytes = *bytes;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Fresh credentials. Not `Debug`: they are secrets.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: String,
    pub(crate) expiration: OffsetDateTime,
}

impl Credentials {
    /// Random ones, in AWS's shapes, that end `seconds` from `now` and not later than a whole second.
    pub(crate) fn fresh(now: OffsetDateTime, seconds: u32) -> Credentials {
        let end = now + Duration::seconds(i64::from(seconds));
        Credentials {
            access_key_id: format!("ASIA{}", base32(&random::<16>())),
            secret_access_key: BASE64_STANDARD.encode(random::<30>()),
            session_token: format!("IQoJb3JpZ2luX2Vj{}", BASE64_STANDARD.encode(random::<480>())),
            expiration: end.replace_nanosecond(0).unwrap_or(end),
        }
    }
}

/// Bytes from the operating system.
///
/// # Panics
/// If the operating system has none.
#[expect(clippy::expect_used, reason = "without random bytes nothing can be issued")]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// One capital letter or digit 2-7 per byte, as AWS's ids are spelt.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    bytes.iter().map(|byte| char::from(alphabet[usize::from(byte % 32)])).collect()
}

/// `AROA…`, the same for a role in every run.
pub(crate) fn role_id(role_arn: &str) -> String {
    format!("AROA{}", base32(&Sha256::digest(role_arn)[..17]))
}

/// `<RoleId>:<session name>`, which is `aws:userid`.
pub(crate) fn user_id(role_arn: &str, session_name: &str) -> String {
    format!("{}:{session_name}", role_id(role_arn))
}

/// `arn:aws:sts::<account>:assumed-role/<role without path>/<session name>`.
pub(crate) fn assumed_role_arn(account: &str, grant: &Grant) -> String {
    format!("arn:aws:sts::{account}:assumed-role/{}/{}", grant.role_name, grant.session_name)
}

/// The 201 reply.
pub(crate) fn reply(account: &str, grant: &Grant, credentials: &Credentials, variation: Variation) -> Reply {
    let user = json!({
        "arn": assumed_role_arn(account, grant),
        "assumedRoleId": user_id(&grant.role_arn, &grant.session_name),
    });
    let keys = [
        ("accessKeyId", json!(credentials.access_key_id)),
        ("secretAccessKey", json!(credentials.secret_access_key)),
        ("sessionToken", json!(credentials.session_token)),
        ("expiration", json!(clock::seconds(credentials.expiration))),
    ];
    let members = [
        ("assumedRoleUser", user.to_string()),
        ("credentials", object(keys.map(|(name, value)| (name, value.to_string())).to_vec(), variation)),
        ("packedPolicySize", grant.packed_percent.to_string()),
        ("roleArn", json!(grant.role_arn).to_string()),
        ("sourceIdentity", json!(grant.source_identity).to_string()),
    ];
    let set = object(members.to_vec(), variation);
    let mut outer =
        vec![("credentialSet", format!("[{set}]")), ("subjectArn", json!(grant.subject_arn).to_string())];
    if variation.unknown_member() {
        outer.push(("enrolment", r#"{"stage":3}"#.to_owned()));
    }
    Reply::new(201, "application/json", object(outer, variation))
}

/// A JSON object whose members stand in the order given, or turned by the variation.
fn object(mut members: Vec<(&str, String)>, variation: Variation) -> String {
    variation.shuffle(&mut members);
    let members: Vec<String> = members.into_iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_five_groups_and_version() {
        assert_eq!(uuid(&[0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn ids_have_the_length_aws_gives_them() {
        assert_eq!(Credentials::fresh(OffsetDateTime::UNIX_EPOCH, 900).access_key_id.len(), 20);
        assert_eq!(role_id("arn:aws:iam::111122223333:role/demo").len(), 21);
    }
}
