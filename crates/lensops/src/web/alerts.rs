//! Alerts: what fires, what was told to whom, and which silences are in force.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use lensops_core::alert::{Rule, Urgency};
use lensops_core::ident::LensId;
use lensops_core::named::Named;
use uuid::Uuid;

use super::app::App;
use super::format::{self, Moment};
use super::names::Names;
use super::page::{Frame, refused, show};
use super::scope::{Watched, concerning, visible, within};
use super::session::Who;
use super::status_icon::WELL;
use crate::store::{Alert, Silence, StoreError, Trail};

/// Messages that are looked through.
const LATEST: u32 = 100;

/// What `who` may see of alerts.
pub(super) struct Seen {
    pub(super) pairs: Vec<Watched>,
    pub(super) alerts: Vec<Alert>,
    pub(super) silences: Vec<Silence>,
    pub(super) trail: Vec<Trail>,
}

/// Reads what `who` may see: what is of no tenant is for whoever nobody is kept out from.
pub(super) async fn read(app: &App, who: &Who, now: Timestamp) -> Result<Seen, StoreError> {
    let mut reading = app.setup.board.read(&who.claims).await?;
    let (journal, pairs) = (&app.setup.journal, visible(app, &mut reading).await?);
    reading.done().await?;
    let whole = app.setup.board.is_open();
    let own = |tenant: Option<Uuid>| match tenant {
        Some(tenant) => pairs.iter().any(|(_, own)| *own == tenant),
        None => whole,
    };
    let mut silences = journal.silences(now).await?;
    silences.retain(|silence| own(silence.tenant));
    let mut trail = journal.alert_trail(LATEST).await?;
    trail.retain(|entry| own(entry.told.tenant));
    let alerts = concerning(journal.alerts().await?, &pairs, whole);
    Ok(Seen {
        alerts,
        silences,
        trail,
        pairs,
    })
}

struct Shown {
    rule: Named<Rule>,
    severity: Named<Urgency>,
    about: String,
    /// A class of the style sheet.
    class: &'static str,
    since: Option<Moment>,
    times: u32,
    reason: String,
    silenced: bool,
}

struct Quiet {
    id: Uuid,
    what: String,
    until: String,
    who: String,
    reason: String,
}

struct Told {
    at: String,
    what: String,
    receiver: String,
    state: String,
    attempts: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct Alerts {
    frame: Frame,
    operator: bool,
    firing: Vec<Shown>,
    silences: Vec<Quiet>,
    trail: Vec<Told>,
    lenses: Vec<String>,
    /// Ids and names.
    tenants: Vec<(Uuid, String)>,
    rules: [Rule; Rule::ALL.len()],
}

fn about(lens: Option<&LensId>, tenant: Option<Uuid>, names: &Names) -> String {
    let lens = lens.map_or_else(|| "the store".to_owned(), LensId::title);
    tenant.map_or_else(
        || lens.clone(),
        |tenant| format!("{lens}, tenant {}", names.of(&tenant)),
    )
}

fn shown(alert: &Alert, names: &Names, now: Timestamp) -> Shown {
    Shown {
        class: match alert.severity.known() {
            Some(Urgency::Critical | Urgency::Error) => "unhealthy",
            _ => "degraded",
        },
        rule: alert.rule.clone(),
        severity: alert.severity.clone(),
        about: about(alert.lens.as_ref(), alert.tenant, names),
        since: alert.state.since.map(|since| Moment::of(since, now)),
        times: alert.state.times,
        reason: alert
            .state
            .finding
            .as_ref()
            .map_or_else(String::new, |finding| finding.reason.clone()),
        silenced: alert.state.firing.as_ref().is_some_and(|firing| firing.told.is_none()),
    }
}

fn quiet(silence: &Silence, names: &Names) -> Quiet {
    let parts = [
        silence.rule.map(|rule| format!("rule {rule}")),
        silence.lens.as_ref().map(|lens| format!("lens {lens}")),
        silence.tenant.map(|tenant| format!("tenant {}", names.of(&tenant))),
    ];
    let what: Vec<String> = parts.into_iter().flatten().collect();
    Quiet {
        id: silence.id,
        what: if what.is_empty() {
            "everything".to_owned()
        } else {
            what.join(", ")
        },
        until: format::time(silence.until),
        who: silence.who.clone(),
        reason: silence.reason.clone(),
    }
}

fn told(entry: &Trail) -> Told {
    let cut_off = || "cut off: nobody knows whether it arrived".to_owned();
    Told {
        at: format::time(entry.told.at),
        what: entry.told.summary(),
        receiver: entry.receiver.clone(),
        state: entry.state.clone(),
        attempts: entry
            .attempts
            .iter()
            .map(|(begun, said)| (begun.clone(), said.clone().unwrap_or_else(cut_off)))
            .collect(),
    }
}

/// The page of alerts.
pub(super) async fn alerts(State(app): State<Arc<App>>, who: Who) -> Response {
    let seen = match within(read(&app, &who, app.now())).await {
        Ok(seen) => seen,
        Err(why) => {
            return refused(
                StatusCode::SERVICE_UNAVAILABLE,
                &format!("{why}. Load it again in a while."),
            );
        }
    };
    let unique = |mut all: Vec<String>| {
        all.sort_unstable();
        all.dedup();
        all
    };
    let mut tenants: Vec<Uuid> = seen.pairs.iter().map(|(_, tenant)| *tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let (now, names) = (app.now(), &app.names);
    let mut frame = Frame::new("Alerts", "alerts", &who);
    let firing: Vec<&Alert> = seen.alerts.iter().filter(|alert| alert.firing).collect();
    if !firing.is_empty() {
        frame.alarm = format!("\u{1f514} {}", firing.len());
    }
    show(&Alerts {
        frame,
        operator: who.operator,
        firing: firing.into_iter().map(|alert| shown(alert, names, now)).collect(),
        silences: seen.silences.iter().map(|silence| quiet(silence, names)).collect(),
        trail: seen.trail.iter().map(told).collect(),
        lenses: unique(seen.pairs.iter().map(|(plan, _)| plan.monitor.to_string()).collect()),
        tenants: tenants.into_iter().map(|id| (id, names.of(&id))).collect(),
        rules: Rule::ALL,
    })
}
