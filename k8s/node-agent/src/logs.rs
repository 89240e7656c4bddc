//! Log lines: one JSON object each on stderr, with time, level, message, and the fields of the event.
//!
//! The messages and fields of this crate hold no token and no secret. The libraries below it log the traffic that they carry, headers
//! included, so they may log warnings alone.
//!
//! A thread of its own writes, because a stderr that nobody reads would block the one thread that answers pods.

use std::fmt::{self, Debug, Write as _};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use crate::failure::Failure;

/// The target of this crate's own events.
const OWN: &str = "node_agent";

/// The longest text of one field, in characters. A longer one is cut.
const MAX_TEXT: usize = 4096;

/// The lines that wait to be written. What comes beyond them is lost.
const MAX_WAITING: usize = 1024;

/// How long the last lines may take to be written when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// To the thread that writes.
static WRITER: OnceLock<SyncSender<Job>> = OnceLock::new();

const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Sends the events of this crate at `level` and above to stderr, warnings of its libraries, and every panic.
///
/// Only the first call in a process has an effect.
///
/// # Errors
/// The thread that writes cannot start.
pub(crate) fn init(level: Level) -> Result<(), Failure> {
    let (jobs, waiting) = sync_channel(MAX_WAITING);
    if WRITER.set(jobs.clone()).is_err() {
        return Ok(());
    }
    let started =
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&waiting, io::stderr()));
    started.map_err(|error| Failure::new(format!("the thread that writes the log cannot start: {error}")))?;
    let own = LevelFilter::from_level(level);
    let targets = Targets::new().with_default(own.min(LevelFilter::WARN)).with_target(OWN, own);
    let layer = JsonLines::new(jobs).with_filter(targets);
    if tracing::subscriber::set_global_default(Registry::default().with(layer)).is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(location, "panic: {}", panic.payload_as_str().unwrap_or("without a text"));
        }));
    }
    Ok(())
}

/// Waits until every line so far is written, a second at most.
pub(crate) fn flush() {
    let (done, written) = sync_channel(1);
    if WRITER.get().is_some_and(|jobs| jobs.try_send(Job::Tell(done)).is_ok()) {
        // a stderr that nobody reads must not keep the process
        let _ = written.recv_timeout(FLUSH_TIMEOUT);
    }
}

/// What the thread that writes is to do.
enum Job {
    Write(String),
    /// Tell that everything before is written.
    Tell(SyncSender<()>),
}

/// Writes lines until nobody can send any more. One that cannot be written is lost.
fn write_all(jobs: &Receiver<Job>, mut writer: impl Write) {
    for job in jobs {
        match job {
            Job::Write(line) => drop(writer.write_all(line.as_bytes())),
            Job::Tell(done) => drop(done.try_send(())),
        }
    }
}

/// Makes one line of each event, and sends it to be written, unless too many wait.
struct JsonLines {
    jobs: SyncSender<Job>,
    clock: fn() -> OffsetDateTime,
}

impl JsonLines {
    #[expect(clippy::disallowed_methods, reason = "log lines carry the time at which they were written")]
    fn new(jobs: SyncSender<Job>) -> Self {
        Self { jobs, clock: OffsetDateTime::now_utc }
    }
}

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        fields.0.insert("time".to_owned(), (self.clock)().format(TIMESTAMP).unwrap_or_default().into());
        fields.0.insert("level".to_owned(), event.metadata().level().as_str().to_ascii_lowercase().into());
        event.record(&mut fields);
        let mut line = Value::Object(fields.0).to_string();
        line.push('\n');
        // too many wait: the line is lost, and no pod waits for it
        let _ = self.jobs.try_send(Job::Write(line));
    }
}

/// The fields of one event.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = Bounded { text: String::new(), room: MAX_TEXT };
        // it ends early where the text is too long
        let _cut = write!(text, "{value:?}");
        self.put(field, text.text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.chars().take(MAX_TEXT).collect::<String>().into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// Takes text until there is no room.
struct Bounded {
    text: String,
    room: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        for c in piece.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(c);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(events: impl FnOnce()) -> Vec<Value> {
        let (jobs, waiting) = sync_channel(MAX_WAITING);
        let layer = JsonLines { jobs, clock: || OffsetDateTime::UNIX_EPOCH };
        tracing::subscriber::with_default(Registry::default().with(layer), events);
        let mut text = Vec::new();
        write_all(&waiting, &mut text);
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_event_is_one_line_with_its_fields() {
        let lines = logged(|| {
            let absent: Option<&str> = None;
            tracing::warn!(namespace = "payments", pod = absent, age_seconds = 5_u64, "an old\nsession");
        });

        assert_eq!(
            lines,
            [serde_json::json!({
                "time": "1970-01-01T00:00:00.000000Z", "level": "warn", "message": "an old\nsession", "namespace": "payments",
                "age_seconds": 5,
            })]
        );
    }

    #[test]
    fn a_text_without_end_is_cut() {
        let lines = logged(|| tracing::info!(what = ?"a".repeat(10_000), "{}", "b".repeat(10_000)));

        assert_eq!(lines[0]["message"].as_str().unwrap().len(), MAX_TEXT);
        assert_eq!(lines[0]["what"].as_str().unwrap().len(), MAX_TEXT);
    }

    #[test]
    fn a_log_that_nobody_reads_holds_up_nobody() {
        let (jobs, waiting) = sync_channel(1);
        let layer = JsonLines { jobs, clock: || OffsetDateTime::UNIX_EPOCH };

        tracing::subscriber::with_default(Registry::default().with(layer), || {
            (0..10).for_each(|number| tracing::info!(number, "a line"));
        });

        assert_eq!(waiting.iter().count(), 1);
    }
}
