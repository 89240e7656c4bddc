//! The templates and the Terraform module of `vault-config/aws/`, linted, and resolved into the resources that AWS would create.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use harness::binaries;
use serde_json::{Map, Value};

use crate::script::config_file;

/// The pinned cfn-lint and HCL parser, and what resolves templates, in a folder that is kept between runs.
#[derive(Clone, Copy, Debug)]
pub struct Templates {
    folder: &'static str,
}

impl Templates {
    /// The folder is made by the first run, and again when a pin changes.
    pub const fn within(folder: &'static str) -> Templates {
        Templates { folder }
    }

    /// The findings of cfn-lint about every template; run once in a test process.
    ///
    /// # Panics
    /// When it cannot be started, or there is no template.
    pub fn lint(self) -> &'static Output {
        static RUN: OnceLock<Output> = OnceLock::new();
        RUN.get_or_init(|| {
            let templates = templates();
            assert!(!templates.is_empty(), "there are templates");
            Command::new(tool("run")).arg(self.folder).args(templates).output().expect("bash runs")
        })
    }

    /// The interpreter that has the pinned packages.
    ///
    /// # Panics
    /// When a template does not lint.
    pub fn python(self) -> PathBuf {
        assert!(self.lint().status.success(), "{}", String::from_utf8_lossy(&self.lint().stderr));
        Path::new(self.folder).join("bin/python")
    }

    /// The resources that AWS would create from a template with these parameters and attributes (`resources`, `outputs`, what each output
    /// `said`, and the names of all `parameters`), or its reason to refuse.
    ///
    /// # Errors
    /// The text of the pattern or rule that refuses a value.
    ///
    /// # Panics
    /// When the resolver cannot be run.
    pub fn resolve(self, template: &str, values: &Value) -> Result<Value, String> {
        self.run("resolve.py", template, values)
    }

    /// The resources that the Terraform module in `folder` would create (`resources`, `outputs`, names of `variables`) with these values of its
    /// expressions.
    ///
    /// # Errors
    /// Why a file of it cannot be read.
    ///
    /// # Panics
    /// When the parser cannot be run.
    pub fn module(self, folder: &str, values: &Value) -> Result<Value, String> {
        self.run("module.py", folder, values)
    }

    fn run(self, script: &str, what: &str, values: &Value) -> Result<Value, String> {
        let folder = tempfile::tempdir().expect("a folder for the values");
        let file = folder.path().join("values.json");
        std::fs::write(&file, values.to_string()).expect("the values can be written");
        let mut command = Command::new(self.python());
        command.arg("-B").arg(tool(script)).args([config_file(what), file]);
        let run = command.output().expect("python runs");
        if !run.status.success() {
            return Err(String::from_utf8_lossy(&run.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&run.stdout).expect("it prints JSON"))
    }
}

/// Attribute mappings of a profile in the emulator's shape.
///
/// # Panics
/// When the profile has none.
pub fn mappings(profile: &Value) -> Value {
    let fields = profile["AttributeMappings"].as_array().expect("a list of mappings").iter().map(|mapping| {
        let rules = mapping["MappingRules"].as_array().into_iter().flatten();
        let specifiers = rules.map(|rule| rule["Specifier"].clone()).collect();
        (mapping["CertificateField"].as_str().expect("a field").to_owned(), specifiers)
    });
    Value::Object(fields.collect::<Map<String, Value>>())
}

fn templates() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(config_file("aws")).expect("there is vault-config/aws");
    let mut found: Vec<PathBuf> = folder.map(|entry| entry.expect("it can be listed").path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    found.sort();
    found
}

fn tool(name: &str) -> PathBuf {
    binaries::workspace().join("tests/tools/cfn-lint").join(name)
}
