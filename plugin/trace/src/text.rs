//! The report as text: one record for each session, and under it one for each holder.

use std::fmt::{self, Display, Formatter};

use crate::report::{CallLine, CallSummary, MadeBy, Missing, SessionHolder, TraceReport, TracedSession};

/// The requests of one holder that are printed; JSON has all of them.
const MAX_REQUESTS: usize = 5;

/// The column at which values begin.
const COLUMN: usize = 20;

impl Display for TraceReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for session in &self.sessions {
            writeln!(out, "{session}")?;
        }
        for name in &self.not_found {
            writeln!(out, "not found: {}: no file names it", printable(name))?;
        }
        if self.sessions.is_empty() && self.not_found.is_empty() {
            writeln!(out, "no session of Roles Anywhere was made, used or handed out")?;
        }
        Ok(())
    }
}

impl Display for TracedSession {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "session {}", printable(self.access_key.as_deref().unwrap_or("(access key unknown)")))?;
        let serial = self.serial_number.as_ref().map(ToString::to_string);
        field(out, 2, "serial number", serial.as_deref())?;
        field(out, 2, "source identity", self.source_identity.as_deref())?;
        field(out, 2, "IAM role", self.role_arn.as_deref())?;
        if let Some(made) = &self.made {
            made_by(out, made)?;
        }
        field(out, 2, "led to", some(&self.chained_to).as_deref())?;
        if let Some(calls) = &self.calls {
            summary(out, calls)?;
        }
        missing(out, 2, &self.missing)?;
        let count = self.holders.len();
        for (at, holder) in self.holders.iter().enumerate() {
            writeln!(out, "  holder {} of {count}", at + 1)?;
            write!(out, "{holder}")?;
        }
        Ok(())
    }
}

impl Display for SessionHolder {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        field(out, 4, "namespace", self.namespace.as_deref())?;
        field(out, 4, "service account", self.service_account.as_deref())?;
        field(out, 4, "pod", some(&self.pods).as_deref())?;
        field(out, 4, "entity", self.entity_id.as_deref())?;
        field(out, 4, "token", self.display_name.as_deref())?;
        field(out, 4, "engine role", self.role.as_deref())?;
        field(out, 4, "path", self.path.as_deref())?;
        field(out, 4, "address", self.address.as_deref())?;
        for request in self.requests.iter().take(MAX_REQUESTS) {
            let at = request.at.map_or_else(String::new, |at| format!(" at {at}"));
            field(out, 4, "request", Some(&format!("{}{at}", request.id)))?;
        }
        if self.requests.len() > MAX_REQUESTS {
            let more = format!("and {} more: --format json lists them", self.requests.len() - MAX_REQUESTS);
            field(out, 4, "", Some(&more))?;
        }
        field(out, 4, "joined by", Some(&self.joined_by))?;
        missing(out, 4, &self.missing)
    }
}

fn made_by(out: &mut Formatter<'_>, made: &MadeBy) -> fmt::Result {
    field(out, 2, "region", made.region.as_deref())?;
    field(out, 2, "made", Some(&format!("{} by {}", made.at, made.event)))?;
    field(out, 2, "made with", made.chained_from.as_deref())?;
    field(out, 2, "event", made.event_id.as_deref())?;
    field(out, 2, "expires", made.expires.as_deref())
}

fn summary(out: &mut Formatter<'_>, calls: &CallSummary) -> fmt::Result {
    let refused = if calls.refused > 0 { format!(", {} refused", calls.refused) } else { String::new() };
    field(out, 2, "calls", Some(&format!("{}{refused}", calls.count)))?;
    field(out, 2, "first call", Some(&call(&calls.first)))?;
    field(out, 2, "last call", Some(&call(&calls.last)))?;
    field(out, 2, "from", some(&calls.addresses).as_deref())
}

fn call(line: &CallLine) -> String {
    let region = line.region.as_ref().map_or_else(String::new, |region| format!(" in {region}"));
    format!("{} {}{region}", line.at, line.action)
}

fn missing(out: &mut Formatter<'_>, indent: usize, missing: &[Missing]) -> fmt::Result {
    for Missing { what, why, cure } in missing {
        writeln!(out, "{:indent$}no {what}: {}", "", printable(why))?;
        if let Some(cure) = cure {
            writeln!(out, "{:indent$}  cure: {}", "", printable(cure))?;
        }
    }
    Ok(())
}

/// One line, unless the value is unknown: then `missing` says why.
fn field(out: &mut Formatter<'_>, indent: usize, name: &str, value: Option<&str>) -> fmt::Result {
    let width = COLUMN - indent;
    value.map_or(Ok(()), |value| writeln!(out, "{:indent$}{name:width$}{}", "", printable(value)))
}

fn some(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(", "))
}

/// A log holds what callers chose: no character of it may move the cursor of a terminal, turn the text around or begin another line.
fn printable(value: &str) -> String {
    let mut shown = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
                shown.extend(character.escape_unicode());
            }
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}
