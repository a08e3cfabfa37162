//! Silences: the forms that make and end them. Only operators may.

use std::sync::Arc;

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

use super::alerts::{Seen, read};
use super::app::App;
use super::page::refused;
use super::scope::{Watched, within};
use super::session::Who;
use crate::store::Silence;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 300;

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
pub(super) fn refusal(who: &Who, form_key: &str) -> Option<Response> {
    let why = match () {
        () if !who.operator => "Only operators silence, note and annul.",
        () if !who.owns(form_key) => "This form has expired: load the page again.",
        () => return None,
    };
    Some(refused(StatusCode::FORBIDDEN, why))
}

/// A reason or a note as somebody typed it.
pub(super) fn one_line(text: &str) -> Result<&str, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) {
        return Err(format!(
            "Give a reason: one line of at most {LONGEST_REASON} characters."
        ));
    }
    Ok(text)
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
    let reason = one_line(&wanted.reason)?;
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
