//! Everything public formatted with `{:?}`, searched for secret bytes.

use std::sync::Arc;
use std::time::Duration;

use crate::parties::{good_answer, identity, key, request};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use rolesanywhere::{
    Authorization, CanonicalRequest, Client, Endpoint, ExposeSecret as _, Partition, SecretString, Settings,
    StringToSign, Transport, TransportError, Url, signed_request,
};
use time::macros::datetime;

/// Answers with a session, and with the same cut off where a key is being told.
#[derive(Debug)]
struct Answers(&'static str);

#[async_trait]
impl Transport for Answers {
    async fn send(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let whole = good_answer();
        let end = if self.0.is_empty() { whole.len() } else { whole.find(self.0).unwrap() };
        Ok(Response::builder().status(201).body(Bytes::from(whole[..end].to_owned())).unwrap())
    }
}

fn assert_no_secret(shown: &str) {
    let key = key();
    let scalar = &key[36..68];
    for secret in [
        "wJalrXUtnFEMI",
        "IQoJb3JpZ2luX2Vj",
        "hunter2",
        "dXNlcjpodW50ZXIy",
        &hex::encode(scalar),
        &format!("{scalar:?}"),
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_debug_or_error_text_holds_a_secret() {
    let settings = Settings {
        proxy_url: Some(Url::parse("http://user:hunter2@proxy.example:3128").unwrap()),
        ..Settings::default()
    };
    let now = || datetime!(2026-01-02 03:04:05 UTC);
    let ask = async |answers: Answers| {
        let client = Client::with_transport(&settings, Arc::new(answers)).unwrap();
        assert_no_secret(&format!("{client:?}"));
        client.create_session(&identity(), &request(), now, Duration::from_secs(1)).await
    };

    let session = ask(Answers("")).await.unwrap();
    let cut_off = ask(Answers("expiration")).await.unwrap_err();

    assert_eq!(session.secret_access_key.expose_secret(), "wJalrXUtnFEMI/K7MDENG");
    for shown in [
        format!("{session:?}"),
        format!("{cut_off:?} {cut_off}"),
        format!("{settings:?}"),
        format!("{:?}", identity()),
        format!("{:?}", SecretString::from("hunter2")),
        format!("{:?}", Client::new(&settings)),
    ] {
        assert_no_secret(&shown);
    }
}

#[test]
fn no_debug_text_holds_the_signature_of_a_request() {
    let (identity, asked, now) = (identity(), request(), datetime!(2026-01-02 03:04:05 UTC));
    let region = asked.trust_anchor.region();
    let endpoint = Endpoint::resolve(&Settings::default(), region, Partition::Aws).unwrap();
    let canonical = CanonicalRequest::new([], b"");
    let string = StringToSign::new(&canonical, &identity, region, now).unwrap();

    let authorization = Authorization::new(&canonical, &string, &identity).unwrap();
    let signed = signed_request(&endpoint, &identity, &asked, now).unwrap();

    let signature = |text: &str| text.split_once("Signature=").unwrap().1.to_owned();
    let sent = signed.headers()["authorization"].to_str().unwrap();
    assert!(!format!("{authorization:?}").contains(&signature(&authorization.to_string())));
    assert!(!format!("{signed:?}").contains(&signature(sent)));
}
