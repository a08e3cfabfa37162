//! The dashboard's state: what it is set up with, and what it keeps between requests.

use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::redaction::Redactor;
use lensops_core::secret::Secret;

use super::decision_cache::DecisionCache;
use super::names::Names;
use super::rate_limit::RateLimit;
use super::row_cache::RowCache;
use super::runs::Runs;
use super::subscribers::Subscribers;
use crate::store::{Board, Journal};

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
    /// The page that says what to do, with `{lens}` for the lens; `None` where there is none.
    pub runbook: Option<String>,
    /// What never leaves.
    pub redactor: Redactor,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// The dashboard's state.
pub(super) struct App {
    pub(super) setup: Setup,
    /// The plans of the setup, shared by what is read of them.
    pub(super) plans: Vec<Arc<MonitorPlan>>,
    pub(super) names: Names,
    pub(super) row_cache: RowCache,
    pub(super) decision_cache: DecisionCache,
    pub(super) rate_limit: RateLimit,
    pub(super) subscribers: Subscribers,
}

impl App {
    /// The state of a dashboard that has not been asked for anything yet.
    pub(super) fn new(setup: Setup) -> Self {
        Self {
            plans: setup.plans.iter().cloned().map(Arc::new).collect(),
            names: Names::of_plans(&setup.plans),
            setup,
            row_cache: RowCache::default(),
            decision_cache: DecisionCache::default(),
            rate_limit: RateLimit::default(),
            subscribers: Subscribers::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.setup.now)()
    }
}
