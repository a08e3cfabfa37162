//! What one user sees, read from the store within a time, and what was seen last when it cannot be.
//!
//! What is remembered is remembered for the claims it was read with, and shown to nobody else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::status::tell_age;
use lensops_core::ident::LensId;
use lensops_core::plan::monitor::MonitorPlan;
use uuid::Uuid;

use super::App;
use super::gates::{self, Decisions};
use super::session::Who;
use super::view::{self, Row};
use crate::store::{Alert, Point, Reading, StoreError};

/// How long the store may take over a page.
const READ: Duration = Duration::from_secs(3);

/// How long rows are shown without looking again.
const FRESH: Duration = Duration::from_millis(700);

/// What a sparkline shows.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How long a store that did not answer is not asked again: those who wait would each wait as long.
const SPARED: Duration = Duration::from_secs(2);

/// Users whose rows are remembered.
const REMEMBERED: usize = 1_000;

/// Rows, and when they were true.
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) as_of: Timestamp,
    /// Why they are not of now.
    pub(super) trouble: Option<String>,
}

#[derive(Clone)]
struct Seen {
    read: Instant,
    told: u64,
    as_of: Timestamp,
    rows: Arc<Vec<Row>>,
}

/// What was read last, by user.
#[derive(Default)]
pub(crate) struct Known {
    /// Counts what the watcher has told: rows that were read before are not of now.
    told: AtomicU64,
    seen: Mutex<HashMap<String, Seen>>,
    /// When and why the rows of a user could not be read.
    failed: Mutex<HashMap<String, (Instant, String)>>,
    /// One reads at a time for a user; the others take what it read.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Known {
    /// From now on whatever was read before is read again.
    pub(super) fn outdate(&self) {
        self.told.fetch_add(1, Ordering::SeqCst);
    }

    fn of(&self, key: &str) -> Option<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    fn keep(&self, key: &str, seen: Seen) {
        let mut known = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(key) {
            known.clear();
        }
        known.insert(key.to_owned(), seen);
    }

    fn failed(&self, key: &str) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = failed.get(key)?;
        (at.elapsed() < SPARED).then(|| why.clone())
    }

    fn fail(&self, key: &str, why: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, (at, _)| at.elapsed() < SPARED);
        failed.insert(key.to_owned(), (Instant::now(), why.to_owned()));
    }

    fn turn(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= REMEMBERED {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        turns.entry(key.to_owned()).or_default().clone()
    }
}

/// What cannot be read now. The text is for the user: it names no row.
pub(super) async fn within<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match tokio::time::timeout(READ, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(StoreError::Elsewhere(what))) => Err(format!("the store does not answer ({what})")),
        Ok(Err(_)) => Err("the journal cannot be read".to_owned()),
        Err(_) => Err(format!("the store did not answer within {} s", READ.as_secs())),
    }
}

/// A plan as it stands now, and a tenant it is run for.
pub(super) type Watched = (Arc<MonitorPlan>, Uuid);

/// The plans as they stand now, with whom the reading user may see: the database says which tenant that is.
pub(super) async fn visible(app: &App, reading: &mut Reading<'_>) -> Result<Vec<Watched>, StoreError> {
    let rolled_back = app.setup.journal.rolled_back().await?;
    let own = match (app.setup.board.is_open(), reading.tenant().await?) {
        (true, _) => None,
        (false, Some(own)) => Some(own),
        (false, None) => return Ok(Vec::new()),
    };
    let mut pairs = Vec::new();
    for plan in &app.plans {
        let plan = match rolled_back.get(&plan.monitor) {
            Some(paused) if plan.paused.is_none() => Arc::new(MonitorPlan {
                paused: Some(paused.clone()),
                ..MonitorPlan::clone(plan)
            }),
            _ => plan.clone(),
        };
        let tenants = plan
            .tenants
            .iter()
            .filter(|tenant| own.is_none_or(|own| own == **tenant));
        pairs.extend(tenants.map(|tenant| (plan.clone(), *tenant)));
    }
    Ok(pairs)
}

/// `pairs` as a store is asked for them.
pub(super) fn asked(pairs: &[Watched]) -> Vec<(Uuid, LensId)> {
    pairs
        .iter()
        .map(|(plan, tenant)| (*tenant, plan.monitor.clone()))
        .collect()
}

/// The alerts that concern `pairs`; those of the store itself only where `whole` is set.
pub(super) fn concerning(alerts: Vec<Alert>, pairs: &[Watched], whole: bool) -> Vec<Alert> {
    let mut alerts = alerts;
    alerts.retain(|alert| match alert.tenant {
        Some(tenant) => pairs.iter().any(|(_, own)| *own == tenant),
        None => whole,
    });
    alerts
}

