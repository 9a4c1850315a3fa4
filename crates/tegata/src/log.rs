//! The program's log: to standard error, as text for people or as JSON for collectors, with the identifier of the request
//! that a line is about.

use clap::ValueEnum;
use serde_json::{Map, Value};
use std::fmt::{self, Debug};
use tegata_net::RequestId;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum LogFormat {
    /// One line of text for each event.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is worth a line unless `TEGATA_LOG` says otherwise.
const LEVELS: &str = "warn,tegata=info";

/// What a command logs unless `TEGATA_LOG` says otherwise: its queries may be slow without anything being wrong.
const LEVELS_OF_COMMANDS: &str = "warn,tegata=info,sqlx::query=error";

/// Begins the log of a server or gate, or of a command. `TEGATA_LOG` chooses what is written, as
/// `info,tegata_web=debug`.
pub fn start(format: LogFormat, serves: bool) {
    let usual = if serves { LEVELS } else { LEVELS_OF_COMMANDS };
    let filter = EnvFilter::try_from_env("TEGATA_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // The reader of standard error may have gone away; a message about that would have nowhere to go.
        .log_internal_errors(false)
        .event_format(LineFormat(format))
        .init();
}

struct LineFormat(LogFormat);

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.0 {
            LogFormat::Text => text(context, writer, event),
            LogFormat::Json => json(writer, event),
        }
    }
}

/// `2026-11-30T00:00:00.000000Z  INFO tegata_net: refused … request_id=4wd8d86e`.
fn text<S, N>(context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let metadata = event.metadata();
    SystemTime.format_time(&mut writer)?;
    write!(writer, " {:>5} {}: ", metadata.level(), crate_of(metadata.target()))?;
    let mut fields = String::new();
    context.format_fields(Writer::new(&mut fields), event)?;
    // What others sent cannot begin a line of its own.
    write!(writer, "{}", fields.replace(char::is_control, "\u{fffd}"))?;
    if let Some(id) = unsaid_identifier(event) {
        write!(writer, " request_id={id}")?;
    }
    writeln!(writer)
}

fn json(mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let metadata = event.metadata();
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut members = JsonMembers(Map::new());
    members.0.insert("time".into(), time.into());
    members.0.insert("level".into(), metadata.level().as_str().to_lowercase().into());
    members.0.insert("target".into(), crate_of(metadata.target()).into());
    event.record(&mut members);
    if let Some(id) = unsaid_identifier(event) {
        members.0.insert("request_id".into(), id.as_str().into());
    }
    writeln!(writer, "{}", Value::Object(members.0))
}

/// The request that this line is about, unless the line says it itself.
fn unsaid_identifier(event: &Event<'_>) -> Option<RequestId> {
    RequestId::current().filter(|_| event.fields().all(|field| field.name() != "request_id"))
}

/// The name of the crate is enough of a target: modules move.
fn crate_of(target: &str) -> &str {
    target.split("::").next().unwrap_or(target)
}

struct JsonMembers(Map<String, Value>);

impl JsonMembers {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for JsonMembers {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field, u64::try_from(value).unwrap_or(u64::MAX));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct WrittenLine(Arc<Mutex<Vec<u8>>>);

    impl Write for WrittenLine {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for WrittenLine {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn line(format: LogFormat, id: RequestId) -> String {
        let written = WrittenLine::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(written.clone())
            .with_ansi(false)
            .event_format(LineFormat(format))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            id.within(|| tracing::error!(error = %"disk full\nforged", seq = 7_u64, "it cannot be kept"));
        });
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn support_finds_the_line_by_the_identifier_in_either_form() {
        let id = RequestId::next();
        assert!(line(LogFormat::Text, id).ends_with(&format!(" request_id={id}\n")));
        let line: Value = serde_json::from_str(&line(LogFormat::Json, id)).unwrap();
        assert_eq!(line["request_id"], id.as_str());
        assert_eq!(
            (&line["message"], &line["level"], &line["seq"]),
            (&"it cannot be kept".into(), &"error".into(), &7.into())
        );
        assert_eq!(line["target"], "tegata");
    }

    #[test]
    fn whatever_is_logged_is_one_line() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(line(format, RequestId::next()).trim_end().lines().count(), 1, "{format:?}");
        }
    }
}
