//! `lensops outbox`: what waits for delivery, delivering it now, and taking it out as JSON Lines.
//! `lensops export` is the same way out for every check.

use std::io::Write;

use lensops_core::duration::Every;
use lensops_core::history::schedule::{Schedule, from_ms};
use lensops_core::redaction::Redactor;
use serde_json::json;
use uuid::Uuid;

use crate::commands::context::{open_history, open_journal, open_store};
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::exit::Exit;
use crate::commands::worker::delivery::Delivery;
use crate::config::Settings;
use crate::store::{Exported, Journal, OutboxState, Sink, StoreError};

/// Parked checks that are shown.
const SHOWN: u32 = 20;

/// Checks read at once.
const PAGE: u32 = 100;

/// Prints how the outbox of the settings' journal stands.
///
/// # Errors
/// When the journal cannot be read.
pub async fn show(settings: &Settings, as_json: bool) -> Result<Exit> {
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    let goes_to = store.is_elsewhere().then(|| store.name());
    status(&journal, goes_to, settings.journal_limit()?, as_json).await
}

/// Delivers what waits in the settings' journal, parked checks too where `parked` says so.
///
/// # Errors
/// When the journal is the store, or cannot be read or written.
pub async fn deliver(settings: &Settings, parked: bool, json: bool) -> Result<Exit> {
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    let limit = settings.journal_limit()?;
    if !store.is_elsewhere() {
        return Err(Error::usage(
            "there is no store to deliver to: the journal is the store",
        ));
    }
    flush(&journal, store, settings.redactor(), Flush { limit, parked, json }).await
}

/// Writes every check of the chosen store to standard output.
///
/// # Errors
/// When the store cannot be read or the output is closed.
pub async fn export_store(settings: &Settings) -> Result<Exit> {
    let store = open_history(settings).await?;
    export(async |after, limit| store.page(after, limit).await).await
}

/// Writes what no store has taken to standard output.
///
/// # Errors
/// When the journal cannot be read or the output is closed.
pub async fn export_undelivered(settings: &Settings) -> Result<Exit> {
    let journal = open_journal(settings).await?;
    export(async |after, limit| journal.page(after, limit, true).await).await
}

/// Prints how the outbox stands; `goes_to` names the store, `None` where the journal is it.
///
/// # Errors
/// When the journal cannot be read.
pub async fn status(journal: &Journal, goes_to: Option<&str>, limit: u64, as_json: bool) -> Result<Exit> {
    let state = journal.outbox().await?;
    let parked = journal.parked(SHOWN).await?;
    if as_json {
        let json = json!({"store": goes_to, "state": state, "limit_bytes": limit, "parked": parked});
        say!("{json:#}");
    } else {
        say!(
            "store    {}",
            goes_to.unwrap_or("SQLite: the journal is the store, nothing is delivered")
        );
        say!("journal  {} checks, {} of {limit} bytes", state.checks, state.bytes);
        let oldest = state
            .oldest
            .map_or_else(String::new, |at| format!(", the oldest of {at}"));
        if goes_to.is_some() {
            say!("waiting  {}{oldest}", state.waiting);
            say!("parked   {}", state.parked);
        }
        for parked in &parked {
            say!("  {} {} {}: {}", parked.id, parked.lens, parked.yacht_id, parked.reason);
        }
    }
    // Without a store elsewhere nothing is overdue.
    Ok(goes_to.map_or(Exit::Good, |_| exit_of(&state)))
}

fn exit_of(state: &OutboxState) -> Exit {
    if state.parked > 0 {
        Exit::Bad
    } else if state.waiting > 0 {
        Exit::Degraded
    } else {
        Exit::Good
    }
}

/// How the outbox is emptied.
#[derive(Debug, Clone, Copy)]
pub struct Flush {
    /// The size in bytes that the journal should keep within.
    pub limit: u64,
    /// Try parked checks again.
    pub parked: bool,
    /// Print JSON.
    pub json: bool,
}

/// Delivers what waits, parked checks too where `parked` says so.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn flush<K: Sink>(journal: &Journal, sink: K, redactor: Redactor, flush: Flush) -> Result<Exit> {
    if flush.parked {
        journal.unpark().await?;
    }
    let mut delivery = Delivery::new(journal.clone(), sink, redactor, flush.limit);
    let delivered = delivery.flush().await?.delivered;
    let state = journal.outbox().await?;
    let (parked, waiting) = (state.parked, state.waiting);
    if flush.json {
        say!(
            "{:#}",
            json!({"delivered": delivered, "parked": parked, "waiting": waiting})
        );
    } else {
        say!("{delivered} delivered, {parked} parked, {waiting} waiting");
    }
    Ok(exit_of(&state))
}

/// Writes checks with their events to standard output, one JSON object a line, by id. `page` gives
/// up to so many checks with ids after the given one.
///
/// # Errors
/// When they cannot be read or the output is closed.
pub async fn export(page: impl AsyncFn(Option<Uuid>, u32) -> Result<Vec<Exported>, StoreError>) -> Result<Exit> {
    match pages(page).await {
        // Its reader has enough, as `head` has.
        Err(Written::Closed) => Ok(Exit::Good),
        Err(Written::Failed(error)) => Err(error),
        Ok(()) => Ok(Exit::Good),
    }
}

/// Why no more was written.
enum Written {
    Closed,
    Failed(Error),
}

impl From<std::io::Error> for Written {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        let failed: Result<()> = Err(Error::system(error)).context("standard output");
        failed.map_or_else(Self::Failed, |()| Self::Closed)
    }
}

impl From<StoreError> for Written {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

async fn pages(page: impl AsyncFn(Option<Uuid>, u32) -> Result<Vec<Exported>, StoreError>) -> Result<(), Written> {
    let mut out = std::io::stdout().lock();
    let mut after = None;
    loop {
        let page = page(after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            out.flush()?;
            return Ok(());
        };
        after = Some(last.id);
        for (check, events) in &page {
            let events = events
                .iter()
                .map(|(level, detail)| json!({"level": level, "detail_json": detail}));
            let notes = check.notes.read();
            // Of a slot, the id begins with its due time; an id of others says nothing of one.
            let schedule = Schedule::new(Every::QUARTER_HOUR, &check.lens_id, check.yacht_id);
            let due_ms = i64::try_from(check.id.as_u128() >> 80).unwrap_or(0);
            let line = json!({
                "id": check.id,
                "yacht_id": check.yacht_id,
                "lens_id": check.lens_id,
                "status": check.status,
                "p95_latency_ms": check.p95_latency_ms,
                "error_rate_percent": check.error_rate_percent,
                "sample_size": check.sample_size,
                "due_at": schedule.made(check.id).then(|| from_ms(due_ms)),
                "observed_at": check.observed_at,
                "every": notes.every,
                "slo": notes.slo,
                "samples": notes.samples(),
                "notes": check.notes,
                "events": events.collect::<Vec<_>>(),
            });
            writeln!(out, "{line}")?;
        }
    }
}
