//! Alerts: what fires, what was told to whom, and quiet. Only operators make or end silences.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use lensops_core::alert::Rule;
use lensops_core::duration::parse_span;
use lensops_core::ident::LensId;
use serde::Deserialize;
use uuid::Uuid;

use super::App;
use super::page::{Frame, refused, show};
use super::scope::{self, Watched, within};
use super::session::Who;
use super::view::told_time;
use crate::store::{Alert, Silence, StoreError, Trail};

/// Messages that are looked through.
const LATEST: u32 = 100;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 300;

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
    let (journal, pairs) = (&app.setup.journal, scope::visible(app, &mut reading).await?);
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
    let alerts = scope::concerning(journal.alerts().await?, &pairs, whole);
    Ok(Seen {
        alerts,
        silences,
        trail,
        pairs,
    })
}

struct Shown {
    rule: String,
    severity: String,
    about: String,
    since: String,
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
    tenants: Vec<Uuid>,
    rules: [Rule; 7],
}

fn about(lens: Option<&LensId>, tenant: Option<Uuid>) -> String {
    let lens = lens.map_or_else(|| "the store".to_owned(), LensId::title);
    tenant.map_or_else(|| lens.clone(), |tenant| format!("{lens}, tenant {tenant}"))
}

fn shown(alert: &Alert) -> Shown {
    Shown {
        rule: alert.rule.clone(),
        severity: alert.severity.clone(),
        about: about(alert.lens.as_ref(), alert.tenant),
        since: alert.state.since.map_or_else(String::new, told_time),
        times: alert.state.times,
        reason: alert
            .state
            .finding
            .as_ref()
            .map_or_else(String::new, |finding| finding.reason.clone()),
        silenced: alert.state.firing.as_ref().is_some_and(|firing| firing.told.is_none()),
    }
}

fn quiet(silence: &Silence) -> Quiet {
    let parts = [
        silence.rule.map(|rule| format!("rule {rule}")),
        silence.lens.as_ref().map(|lens| format!("lens {lens}")),
        silence.tenant.map(|tenant| format!("tenant {tenant}")),
    ];
    let what: Vec<String> = parts.into_iter().flatten().collect();
    Quiet {
        id: silence.id,
        what: if what.is_empty() {
            "everything".to_owned()
        } else {
            what.join(", ")
        },
        until: told_time(silence.until),
        who: silence.who.clone(),
        reason: silence.reason.clone(),
    }
}

fn told(entry: &Trail) -> Told {
    let cut_off = || "cut off: nobody knows whether it arrived".to_owned();
    Told {
        at: told_time(entry.told.at),
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
    show(&Alerts {
        frame: Frame::new("Alerts", "alerts", &who),
        operator: who.operator,
        firing: seen.alerts.iter().filter(|alert| alert.firing).map(shown).collect(),
        silences: seen.silences.iter().map(quiet).collect(),
        trail: seen.trail.iter().map(told).collect(),
        lenses: unique(seen.pairs.iter().map(|(plan, _)| plan.monitor.to_string()).collect()),
        tenants,
        rules: Rule::ALL,
    })
}

/// The form of a silence.
#[derive(Deserialize)]
pub(super) struct Wanted {
    form_key: String,
    #[serde(default)]
    lens: String,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    rule: String,
    lasts: String,
    reason: String,
}

/// Why `who` may not change anything by a form with `form_key`; `None` who may.
fn refusal(who: &Who, form_key: &str) -> Option<Response> {
    let why = match () {
        () if !who.operator => "Only operators make and end silences.",
        () if !who.owns(form_key) => "This form has expired: load the page again.",
        () => return None,
    };
    Some(refused(StatusCode::FORBIDDEN, why))
}

fn silence_of(wanted: &Wanted, seen: &Seen, who: &Who, scoped: bool, now: Timestamp) -> Result<Silence, String> {
    fn part<T: std::str::FromStr>(name: &str, text: &str) -> Result<Option<T>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|_| format!("{name} is none that is known"))
    }
    let (rule, lens) = (
        part::<Rule>("This rule", &wanted.rule)?,
        part::<LensId>("This lens", &wanted.lens)?,
    );
    let mut tenant = part::<Uuid>("This tenant", &wanted.tenant)?;
    if scoped && tenant.is_none() {
        // Whoever is kept to a tenant makes quiet there and nowhere else.
        tenant = Some(
            seen.pairs
                .first()
                .map(|(_, own)| *own)
                .ok_or("There is no tenant to be quiet about.")?,
        );
    }
    let known = |(plan, own): &Watched| {
        lens.as_ref().is_none_or(|lens| *lens == plan.monitor) && tenant.is_none_or(|tenant| tenant == *own)
    };
    if !seen.pairs.iter().any(known) {
        return Err("There is no such lens of such a tenant.".to_owned());
    }
    let reason = wanted.reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
        return Err(format!(
            "Give a reason: one line of at most {LONGEST_REASON} characters."
        ));
    }
    let lasts = parse_span(wanted.lasts.trim()).map_err(|error| error.to_string())?;
    Ok(Silence {
        id: Uuid::new_v4(),
        rule,
        tenant,
        lens,
        made_at: now,
        until: now.checked_add(lasts).map_err(|_| "That is too long.".to_owned())?,
        who: who.name.clone().unwrap_or_else(|| "dashboard".to_owned()),
        reason: reason.to_owned(),
    })
}

/// Makes a silence.
pub(super) async fn silence(State(app): State<Arc<App>>, who: Who, Form(wanted): Form<Wanted>) -> Response {
    if let Some(refusal) = refusal(&who, &wanted.form_key) {
        return refusal;
    }
    let now = app.now();
    let scoped = !app.setup.board.is_open();
    let seen = match within(read(&app, &who, now)).await {
        Ok(seen) => seen,
        Err(why) => return refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    };
    let mut silence = match silence_of(&wanted, &seen, &who, scoped, now) {
        Ok(silence) => silence,
        Err(why) => return refused(StatusCode::BAD_REQUEST, &why),
    };
    silence.reason = app.setup.redactor.text(&silence.reason).as_str().to_owned();
    match within(app.setup.journal.silence(silence)).await {
        Ok(()) => Redirect::to("/alerts").into_response(),
        Err(why) => refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// The form that ends a silence.
#[derive(Deserialize)]
pub(super) struct Ending {
    form_key: String,
    id: Uuid,
}

/// Ends a silence.
pub(super) async fn unsilence(State(app): State<Arc<App>>, who: Who, Form(ending): Form<Ending>) -> Response {
    if let Some(refusal) = refusal(&who, &ending.form_key) {
        return refusal;
    }
    let now = app.now();
    let name = who.name.clone().unwrap_or_else(|| "dashboard".to_owned());
    let ended = within(async {
        let seen = read(&app, &who, now).await?;
        let is_own = seen.silences.iter().any(|silence| silence.id == ending.id);
        if is_own {
            app.setup.journal.unsilence(ending.id, now, &name).await?;
        }
        Ok(is_own)
    });
    match ended.await {
        Ok(true) => Redirect::to("/alerts").into_response(),
        Ok(false) => refused(StatusCode::NOT_FOUND, "There is no such silence."),
        Err(why) => refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}
