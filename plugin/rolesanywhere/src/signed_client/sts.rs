//! The holder of the credentials, as STS knows it.

use serde::Deserialize;

use super::error::CallError;
use super::operation::ApiOperation;
use super::request::UnsignedRequest;
use super::{SignedClient, xml};
use crate::answer::Answer;
use crate::partition::Region;
use crate::service::Service;
use crate::shown::line;

const VERSION: &str = "2011-06-15";

/// The holder of the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// `arn:aws:sts::<account>:assumed-role/<role>/<session name>`.
    pub arn: String,
    /// The 12 digits of the account.
    pub account: String,
    /// `AROA…:<session name>`, which policies call `aws:userid`.
    pub user_id: String,
}

impl SignedClient {
    /// Asks the region's STS who holds the credentials. It needs no permission, and an explicit deny cannot take it
    /// away.
    pub async fn get_caller_identity(&self, region: &Region) -> Result<CallerIdentity, CallError> {
        let service = Service::sts(&self.channel.settings, region);
        let unsigned = UnsignedRequest::form("GetCallerIdentity", VERSION, &[]);
        self.call(ApiOperation::GetCallerIdentity, service, unsigned, read).await
    }
}

fn read(answer: &Answer<'_>) -> Result<CallerIdentity, String> {
    let wire: IdentityResponseWire = xml::parse(answer)?;
    let IdentityWire { arn, account, user_id } = wire.result;
    Ok(CallerIdentity {
        arn: filled("Arn", arn)?,
        account: filled("Account", account)?,
        user_id: filled("UserId", user_id)?,
    })
}

fn filled(name: &str, text: String) -> Result<String, String> {
    if text.is_empty() { Err(format!("{name} is empty")) } else { line(name, text) }
}

#[derive(Deserialize)]
struct IdentityResponseWire {
    #[serde(rename = "GetCallerIdentityResult")]
    result: IdentityWire,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IdentityWire {
    arn: String,
    account: String,
    user_id: String,
}
