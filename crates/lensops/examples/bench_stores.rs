//! Reads and writes of a PostgreSQL store that `bench/stores.py` has filled; `DATABASE_URL` names it.
//!
//! Reads are those of a signed-in user: a transaction as `authenticated` with claims. Both sides of
//! a comparison alternate within one run; medians are printed with the extremes.

use std::error::Error;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use lensops::commands::worker::delivery::Delivery;
use lensops::http::Client;
use lensops::store::{Archive, History, Journal, Owner, Postgres, Store, begin_as};
use lensops_core::duration::Every;
use lensops_core::history::rollup::{Rollup, Span};
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::LensId;
use lensops_core::redaction::Redactor;
use lensops_core::secret::Secret;
use lensops_core::stats::histogram::{Latencies, Quantile};
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{CheckRecord, EventRecord, Level, Status, event_id};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row};
use uuid::Uuid;

type Done<T> = Result<T, Box<dyn Error>>;

const LATEST: &str = "SELECT lens_id, status, p95_latency_ms, observed_at::text FROM lensops_latest_checks($1)";
const DISTINCT: &str = "SELECT DISTINCT ON (lens_id) lens_id, status, p95_latency_ms, observed_at::text \
     FROM pms_health_checks WHERE yacht_id = $1 ORDER BY lens_id, observed_at DESC";
const HOURS: &str = "SELECT latencies FROM lensops_rollups WHERE yacht_id = $1 AND lens_id = 'lens_07' AND span = 'hour' \
     AND starts_at >= now() - interval '7 days'";
const RAW: &str = "SELECT notes -> 'samples_us' FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = 'lens_07' \
     AND observed_at >= now() - interval '7 days'";
const ONE: &str = "SELECT * FROM get_latest_health_check($1, 'lens_07')";
const DAY: &str = "SELECT * FROM get_health_check_history($1, 'lens_07')";
const UNHEALTHY: &str = "SELECT * FROM get_unhealthy_lenses($1)";

/// Rounds of each comparison.
const ROUNDS: u128 = 15;

/// Checks of one delivery, and how often it is repeated.
const DELIVERED: i64 = 20_000;
const DELIVERIES: i64 = 5;

/// Tenants whose roll-ups are made from their checks; the others get copies, for the table's size.
const ROLLED: u128 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done<()> {
    let url = std::env::var("DATABASE_URL")?;
    let mut user = url.parse::<PgConnectOptions>()?.connect().await?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM pms_health_checks")
        .fetch_one(&mut user)
        .await?;
    let size: String = sqlx::query_scalar("SELECT pg_size_pretty(pg_total_relation_size('pms_health_checks'))")
        .fetch_one(&mut user)
        .await?;
    println!("{rows} checks, {size} with indexes");
    roll(&url, &mut user).await?;
    for (name, query) in [
        ("latest", LATEST),
        ("latest of one lens", ONE),
        ("24 hours", DAY),
        ("unhealthy", UNHEALTHY),
        ("7 days", HOURS),
    ] {
        plan(&mut user, name, query).await?;
    }
    latest(&mut user).await?;
    week(&mut user).await?;
    deliver(&url).await
}

fn tenant(n: u128) -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000 + n)
}

fn claims(tenant: Uuid) -> Value {
    json!({"role": "authenticated", "app_metadata": {"yacht_id": tenant}})
}

fn told(name: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let (median, ms) = (times[times.len() / 2], |time: Duration| time.as_secs_f64() * 1e3);
    println!(
        "  {name:<46} median {:9.3} ms  ({:.3} to {:.3})",
        ms(median),
        ms(times[0]),
        ms(times[times.len() - 1])
    );
    median
}

