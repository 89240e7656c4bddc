//! Trust anchors, read and updated through Roles Anywhere's own API.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::SignedClient;
use super::error::CallError;
use super::operation::ApiOperation;
use super::request::UnsignedRequest;
use crate::answer::Answer;
use crate::arn::TrustAnchorArn;
use crate::error::{Error, LocalError};
use crate::service::Service;
use crate::shown::{bounded, line};

/// A trust anchor as AWS stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The anchor's ARN, with its id also if it was requested by an alias.
    pub arn: TrustAnchorArn,
    /// The last part of the ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it accepts certificates for sessions.
    pub enabled: bool,
    /// Where its CA certificates come from.
    pub source: AnchorSource,
    /// When it was last changed.
    pub updated_at: Option<OffsetDateTime>,
}

/// Where a trust anchor's CA certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnchorSource {
    /// Its own bundle: at most two DER certificates in AWS's order.
    CertificateBundle(Vec<Vec<u8>>),
    /// An AWS Private CA, by its ARN. This crate cannot change its certificates.
    AcmPca(String),
    /// A source of another type, by AWS's name for it.
    Other(String),
}

/// The longest name that AWS takes.
pub(super) const MAX_NAME: usize = 255;
/// The number of certificates that AWS allows in a trust anchor, which cannot be raised.
/// <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/load-balancer-limits.html>
const MAX_CERTIFICATES: usize = 2;

impl SignedClient {
    /// Reads a trust anchor.
    pub async fn get_trust_anchor(&self, arn: &TrustAnchorArn) -> Result<TrustAnchor, CallError> {
        let unsigned = UnsignedRequest::get(path(arn), arn.account());
        self.call(ApiOperation::GetTrustAnchor, self.home(arn), unsigned, read).await
    }

    /// Replaces the whole bundle of a trust anchor with one or two DER certificates, and returns the bundle that AWS
    /// then stores.
    ///
    /// Certificates that are not in `bundle` are removed, so read the anchor first. Name and `enabled` stay.
    pub async fn update_trust_anchor(
        &self,
        arn: &TrustAnchorArn,
        bundle: &[Vec<u8>],
    ) -> Result<TrustAnchor, CallError> {
        let operation = ApiOperation::UpdateTrustAnchor;
        let pem = pem(bundle).map_err(|cause| CallError::new(operation, cause))?;
        let source =
            json!({ "sourceType": "CERTIFICATE_BUNDLE", "sourceData": { "x509CertificateData": pem } });
        let unsigned = UnsignedRequest::patch(path(arn), arn.account(), &json!({ "source": source }));
        self.call(operation, self.home(arn), unsigned, read).await
    }

    fn home(&self, arn: &TrustAnchorArn) -> Result<Service, crate::endpoint::EndpointError> {
        Service::roles_anywhere(&self.channel.settings, arn.region(), arn.partition())
    }
}

fn path(arn: &TrustAnchorArn) -> String {
    format!("/trustanchor/{}", identifier(arn.as_str()))
}

/// The id of an ARN `…:<kind>/<id>`; an alias is named by its whole ARN.
pub(super) fn identifier(arn: &str) -> String {
    let resource = arn.rsplit(':').next().unwrap_or_default();
    match resource.split_once('/') {
        Some((kind, id)) if kind != "alias" => id.to_owned(),
        _ => percent_encoding::utf8_percent_encode(arn, percent_encoding::NON_ALPHANUMERIC).to_string(),
    }
}

fn pem(bundle: &[Vec<u8>]) -> Result<String, Error> {
    if !(1..=MAX_CERTIFICATES).contains(&bundle.len()) {
        let problem = format!(
            "{} certificates, a trust anchor holds 1 to {MAX_CERTIFICATES} (AWS's fixed limit)",
            bundle.len()
        );
        return Err(Error::Local(LocalError::Parameter { field: "bundle", problem }));
    }
    let blocks = bundle.iter().map(|der| pem::Pem::new("CERTIFICATE", der.clone()));
    let line_ends = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    Ok(pem::encode_many_config(&blocks.collect::<Vec<_>>(), line_ends))
}

fn read(answer: &Answer<'_>) -> Result<TrustAnchor, String> {
    let wire: AnchorResponseWire = answer.parse()?;
    let detail = wire.trust_anchor;
    let arn: TrustAnchorArn =
        detail.trust_anchor_arn.parse().map_err(|err| format!("trustAnchorArn {err}"))?;
    Ok(TrustAnchor {
        id: detail.trust_anchor_id.unwrap_or_else(|| identifier(arn.as_str())),
        name: bounded(&detail.name.unwrap_or_default(), MAX_NAME),
        enabled: detail.enabled.unwrap_or_default(),
        source: source(detail.source)?,
        updated_at: detail.updated_at.as_deref().and_then(at),
        arn,
    })
}

fn source(wire: SourceWire) -> Result<AnchorSource, String> {
    let data = wire.source_data.unwrap_or_default();
    Ok(match wire.source_type.as_str() {
        "CERTIFICATE_BUNDLE" => {
            AnchorSource::CertificateBundle(certificates(&data.x509_certificate_data.unwrap_or_default())?)
        }
        "AWS_ACM_PCA" => AnchorSource::AcmPca(line("acmPcaArn", data.acm_pca_arn.unwrap_or_default())?),
        other => AnchorSource::Other(other.chars().take(64).collect()),
    })
}

fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let all = all.map_err(|_| "x509CertificateData is not readable as PEM".to_owned())?;
    Ok(all.into_iter().map(|der| der.to_vec()).collect())
}

/// AWS's time, with microseconds.
pub(super) fn at(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnchorResponseWire {
    trust_anchor: AnchorWire,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnchorWire {
    trust_anchor_arn: String,
    trust_anchor_id: Option<String>,
    name: Option<String>,
    enabled: Option<bool>,
    source: SourceWire,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourceWire {
    source_type: String,
    source_data: Option<SourceDataWire>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct SourceDataWire {
    x509_certificate_data: Option<String>,
    acm_pca_arn: Option<String>,
}
