//! What later cases need of earlier ones.

use std::sync::Arc;

use lensops_core::exchange::Response;
use lensops_core::plan::Vars;
use lensops_core::secret::Secret;
use serde_json::Value;

use super::cookies::Cookies;

/// What later cases need of earlier ones.
pub(super) struct Progress {
    /// The plan's variables and what was captured.
    pub(super) vars: Arc<Vars>,
    /// Entities that an earlier run used up.
    pub(super) used_up: Vec<Value>,
    /// The variables of the last step that was sent, its signature and captures among them.
    pub(super) last: Arc<Vars>,
    /// What was captured from places that hold secrets.
    pub(super) secrets: Vec<Secret>,
    /// What the answers so far set.
    pub(super) cookies: Cookies,
    /// The status of the last answer; `None` where there was none.
    pub(super) status: Option<u16>,
    /// The last answer of a step that can be taken back, where it was a success.
    pub(super) made: Option<Response>,
    pub(super) rng: fastrand::Rng,
}

impl Progress {
    pub(super) fn new(vars: Vars, seed: u64) -> Self {
        Self {
            vars: Arc::new(vars),
            used_up: Vec::new(),
            last: Arc::default(),
            secrets: Vec::new(),
            cookies: Cookies::default(),
            status: None,
            made: None,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// A progress of its own for the scenario at `index`: what it captures ends with it.
    pub(super) fn fork(&self, index: usize) -> Self {
        let seed = self.rng.clone().u64(..).wrapping_add(index as u64);
        Self {
            vars: self.vars.clone(),
            used_up: self.used_up.clone(),
            last: Arc::default(),
            secrets: self.secrets.clone(),
            cookies: self.cookies.clone(),
            status: None,
            made: None,
            rng: fastrand::Rng::with_seed(seed),
        }
    }
}
