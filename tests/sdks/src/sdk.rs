//! The SDKs, and how each one's caller is started.

use std::fs;
use std::path::Path;

use harness::binaries::workspace;

/// An AWS SDK with a caller in this folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sdk {
    /// For Python.
    Boto3,
    /// The AWS CLI, version 1: a process a call.
    Cli,
    /// For Go, version 2.
    Go,
    /// For JavaScript, version 3, on Node.js.
    JavaScript,
    /// For Java, version 2.
    Java,
    /// For Rust.
    Rust,
}

impl Sdk {
    /// All of them.
    pub const ALL: [Sdk; 6] = [Sdk::Boto3, Sdk::Cli, Sdk::Go, Sdk::JavaScript, Sdk::Java, Sdk::Rust];

    /// Its name with the version that is pinned here.
    pub fn title(self) -> String {
        let (name, file, before) = match self {
            Sdk::Boto3 => ("Python, boto3", "python/requirements.txt", "boto3=="),
            Sdk::Cli => ("AWS CLI", "python/requirements.txt", "awscli=="),
            Sdk::Go => ("Go v2, config", "go/go.mod", "aws-sdk-go-v2/config v"),
            Sdk::JavaScript => ("JavaScript v3", "javascript/package.json", "client-sts\": \""),
            Sdk::Java => ("Java v2", "java/pom.xml", "<aws.version>"),
            Sdk::Rust => ("Rust, aws-config", "Cargo.toml", "aws-config = { version = \"="),
        };
        format!("{name} {}", version(file, before))
    }

    /// The program and its arguments, without the seconds to run. `rust` is the caller that cargo built, `sdk-rust`.
    pub fn caller(self, rust: &Path) -> Vec<String> {
        match self {
            Sdk::Boto3 => vec![made("python/bin/python"), here("python/caller.py")],
            Sdk::Cli => vec![here("python/caller.sh"), made("python/bin/aws")],
            Sdk::Go => vec![made("go/caller")],
            Sdk::JavaScript => vec!["node".to_owned(), made("javascript/caller.mjs")],
            Sdk::Java => {
                let path = format!("{}:{}/*", made("java/classes"), made("java/lib"));
                let quick = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &path, "Caller"];
                quick.map(str::to_owned).to_vec()
            }
            Sdk::Rust => vec![text(rust)],
        }
    }
}

/// The folder that `./prepare` made.
///
/// # Panics
/// When it did not; the message names the make verb.
fn made(path: &str) -> String {
    let found = workspace().join("target/sdks").join(path);
    assert!(found.exists(), "no {}: run `make sdks`", found.display());
    text(&found)
}

fn version(file: &str, before: &str) -> String {
    let path = here(file);
    let content = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (_, after) = content.split_once(before).unwrap_or_else(|| panic!("no {before} in {path}"));
    after.chars().take_while(|character| character.is_ascii_digit() || *character == '.').collect()
}

/// A file of this package.
pub fn here(file: &str) -> String {
    text(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}
