//! Trust anchors: `/trustanchors`, `/trustanchor/{id}`.

use serde_json::{Value, json};

use super::{Account, Input, not_found, notifications, page, tagging};
use crate::{
    http::Reply,
    pki::Certificate,
    rules::{Refusal, Rule},
    state::TrustAnchor,
};

/// AWS's quota, which cannot be raised.
const CERTIFICATES: usize = 2;
/// Characters of `x509CertificateData`.
const DATA_LIMIT: usize = 204_800;
const BUNDLE: &str = "CERTIFICATE_BUNDLE";
const PRIVATE_CA: &str = "AWS_ACM_PCA";

pub(super) fn create(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let name = input.required_name()?;
    let source = input.body.get("source").ok_or_else(|| Refusal::member(Rule::Missing, "source"))?;
    let certificates_pem = certificates(source)?;
    let enabled = input.flag("enabled")?.unwrap_or(false);
    let tags = tagging::given(input)?;
    let notification_settings = notifications::given(input)?;
    let id = account.new_id();
    account.tag("trust-anchor", &id, tags);
    account.change().trust_anchors.push(TrustAnchor {
        id: id.clone(),
        name,
        enabled,
        certificates_pem,
        acm_pca_arn: None,
        notification_settings,
    });
    reply(account, 201, &id)
}

/// Replaces the source as a whole, and its type with it; `enabled` is not a member of this call.
pub(super) fn update(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let name = input.name()?;
    let certificates_pem = input.body.get("source").map(certificates).transpose()?;
    edit(account, &input.id, |anchor| {
        anchor.name = name.unwrap_or_else(|| anchor.name.clone());
        if let Some(certificates_pem) = certificates_pem {
            anchor.certificates_pem = certificates_pem;
            anchor.acm_pca_arn = None;
        }
    })
}

pub(super) fn enable(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    edit(account, &input.id, |anchor| anchor.enabled = true)
}

pub(super) fn disable(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    edit(account, &input.id, |anchor| anchor.enabled = false)
}

pub(super) fn get(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    reply(account, 200, &input.id)
}

pub(super) fn list(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let all: Vec<Value> =
        account.state().trust_anchors.iter().map(|anchor| detail(account, anchor)).collect();
    page(input, "trustAnchors", all)
}

/// Also deletes the anchor's CRLs.
pub(super) fn delete(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let gone = reply(account, 200, &input.id)?;
    let state = account.change();
    state.trust_anchors.retain(|anchor| anchor.id != input.id);
    state.crls.retain(|crl| crl.trust_anchor_id != input.id);
    account.untag("trust-anchor", &input.id);
    Ok(gone)
}

pub(super) fn edit(
    account: &mut Account<'_>,
    id: &str,
    change: impl FnOnce(&mut TrustAnchor),
) -> Result<Reply, Refusal> {
    let anchor = account.change().trust_anchors.iter_mut().find(|anchor| anchor.id == id);
    change(anchor.ok_or_else(|| not_found("Trust anchor", id))?);
    account.touch(id);
    reply(account, 200, id)
}

fn reply(account: &Account<'_>, status: u16, id: &str) -> Result<Reply, Refusal> {
    let anchor = account.state().trust_anchors.iter().find(|anchor| anchor.id == id);
    let anchor = anchor.ok_or_else(|| not_found("Trust anchor", id))?;
    Ok(Reply::json(status, &json!({"trustAnchor": detail(account, anchor)})))
}

fn detail(account: &Account<'_>, anchor: &TrustAnchor) -> Value {
    let source = match &anchor.acm_pca_arn {
        Some(arn) => json!({"sourceType": PRIVATE_CA, "sourceData": {"acmPcaArn": arn}}),
        None => json!({"sourceType": BUNDLE, "sourceData": {"x509CertificateData": anchor.certificates_pem}}),
    };
    let detail = json!({
        "trustAnchorId": anchor.id,
        "trustAnchorArn": account.state().trust_anchor_arn(&anchor.id),
        "name": anchor.name,
        "enabled": anchor.enabled,
        "source": source,
        "notificationSettings": notifications::shown(account, anchor),
    });
    account.with_times(&anchor.id, detail)
}

/// One or two v3 CA certificates, as AWS's trust model requires, in PEM.
fn certificates(source: &Value) -> Result<String, Refusal> {
    let kind = source["sourceType"].as_str().unwrap_or_default();
    let members = source["sourceData"].as_object().map(|data| data.keys().cloned().collect());
    let members: Vec<String> = members.unwrap_or_default();
    let member = match kind {
        BUNDLE => "x509CertificateData",
        PRIVATE_CA => "acmPcaArn",
        _ => {
            let constraint = "Member must satisfy enum value set: [CERTIFICATE_BUNDLE, AWS_ACM_PCA]";
            return Err(Refusal::constraint(Rule::ManagementBounds, "source.sourceType", kind, constraint));
        }
    };
    if members.iter().any(|one| one != member) {
        return Err(Refusal::member(Rule::AnchorSource, kind));
    }
    let data = source["sourceData"][member].as_str();
    let data = data.ok_or_else(|| Refusal::member(Rule::Missing, &format!("source.sourceData.{member}")))?;
    if kind == PRIVATE_CA {
        return Err(Refusal::new(Rule::AnchorPca, data));
    }
    bundle(data)
}

fn bundle(data: &str) -> Result<String, Refusal> {
    if data.is_empty() || data.len() > DATA_LIMIT {
        let (member, constraint) = ("x509CertificateData", "Member must have length between 1 and 204800");
        return Err(Refusal::constraint(Rule::ManagementBounds, member, "…", constraint));
    }
    let bad = |reason: String| Refusal::new(Rule::AnchorData, reason);
    let certificates = Certificate::all_from_pem(data).map_err(|error| bad(error.to_string()))?;
    if certificates.is_empty() {
        return Err(bad("no certificate".to_owned()));
    }
    if certificates.len() > CERTIFICATES {
        return Err(Refusal::new(Rule::AnchorTooMany, format!("{} certificates", certificates.len())));
    }
    certificates.iter().try_for_each(check)?;
    Ok(certificates.iter().map(Certificate::pem).collect())
}

fn check(certificate: &Certificate) -> Result<(), Refusal> {
    let subject = certificate.subject().to_string();
    if !certificate.is_ca() || !certificate.may_sign_certificates() {
        return Err(Refusal::new(Rule::AnchorConstraints, subject));
    }
    if !certificate.is_v3() || !certificate.is_signed_with_a_strong_hash() {
        return Err(Refusal::new(Rule::AnchorWeak, subject));
    }
    Ok(())
}
