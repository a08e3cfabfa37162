//! What one user sees, read from the store within a time, and what was seen last when it cannot be.
//!
//! What is remembered is remembered for the claims it was read with, and shown to nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use lensops_core::gate::{Decision, GateReport, decide};
use lensops_core::ident::LensId;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::schedule::Schedule;
use lensops_core::standing::tell_age;
use uuid::Uuid;

use super::App;
use super::session::Who;
use super::view::{self, Row};
use crate::store::{Alert, Board, StoreError};

/// How long the store may take over a page.
const READ: Duration = Duration::from_secs(3);

/// How long rows are shown without looking again.
const FRESH: Duration = Duration::from_millis(700);

/// How long a gate's decision on the overview is shown without looking again: it is over a week.
const GATE_FRESH: Duration = Duration::from_secs(60);

/// The gate's window on the pages.
pub(super) const GATE_WINDOW: SignedDuration = SignedDuration::from_hours(168);

/// How long a store that did not answer is not asked again: those who wait would each wait as long.
const SPARED: Duration = Duration::from_secs(2);

/// Users whose rows are remembered.
const REMEMBERED: usize = 1_000;

/// Rows, and when they were true.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) rows: Arc<Vec<Row>>,
    pub(super) as_of: Timestamp,
    /// Why they are not of now.
    pub(super) trouble: Option<String>,
}

type Gates = HashMap<(Uuid, LensId), (Instant, Decision)>;

#[derive(Clone)]
struct Seen {
    read: Instant,
    as_of: Timestamp,
    rows: Arc<Vec<Row>>,
    gates: Gates,
}

