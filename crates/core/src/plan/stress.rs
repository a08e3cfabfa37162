//! The stress plan: targets under load and the thresholds of the verdict.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Dialect, Expect, PlanError, Request, Vars, check_tenants, check_unique, check_user};
use crate::ident::{Ident, LensId};
use crate::lens::User;

/// A stress plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StressPlan {
    /// The lens it loads.
    pub stress: LensId,
    /// The tenants; the first is the one that is loaded.
    pub tenants: Vec<Uuid>,
    /// The users its requests run as.
    #[serde(default)]
    pub users: IndexMap<Ident, User>,
    /// Its variables besides `$tenant`.
    #[serde(default)]
    pub vars: Vars,
    /// Where answers keep what expectations speak of.
    #[serde(default)]
    pub answers: Dialect,
    /// What is loaded, one after the other.
    pub targets: Vec<Target>,
    /// What must hold over all targets together.
    #[serde(default)]
    pub verdict: Thresholds,
}

/// A request under load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name in reports.
    pub name: String,
    /// The user it runs as.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub user: Option<Ident>,
    /// The request.
    pub request: Request,
    /// How it is loaded.
    pub load: Load,
    /// What every answer must be.
    #[serde(default)]
    pub expect: Expect,
}

/// A load shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// This many requests at once, each on a connection of its own.
    Burst(u32),
}

/// The most requests a burst may hold: each takes a socket.
pub const LARGEST_BURST: u32 = 10_000;

/// What must hold for a pass. Each is at least as strict as the doctrine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// 5xx answers allowed. The doctrine: none.
    pub max_5xx: u64,
    /// Requests without an answer allowed. The doctrine: none.
    pub max_transport_errors: u64,
    /// Requests that must have been answered. The doctrine: at least one.
    pub min_completed: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_5xx: 0,
            max_transport_errors: 0,
            min_completed: 1,
        }
    }
}

impl StressPlan {
    /// Checks what one field says against another.
    ///
    /// # Errors
    /// The first thing that could never run, or that would weaken the doctrine.
    pub fn validate(&self) -> Result<(), PlanError> {
        check_tenants(&self.tenants)?;
        if self.targets.is_empty() {
            return Err(PlanError::Empty("targets"));
        }
        check_unique("targets", self.targets.iter().map(|target| target.name.as_str()))?;
        for target in &self.targets {
            let place = format!("target {:?}", target.name);
            check_user(&place, target.user.as_ref(), &self.users)?;
            let Load::Burst(size) = target.load;
            if !(1..=LARGEST_BURST).contains(&size) {
                return Err(PlanError::Invalid {
                    place,
                    why: format!("a burst is 1 to {LARGEST_BURST} requests"),
                });
            }
        }
        let Thresholds {
            max_5xx,
            max_transport_errors,
            min_completed,
        } = self.verdict;
        if max_5xx > 0 || max_transport_errors > 0 || min_completed == 0 {
            return Err(PlanError::Invalid {
                place: "verdict".to_owned(),
                why: "stress passes only at 0 × 5xx, without transport error and with at least one completed request: max_5xx and max_transport_errors are 0, min_completed at least 1".to_owned(),
            });
        }
        Ok(())
    }
}
