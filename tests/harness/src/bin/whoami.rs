//! Prints the ARN that an STS endpoint gives to the holder of some credentials.
//!
//! ```text
//! vault read -format=json iamra/creds/demo | whoami --endpoint http://127.0.0.1:4566 --region eu-central-1
//! AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… whoami --endpoint … --region … --from-environment
//! ```
//! Secrets come on standard input or in the environment, never as arguments, which every process may read.

use std::io::{Read, Write};
use std::process::ExitCode;

use harness::sts::{Credentials, caller_identity};

const USAGE: &str = "usage: whoami --endpoint URL [--region eu-central-1] [--ca-file PEM] [--from-environment]
reads the JSON of `vault read -format=json …/creds/…` on standard input, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
AWS_SESSION_TOKEN with --from-environment; prints the caller's ARN";

/// The arguments of the command line.
struct Asked {
    endpoint: String,
    region: String,
    ca_file: Option<String>,
    from_environment: bool,
}

impl Asked {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut endpoint = None;
        let mut region = "eu-central-1".to_owned();
        let mut ca_file = None;
        let mut from_environment = false;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--endpoint" => endpoint = Some(value()?),
                "--region" => region = value()?,
                "--ca-file" => ca_file = Some(value()?),
                "--from-environment" => from_environment = true,
                other => return Err(format!("unknown argument {other}\n{USAGE}")),
            }
        }
        Ok(Asked { endpoint: endpoint.ok_or(USAGE)?, region, ca_file, from_environment })
    }

    fn credentials(&self) -> Result<Credentials, String> {
        if self.from_environment {
            return environment();
        }
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
        let document =
            serde_json::from_str(&text).map_err(|error| format!("standard input is no JSON: {error}"))?;
        Credentials::from_vault(&document).map_err(|error| error.to_string())
    }
}

#[expect(clippy::disallowed_methods, reason = "the AWS variables are this program's input")]
fn environment() -> Result<Credentials, String> {
    let need = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    Ok(Credentials {
        access_key: need("AWS_ACCESS_KEY_ID")?,
        secret_key: need("AWS_SECRET_ACCESS_KEY")?,
        session_token: need("AWS_SESSION_TOKEN").ok(),
    })
}

async fn run() -> Result<String, String> {
    let asked = Asked::parse(std::env::args().skip(1))?;
    let read = |file: &String| std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"));
    let ca_pem = asked.ca_file.as_ref().map(read).transpose()?;
    let credentials = asked.credentials()?;
    let who = caller_identity(&asked.endpoint, &asked.region, ca_pem.as_deref(), &credentials).await;
    who.map(|who| who.arn).map_err(|error| error.to_string())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (code, written) = match run().await {
        Ok(arn) => (ExitCode::SUCCESS, writeln!(std::io::stdout(), "{arn}")),
        Err(error) => (ExitCode::FAILURE, writeln!(std::io::stderr(), "whoami: {error}")),
    };
    if written.is_ok() { code } else { ExitCode::FAILURE }
}
