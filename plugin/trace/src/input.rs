//! A file, read line by line or value by value; its content says what it is.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};

use serde_json::Value;
use thiserror::Error;

use crate::document;
use crate::fact::LogFact;
use crate::index::FactIndex;
use crate::line::{self, LineKind};
use crate::report::{FileSummary, SkippedLines};
use crate::server_log;

/// The longest line that is read. An event of `CloudTrail` has 256 KB at most, an entry of an audit log what a request may have.
const MAX_LINE: u64 = 16 << 20;

const GZIP: &[u8] = &[0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a file gave nothing.
#[derive(Debug, Error)]
pub enum InputError {
    /// The operating system gave an error.
    #[error("{file}: cannot be read: {error}")]
    Io {
        /// The file's name.
        file: String,
        /// What the system said.
        error: io::Error,
    },
    /// It is compressed.
    #[error(
        "{file}: is compressed with gzip; unpack it first, or: gunzip -c {file} | vault-plugin-secrets-iamra trace … -"
    )]
    Gzip {
        /// The file's name.
        file: String,
    },
    /// It is something else.
    #[error(
        "{file}: no line is an event of CloudTrail, an entry of Vault's audit log or a line of Vault's log"
    )]
    Unknown {
        /// The file's name.
        file: String,
    },
}

/// Reads one file into the index. Its skipped lines are noted in `skipped`.
///
/// # Errors
/// See [`InputError`].
pub(crate) fn read(
    file: &str,
    reader: impl BufRead,
    index: &mut FactIndex,
    skipped: &mut SkippedLines,
) -> Result<FileSummary, InputError> {
    let mut reading =
        Reading { file, index, skipped, kinds: BTreeSet::new(), known: 0, skips: 0, is_text: false };
    reading.all(reader)?;
    if reading.known == 0 {
        return Err(InputError::Unknown { file: file.to_owned() });
    }
    let kinds = reading.kinds.iter().map(|kind| kind.name()).collect();
    Ok(FileSummary { file: file.to_owned(), kinds, known: reading.known, skipped: reading.skips })
}

/// One file under way.
struct Reading<'a> {
    file: &'a str,
    index: &'a mut FactIndex,
    skipped: &'a mut SkippedLines,
    kinds: BTreeSet<LineKind>,
    known: u64,
    skips: u64,
    /// The first line was text: it is a log, in which other text is no fault.
    is_text: bool,
}

impl Reading<'_> {
    fn all(&mut self, mut reader: impl BufRead) -> Result<(), InputError> {
        let (mut line, mut number) = (Vec::new(), 0);
        while self.next(&mut reader, &mut line)? {
            number += 1;
            if number == 1 && line.starts_with(GZIP) {
                return Err(InputError::Gzip { file: self.file.to_owned() });
            }
            let whole = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line);
            let content = whole.trim_ascii();
            let is_first = self.known + self.skips == 0 && !self.is_text;
            if content.is_empty() {
                continue;
            }
            if is_first && document::begins_with(content) {
                self.document(whole.chain(reader), number);
                return Ok(());
            }
            self.is_text |= is_first && !content.starts_with(b"{");
            self.line(content, number);
        }
        Ok(())
    }

    /// The next line without what is beyond [`MAX_LINE`]; false at the end.
    fn next(&self, reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, InputError> {
        let failed = |error| InputError::Io { file: self.file.to_owned(), error };
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', line).map_err(failed)?;
        if line.len() as u64 == MAX_LINE && !line.ends_with(b"\n") {
            reader.skip_until(b'\n').map_err(failed)?;
        }
        Ok(read > 0)
    }

    fn line(&mut self, content: &[u8], number: u64) {
        let place = format!("line {number}");
        if !content.starts_with(b"{") {
            return self.text(&String::from_utf8_lossy(content), &place);
        }
        match serde_json::from_slice(content) {
            Ok(value) => self.value(value, &place),
            Err(_) if content.len() as u64 >= MAX_LINE - 1 => {
                self.skip(&place, &format!("is longer than {} MiB", MAX_LINE >> 20));
            }
            Err(error) => {
                self.skip(&place, &format!("is not JSON: {} at column {}", reason(&error), error.column()));
            }
        }
    }

    fn text(&mut self, content: &str, place: &str) {
        match server_log::text_facts(content) {
            Some(facts) => self.add(LineKind::ServerLog, facts),
            None if self.is_text || self.kinds.contains(&LineKind::ServerLog) => {}
            None => self.skip(place, "is not JSON"),
        }
    }

    fn value(&mut self, value: Value, place: &str) {
        match line::read(value) {
            Ok((kind, facts)) => self.add(kind, facts),
            Err(wrong) => self.skip(place, &wrong),
        }
    }

    fn add(&mut self, kind: LineKind, facts: Vec<LogFact>) {
        self.kinds.insert(kind);
        self.known += 1;
        for fact in facts {
            self.index.add(fact);
        }
    }

    /// Elements of a list have no line of their own: a wrong one is named by its number in the list.
    fn document(&mut self, reader: impl Read, first_line: u64) {
        let mut number = 0;
        let read = document::read(reader, &mut |value| {
            number += 1;
            self.value(value, &format!("element {number}"));
        });
        if let Err(error) = read {
            let line = first_line + (error.line() as u64).saturating_sub(1);
            self.skip(
                &format!("line {line}"),
                &format!("is not JSON, and the rest of the file is not read: {}", reason(&error)),
            );
        }
    }

    fn skip(&mut self, place: &str, wrong: &str) {
        self.skips += 1;
        self.skipped.note(format!("{}: {place}: {wrong}", self.file));
    }
}

