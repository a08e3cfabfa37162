//! `lensops retention`: rolls up what is complete, then drops checks that are old enough.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use lensops_core::duration::parse_span;
use lensops_core::history::rollup::{Rollup, Span};
use serde_json::json;

use crate::commands::context::open_journal;
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::config::{Settings, StoreChoice};
use crate::store::{Archive, Hour, Owner};

/// Hours that are rolled up at once.
const AT_ONCE: i64 = 500;

/// What a run of retention came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retained {
    /// Hours that were rolled up.
    pub hours: u64,
    /// Days that were rolled up.
    pub days: u64,
    /// Checks that were dropped.
    pub dropped: i64,
}

/// Rolls up every stale hour that has ended by `now`, and the days they lie in.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn roll_up<A: Archive>(archive: &A, now: Timestamp) -> Result<Retained> {
    let mut retained = Retained::default();
    loop {
        let stale = archive.stale(now, AT_ONCE).await?;
        if stale.is_empty() {
            return Ok(retained);
        }
        let mut hours = Vec::with_capacity(stale.len());
        for hour in &stale {
            hours.push(roll_hour(archive, hour).await?);
        }
        retained.hours += hours.len() as u64;
        archive.put(hours).await?;
        let mut days = Vec::new();
        for day in days_of(&stale) {
            days.push(roll_day(archive, day).await?);
        }
        retained.days += days.len() as u64;
        archive.put(days).await?;
    }
}

async fn roll_hour<A: Archive>(archive: &A, hour: &Hour) -> Result<Rollup> {
    let mut rollup = Rollup::empty(hour.tenant, hour.lens.clone(), Span::Hour, hour.starts_at);
    for check in archive.checks(hour).await? {
        let notes = check.notes.read();
        if notes.muted.is_some() {
            rollup.add_muted();
            continue;
        }
        let samples = notes.samples_us.iter().copied();
        rollup.add(check.status, check.sample_size, check.error_rate_percent, samples);
    }
    Ok(rollup)
}

/// The days that `hours` lie in, each once.
fn days_of(hours: &[Hour]) -> BTreeSet<Hour> {
    let day = |hour: &Hour| Hour {
        starts_at: Span::Day.start_of(hour.starts_at),
        ..hour.clone()
    };
    hours.iter().map(day).collect()
}

async fn roll_day<A: Archive>(archive: &A, day: Hour) -> Result<Rollup> {
    let until = day.starts_at.checked_add(Span::Day.length()).map_err(Error::invalid)?;
    let hours = archive
        .rollups(day.tenant, &day.lens, Span::Hour, day.starts_at, until)
        .await?;
    let mut rollup = Rollup::empty(day.tenant, day.lens, Span::Day, day.starts_at);
    for hour in &hours {
        rollup.merge(hour);
    }
    Ok(rollup)
}

/// Rolls up and drops the checks of the settings' store that are older than `keep`, such as `90d`. A
/// journal that is an outbox as well keeps what has not arrived: that would be lost.
///
/// # Errors
/// A length of time that makes no sense, checks that have not arrived, or a store that cannot be read
/// or written.
pub async fn run(settings: &Settings, keep: &str, now: Timestamp, dry_run: bool, as_json: bool) -> Result<Exit> {
    let keep = parse_span(keep)?;
    match settings.store()? {
        StoreChoice::Sqlite => {
            let journal = open_journal(settings).await?;
            let state = journal.outbox().await?;
            if settings.names_a_store_elsewhere() && state.waiting + state.parked > 0 {
                return Err(Error::usage(format!(
                    "{} checks of the journal have not arrived in the store that the environment names: deliver \
                     them first (lensops outbox flush), or unset its variables where the journal is the store",
                    state.waiting + state.parked
                )));
            }
            retention(&journal, keep, now, dry_run, as_json).await
        }
        StoreChoice::Postgres(url) => retention(&Owner::connect(&url).await?, keep, now, dry_run, as_json).await,
        StoreChoice::Rest(..) => Err(Error::usage(
            "retention runs as the owner of the tables: set DATABASE_URL and --store postgres",
        )),
    }
}

/// Rolls up and then drops checks older than `keep`; with `dry_run` it only says what it would drop.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn retention<A: Archive>(
    archive: &A,
    keep: SignedDuration,
    now: Timestamp,
    dry_run: bool,
    as_json: bool,
) -> Result<Exit> {
    // Whole hours, so that no roll-up is ever of a part of one.
    let before = Span::Hour.start_of(now.checked_sub(keep).map_err(Error::invalid)?);
    let old = archive.count_before(before).await?;
    if dry_run {
        if as_json {
            say!("{:#}", json!({"dry_run": true, "before": before, "would_drop": old}));
        } else {
            say!("{old} checks from before {before} would be dropped, after being rolled up");
        }
        return Ok(Exit::Good);
    }
    let retained = roll_up(archive, now).await?;
    archive.drop_before(before).await?;
    let dropped = old - archive.count_before(before).await?;
    if as_json {
        let (hours, days) = (retained.hours, retained.days);
        say!(
            "{:#}",
            json!({"before": before, "hours": hours, "days": days, "dropped": dropped})
        );
        return Ok(Exit::Good);
    }
    say!("rolled up {} hours and {} days", retained.hours, retained.days);
    say!("dropped {dropped} checks from before {before}");
    Ok(Exit::Good)
}
