//! What the page of a lens is made from, read from the store within the time that it has.
//!
//! A part that was not read is `None`, so that the page can say so: it is never shown as empty.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::rollup::Rollup;
use lensops_core::ident::LensId;
use uuid::Uuid;

use super::app::App;
use super::row::{self, Row};
use super::scope::{Watched, before, concerning, since, visible, within};
use super::series::{self, Window};
use super::session::Who;
use super::{gate, rows};
use crate::store::{Brief, Mark, Point, Rollback, StoreError};

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
    pub(super) drawn: Option<(Vec<Rollup>, Vec<Brief>)>,
}

/// Which lens, of which tenant, over which window.
pub(super) struct LensQuery<'a> {
    pub(super) lens: &'a LensId,
    pub(super) tenant: Option<Uuid>,
    pub(super) window: Window,
    pub(super) now: Timestamp,
}

/// Reads into `found`, what matters most first, so that what was read stays where the time is over.
async fn read(app: &App, who: &Who, asked: &LensQuery<'_>, found: &mut LensData) -> Result<(), StoreError> {
    let (now, window, from) = (asked.now, asked.window, asked.window.from(asked.now));
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
    let of_row = row::Found {
        latest: latest.pop(),
        ..row::Found::default()
    };
    found.row = Some(row::row(&plan, tenant, &of_row, &alerts, now));

    let earliest = from.min(before(now, gate::WINDOW));
    let mut points = reading.points(&wanted, (earliest, now)).await?;
    let points = points.remove(&wanted[0]).unwrap_or_default();
    let of_window = since(&points, from);
    let newest = of_window.len().saturating_sub(LISTED);
    let listed = of_window
        .get(newest)
        .map(|oldest| (just_before(oldest.observed_at), now));
    let raw = if window.is_rolled_up() {
        Vec::new()
    } else {
        vec![(from, now)]
    };
    let of_window = of_window.to_vec();
    found.points = Some(points);
    found.listed = Some(reading.briefs(pair, listed.as_slice()).await?);

    let (hours, raw) = if window.is_rolled_up() {
        let hours = reading.hours(pair, (from, now)).await?;
        let raw = series::not_rolled_up(&of_window, &hours);
        (hours, raw)
    } else {
        (Vec::new(), raw)
    };
    found.drawn = Some((hours, reading.briefs(pair, &raw).await?));
    let mut marks = reading.marks(pair, (from, now)).await?;
    let is_open = app.setup.board.is_open();
    marks.extend(switches.into_iter().map(|switch| mark_of(switch, is_open)));
    marks.sort_by_key(|mark| mark.at);
    found.marks = Some(marks);
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
