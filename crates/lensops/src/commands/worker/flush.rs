//! The last flush of a worker that stops.

use std::time::Duration;

use tokio::time::Instant;

use super::delivery::Delivery;
use crate::commands::error::Result;
use crate::http::Client;
use crate::store::{Journal, Store};

/// Delivers what the last checks left, in what is left of the grace.
pub(super) async fn last_flush(
    mut delivery: Delivery<Store<Client>>,
    journal: &Journal,
    deadline: Instant,
) -> Result<()> {
    // A check that took the whole grace still gets a try.
    let deadline = deadline.max(Instant::now() + Duration::from_secs(1));
    let flushed = tokio::time::timeout_at(deadline, delivery.flush()).await;
    if !matches!(flushed, Ok(Ok(flushed)) if flushed.complete) {
        let waiting = journal.outbox().await?.waiting;
        tracing::warn!("⚠️ {waiting} checks wait in the journal; they are delivered after the next start");
    }
    Ok(())
}