/// Those of `points`, which are oldest first, that were observed after `from`.
pub(super) fn since(points: &[Point], from: Timestamp) -> &[Point] {
    let first = points.partition_point(|point| point.observed_at <= from);
    points.get(first..).unwrap_or_default()
}

pub(super) fn before(now: Timestamp, length: SignedDuration) -> Timestamp {
    now.checked_sub(length).unwrap_or(Timestamp::MIN)
}

async fn read(app: &App, who: &Who) -> Result<Vec<Row>, StoreError> {
    let now = app.now();
    let mut reading = app.setup.board.read(&who.claims).await?;
    let pairs = visible(app, &mut reading).await?;
    let wanted = asked(&pairs);
    let latest = reading.latest(&wanted).await?;
    let points = reading.points(&wanted, (before(now, DAY), now)).await?;
    reading.done().await?;
    let alerts = concerning(app.setup.journal.alerts().await?, &pairs, false);
    let mut latest: HashMap<_, _> = latest
        .into_iter()
        .map(|check| ((check.yacht_id, check.lens_id.clone()), check))
        .collect();
    let mut rows: Vec<Row> = pairs
        .iter()
        .zip(&wanted)
        .map(|((plan, tenant), pair)| {
            let found = view::Found {
                latest: latest.remove(pair),
                day: points.get(pair).map_or(&[][..], Vec::as_slice),
            };
            view::row(plan, *tenant, &found, &alerts, now)
        })
        .collect();
    rows.sort_by(|a, b| (a.standing, &a.lens, a.tenant).cmp(&(b.standing, &b.lens, b.tenant)));
    Ok(rows)
}

/// The rows that `who` sees, worst first, with what the gate is known to say.
pub(super) async fn rows(app: &Arc<App>, who: &Who) -> Rows {
    let rows = stored(app, who).await;
    // Only now, so that it takes nothing from what is waited for.
    let gates = gates::known(app, who);
    decided(rows, gates.as_ref())
}

/// The same for who does not ask again, with what the gate says.
pub(super) async fn whole_rows(app: &Arc<App>, who: &Who) -> Rows {
    let rows = stored(app, who).await;
    let gates = match rows.trouble {
        Some(_) => gates::known(app, who),
        None => gates::whole(app, who).await,
    };
    decided(rows, gates.as_ref())
}

fn decided(mut rows: Rows, gates: Option<&Decisions>) -> Rows {
    for row in &mut rows.rows {
        let lens: Option<LensId> = row.lens.parse().ok();
        row.gate = lens.and_then(|lens| gates?.get(&(row.tenant, lens)).copied());
    }
    rows
}

/// When the store does not answer in time they are what was known last, with its age; where nothing
/// is known, what is monitored on the journal, and nothing else.
async fn stored(app: &App, who: &Who) -> Rows {
    let turn = app.known.turn(&who.key);
    let _own = turn.lock().await;
    let known = app.known.of(&who.key);
    let told = app.known.told.load(Ordering::SeqCst);
    if let Some(seen) = known
        .as_ref()
        .filter(|seen| seen.read.elapsed() < FRESH && seen.told == told)
    {
        return Rows {
            rows: seen.rows.to_vec(),
            as_of: seen.as_of,
            trouble: None,
        };
    }
    let why = match app.known.failed(&who.key) {
        Some(why) => why,
        None => match within(read(app, who)).await {
            Ok(rows) => {
                let as_of = app.now();
                let seen = Seen {
                    read: Instant::now(),
                    told,
                    as_of,
                    rows: Arc::new(rows.clone()),
                };
                app.known.keep(&who.key, seen);
                return Rows {
                    rows,
                    as_of,
                    trouble: None,
                };
            }
            Err(why) => {
                app.known.fail(&who.key, &why);
                why
            }
        },
    };
    match known {
        Some(seen) => Rows {
            trouble: Some(format!(
                "{why}: this is what was known {}, at {}",
                tell_age(app.now().duration_since(seen.as_of)),
                view::told_time(seen.as_of)
            )),
            rows: seen.rows.to_vec(),
            as_of: seen.as_of,
        },
        None => Rows {
            rows: without_checks(app),
            as_of: app.now(),
            trouble: Some(format!("{why}, and nothing is known from before")),
        },
    }
}

/// What is monitored, all of it unknown. On PostgreSQL nobody can say what a user may see: nothing.
fn without_checks(app: &App) -> Vec<Row> {
    if !app.setup.board.is_open() {
        return Vec::new();
    }
    let plans = app.plans.iter();
    plans
        .flat_map(|plan| plan.tenants.iter().map(move |tenant| (plan, *tenant)))
        .map(|(plan, tenant)| view::row(plan, tenant, &view::Found::default(), &[], app.now()))
        .collect()
}
