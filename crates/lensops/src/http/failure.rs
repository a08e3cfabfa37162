//! Failures of a request, classed here once for every command.

use std::time::Duration;

use lensops_core::exchange::{Cause, Failure, FailureClass};

use crate::connect::{ConnectError, WANTS_CREDENTIALS};

/// Why no connection was made, of at most `timeout`.
pub(super) fn unconnected(error: &ConnectError, timeout: Duration) -> Failure {
    match error {
        ConnectError::Late(doing) => timed_out(doing, timeout),
        _ => Failure {
            own: error.cause(),
            ..Failure::new(error.class(), error.to_string())
        },
    }
}

pub(super) fn timed_out(doing: &str, after: Duration) -> Failure {
    Failure::new(
        FailureClass::Timeout,
        format!("no answer within {}s, {doing}", after.as_secs_f64()),
    )
}

/// What `proxy`, which forwards requests, says instead of forwarding one.
pub(super) fn proxy_wants_credentials(proxy: &str) -> Failure {
    Failure {
        own: Some(Cause::ProxyFails),
        ..Failure::new(
            FailureClass::Connectivity,
            format!("the proxy {proxy} {WANTS_CREDENTIALS}"),
        )
    }
}
