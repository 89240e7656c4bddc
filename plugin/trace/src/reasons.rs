//! Why something is unknown, and what cures it. Nothing is guessed: what the files do not say has an entry here.

use std::collections::BTreeSet;

use crate::fact::{Legible, VaultRead};
use crate::index::FactIndex;
use crate::line::LineKind;
use crate::moment::Moment;
use crate::report::{FileSummary, Missing, SessionHolder, TracedSession};

/// The keys of answers that the audit log should show in clear, as `vault-config/plugin/register.sh` tunes them.
const AUDIT_KEYS: [&str; 5] = ["access_key", "serial_number", "expiration", "source_identity", "error"];

/// What is unknown of a session: how it was made, its calls, and its holders.
pub(crate) fn of_session(session: &TracedSession, index: &FactIndex, files: &[FileSummary]) -> Vec<Missing> {
    let has = |kind| files.iter().any(|file| file.has(kind));
    let mut missing = Vec::new();
    if session.made.is_none() {
        missing.push(not_made(index, has(LineKind::CloudTrail)));
    }
    if session.calls.is_none() && has(LineKind::CloudTrail) {
        missing.push(Missing::new("call", format!("no event{} is signed with it", reach(index.trail))));
    }
    if session.holders.is_empty() {
        missing.extend(no_holder(session, index, has(LineKind::Audit)));
    }
    missing
}

/// What is unknown of a holder.
pub(crate) fn of_holder(holder: &SessionHolder, index: &FactIndex) -> Vec<Missing> {
    let is_audited = holder.entity_id.is_some() || holder.display_name.is_some() || holder.address.is_some();
    if !is_audited {
        let named = match holder.requests.first() {
            Some(request) => format!("is of the request {}", request.id),
            None => "shows the access key".to_owned(),
        };
        let why = format!("no read of credentials{} {named}", reach(index.audited));
        return vec![Missing::new("audit entry", why).cure("give the audit log of the time and the node")];
    }
    let mut missing = Vec::new();
    if holder.namespace.is_none() || holder.service_account.is_none() {
        missing.push(Missing::new(
            "service account",
            "the token's metadata name none: it is not of Kubernetes auth",
        ));
    } else if holder.pods.is_empty() {
        let why = "Vault knows the service account and not the pod";
        missing.push(
            Missing::new("pod", why)
                .cure("give the node agent's log, or look for the pod that had the address"),
        );
    }
    if holder.entity_id.is_none() {
        missing.push(Missing::new("entity", "the token has none"));
    }
    missing
}

fn not_made(index: &FactIndex, has_trail: bool) -> Missing {
    match has_trail {
        true => {
            let why =
                format!("no CreateSession or AssumeRole{} answers with its access key", reach(index.trail));
            Missing::new("origin", why)
                .cure("give the events of the trust anchor's region and of the 12 hours before")
        }
        false => Missing::new("origin", "no event of CloudTrail was given"),
    }
}

fn no_holder(session: &TracedSession, index: &FactIndex, has_audit: bool) -> Vec<Missing> {
    let missing = |why: String| Missing::new("audit entry", why);
    if !has_audit {
        return vec![missing("no audit log of Vault was given".to_owned())];
    }
    let (hashed, documents) = (hashed(index.reads(), session), documents(index.reads()));
    let mut reasons: Vec<_> = mounts(&hashed).into_iter().map(|mount| hidden(mount, &hashed)).collect();
    if !documents.is_empty() {
        let why = format!(
            "reads of {} ({}) show one HMAC for the whole answer",
            paths(&documents),
            documents.len()
        );
        let cure =
            "give Vault's log of the time: the plugin's lines there name the serial number and the request";
        reasons.push(missing(why).cure(cure));
    }
    if reasons.is_empty() {
        let count = index.reads().len();
        reasons.push(missing(format!("no read of credentials{} ({count}) names it", reach(index.audited))));
    }
    reasons
}

/// Why the reads of a mount cannot be told apart.
fn hidden(mount: &str, hashed: &[&VaultRead]) -> Missing {
    let count = hashed.iter().filter(|read| read.mount == mount).count();
    let values = hashed_values(hashed, mount);
    let why = format!("{values} HMACed in the reads of the mount {mount} ({count}) and cannot be compared");
    Missing::new("audit entry", why).cure(tune(mount))
}

/// The reads that might be of the session and show nothing by which to tell.
fn hashed<'a>(reads: &'a [VaultRead], session: &TracedSession) -> Vec<&'a VaultRead> {
    let hides_serial = |read: &VaultRead| session.serial_number.is_none() || read.serial == Legible::Hashed;
    let hides_key = |read: &VaultRead| read.access_key == Legible::Hashed;
    reads.iter().filter(|read| !read.is_document && hides_serial(read) && hides_key(read)).collect()
}

fn hashed_values(hashed: &[&VaultRead], mount: &str) -> &'static str {
    let hides_serial = hashed.iter().any(|read| read.mount == mount && read.serial == Legible::Hashed);
    if hides_serial { "access_key and serial_number are" } else { "access_key is" }
}

/// The reads of whole documents that no line of the plugin's log leads to.
fn documents(reads: &[VaultRead]) -> Vec<&VaultRead> {
    reads.iter().filter(|read| read.is_document).collect()
}

fn mounts<'a>(reads: &[&'a VaultRead]) -> BTreeSet<&'a str> {
    reads.iter().map(|read| read.mount.as_str()).collect()
}

fn paths(reads: &[&VaultRead]) -> String {
    let paths: BTreeSet<_> = reads.iter().map(|read| format!("{}{}", read.mount, read.path)).collect();
    let more = if paths.len() > 3 { " and others" } else { "" };
    paths.into_iter().take(3).collect::<Vec<_>>().join(", ") + more
}

/// The whole list, because the command replaces it. A mount whose name a shell might read otherwise is left to the operator.
fn tune(mount: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/_-.".contains(character);
    let mount = if mount.chars().all(is_plain) { mount } else { "<mount>" };
    let keys: Vec<_> = AUDIT_KEYS.iter().map(|key| format!("-audit-non-hmac-response-keys={key}")).collect();
    format!("vault secrets tune {} {mount}", keys.join(" "))
}

fn reach(moments: Option<(Moment, Moment)>) -> String {
    moments.map_or_else(String::new, |(first, last)| format!(" from {first} to {last}"))
}
