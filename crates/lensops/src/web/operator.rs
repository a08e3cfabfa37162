//! What operators write besides silences: notes beside a lens, and that a check was a mistake. Each is checked
//! against what its operator may see, goes through the redactor, and says who wrote it.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use lensops_core::ident::LensId;
use serde::Deserialize;
use uuid::Uuid;

use super::app::App;
use super::page::{not_found, refused};
use super::scope::{visible, within};
use super::session::Who;
use super::silences::{one_line, refusal};
use crate::store::{Note, annulment};

/// Who writes, for whoever reads it later.
fn name(who: &Who) -> String {
    who.name.clone().unwrap_or_else(|| "dashboard".to_owned())
}

/// The form of a note.
#[derive(Deserialize)]
pub(super) struct Noted {
    form_key: String,
    tenant: Uuid,
    text: String,
}

/// Writes a note beside a lens of a tenant.
pub(super) async fn note(
    State(app): State<Arc<App>>,
    who: Who,
    Path(lens): Path<String>,
    Form(noted): Form<Noted>,
) -> Response {
    if let Some(refusal) = refusal(&who, &noted.form_key) {
        return refusal;
    }
    let text = match one_line(&noted.text) {
        Ok(text) => app.setup.redactor.text(text).as_str().to_owned(),
        Err(why) => return refused(StatusCode::BAD_REQUEST, &why),
    };
    let Ok(lens) = lens.parse::<LensId>() else {
        return not_found();
    };
    let put = within(async {
        let mut reading = app.setup.board.read(&who.claims).await?;
        let pairs = visible(&app, &mut reading).await?;
        reading.done().await?;
        let is_seen = pairs
            .iter()
            .any(|(plan, tenant)| plan.monitor == lens && *tenant == noted.tenant);
        if is_seen {
            let note = Note {
                id: Uuid::new_v4(),
                lens: lens.clone(),
                tenant: Some(noted.tenant),
                at: app.now(),
                who: name(&who),
                text,
            };
            app.setup.journal.put_note(note).await?;
        }
        Ok(is_seen)
    });
    match put.await {
        Ok(true) => Redirect::to(&format!("/lens/{lens}?tenant={}", noted.tenant)).into_response(),
        Ok(false) => not_found(),
        Err(why) => refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// The form that takes a check back.
#[derive(Deserialize)]
pub(super) struct Annulled {
    form_key: String,
    reason: String,
}

/// Takes a check back.
pub(super) async fn annul(
    State(app): State<Arc<App>>,
    who: Who,
    Path(id): Path<String>,
    Form(annulled): Form<Annulled>,
) -> Response {
    if let Some(refusal) = refusal(&who, &annulled.form_key) {
        return refusal;
    }
    let reason = match one_line(&annulled.reason) {
        Ok(reason) => reason,
        Err(why) => return refused(StatusCode::BAD_REQUEST, &why),
    };
    let Ok(id) = id.parse::<Uuid>() else {
        return not_found();
    };
    let taken_back = within(async {
        let mut reading = app.setup.board.read(&who.claims).await?;
        let found = reading.check(id).await?;
        reading.done().await?;
        // Whoever does not see it cannot take it back; what takes another back is no check.
        let Some((check, _)) = found.filter(|(check, _)| check.notes.read().annuls().is_none()) else {
            return Ok(false);
        };
        let record = annulment(&check, reason, &name(&who), &app.setup.redactor);
        app.setup.board.record(&app.setup.journal, record).await?;
        Ok(true)
    });
    match taken_back.await {
        Ok(true) => {
            app.row_cache.outdate();
            Redirect::to(&format!("/checks/{id}")).into_response()
        }
        Ok(false) => not_found(),
        Err(why) => refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}
