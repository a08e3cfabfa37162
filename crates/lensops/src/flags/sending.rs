//! Requests to a provider over HTTP.
//!
//! A busy provider (429) is left alone for as long as it asks, one that is down is asked again
//! after a wait that doubles; both end with the patience of who asks.

use std::sync::Arc;
use std::time::Duration;

use lensops_core::exchange::{Exchange, PreparedRequest, Response, Sender};
use tokio::time::Instant;

use super::error::FlagError;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Sends `request`, again until `deadline` while the provider is busy or down. What is sent may be sent twice:
/// flags are set, not added to, and a second deploy does no harm. `variable` holds the key. A 404 is an answer.
pub(super) async fn patiently<S: Sender>(
    sender: &S,
    request: PreparedRequest,
    deadline: Instant,
    variable: &str,
) -> Result<(Exchange, Response), FlagError> {
    let (request, mut wait) = (Arc::new(request), FIRST_WAIT);
    loop {
        let exchange = sender.send(request.clone()).await;
        let (error, after) = match &exchange.result {
            Ok(response) => match response.status {
                200..300 | 404 => {
                    let response = response.clone();
                    return Ok((exchange, response));
                }
                status @ (401 | 403) => {
                    return Err(FlagError::Denied {
                        status,
                        variable: variable.to_owned(),
                    });
                }
                429 => {
                    let after = retry_after(response);
                    (FlagError::Busy { after }, after)
                }
                status @ 500.. => (FlagError::Status(status), retry_after(response)),
                status => return Err(FlagError::Status(status)),
            },
            Err(failure) => {
                let told = format!("{} ({})", failure.detail, failure.class.as_str());
                (FlagError::Silent(told), None)
            }
        };
        let pause = after.unwrap_or(wait).max(Duration::from_millis(100));
        if Instant::now() + pause > deadline {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// The seconds a provider asked for; a date, which it may send as well, is not waited for.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
