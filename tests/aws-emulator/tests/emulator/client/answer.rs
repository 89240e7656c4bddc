//! An HTTP response, with the accessors that AWS clients use.

use serde_json::Value;

/// A whole HTTP response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// The credentials and names of a successful `CreateSession`.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) security_token: String,
    pub(crate) expiration: String,
    pub(crate) assumed_role_arn: String,
    pub(crate) source_identity: String,
    pub(crate) subject_arn: String,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Self { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text between a tag and its end, in XML.
    pub(crate) fn element(&self, tag: &str) -> String {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag} in {text}"));
        let (inside, _) = rest.split_once(&format!("</{tag}>")).unwrap_or_else(|| panic!("no end of {tag}"));
        inside.to_owned()
    }

    /// AWS's type of the error, which stands in a header only.
    pub(crate) fn error_type(&self) -> &str {
        self.header("x-amzn-errortype")
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("x-amzn-requestid")
    }

    /// The session of a 201, or a panic that shows the refusal.
    pub(crate) fn session(&self) -> Session {
        assert_eq!(self.status, 201, "{} {}", self.error_type(), self.text());
        let body = self.json();
        let set = &body["credentialSet"][0];
        let text = |value: &Value| {
            value.as_str().unwrap_or_else(|| panic!("a member is missing: {body}")).to_owned()
        };
        Session {
            access_key_id: text(&set["credentials"]["accessKeyId"]),
            secret_access_key: text(&set["credentials"]["secretAccessKey"]),
            security_token: text(&set["credentials"]["sessionToken"]),
            expiration: text(&set["credentials"]["expiration"]),
            assumed_role_arn: text(&set["assumedRoleUser"]["arn"]),
            source_identity: text(&set["sourceIdentity"]),
            subject_arn: text(&body["subjectArn"]),
        }
    }
}

impl Session {
    /// The last part of the assumed-role ARN.
    pub(crate) fn name(&self) -> &str {
        self.assumed_role_arn.rsplit('/').next().unwrap()
    }
}