async fn roll(url: &str, user: &mut PgConnection) -> Done<()> {
    let owner = Owner::connect(&Secret::new(url)).await?;
    let history = Postgres::new(&Secret::new(url))?;
    for n in 1..=ROLLED {
        for lens in 1..=20 {
            let lens: LensId = format!("lens_{lens:02}").parse()?;
            let mut hours: Vec<Rollup> = Vec::new();
            for check in history
                .between(tenant(n), &lens, Timestamp::UNIX_EPOCH, Timestamp::now())
                .await?
            {
                let starts_at = Span::Hour.start_of(check.observed_at);
                if hours.last().is_none_or(|hour| hour.starts_at != starts_at) {
                    hours.push(Rollup::empty(tenant(n), lens.clone(), Span::Hour, starts_at));
                }
                let samples = check.notes.read().samples_us.iter().copied();
                if let Some(hour) = hours.last_mut() {
                    hour.add(check.status, check.sample_size, check.error_rate_percent, samples);
                }
            }
            owner.put(hours).await?;
        }
    }
    sqlx::query(
        "INSERT INTO lensops_rollups SELECT y.id, r.lens_id, r.span, r.starts_at, healthy, degraded, unhealthy, samples, \
         failed_samples, latencies FROM lensops_rollups r, yacht_registry y WHERE r.yacht_id = $1 ON CONFLICT DO NOTHING",
    )
    .bind(tenant(1))
    .execute(&mut *user)
    .await?;
    sqlx::raw_sql("VACUUM (ANALYZE) lensops_rollups")
        .execute(&mut *user)
        .await?;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM lensops_rollups")
        .fetch_one(user)
        .await?;
    println!("{count} roll-ups");
    Ok(())
}

async fn plan(user: &mut PgConnection, name: &str, query: &'static str) -> Done<()> {
    let mut transaction = begin_as(user, &claims(tenant(2))).await?;
    let explain = format!(
        "EXPLAIN (COSTS OFF) {}",
        query.replace("$1", &format!("'{}'", tenant(2)))
    );
    let lines: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
        .fetch_all(&mut *transaction)
        .await?;
    println!("plan: {name}");
    lines.iter().for_each(|line| println!("    {line}"));
    if lines.iter().any(|line| line.contains("Seq Scan")) {
        return Err(format!("{name} scans a table").into());
    }
    Ok(())
}

/// Runs `query` twice as the user of `tenant` and times the second: the first one plans and warms up.
async fn timed(user: &mut PgConnection, query: &'static str, tenant: Uuid) -> Done<(Duration, usize)> {
    sqlx::query(query).bind(tenant).fetch_all(&mut *user).await?;
    let begun = Instant::now();
    let rows = sqlx::query(query).bind(tenant).fetch_all(&mut *user).await?;
    Ok((begun.elapsed(), rows.len()))
}

async fn latest(user: &mut PgConnection) -> Done<()> {
    println!("latest status of a tenant's 20 lenses, as authenticated");
    let (mut new, mut whole, mut old) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let tenant = tenant(10 + round * 37);
        let begun = Instant::now();
        let mut transaction = begin_as(user, &claims(tenant)).await?;
        let rows = sqlx::query(LATEST)
            .bind(tenant)
            .fetch_all(&mut *transaction)
            .await?
            .len();
        transaction.rollback().await?;
        whole.push(begun.elapsed());
        let mut transaction = begin_as(user, &claims(tenant)).await?;
        let (time, again) = timed(&mut transaction, LATEST, tenant).await?;
        transaction.rollback().await?;
        new.push(time);
        // The old indexes alone: the new one is dropped for the length of a transaction.
        let mut transaction = user.begin().await?;
        sqlx::query("DROP INDEX lensops_checks_by_lens")
            .execute(&mut *transaction)
            .await?;
        sqlx::query("SET LOCAL ROLE authenticated")
            .execute(&mut *transaction)
            .await?;
        sqlx::query("SELECT set_config('request.jwt.claims', $1, true)")
            .bind(claims(tenant).to_string())
            .execute(&mut *transaction)
            .await?;
        let (time, before) = timed(&mut transaction, DISTINCT, tenant).await?;
        transaction.rollback().await?;
        old.push(time);
        if (rows, again, before) != (20, 20, 20) {
            return Err(format!("{rows}, {again} and {before} lenses instead of 20").into());
        }
    }
    let new = told("lensops_latest_checks", new);
    told("with role, claims and planning, first time", whole);
    let old = told("DISTINCT ON on the old indexes", old);
    println!("  {:.0} times faster", old.as_secs_f64() / new.as_secs_f64());
    Ok(())
}

