//! How the container endpoint fails in each SDK.

use std::collections::BTreeMap;
use std::sync::Arc;

use sdks::{Sdk, first_error};
use serde_json::json;
use tokio::task::JoinSet;

use crate::grounds::Grounds;
use crate::run::run;
use crate::way::Way;

/// The error of these two SDKs for every reason.
const JAVASCRIPT: &str = "Could not load credentials from any providers";
const JAVA: &str = "ContainerCredentialsProvider(): Failed to load credentials from metadata service.";

/// No error at all.
const NONE: &str = "";

#[tokio::test]
async fn a_newline_after_the_token_fails_every_sdk() {
    let grounds = Arc::new(Grounds::new().await);

    let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", grounds.path("token-and-newline"));
    let errors = first_errors(&grounds, Way::Loopback, &[file]).await;

    assert_errors(
        &errors,
        [
            (Sdk::Boto3, "Auth token value is not a legal header value"),
            (Sdk::Cli, "Auth token value is not a legal header value"),
            (Sdk::Go, "authorization token contains invalid newline sequence"),
            (Sdk::JavaScript, JAVASCRIPT),
            (Sdk::Java, JAVA),
            (Sdk::Rust, "the auth token could not be used as an HTTP header value"),
        ],
    );
}

#[tokio::test]
async fn a_token_in_the_environment_beats_the_file_in_java_alone() {
    let grounds = Arc::new(Grounds::new().await);

    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer of nothing".to_owned());
    let errors = first_errors(&grounds, Way::Loopback, &[token]).await;

    assert_errors(&errors, Sdk::ALL.map(|sdk| (sdk, if sdk == Sdk::Java { JAVA } else { NONE })));
}

#[tokio::test]
async fn with_aws_away_three_sdks_show_what_the_engine_says() {
    let grounds = Arc::new(Grounds::new().await);
    grounds.stage.knobs(json!({ "fail_next": { "count": 1_000_000, "status": 503 } })).await;

    let errors = first_errors(&grounds, Way::Proxy, &[]).await;

    let ours = "AWS could not be reached";
    assert_errors(
        &errors,
        [
            (Sdk::Boto3, ours),
            (Sdk::Cli, ours),
            (Sdk::Go, ours),
            (Sdk::JavaScript, JAVASCRIPT),
            (Sdk::Java, JAVA),
            (Sdk::Rust, "Non-success status from HTTP credential provider: StatusCode(503)"),
        ],
    );
}

/// The first error of each SDK on this way; all SDKs run side by side.
async fn first_errors(
    grounds: &Arc<Grounds>,
    way: Way,
    more: &[(&'static str, String)],
) -> BTreeMap<Sdk, String> {
    let mut running = JoinSet::new();
    for sdk in Sdk::ALL {
        let (grounds, more) = (grounds.clone(), more.to_vec());
        running.spawn(async move {
            let calls = run(sdk, way, &grounds, 1, &more).await;
            assert!(!calls.is_empty(), "{sdk:?} said nothing");
            (sdk, first_error(&calls).to_owned())
        });
    }
    running.join_all().await.into_iter().collect()
}

/// Each SDK's error holds its text; [`NONE`] stands for no error.
#[track_caller]
fn assert_errors(errors: &BTreeMap<Sdk, String>, texts: [(Sdk, &str); 6]) {
    for (sdk, text) in texts {
        let error = &errors[&sdk];

        assert!(
            error.contains(text) && (error == NONE) == (text == NONE),
            "{sdk:?}, not {text:?}: {error:?}"
        );
    }
}