/// What was read last, by user.
#[derive(Default)]
pub(crate) struct Known {
    seen: Mutex<HashMap<String, Seen>>,
    /// When and why the rows of a user could not be read.
    failed: Mutex<HashMap<String, (Instant, String)>>,
    /// One reads at a time for a user; the others take what it read.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Known {
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

/// The plans as they stand now, with whom `who` may see: the database says which tenant that is.
pub(super) async fn visible(app: &App, who: &Who) -> Result<Vec<(MonitorPlan, Uuid)>, StoreError> {
    let rolled_back = app.setup.journal.rolled_back().await?;
    let own = match &app.setup.board {
        Board::Embedded(_) => None,
        board @ Board::Database(..) => match board.tenant(&who.claims).await? {
            Some(own) => Some(own),
            None => return Ok(Vec::new()),
        },
    };
    let mut pairs = Vec::new();
    for plan in &app.setup.plans {
        let tenants = plan
            .tenants
            .iter()
            .filter(|tenant| own.is_none_or(|own| own == **tenant));
        for tenant in tenants {
            let mut plan = plan.clone();
            plan.paused = plan.paused.or_else(|| rolled_back.get(&plan.monitor).cloned());
            pairs.push((plan, *tenant));
        }
    }
    Ok(pairs)
}

/// The alerts that concern `pairs`; those of the store itself only where `whole` is set.
pub(super) fn concerning(alerts: Vec<Alert>, pairs: &[(MonitorPlan, Uuid)], whole: bool) -> Vec<Alert> {
    let mut alerts = alerts;
    alerts.retain(|alert| match alert.tenant {
        Some(tenant) => pairs.iter().any(|(_, own)| *own == tenant),
        None => whole,
    });
    alerts
}

/// The gate's report on one lens of one tenant over a week.
pub(super) async fn gate(app: &App, who: &Who, plan: &MonitorPlan, tenant: Uuid) -> Result<GateReport, StoreError> {
    let now = app.now();
    let from = now.checked_sub(GATE_WINDOW).unwrap_or(Timestamp::MIN);
    let checks = app
        .setup
        .board
        .briefs(&who.claims, (tenant, &plan.monitor), (from, now), false)
        .await?;
    let points: Vec<_> = checks.iter().map(view::point).collect();
    let schedule = Schedule::new(plan.every, &plan.monitor, tenant);
    Ok(decide(&plan.monitor, tenant, &schedule, GATE_WINDOW, now, now, &points))
}

async fn read(app: &App, who: &Who, mut gates: Gates) -> Result<(Vec<Row>, Gates), StoreError> {
    let (board, now) = (&app.setup.board, app.now());
    let pairs = visible(app, who).await?;
    let asked: Vec<(Uuid, LensId)> = pairs
        .iter()
        .map(|(plan, tenant)| (*tenant, plan.monitor.clone()))
        .collect();
    let latest = board.latest(&who.claims, &asked).await?;
    let alerts = concerning(app.setup.journal.alerts().await?, &pairs, false);
    let day = now
        .checked_sub(SignedDuration::from_hours(24))
        .unwrap_or(Timestamp::MIN);
    let mut rows = Vec::with_capacity(pairs.len());
    for (plan, tenant) in &pairs {
        let pair = (*tenant, plan.monitor.clone());
        let checks = board
            .briefs(&who.claims, (*tenant, &plan.monitor), (day, now), false)
            .await?;
        if gates.get(&pair).is_none_or(|(at, _)| at.elapsed() > GATE_FRESH) {
            let report = gate(app, who, plan, *tenant).await?;
            gates.insert(pair.clone(), (Instant::now(), report.decision));
        }
        let own = latest
            .iter()
            .find(|check| check.yacht_id == *tenant && check.lens_id == plan.monitor);
        let decision = gates.get(&pair).map(|(_, decision)| *decision);
        rows.push(view::row(plan, *tenant, own, &checks, &alerts, decision, now));
    }
    rows.sort_by(|a, b| (a.standing, &a.lens, a.tenant).cmp(&(b.standing, &b.lens, b.tenant)));
    Ok((rows, gates))
}

fn keep(app: &App, who: &Who, rows: Vec<Row>, gates: Gates) -> Rows {
    let (rows, as_of) = (Arc::new(rows), app.now());
    let seen = Seen {
        read: Instant::now(),
        as_of,
        rows: rows.clone(),
        gates,
    };
    app.known.keep(&who.key, seen);
    Rows {
        rows,
        as_of,
        trouble: None,
    }
}

/// The rows that `who` sees, worst first. When the store does not answer in time they are what was
/// known last, with its age; where nothing is known, what is monitored on the journal, and nothing else.
pub(super) async fn rows(app: &App, who: &Who) -> Rows {
    let turn = app.known.turn(&who.key);
    let _own = turn.lock().await;
    let known = app.known.of(&who.key);
    if let Some(seen) = known.as_ref().filter(|seen| seen.read.elapsed() < FRESH) {
        return Rows {
            rows: seen.rows.clone(),
            as_of: seen.as_of,
            trouble: None,
        };
    }
    let why = match app.known.failed(&who.key) {
        Some(why) => why,
        None => {
            let gates = known.as_ref().map(|seen| seen.gates.clone()).unwrap_or_default();
            match within(read(app, who, gates)).await {
                Ok((rows, gates)) => return keep(app, who, rows, gates),
                Err(why) => {
                    app.known.fail(&who.key, &why);
                    why
                }
            }
        }
    };
    match known {
        Some(seen) => Rows {
            trouble: Some(format!(
                "{why}: this is what was known {}, at {}",
                tell_age(app.now().duration_since(seen.as_of)),
                view::told_time(seen.as_of)
            )),
            rows: seen.rows,
            as_of: seen.as_of,
        },
        None => Rows {
            rows: Arc::new(without_checks(app)),
            as_of: app.now(),
            trouble: Some(format!("{why}, and nothing is known from before")),
        },
    }
}

/// What is monitored, all of it unknown. On PostgreSQL nobody can say what a user may see: nothing.
fn without_checks(app: &App) -> Vec<Row> {
    if !matches!(app.setup.board, Board::Embedded(_)) {
        return Vec::new();
    }
    let plans = app.setup.plans.iter();
    plans
        .flat_map(|plan| plan.tenants.iter().map(move |tenant| (plan, *tenant)))
        .map(|(plan, tenant)| view::row(plan, tenant, None, &[], &[], None, app.now()))
        .collect()
}
