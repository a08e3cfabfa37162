//! Alerts of lenses and tenants that are no longer monitored: they end aloud.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::check::Monitor;
use crate::store::Journal;

/// Ends the alerts of pairs other than `wanted`: those of lenses `of`, or of all where none are named.
pub(super) async fn end_alerts(
    journal: &Journal,
    wanted: &[(Arc<Monitor>, Uuid)],
    of: Option<&[Arc<Monitor>]>,
    now: Timestamp,
) {
    // Tenants that are not known yet have not left.
    if wanted.is_empty() {
        return;
    }
    let stay = wanted.iter().map(|(monitor, tenant)| (*tenant, monitor.lens().clone()));
    let lenses = of.map(|of| of.iter().map(|monitor| monitor.lens().clone()).collect());
    if let Err(error) = journal.alerts_left(stay.collect(), lenses, now).await {
        tracing::error!("❌ Alerts of what is no longer monitored could not be ended: {error}");
    }
}
