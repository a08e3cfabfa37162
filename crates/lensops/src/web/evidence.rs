//! What runs left behind, and who may see it.
//!
//! Runs lie on disk, where no database scopes them. So a run names the tenants that its files may
//! speak of, and a signed-in user sees it only where every one of them is the tenant that the database
//! takes him for, and only while the run verifies: what was altered may name anybody.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use lensops_core::ident::LensId;
use uuid::Uuid;

use super::app::App;
use super::page::{not_found, refused};
use super::runs::Run;
use super::scope::within;
use super::session::Who;
use crate::store::StoreError;

/// The runs of a lens that a user may see.
pub(super) struct Shown {
    pub(super) runs: Vec<Run>,
    /// How many others there are of this lens.
    pub(super) withheld: usize,
}

/// Whether a user of `own` may see `run`.
fn may_see(run: &Run, own: Uuid) -> bool {
    let tenants = run.tenants.as_deref().unwrap_or_default();
    run.intact && !tenants.is_empty() && tenants.iter().all(|tenant| *tenant == own)
}

/// The runs of `lens` for a user of `tenant`; `None` when they could not be read.
pub(super) async fn of(app: &App, lens: &LensId, tenant: Uuid) -> Option<Shown> {
    let (runs, lens) = (app.setup.runs.clone(), lens.clone());
    let found = tokio::task::spawn_blocking(move || runs.of(&lens)).await.ok()?;
    let all = found.len();
    let is_open = app.setup.board.is_open();
    let runs: Vec<Run> = found
        .into_iter()
        .filter(|run| is_open || may_see(run, tenant))
        .collect();
    Some(Shown {
        withheld: all - runs.len(),
        runs,
    })
}

async fn own_tenant(app: &App, who: &Who) -> Result<Option<Uuid>, StoreError> {
    let mut reading = app.setup.board.read(&who.claims).await?;
    let own = reading.tenant().await?;
    reading.done().await?;
    Ok(own)
}

/// A file of a run's evidence, to be kept and not to be shown.
pub(super) async fn file(State(app): State<Arc<App>>, who: Who, Path((run, file)): Path<(String, String)>) -> Response {
    let own = match within(own_tenant(&app, &who)).await {
        Ok(own) => own,
        Err(why) => return refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    };
    let (runs, is_open) = (app.setup.runs.clone(), app.setup.board.is_open());
    let name = format!(
        "attachment; filename=\"{}\"",
        file.replace(['"', '\\', '\r', '\n'], "_")
    );
    let bytes = tokio::task::spawn_blocking(move || {
        let may = is_open || own.is_some_and(|own| runs.run(&run).is_some_and(|run| may_see(&run, own)));
        may.then(|| runs.file(&run, &file)).flatten()
    });
    let (Ok(Some(bytes)), Ok(name)) = (bytes.await, HeaderValue::from_str(&name)) else {
        return not_found();
    };
    let mut response = bytes.into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    response
}

#[cfg(test)]
mod tests {
    use lensops_core::verdict::{RunKind, Verdict};

    use super::*;

    #[test]
    fn e1_a_run_that_is_altered_or_not_trusted_is_no_pass() {
        for (intact, counts, passed) in [(true, true, true), (false, true, false), (true, false, false)] {
            let run = Run {
                id: "r".to_owned(),
                kind: RunKind::Acceptance.into(),
                verdict: Verdict::Pass.into(),
                finished_at: String::new(),
                tenants: None,
                intact,
                counts,
                whose: String::new(),
                told: String::new(),
                files: Vec::new(),
            };
            assert_eq!(run.passed(), passed, "{intact} {counts}");
        }
    }

    #[test]
    fn a_run_is_seen_by_the_tenant_that_is_alone_in_it_and_by_nobody_while_it_is_altered() {
        let (own, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for (case, tenants, intact, seen) in [
            ("own", Some(vec![own]), true, true),
            ("own twice", Some(vec![own, own]), true, true),
            ("altered", Some(vec![own]), false, false),
            ("another's", Some(vec![other]), true, false),
            ("both", Some(vec![own, other]), true, false),
            ("nobody's", Some(Vec::new()), true, false),
            ("not known", None, true, false),
        ] {
            let run = Run {
                id: "r".to_owned(),
                kind: RunKind::Acceptance.into(),
                verdict: Verdict::Pass.into(),
                finished_at: String::new(),
                tenants,
                intact,
                counts: true,
                whose: String::new(),
                told: String::new(),
                files: Vec::new(),
            };
            assert_eq!(may_see(&run, own), seen, "{case}");
        }
    }
}
