//! The gate's decisions and the longer windows of uptime on the overview.
//!
//! They are over a week and a month of every lens, which costs several times what the rest of the page does, and one
//! check in a week seldom changes them. So they are read behind a page and not before it: a page shows
//! what was decided within the last minutes, and has what is not known yet asked for again. Whoever asks
//! by the read API, and will not ask again, waits.

use std::sync::Arc;

use jiff::SignedDuration;
use lensops_core::history::uptime::Uptime;

use super::app::App;
use super::decision_cache::{Decided, Decisions};
use super::gate;
use super::scope::{Watched, asked, visible, within};
use super::session::Who;
use super::stretch::before;
use crate::store::StoreError;

/// The longest window of uptime.
pub(super) const MONTH: SignedDuration = SignedDuration::from_hours(720);

async fn decisions(app: &App, who: &Who) -> Result<Decisions, StoreError> {
    let now = app.now();
    let mut reading = app.setup.board.read(&who.claims).await?;
    let pairs = visible(app, &mut reading).await?;
    let wanted = asked(&pairs);
    let points = reading.points(&wanted, (before(now, gate::WINDOW), now)).await?;
    let months = reading.uptimes(&wanted, (before(now, MONTH), now)).await?;
    reading.done().await?;
    let decided = |(plan, tenant): &Watched| {
        let pair = (*tenant, plan.monitor.clone());
        let points = points.get(&pair).map_or(&[][..], Vec::as_slice);
        let mut week = Uptime::default();
        let judged = points.iter().filter(|point| point.muted.is_none());
        judged.for_each(|point| week.add(point.status, 1));
        let decided = Decided {
            decision: gate::report(plan, *tenant, points, now).decision,
            week,
            month: months.get(&pair).copied().unwrap_or_default(),
        };
        (pair, decided)
    };
    Ok(Arc::new(pairs.iter().map(decided).collect()))
}

/// What was decided last; where that is too old, or nothing, it is read from now on.
pub(super) fn known(app: &Arc<App>, who: &Who) -> Option<Decisions> {
    let (shown, is_due) = app.decision_cache.of(&who.key);
    if is_due {
        let (app, who) = (app.clone(), who.clone());
        tokio::spawn(async move {
            // A store that does not answer is shown by the rows.
            let read = within(decisions(&app, &who)).await.ok();
            app.decision_cache.put(&who.key, read);
        });
    }
    shown
}

/// The same for who does not ask again: what is not known is read first.
pub(super) async fn whole(app: &Arc<App>, who: &Who) -> Option<Decisions> {
    if let Some(shown) = known(app, who) {
        return Some(shown);
    }
    let read = within(decisions(app, who)).await.ok()?;
    app.decision_cache.put(&who.key, Some(read.clone()));
    Some(read)
}
