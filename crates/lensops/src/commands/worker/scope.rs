//! What a worker checks: which lenses for which tenants, and how many checks at once. A reload and the
//! tenant query change it while the worker runs.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::ident::LensId;
use uuid::Uuid;

use super::check::Monitor;
use super::timetable::Work;

/// Checks that run at once against one host where nothing else is said.
pub const PER_HOST: usize = 32;

/// Something that changes while the worker runs.
#[derive(Debug)]
pub enum Change {
    /// Other plans or settings, as read again.
    Monitors {
        /// The plans.
        monitors: Vec<Arc<Monitor>>,
        /// Checks that run at once against one host.
        per_host: usize,
        /// The tenants are those of the plans: no query gives them any more.
        own_tenants: bool,
    },
    /// Other tenants, as the query answers them.
    Tenants(Vec<Uuid>),
}

/// What a worker checks.
pub(super) struct Scope {
    /// The plans.
    pub(super) monitors: Vec<Arc<Monitor>>,
    /// The tenants that a query gave; `None`: those of each plan.
    pub(super) tenants: Option<Vec<Uuid>>,
    /// Checks that run at once against one host.
    pub(super) per_host: usize,
    /// Of these, only the pairs that a machine of a fleet goes on with by itself.
    pub(super) stand_in: Option<StandIn>,
}

/// What a machine of a fleet goes on with by itself while it is cut off from the others.
#[derive(Debug, Clone)]
pub struct StandIn {
    /// The pairs.
    pub pairs: HashSet<(Uuid, LensId)>,
    /// Slots after this are its own.
    pub since: Timestamp,
}

impl Scope {
    /// Every lens with each of its tenants.
    pub(super) fn pairs(&self) -> Vec<(Arc<Monitor>, Uuid)> {
        let tenants_of = |monitor: &Arc<Monitor>| self.tenants.clone().unwrap_or_else(|| monitor.plan.tenants.to_vec());
        let pairs_of = |monitor: &Arc<Monitor>| {
            let monitor = monitor.clone();
            tenants_of(&monitor)
                .into_iter()
                .map(move |tenant| (monitor.clone(), tenant))
        };
        let mine = |(monitor, tenant): &(Arc<Monitor>, Uuid)| match &self.stand_in {
            Some(stand_in) => stand_in.pairs.contains(&(*tenant, monitor.lens().clone())),
            None => true,
        };
        self.monitors.iter().flat_map(pairs_of).filter(mine).collect()
    }

    /// Milliseconds of the longest interval; 0 without plans.
    pub(super) fn longest_interval_ms(&self) -> i64 {
        let intervals = self.monitors.iter().map(|monitor| monitor.plan.every.as_ms());
        intervals.max().unwrap_or(0)
    }

    /// Stands before each line where there is more than one lens or tenant.
    pub(super) fn prefix(&self, work: &Work) -> String {
        let several_tenants = match &self.tenants {
            Some(tenants) => tenants.len() > 1,
            None => self.monitors.iter().any(|monitor| monitor.plan.tenants.len() > 1),
        };
        match (self.monitors.len() > 1, several_tenants) {
            (false, false) => String::new(),
            (true, false) => format!("[{}] ", work.monitor.lens()),
            _ => format!(
                "[{} {}] ",
                work.monitor.lens(),
                work.monitor.plan.tenants.name(work.tenant)
            ),
        }
    }

    /// Takes up `change`.
    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Monitors {
                monitors,
                per_host,
                own_tenants,
            } => {
                self.monitors = monitors;
                self.per_host = per_host;
                if own_tenants {
                    self.tenants = None;
                }
            }
            Change::Tenants(tenants) => self.tenants = Some(tenants),
        }
    }
}
