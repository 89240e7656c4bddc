//! `trace <file>…`: who held an AWS session, from the files that operators have. It calls nothing and needs no credentials.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use trace::{HexSerial, InputError, Moment, Selection, SkippedLines, TimeSpan, Trace, TraceReport};
use vault_backend::Plugin;

/// The name of stdin among the files.
const STDIN: &str = "-";

/// Who held an AWS session: the pod's service account, its entity and its requests, from files.
///
/// Joins AWS CloudTrail's events, Vault's audit log and Vault's server log. The content of a file says which of them it is.
/// Without a name, every session of IAM Roles Anywhere in the files is printed. It calls neither AWS nor Vault.
#[derive(Parser)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
#[command(name = "vault-plugin-secrets-iamra trace", after_help = FILES)]
struct TraceOptions {
    /// An access key id, as in a line of CloudTrail. May be repeated
    #[arg(long = "access-key", value_name = "ID")]
    access_keys: Vec<String>,
    /// A certificate's serial number in hex, with or without colons; CloudTrail has it as the session's name. May be repeated
    #[arg(long = "serial", value_name = "HEX", value_parser = HexSerial::parse)]
    serials: Vec<HexSerial>,
    /// A source identity, whole. May be repeated
    #[arg(long = "source-identity", value_name = "TEXT")]
    source_identities: Vec<String>,
    /// Only sessions that were made, used or handed out from this time on, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    from: Option<Moment>,
    /// Only sessions that were made, used or handed out up to this time
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    to: Option<Moment>,
    /// A record for each session, or one JSON document
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Files, or - for stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

const FILES: &str = "\
Files, in any order:
  CloudTrail's events   as the console exports them, as a trail stores them (unpacked), as `aws cloudtrail lookup-events` prints them,
                        or one to a line
  Vault's audit log     of a file device
  Vault's server log    as JSON or text, for reads of container/<role>: the audit log has one HMAC for such an answer
  the node agent's log  for the names of pods

A line that cannot be read is named on stderr and skipped. The exit status is 1 if no file could be read.";

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Reads the files, and prints the report on stdout, and on stderr what could not be read.
pub(crate) fn run(plugin: Plugin, words: Vec<OsString>) -> ExitCode {
    let name = OsString::from(plugin.name);
    let options = match TraceOptions::try_parse_from([name].into_iter().chain(words)) {
        Ok(options) => options,
        Err(said) => return explain(&said),
    };
    let (report, unread) = read(&options);
    let printed = complain(plugin, &unread, &report.skipped).and_then(|()| print(&report, options.format));
    match printed.is_ok() && !report.files.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// The help that was asked for, or what is wrong with the options.
fn explain(said: &clap::Error) -> ExitCode {
    let printed = said.print();
    if printed.is_ok() && !said.use_stderr() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the files say, and why some could not be read.
fn read(options: &TraceOptions) -> (TraceReport, Vec<InputError>) {
    let mut trace = Trace::new(options.selection());
    let unread = options.files.iter().filter_map(|file| read_file(&mut trace, file).err()).collect();
    (trace.report(), unread)
}

impl TraceOptions {
    fn selection(&self) -> Selection {
        let (access_keys, serials) = (self.access_keys.clone(), self.serials.clone());
        let span = TimeSpan { from: self.from, to: self.to };
        Selection { access_keys, serials, source_identities: self.source_identities.clone(), span }
    }
}

fn read_file(trace: &mut Trace, file: &Path) -> Result<(), InputError> {
    let name = file.display().to_string();
    if file == Path::new(STDIN) {
        return trace.read(&name, io::stdin().lock());
    }
    match File::open(file) {
        Ok(opened) => trace.read(&name, BufReader::new(opened)),
        Err(error) => Err(InputError::Io { file: name, error }),
    }
}

fn complain(plugin: Plugin, unread: &[InputError], skipped: &SkippedLines) -> io::Result<()> {
    let wrong = skipped.first.iter().cloned().chain(unread.iter().map(ToString::to_string));
    let count = (skipped.count > 0).then(|| format!("lines skipped: {}", skipped.count));
    wrong.chain(count).try_for_each(|text| say(plugin, &text))
}

fn say(plugin: Plugin, text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{} trace: {text}", plugin.name)
}

fn print(report: &TraceReport, format: Format) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match format {
        Format::Text => write!(stdout, "{report}"),
        Format::Json => print_json(&mut stdout, report),
    }
}

fn print_json(mut out: impl Write, report: &TraceReport) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, report)?;
    writeln!(out)
}
