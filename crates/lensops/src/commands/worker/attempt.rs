//! Sends a request, and retries it where that may help.

use std::sync::Arc;
use std::time::Duration;

use lensops_core::exchange::{Exchange, FailureClass, PreparedRequest, Sender};

/// Retries that one probe may spend over all its samples.
pub(crate) const RETRIES: u32 = 2;

/// The wait before the first retry; doubled for the next, jittered by half.
pub(crate) const RETRY_WAIT_MS: u64 = 100;

/// Sends a request and, while it fails in a way that may pass and retries are left, sends it again.
/// Every attempt is returned: a retry hides nothing. A time-out is not tried again, it has waited
/// long enough.
pub(crate) async fn attempt<S: Sender>(
    sender: &S,
    request: &Arc<PreparedRequest>,
    retries: &mut u32,
    rng: &mut fastrand::Rng,
) -> Vec<Exchange> {
    let mut attempts: Vec<Exchange> = Vec::with_capacity(1);
    loop {
        let exchange = sender.send(request.clone()).await;
        let again = may_pass(&exchange) && *retries > 0;
        attempts.push(exchange);
        if !again {
            return attempts;
        }
        *retries -= 1;
        let wait = RETRY_WAIT_MS << (attempts.len() - 1).min(6);
        tokio::time::sleep(Duration::from_millis(rng.u64(wait / 2..=wait * 3 / 2))).await;
    }
}

pub(crate) fn may_pass(exchange: &Exchange) -> bool {
    match &exchange.result {
        Ok(response) => response.status >= 500 || response.status == 429,
        Err(failure) => matches!(failure.class, FailureClass::Connectivity | FailureClass::BadBody),
    }
}
