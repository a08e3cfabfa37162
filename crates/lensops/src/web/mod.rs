//! The dashboard: pages, the event stream and the read API.
//!
//! Everything is rendered here and works without JavaScript; what script there is replaces parts of
//! a page by the same parts of the same page, asked for again. It reads `store::Board` and the alerts
//! of the journal, and writes silences alone. What it refuses: markup from data (templates escape), a
//! script or style within a page, anything fetched from elsewhere, and a second definition of how a
//! lens stands or what the gate says (both are `lensops_core`'s).

mod alerts;
mod api;
mod assets;
mod charts;
mod check;
mod compress;
mod events;
mod evidence;
mod gates;
mod guard;
mod lens;
mod overview;
mod page;
mod scope;
mod series;
mod serve;
mod session;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use jiff::Timestamp;
use lensops_core::ident::LensId;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::redaction::Redactor;
use lensops_core::secret::Secret;
use uuid::Uuid;

pub use self::api::openapi;
pub use self::serve::serve;
use crate::store::{Board, Journal};

/// The most bytes that a request's body may have.
const LARGEST_BODY: usize = 16 * 1024;

/// A run that left evidence, as it verifies now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id, which is the name of its folder.
    pub id: String,
    /// `acceptance` or `stress`.
    pub kind: String,
    /// What it came to.
    pub verdict: String,
    /// The tenants that its files may speak of; `None` where nobody knows all of them.
    pub tenants: Option<Vec<Uuid>>,
    /// When it ended.
    pub finished_at: String,
    /// Whether every file is as the run left it.
    pub intact: bool,
    /// Whose signature it bears, or what differs; one line.
    pub told: String,
    /// Names of its files.
    pub files: Vec<String>,
}

/// Where evidence is found. Reading may block.
pub trait Runs: Send + Sync {
    /// The latest runs of `lens`, newest first; none where there are none.
    fn of(&self, lens: &LensId) -> Vec<Run>;
    /// The run with this id; `None` where there is none.
    fn run(&self, id: &str) -> Option<Run>;
    /// The bytes of a file of a run; `None` where there is none.
    fn file(&self, run: &str, name: &str) -> Option<Vec<u8>>;
}

/// What the dashboard is made of.
pub struct Setup {
    /// Where checks are read.
    pub board: Board,
    /// Where alerts and silences are.
    pub journal: Journal,
    /// What is monitored, for which tenants.
    pub plans: Vec<MonitorPlan>,
    /// Where evidence is found.
    pub runs: Arc<dyn Runs>,
    /// What users' tokens are signed with; `None` lets everybody in, which is for the journal on loopback.
    pub jwt_secret: Option<Secret>,
    /// Random, and new with every start: keys of forms.
    pub form_key: String,
    /// What never leaves.
    pub redactor: Redactor,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// The dashboard's state.
pub(crate) struct App {
    pub(crate) setup: Setup,
    /// The plans of the setup, shared by what is read of them.
    pub(crate) plans: Vec<Arc<MonitorPlan>>,
    pub(crate) known: scope::Known,
    pub(crate) gates: gates::Gates,
    pub(crate) clients: guard::Clients,
    pub(crate) live: events::Live,
}

impl App {
    pub(crate) fn now(&self) -> Timestamp {
        (self.setup.now)()
    }
}

/// Every page, over `setup`.
fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(overview::overview))
        .route("/lens/{lens}", get(lens::lens))
        .route("/checks/{id}", get(check::check))
        .route("/alerts", get(alerts::alerts))
        .route("/alerts/silence", post(alerts::silence))
        .route("/alerts/unsilence", post(alerts::unsilence))
        .route("/runs/{run}/{file}", get(evidence::file))
        .route("/session", post(session::sign_in))
        .route("/session/end", post(session::sign_out))
        .route("/events", get(events::events))
        .route("/assets/{name}", get(assets::asset))
        .route("/api/v1/lenses", get(api::lenses))
        .route("/api/v1/lenses/{lens}", get(api::lens))
        .route("/api/v1/checks", get(api::checks))
        .route("/api/v1/alerts", get(api::alerts))
        .route("/api/v1/openapi.json", get(api::document))
        .fallback(page::nothing_here)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(compress::sent))
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}
