//! One HTTP request, prepared but not sent, and what came of it.
//!
//! A request is built here and sent at the rim, so that every URL, header and body is tested
//! without a socket. `Debug` never shows a header that carries a secret.

mod base;
mod request;
mod response;
mod route;
mod wire;

use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;

pub use base::{Base, BaseError};
pub use request::{Header, Method, PreparedRequest};
pub use response::{Cause, Failure, FailureClass, Response, Timings};
pub use route::Route;
pub use wire::{ControlCharacter, Proxied};

/// One request with what came of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What was sent.
    pub request: Arc<PreparedRequest>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The answer, or why there is none.
    pub result: Result<Response, Failure>,
    /// How long it took.
    pub timings: Timings,
    /// Over which connection it went.
    pub route: Route,
}

impl Exchange {
    /// The status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.result.as_ref().ok().map(|response| response.status)
    }

    /// The latency this exchange adds to a percentile, in microseconds. `None` when nothing was
    /// answered; a time-out counts with the time it waited, so that a stalled server cannot hide.
    #[must_use]
    pub fn latency_us(&self) -> Option<u64> {
        match &self.result {
            Ok(_) => Some(self.timings.total_us),
            Err(failure) if failure.class == FailureClass::Timeout => Some(self.timings.total_us),
            Err(_) => None,
        }
    }
}

/// The seam between those who need a request sent and the one who can send it.
pub trait Sender: Send + Sync {
    /// Sends one request. A failure is a value of the exchange, never an error.
    fn send(&self, request: Arc<PreparedRequest>) -> impl Future<Output = Exchange> + Send;
}
