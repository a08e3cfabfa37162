//! Log lines: `[2026-01-28T15:00:00Z] INFO: …`, or JSON, one a line.

use std::fmt;
use std::sync::OnceLock;

use lensops_core::redaction::Redactor;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, SubscriberBuilder};
use tracing_subscriber::registry::LookupSpan;

use crate::terminal::{self, Look};

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogForm {
    /// `[time] LEVEL: message`
    Human,
    /// One JSON object a line.
    Json,
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: where the lines are what was asked for.
    Output,
    /// Standard error.
    Error,
}

/// Takes secrets out of the lines of libraries; without it they are left out.
static LIBRARIES: OnceLock<Redactor> = OnceLock::new();

/// From now on the warnings of the job queue are logged, without what `redactor` knows.
pub fn redact_libraries(redactor: Redactor) {
    // A second worker in one process keeps the first's.
    LIBRARIES.set(redactor).ok();
}

/// Starts logging to `to` at `level` (`INFO`, `DEBUG`, …). Lines of libraries are left out, but for the warnings of the
/// job queue, which [`redact_libraries`] lets through.
///
/// # Errors
/// When `level` is none.
pub fn start(form: LogForm, level: Option<&str>, to: Stream) -> Result<(), String> {
    let level = level.unwrap_or("INFO").trim();
    let parsed: Level = match level.to_ascii_uppercase().as_str() {
        "WARNING" => Level::WARN,
        "CRITICAL" => Level::ERROR,
        other => other
            .parse()
            .map_err(|_| format!("LOG_LEVEL={level:?}: use DEBUG, INFO, WARNING or ERROR"))?,
    };
    let filter = EnvFilter::new(format!(
        // That a batch closes while its worker stops is how it stops.
        "off,lensops={parsed},graphile_worker=warn,graphile_worker::batcher=error"
    ));
    let builder: SubscriberBuilder = tracing_subscriber::fmt();
    let look = match to {
        Stream::Output => terminal::output(),
        Stream::Error => terminal::error(),
    };
    // A second start, as tests make it, keeps the first.
    let builder = builder.with_writer(move || -> Box<dyn std::io::Write> {
        match to {
            Stream::Output => Box::new(std::io::stdout()),
            Stream::Error => Box::new(std::io::stderr()),
        }
    });
    // Where the reader of the lines left, a check goes on, and says nothing of it where nobody reads.
    let builder = builder.log_internal_errors(false);
    let _kept = builder
        .with_env_filter(filter)
        .event_format(Lines(form, look))
        .try_init();
    Ok(())
}

struct Lines(LogForm, Look);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            _ => "DEBUG",
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        if !event.metadata().target().starts_with("lensops") {
            let Some(redactor) = LIBRARIES.get() else { return Ok(()) };
            fields = fields.of_library(redactor);
        }
        match self.0 {
            LogForm::Human => {
                let line = format!("[{at}] {level}: {}", fields.message);
                writeln!(writer, "{}", self.1.dress(&line))
            }
            LogForm::Json => {
                let mut line = json!({"time": at, "level": level, "message": fields.message});
                if let Some(object) = line.as_object_mut() {
                    object.extend(fields.others);
                }
                writeln!(writer, "{line}")
            }
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    /// The same as one line without secrets: a library says in fields what it means.
    fn of_library(self, redactor: &Redactor) -> Self {
        let mut line = format!("⚠️ The job queue: {}", self.message);
        for (name, value) in &self.others {
            // What a job carries is lensops' own, and says nothing here.
            if name != "payload" {
                line.push_str(&format!(" {name}={value}"));
            }
        }
        Self {
            message: redactor.text(&line).as_str().to_owned(),
            others: Map::new(),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.others.insert(field.name().to_owned(), json!(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.insert(field.name().to_owned(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.insert(field.name().to_owned(), json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.insert(field.name().to_owned(), json!(value));
    }
}