async fn week(user: &mut PgConnection) -> Done<()> {
    println!("7-day history of one lens, as authenticated, merged to its P95");
    let (mut rolled, mut raw) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let tenant = tenant(1 + round % ROLLED);
        let mut transaction = begin_as(user, &claims(tenant)).await?;
        let begun = Instant::now();
        let mut window = Latencies::new();
        for row in sqlx::query(HOURS).bind(tenant).fetch_all(&mut *transaction).await? {
            window.merge(&Latencies::from_bytes(row.try_get(0)?).ok_or("no histogram")?);
        }
        rolled.push(begun.elapsed());
        let begun = Instant::now();
        let mut union = Latencies::new();
        for row in sqlx::query(RAW).bind(tenant).fetch_all(&mut *transaction).await? {
            // jsonb on the wire is a version byte and text.
            let bytes = row.try_get_raw(0)?.as_bytes().map_err(|error| error.to_string())?;
            let samples: Vec<u64> = serde_json::from_slice(bytes.get(1..).unwrap_or_default())?;
            samples.into_iter().for_each(|us| union.record(us));
        }
        raw.push(begun.elapsed());
        if round == 0 {
            println!("  {} and {}", window.tell(Quantile::P95), union.tell(Quantile::P95));
        }
        transaction.rollback().await?;
    }
    told("hourly roll-ups", rolled);
    told("every check", raw);
    Ok(())
}

/// User and system time of this process so far, in seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn record(lens: &LensId, due: Timestamp) -> CheckRecord {
    let redactor = Redactor::default();
    let id = Schedule::new(Every::QUARTER_HOUR, lens, tenant(1)).slot_id(due);
    let samples: Vec<u64> = (0..21).map(|n| 100_000 + n * 977).collect();
    let endpoint = || json!({"n": 7, "p50_us": 100_007, "p95_us": 200_007, "failed": 0, "retries": 0});
    let notes = json!({"samples_us": samples, "plan": "generated", "disabled": [],
        "endpoints": {"list endpoint": endpoint(), "suggestions endpoint": endpoint(), "read action": endpoint()},
        "flags": {"FAULT_LENS_V1_ENABLED": true, "FAULT_LENS_SUGGESTIONS_ENABLED": true}});
    CheckRecord {
        id,
        yacht_id: tenant(1),
        lens_id: lens.clone(),
        status: Status::Healthy,
        p95_latency_ms: Some(100),
        error_rate_hundredths: Some(0),
        sample_size: 21,
        observed_at: due,
        notes: RecordNotes::of_json(notes, &redactor),
        events: vec![EventRecord {
            id: event_id(id, 0),
            level: Level::Warning,
            detail: redactor.json(json!({"kind": "warning", "reason": "a line of usual length that says why"})),
        }],
    }
}

async fn deliver(url: &str) -> Done<()> {
    println!("from a full journal into PostgreSQL: {DELIVERED} checks with an event each, {DELIVERIES} runs");
    let folder = tempfile::tempdir()?;
    let lens: LensId = "bench".parse()?;
    let base = Timestamp::now() + SignedDuration::from_hours(24);
    let (mut rates, mut per_cpu) = (Vec::new(), Vec::new());
    for run in 0..DELIVERIES {
        let journal = Journal::open(&folder.path().join(format!("{run}.db"))).await?;
        let due = |n: i64| base + SignedDuration::from_millis(run * DELIVERED + n);
        let recorded = (0..DELIVERED).map(|n| journal.record(record(&lens, due(n))));
        for recorded in futures_util::future::join_all(recorded).await {
            recorded?;
        }
        let store: Store<Client> = Store::Postgres(Postgres::new(&Secret::new(url))?);
        let (begun, before) = (Instant::now(), cpu());
        let flushed = Delivery::new(journal.clone(), store, Redactor::default(), u64::MAX / 8)
            .flush()
            .await?;
        let (wall, spent) = (begun.elapsed().as_secs_f64(), cpu() - before);
        if !flushed.complete || flushed.delivered as i64 != DELIVERED {
            return Err(format!("{flushed:?}").into());
        }
        rates.push(DELIVERED as f64 / wall);
        per_cpu.push(DELIVERED as f64 / spent);
        journal.close().await;
    }
    for (name, mut rates) in [
        ("a second of wall time", rates),
        ("a second of this process's CPU time", per_cpu),
    ] {
        rates.sort_by(f64::total_cmp);
        let (first, last) = (rates[0], rates[rates.len() - 1]);
        println!(
            "  {:9.0} checks {name} ({first:.0} to {last:.0})",
            rates[rates.len() / 2]
        );
    }
    Ok(())
}