/// The error without its place, which is relative to where parsing began.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::TimeSpan;

    const EVENT: &str =
        r#"{"eventTime":"2026-11-30T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject"}"#;

    fn read_all(text: &[u8]) -> (Result<FileSummary, InputError>, SkippedLines) {
        let (mut index, mut skipped) = (FactIndex::new(TimeSpan::default()), SkippedLines::default());
        (read("file", text, &mut index, &mut skipped), skipped)
    }

    #[test]
    fn a_bad_line_is_named_and_reading_goes_on() {
        let (read, skipped) = read_all(format!("{EVENT}\n\nnot json\n{{\"a\":1}}\n{EVENT}\n").as_bytes());

        assert_eq!(read.unwrap().known, 2);
        assert_eq!(skipped.count, 2);
        assert!(skipped.first[0].starts_with("file: line 3: is not JSON"), "{:?}", skipped.first);
        assert!(skipped.first[1].starts_with("file: line 4: is JSON, and neither"), "{:?}", skipped.first);
    }

    #[test]
    fn a_bad_element_of_a_list_is_named_by_its_number() {
        let (read, skipped) = read_all(format!("{{\"Records\":[{EVENT},{{\"a\":1}},{EVENT}]}}").as_bytes());

        assert_eq!(read.unwrap().known, 2);
        assert!(skipped.first[0].starts_with("file: element 2: "), "{:?}", skipped.first);
    }

    #[test]
    fn an_event_without_its_time_is_named_with_the_field() {
        let (_, skipped) = read_all(br#"{"eventSource":"s3.amazonaws.com","eventName":"GetObject"}"#);

        assert!(skipped.first[0].contains("missing field `eventTime`"), "{:?}", skipped.first);
    }

    #[test]
    fn a_list_that_breaks_off_names_its_line_and_counts_what_came_before() {
        let (read, skipped) = read_all(format!("{{\n\"Records\": [{EVENT},\n{{\"eventTime\"").as_bytes());

        assert_eq!(read.unwrap().known, 1);
        assert!(
            skipped.first[0].starts_with("file: line 3: is not JSON, and the rest"),
            "{:?}",
            skipped.first
        );
    }

    #[test]
    fn a_compressed_file_is_refused_with_the_command_that_unpacks_it() {
        let (read, _) = read_all(&[0x1f, 0x8b, 8, 0, 0]);

        assert!(read.unwrap_err().to_string().contains("gunzip -c file |"));
    }

    #[test]
    fn text_that_is_no_log_is_refused() {
        for text in ["", "hello\nworld\n", "# Title\n"] {
            assert!(matches!(read_all(text.as_bytes()).0, Err(InputError::Unknown { .. })), "{text}");
        }
    }

    #[test]
    fn the_banner_of_a_log_is_no_bad_line() {
        let log = "==> Vault server configuration:\n\n   Cgo: disabled\n2026-11-30T12:00:00.000Z [INFO]  core: started\n";

        let (read, skipped) = read_all(log.as_bytes());

        assert_eq!((read.unwrap().kinds, skipped.count), (vec!["log"], 0));
    }
}
