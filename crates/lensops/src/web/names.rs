//! What tenants are called on pages.

use std::sync::Arc;

use lensops_core::plan::monitor::MonitorPlan;
use uuid::Uuid;

/// The names of the tenants of all plans. Who may see a tenant's rows is decided before a name is looked up.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<[(Uuid, String)]>);

impl Names {
    pub(super) fn of_plans(plans: &[MonitorPlan]) -> Self {
        let all = plans.iter().flat_map(|plan| plan.tenants.names());
        Self(all.map(|(id, name)| (id, name.to_string())).collect())
    }

    /// The name of `tenant`; its id, where no plan names it.
    pub(super) fn of(&self, tenant: &Uuid) -> String {
        let found = self.0.iter().find(|(id, _)| id == tenant);
        found.map_or_else(|| tenant.to_string(), |(_, name)| name.clone())
    }
}
