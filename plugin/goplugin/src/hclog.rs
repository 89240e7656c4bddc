//! Log lines for the host: `tracing` events as the JSON that go-hclog reads, one line each on stderr.
//!
//! The host parses every line, and a malformed one harms it: a number in place of text ends its process, and a
//! timestamp in another format hides the line. `line.rs` holds the rules, and a property test checks them for arbitrary
//! events.

#[cfg(any(test, fuzzing))]
pub(crate) mod claims;
mod fields;
mod line;

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use fields::Fields;
use line::LogLine;

/// Crates below this one that log the traffic they carry, headers and frames included. They may log warnings and errors only. A
/// name stands for every target that begins with it.
const QUIET_CRATES: &[&str] = &["h2", "hyper", "mio", "rustls", "tokio", "tonic", "tower", "yamux"];

/// Sends every event of the process at `level` and above to stderr, and every panic as an error event. The crates below this one
/// may log warnings and errors only, as may the `quiet` targets of the plugin's own dependencies, given by their prefixes. Choose a
/// wide `level`, as a rule debug, because hosts do not reliably pass on their own level, and filter by it.
///
/// Only the first call in a process has an effect.
pub fn init(level: Level, quiet: &[&str]) {
    let layer = HclogLayer::new(io::stderr()).with_filter(filter(level, quiet));
    if tracing::subscriber::set_global_default(Registry::default().with(layer)).is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(location, "panic: {}", panic.payload_as_str().unwrap_or("without a text"));
        }));
    }
}

fn filter(level: Level, quiet: &[&str]) -> Targets {
    let own = LevelFilter::from_level(level);
    let quiet = QUIET_CRATES.iter().chain(quiet).map(|target| (*target, own.min(LevelFilter::WARN)));
    Targets::new().with_default(own).with_targets(quiet)
}

/// Writes one JSON line for each event to `W`, typically stderr. A line that cannot be written is lost, because a host
/// that closed its end of the pipe reads no log.
///
/// Each line has the fields of all open spans, inner ones before outer ones of the same name.
pub struct HclogLayer<W> {
    writer: Mutex<W>,
    clock: fn() -> OffsetDateTime,
}

impl<W: Write + Send + 'static> HclogLayer<W> {
    /// A layer that reads the system's clock.
    pub fn new(writer: W) -> Self {
        #[expect(clippy::disallowed_methods, reason = "log lines carry the time they were written")]
        Self::with_clock(writer, OffsetDateTime::now_utc)
    }

    /// A layer that reads `clock`.
    pub fn with_clock(writer: W, clock: fn() -> OffsetDateTime) -> Self {
        Self { writer: Mutex::new(writer), clock }
    }
}

impl<S, W> Layer<S> for HclogLayer<W>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    W: Write + Send + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let mut line = LogLine::new((self.clock)(), *metadata.level(), metadata.target(), fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.surround(fields);
            }
        }
        let text = line.finish();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _lost = writer.write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests;
