//! What the page of a lens is made from, read from the store within the time that it has.
//!
//! A part that was not read is `None`, so that the page can say so: it is never shown as empty.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::rollup::Rollup;
use lensops_core::history::uptime::Uptime;
use lensops_core::ident::LensId;
use lensops_core::verdict::record::Status;
use uuid::Uuid;

use super::app::App;
use super::decisions::MONTH;
use super::row::{self, Row};
use super::scope::{Watched, concerning, visible, within};
use super::series::{self, Window};
use super::session::Who;
use super::stretch::{before, until_and_since};
use super::{advice, gate, rows};
use crate::store::{Brief, Exported, Mark, Point, Reason, Rollback, StoreError};

/// Checks that a page lists.
pub(super) const LISTED: usize = 50;

/// What was read of a lens, part by part; `None` where a part was not read.
#[derive(Default)]
pub(super) struct LensData {
    /// The plan and the tenant, of which all else is.
    pub(super) chosen: Option<Watched>,
    pub(super) tenants: Vec<Uuid>,
    row: Option<Row>,
    pub(super) points: Option<Vec<Point>>,
    pub(super) listed: Option<Vec<Brief>>,
    pub(super) marks: Option<Vec<Mark>>,
    /// The latest check with its events, where it is not healthy.
    pub(super) latest: Option<Exported>,
    /// Samples over the gate's window, and those that failed.
    pub(super) samples: Option<(i64, i64)>,
    /// What was up over a week and over 30 days.
    pub(super) uptimes: Option<(Uptime, Uptime)>,
    pub(super) drawn: Option<(Vec<Rollup>, Vec<Brief>)>,
}

/// Which lens, of which tenant, over which window.
pub(super) struct LensQuery<'a> {
    pub(super) lens: &'a LensId,
    pub(super) tenant: Option<Uuid>,
    pub(super) window: Window,
    /// Where the window ends.
    pub(super) until: Timestamp,
    pub(super) now: Timestamp,
}

/// Reads into `found`, what matters most first, so that what was read stays where the time is over.
async fn read(app: &App, who: &Who, asked: &LensQuery<'_>, found: &mut LensData) -> Result<(), StoreError> {
    let (now, until, window, from) = (asked.now, asked.until, asked.window, asked.window.from(asked.until));
    let alerts = app.setup.journal.alerts().await?;
    let switches = app.setup.journal.rollbacks_of(asked.lens, from).await?;
    let mut reading = app.setup.board.read(&who.claims).await?;
    let mut pairs = visible(app, &mut reading).await?;
    pairs.retain(|(plan, _)| plan.monitor == *asked.lens);
    found.tenants = pairs.iter().map(|(_, tenant)| *tenant).collect();
    let chosen = pairs
        .iter()
        .find(|(_, tenant)| asked.tenant.is_none_or(|asked| asked == *tenant));
    let Some((plan, tenant)) = chosen.cloned() else {
        return Ok(());
    };
    found.chosen = Some((plan.clone(), tenant));
    let (pair, wanted) = ((tenant, &plan.monitor), [(tenant, plan.monitor.clone())]);
    let mut latest = reading.latest(&wanted).await?;
    let alerts = concerning(alerts, &pairs, false);
    let latest = latest.pop();
    let row_of = |points: &[Point], reasons: &[Reason]| {
        let found = row::Found {
            latest: latest.clone(),
            points,
            reasons,
        };
        row::row(&plan, tenant, &found, &alerts, now)
    };
    found.row = Some(row_of(&[], &[]));

    let earliest = from.min(before(now, gate::WINDOW));
    let mut points = reading.points(&wanted, (earliest, now)).await?;
    let points = points.remove(&wanted[0]).unwrap_or_default();
    let own: Vec<Uuid> = latest.iter().map(|check| check.id).collect();
    let mut reasons = reading.reasons(&own).await?;
    let reasons = own.first().and_then(|own| reasons.remove(own)).unwrap_or_default();
    found.row = Some(row_of(&points, &reasons));
    if let Some(bad) = latest.as_ref().filter(|check| check.status != Status::Healthy) {
        found.latest = reading.check(bad.id).await?;
    }
    let of_window = until_and_since(&points, from, until);
    let newest = of_window.len().saturating_sub(LISTED);
    let listed = of_window
        .get(newest)
        .map(|oldest| (just_before(oldest.observed_at), until));
    let raw = if window.is_rolled_up() {
        Vec::new()
    } else {
        vec![(from, until)]
    };
    let of_window = of_window.to_vec();
    found.points = Some(points);
    found.listed = Some(reading.briefs(pair, listed.as_slice()).await?);
    let mut marks = reading.marks(pair, (from, until)).await?;
    let is_open = app.setup.board.is_open();
    marks.extend(switches.into_iter().map(|switch| mark_of(switch, is_open)));
    let journal = &app.setup.journal;
    let (notes, notices) = (
        journal.notes_of(asked.lens, tenant, from).await?,
        journal.notices_of(asked.lens, tenant, from).await?,
    );
    let mut marks = advice::marks(marks, &notes, &notices);
    marks.retain(|mark| mark.at <= until);
    found.marks = Some(marks);

    let (hours, raw) = if window.is_rolled_up() {
        let hours = reading.hours(pair, (from, until)).await?;
        let raw = series::not_rolled_up(&of_window, &hours);
        (hours, raw)
    } else {
        (Vec::new(), raw)
    };
    found.drawn = Some((hours, reading.briefs(pair, &raw).await?));
    let week = (before(now, gate::WINDOW), now);
    found.samples = Some(reading.spent(pair, week).await?);
    let mut weeks = reading.uptimes(&wanted, week).await?;
    let mut months = reading.uptimes(&wanted, (before(now, MONTH), now)).await?;
    found.uptimes = weeks.remove(&wanted[0]).zip(months.remove(&wanted[0]));
    reading.done().await
}

/// A flag that was switched, as a mark of the charts.
fn mark_of(switch: Rollback, is_open: bool) -> Mark {
    Mark {
        at: switch.begun_at,
        what: match switch.kind.as_str() {
            // Who and why is for those who see everything here.
            kind if is_open => format!("{kind} by {}: {}", switch.who, switch.reason),
            kind => kind.to_owned(),
        },
    }
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_millis(1)).unwrap_or(at)
}

/// The row of a lens, as it was known last; with why that is all.
async fn remembered(app: &Arc<App>, who: &Who, asked: &LensQuery<'_>) -> Option<(Row, String)> {
    let known = rows::rows(app, who).await;
    let is_asked_for =
        |row: &Row| row.lens == asked.lens.as_str() && asked.tenant.is_none_or(|tenant| tenant == row.tenant);
    let row = known.rows.into_iter().find(is_asked_for)?;
    Some((row, known.trouble?))
}

/// Reads what a lens's page shows: its row, the rest, and what is wrong with them. `None` where there is no such
/// lens to be seen; the error says why not even its row is known.
pub(super) async fn load(
    app: &Arc<App>,
    who: &Who,
    asked: &LensQuery<'_>,
) -> Result<Option<(Row, LensData, Option<String>)>, String> {
    let mut found = LensData::default();
    let trouble = within(read(app, who, asked, &mut found)).await.err();
    if let Some(row) = found.row.take() {
        return Ok(Some((row, found, trouble)));
    }
    let Some(why) = trouble else { return Ok(None) };
    let (row, told) = remembered(app, who, asked).await.ok_or(why)?;
    found.tenants = vec![row.tenant];
    Ok(Some((row, found, Some(told))))
}
