//! The rows that a user sees, and those known last when the store does not answer in time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::status::tell_age;
use lensops_core::ident::LensId;
use lensops_core::verdict::record::Status;
use uuid::Uuid;

use super::app::App;
use super::decision_cache::Decisions;
use super::row::{self, Row};
use super::row_cache::CachedRows;
use super::scope::{asked, concerning, visible, within};
use super::session::Who;
use super::stretch::before;
use super::strip::CHECKS;
use super::{decisions, format};
use crate::store::StoreError;

/// How long rows are shown without looking again.
const FRESH: Duration = Duration::from_millis(700);

/// What a row looks back over: a day, and as many intervals as a strip has checks, up to a week.
fn looked_back(app: &App) -> SignedDuration {
    let longest = app.plans.iter().map(|plan| plan.every.as_ms()).max().unwrap_or(0);
    let strip = i64::try_from(CHECKS + 2).unwrap_or(0).saturating_mul(longest);
    SignedDuration::from_millis(strip).clamp(SignedDuration::from_hours(24), SignedDuration::from_hours(168))
}

/// Lenses whose reason is read: where more are broken, one cause is behind them.
const EXPLAINED: usize = 500;

/// Rows, and when they were true.
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) as_of: Timestamp,
    /// Why they are not of now.
    pub(super) trouble: Option<String>,
}

async fn read(app: &App, who: &Who) -> Result<Vec<Row>, StoreError> {
    let now = app.now();
    let mut reading = app.setup.board.read(&who.claims).await?;
    let pairs = visible(app, &mut reading).await?;
    let wanted = asked(&pairs);
    let latest = reading.latest(&wanted).await?;
    let points = reading.points(&wanted, (before(now, looked_back(app)), now)).await?;
    let bad = latest.iter().filter(|check| check.status != Status::Healthy);
    let bad: Vec<Uuid> = bad.take(EXPLAINED).map(|check| check.id).collect();
    let reasons = reading.reasons(&bad).await?;
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
            let latest = latest.remove(pair);
            let reasons = latest.as_ref().and_then(|check| reasons.get(&check.id));
            let found = row::Found {
                reasons: reasons.map_or(&[][..], Vec::as_slice),
                latest,
                points: points.get(pair).map_or(&[][..], Vec::as_slice),
            };
            row::row(plan, *tenant, &found, &alerts, now)
        })
        .collect();
    rows.sort_by(|a, b| (a.standing, &a.lens, a.tenant).cmp(&(b.standing, &b.lens, b.tenant)));
    Ok(rows)
}

/// The rows that `who` sees, worst first, with what the gate is known to say.
pub(super) async fn rows(app: &Arc<App>, who: &Who) -> Rows {
    let rows = stored(app, who).await;
    // Only now, so that it takes nothing from what is waited for.
    let gates = decisions::known(app, who);
    decided(rows, gates.as_ref())
}

/// The same for who does not ask again, with what the gate says.
pub(super) async fn whole_rows(app: &Arc<App>, who: &Who) -> Rows {
    let rows = stored(app, who).await;
    let gates = match rows.trouble {
        Some(_) => decisions::known(app, who),
        None => decisions::whole(app, who).await,
    };
    decided(rows, gates.as_ref())
}

fn decided(mut rows: Rows, gates: Option<&Decisions>) -> Rows {
    for row in &mut rows.rows {
        let lens: Option<LensId> = row.lens.parse().ok();
        row.decided(lens.and_then(|lens| gates?.get(&(row.tenant, lens))));
    }
    rows
}

/// When the store does not answer in time they are what was known last, with its age; where nothing
/// is known, what is monitored on the journal, and nothing else.
async fn stored(app: &App, who: &Who) -> Rows {
    let turn = app.row_cache.turn(&who.key);
    let _own = turn.lock().await;
    let known = app.row_cache.of(&who.key);
    let told = app.row_cache.told();
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
    let why = match app.row_cache.failed(&who.key) {
        Some(why) => why,
        None => match within(read(app, who)).await {
            Ok(rows) => {
                let as_of = app.now();
                let seen = CachedRows {
                    read: Instant::now(),
                    told,
                    as_of,
                    rows: Arc::new(rows.clone()),
                };
                app.row_cache.keep(&who.key, seen);
                return Rows {
                    rows,
                    as_of,
                    trouble: None,
                };
            }
            Err(why) => {
                app.row_cache.fail(&who.key, &why);
                why
            }
        },
    };
    match known {
        Some(seen) => Rows {
            trouble: Some(format!(
                "{why}: this is what was known {}, at {}",
                tell_age(app.now().duration_since(seen.as_of)),
                format::time(seen.as_of)
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
        .map(|(plan, tenant)| row::row(plan, tenant, &row::Found::default(), &[], app.now()))
        .collect()
}
