//! `auth/<mount>/login`: the pod's token in, a token of Vault out.

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::token::{MAX_TOKEN, PodToken};

/// A login that Vault granted. It is used for one read and then dropped: batch tokens need no revocation.
#[derive(Debug)]
pub struct Login {
    token: SecretString,
    /// Vault's id of the login, which its audit log has.
    pub request_id: String,
}

impl Login {
    /// The token, for Vault alone.
    pub(super) fn token(&self) -> &str {
        self.token.expose_secret()
    }
}

/// The body of a login under `role`. Its memory is overwritten when it is dropped.
pub(super) fn body(role: &str, token: &PodToken) -> Bytes {
    #[derive(Serialize)]
    struct Body<'a> {
        role: &'a str,
        jwt: &'a str,
    }
    // room for all of it, because a growing vector would free its old memory uncleared
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_TOKEN + 2 * role.len() + 64));
    // a vector takes any write
    let _written = serde_json::to_writer(&mut *body, &Body { role, jwt: token.expose() });
    Bytes::from_owner(body)
}

/// Reads the answer to a login.
///
/// # Errors
/// It holds no token. The text says what is there.
pub(super) fn read(body: &Zeroizing<Vec<u8>>) -> Result<Login, &'static str> {
    let answer: LoginAnswer = serde_json::from_slice(body).map_err(|_| super::answer::kind_of(body))?;
    let auth = answer.auth.ok_or("JSON without `auth`")?;
    if auth.client_token.expose_secret().is_empty() {
        return Err("no token: does the login want a second factor?");
    }
    Ok(Login { token: auth.client_token, request_id: answer.request_id.unwrap_or_default() })
}

#[derive(Deserialize)]
struct LoginAnswer {
    request_id: Option<String>,
    auth: Option<Auth>,
}

#[derive(Deserialize)]
struct Auth {
    client_token: SecretString,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Login, &'static str> {
        read(&Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_login_gives_a_token_and_vaults_id() {
        let login = of(r#"{"request_id":"1-2","auth":{"client_token":"hvb.A","policies":[]}}"#).unwrap();

        assert_eq!((login.token(), login.request_id.as_str()), ("hvb.A", "1-2"));
        assert!(!format!("{login:?}").contains("hvb"));
    }

    #[test]
    fn an_answer_without_a_token_is_told_by_what_it_is() {
        for (text, what) in [
            ("<html>", "HTML"),
            (r#"{"auth":{"client_"#, "broken JSON"),
            (r#"{"data":{}}"#, "JSON without `auth`"),
            (r#"{"auth":{"client_token":""}}"#, "no token: does the login want a second factor?"),
        ] {
            assert_eq!(of(text).unwrap_err(), what);
        }
    }

    #[test]
    fn the_body_names_the_role_and_holds_the_token() {
        let token = PodToken::from_header(b"a.b.c").unwrap();

        assert_eq!(body("associations", &token), r#"{"role":"associations","jwt":"a.b.c"}"#);
    }
}
