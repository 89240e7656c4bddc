//! Certificate revocation lists: `/crls`, `/crl/{id}`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Account, Input, not_found, page, tagging, wrong_type};
use crate::{
    http::Reply,
    pki::{Certificate, RevocationList},
    rules::{Refusal, Rule},
    state::{Crl, TrustAnchor},
};

/// AWS's quota per anchor, which cannot be raised.
const PER_ANCHOR: usize = 2;
/// Bytes of `crlData`.
const DATA_LIMIT: usize = 300_000;

pub(super) fn import(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let name = input.required_name()?;
    let arn = input.required("trustAnchorArn")?;
    let data = data(input)?.ok_or_else(|| Refusal::member(Rule::Missing, "crlData"))?;
    let anchor = account
        .state()
        .trust_anchors
        .iter()
        .find(|anchor| account.state().trust_anchor_arn(&anchor.id) == arn);
    let anchor = anchor.ok_or_else(|| Refusal::new(Rule::CrlAnchorNotFound, &arn))?.clone();
    if account.state().crls.iter().filter(|crl| crl.trust_anchor_id == anchor.id).count() >= PER_ANCHOR {
        return Err(Refusal::new(Rule::CrlTooMany, anchor.id));
    }
    let crl_pem = signed_list(&data, &anchor)?;
    let enabled = input.flag("enabled")?.unwrap_or(false);
    let tags = tagging::given(input)?;
    let id = account.new_id();
    account.tag("crl", &id, tags);
    account.change().crls.push(Crl { id: id.clone(), name, enabled, trust_anchor_id: anchor.id, crl_pem });
    reply(account, 201, &id)
}

/// Replaces the whole list; its anchor stays the same.
pub(super) fn update(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let (name, data) = (input.name()?, data(input)?);
    let anchor_id = find(account, &input.id)?.trust_anchor_id.clone();
    let anchor = account.state().trust_anchors.iter().find(|anchor| anchor.id == anchor_id);
    let list = match (data, anchor) {
        (Some(data), Some(anchor)) => Some(signed_list(&data, anchor)?),
        _ => None,
    };
    edit(account, &input.id, |crl| {
        crl.name = name.unwrap_or_else(|| crl.name.clone());
        crl.crl_pem = list.unwrap_or_else(|| crl.crl_pem.clone());
    })
}

pub(super) fn enable(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    edit(account, &input.id, |crl| crl.enabled = true)
}

pub(super) fn disable(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    edit(account, &input.id, |crl| crl.enabled = false)
}

pub(super) fn get(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    reply(account, 200, &input.id)
}

pub(super) fn list(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let all: Vec<Value> = account.state().crls.iter().map(|crl| detail(account, crl)).collect();
    page(input, "crls", all)
}

pub(super) fn delete(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let gone = reply(account, 200, &input.id)?;
    account.change().crls.retain(|crl| crl.id != input.id);
    account.untag("crl", &input.id);
    Ok(gone)
}

fn find<'a>(account: &'a Account<'_>, id: &str) -> Result<&'a Crl, Refusal> {
    account.state().crls.iter().find(|crl| crl.id == id).ok_or_else(|| not_found("Crl", id))
}

fn edit(account: &mut Account<'_>, id: &str, change: impl FnOnce(&mut Crl)) -> Result<Reply, Refusal> {
    let crl = account.change().crls.iter_mut().find(|crl| crl.id == id);
    change(crl.ok_or_else(|| not_found("Crl", id))?);
    account.touch(id);
    reply(account, 200, id)
}

fn reply(account: &Account<'_>, status: u16, id: &str) -> Result<Reply, Refusal> {
    let crl = find(account, id)?;
    Ok(Reply::json(status, &json!({"crl": detail(account, crl)})))
}

fn detail(account: &Account<'_>, crl: &Crl) -> Value {
    let data = if crl.crl_pem.contains("-----BEGIN") {
        BASE64_STANDARD.encode(&crl.crl_pem)
    } else {
        crl.crl_pem.clone()
    };
    let detail = json!({
        "crlId": crl.id,
        "crlArn": account.state().resource_arn("crl", &crl.id),
        "name": crl.name,
        "enabled": crl.enabled,
        "crlData": data,
        "trustAnchorArn": account.state().trust_anchor_arn(&crl.trust_anchor_id),
    });
    account.with_times(&crl.id, detail)
}

/// `crlData`: a blob, in base64 on the wire; 1-300000 bytes.
fn data(input: &Input) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(text) = input.text("crlData")? else { return Ok(None) };
    let data = BASE64_STANDARD.decode(text).map_err(|_| wrong_type("crlData", "base64"))?;
    if data.is_empty() || data.len() > DATA_LIMIT {
        let constraint = "Member must have length between 1 and 300000";
        return Err(Refusal::constraint(
            Rule::CrlSize,
            "crlData",
            &format!("{} bytes", data.len()),
            constraint,
        ));
    }
    Ok(Some(data))
}

fn signed_list(data: &[u8], anchor: &TrustAnchor) -> Result<String, Refusal> {
    let bad = |reason: &str| Refusal::new(Rule::CrlData, reason);
    let list = RevocationList::from_bytes(data).map_err(|error| bad(&error.to_string()))?;
    let anchors = Certificate::all_from_pem(&anchor.certificates_pem).unwrap_or_default();
    if anchors.iter().any(|ca| list.is_signed_by(ca)) {
        return Ok(list.to_text());
    }
    Err(bad("not signed by a CA of the anchor"))
}
