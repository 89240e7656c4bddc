//! Who held an AWS session: events of `CloudTrail`, Vault's audit log and its server log, joined offline.
//!
//! ```text
//! a file ──▶ input ──▶ cloudtrail ──┐
//!            lines      audit       ├─▶ LogFact ──▶ FactIndex ──▶ join ──▶ TraceReport ──▶ text, JSON
//!            documents  server_log ─┘                               └ reasons: what is unknown, why, and the cure
//! ```
//!
//! Each line is read once and reduced to a fact, or dropped. The index keeps one record for each AWS session, with its first and its
//! last call and a count, and one for each time that Vault handed a session out. Memory grows with sessions and with reads of
//! credentials, not with the calls of `CloudTrail` or the other requests of Vault; a time span bounds it further. Two passes over the
//! files would need less, but they cannot read stdin, and the files may come in any order.
//!
//! The crate opens no file and has no clock: it reads what it is given. Start reading at [`Trace`], then in `join.rs`.

mod audit;
#[cfg(any(test, fuzzing))]
pub mod claims;
mod cloudtrail;
mod document;
mod fact;
mod holders;
mod index;
mod input;
mod join;
mod line;
mod moment;
mod reasons;
mod report;
mod selection;
mod serial;
mod server_log;
mod text;

use std::io::BufRead;

pub use input::InputError;
pub use moment::{Moment, MomentError};
pub use report::{
    CallLine, CallSummary, FileSummary, HolderRequest, MadeBy, Missing, SessionHolder, SkippedLines,
    TraceReport, TracedSession,
};
pub use selection::{Selection, TimeSpan};
pub use serial::{HexSerial, SerialError};

use index::FactIndex;

/// One run: files are read into it one after the other, and then it answers.
pub struct Trace {
    selection: Selection,
    index: FactIndex,
    files: Vec<FileSummary>,
    skipped: SkippedLines,
}

impl Trace {
    /// A run that answers for `selection`.
    pub fn new(selection: Selection) -> Self {
        let index = FactIndex::new(selection.span);
        Self { selection, index, files: Vec::new(), skipped: SkippedLines::default() }
    }

    /// Reads a file whose kind its content tells. `name` is its name in messages.
    ///
    /// A line that cannot be read is noted in [`TraceReport::skipped`], and reading goes on.
    ///
    /// # Errors
    /// The file cannot be read further, is compressed, or has no line that is known. What was read before counts.
    pub fn read(&mut self, name: &str, reader: impl BufRead) -> Result<(), InputError> {
        let summary = input::read(name, reader, &mut self.index, &mut self.skipped)?;
        self.files.push(summary);
        Ok(())
    }

    /// What the files say about the selected sessions.
    pub fn report(self) -> TraceReport {
        let (sessions, not_found) = join::sessions(&self.selection, &self.index, &self.files);
        TraceReport { sessions, not_found, files: self.files, skipped: self.skipped }
    }
}
