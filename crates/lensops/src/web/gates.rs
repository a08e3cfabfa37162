//! The gate's decisions on the overview.
//!
//! They are over a week of every lens, which costs several times what the rest of the page does, and one
//! check in a week seldom changes them. So they are read behind a page and not before it: a page shows
//! what was decided within the last minutes, and has what is not known yet asked for again. Whoever asks
//! by the read API, and will not ask again, waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lensops_core::history::gate::{CheckPoint, Decision, GateReport, decide};
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::LensId;
use lensops_core::plan::monitor::MonitorPlan;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::App;
use super::scope::{self, within};
use super::session::Who;
use super::view;
use crate::store::{Point, StoreError};

/// The gate's window on the pages.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_hours(168);

/// How old decisions are when they are read again.
const FRESH: Duration = Duration::from_secs(60);

/// How old decisions are shown at most, where they cannot be read again.
const SHOWN: Duration = Duration::from_secs(300);

/// Users whose decisions are remembered.
const REMEMBERED: usize = 1_000;

/// The decision on each lens of each tenant.
pub(super) type Decisions = Arc<HashMap<(Uuid, LensId), Decision>>;

#[derive(Clone, Default)]
struct OfUser {
    decided: Option<(Instant, Decisions)>,
    is_read: bool,
}

/// What was decided last, by user: shown to nobody else.
#[derive(Default)]
pub(crate) struct Gates(Mutex<HashMap<String, OfUser>>);

impl Gates {
    /// What is shown to the user `key`, and whether it is now for the caller to read it again.
    fn of(&self, key: &str) -> (Option<Decisions>, bool) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= REMEMBERED && !users.contains_key(key) {
            users.clear();
        }
        let user = users.entry(key.to_owned()).or_default();
        let shown = user.decided.as_ref().filter(|(at, _)| at.elapsed() < SHOWN);
        let is_fresh = shown.is_some_and(|(at, _)| at.elapsed() < FRESH);
        let is_due = !is_fresh && !user.is_read;
        user.is_read |= is_due;
        (shown.map(|(_, decisions)| decisions.clone()), is_due)
    }

    fn put(&self, key: &str, decisions: Option<Decisions>) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let user = users.entry(key.to_owned()).or_default();
        user.is_read = false;
        if let Some(decisions) = decisions {
            user.decided = Some((Instant::now(), decisions));
        }
    }
}

/// The gate's report on one lens of one tenant over a week, of which `points` are the checks.
pub(super) fn report(plan: &MonitorPlan, tenant: Uuid, points: &[Point], now: Timestamp) -> GateReport {
    let points: Vec<CheckPoint> = points.iter().map(view::point).collect();
    let schedule = Schedule::new(plan.every, &plan.monitor, tenant);
    decide(&plan.monitor, tenant, &schedule, WINDOW, now, now, &points)
}

async fn decisions(app: &App, who: &Who) -> Result<Decisions, StoreError> {
    let now = app.now();
    let mut reading = app.setup.board.read(&who.claims).await?;
    let pairs = scope::visible(app, &mut reading).await?;
    let stretch = (scope::before(now, WINDOW), now);
    let points = reading.points(&scope::asked(&pairs), stretch).await?;
    reading.done().await?;
    let decision = |(plan, tenant): &scope::Watched| {
        let pair = (*tenant, plan.monitor.clone());
        let points = points.get(&pair).map_or(&[][..], Vec::as_slice);
        let decision = report(plan, *tenant, points, now).decision;
        (pair, decision)
    };
    Ok(Arc::new(pairs.iter().map(decision).collect()))
}

/// What was decided last; where that is too old, or nothing, it is read from now on.
pub(super) fn known(app: &Arc<App>, who: &Who) -> Option<Decisions> {
    let (shown, is_due) = app.gates.of(&who.key);
    if is_due {
        let (app, who) = (app.clone(), who.clone());
        tokio::spawn(async move {
            // A store that does not answer is shown by the rows.
            let read = within(decisions(&app, &who)).await.ok();
            app.gates.put(&who.key, read);
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
    app.gates.put(&who.key, Some(read.clone()));
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read_by_one_at_a_time_and_shown_to_their_user_alone() {
        let gates = Gates::default();
        assert_eq!(gates.of("a"), (None, true));
        assert_eq!(gates.of("a"), (None, false), "somebody reads them");
        let lens: LensId = "faults".parse().unwrap_or_else(|error| panic!("{error}"));
        let decided = Arc::new(HashMap::from([((Uuid::nil(), lens), Decision::Proceed)]));
        gates.put("a", Some(decided.clone()));
        assert_eq!(gates.of("a"), (Some(decided), false));
        assert_eq!(gates.of("b"), (None, true));
        // What could not be read is tried again.
        gates.put("b", None);
        assert_eq!(gates.of("b"), (None, true));
    }
}
