//! What one user may see: plans, tenants and alerts, read from the store within a time.

use std::sync::Arc;
use std::time::Duration;

use lensops_core::ident::LensId;
use lensops_core::plan::monitor::MonitorPlan;
use uuid::Uuid;

use super::app::App;
use crate::store::{Alert, Reading, StoreError};

/// How long the store may take over a page.
const READ: Duration = Duration::from_secs(3);

/// What cannot be read now. The text is for the user: it names no row.
pub(super) async fn within<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match tokio::time::timeout(READ, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(StoreError::Elsewhere(what))) => Err(format!("the store does not answer ({what})")),
        Ok(Err(_)) => Err("the journal cannot be read".to_owned()),
        Err(_) => Err(format!("the store did not answer within {} s", READ.as_secs())),
    }
}

/// A plan as it stands now, and a tenant it is run for.
pub(super) type Watched = (Arc<MonitorPlan>, Uuid);

/// The plans as they stand now, with whom the reading user may see: the database says which tenant that is.
pub(super) async fn visible(app: &App, reading: &mut Reading<'_>) -> Result<Vec<Watched>, StoreError> {
    let rolled_back = app.setup.journal.rolled_back().await?;
    let own = match (app.setup.board.is_open(), reading.tenant().await?) {
        (true, _) => None,
        (false, Some(own)) => Some(own),
        (false, None) => return Ok(Vec::new()),
    };
    let mut pairs = Vec::new();
    for plan in &app.plans {
        let plan = match rolled_back.get(&plan.monitor) {
            Some(paused) if plan.paused.is_none() => Arc::new(MonitorPlan {
                paused: Some(paused.clone()),
                ..MonitorPlan::clone(plan)
            }),
            _ => plan.clone(),
        };
        let tenants = plan
            .tenants
            .iter()
            .filter(|tenant| own.is_none_or(|own| own == **tenant));
        pairs.extend(tenants.map(|tenant| (plan.clone(), *tenant)));
    }
    Ok(pairs)
}

/// `pairs` as a store is asked for them.
pub(super) fn asked(pairs: &[Watched]) -> Vec<(Uuid, LensId)> {
    pairs
        .iter()
        .map(|(plan, tenant)| (*tenant, plan.monitor.clone()))
        .collect()
}

/// The alerts that concern `pairs`; those of the store itself only where `whole` is set.
pub(super) fn concerning(alerts: Vec<Alert>, pairs: &[Watched], whole: bool) -> Vec<Alert> {
    let mut alerts = alerts;
    alerts.retain(|alert| match alert.tenant {
        Some(tenant) => pairs.iter().any(|(_, own)| *own == tenant),
        None => whole,
    });
    alerts
}
