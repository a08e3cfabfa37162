//! Failures of a request, classed here once for every command.

use std::time::Duration;

use lensops_core::exchange::{Failure, FailureClass};

/// The innermost cause of an error: what the system said.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

pub(super) fn connectivity(detail: String) -> Failure {
    Failure {
        class: FailureClass::Connectivity,
        detail,
    }
}

pub(super) fn bad_body(detail: String) -> Failure {
    Failure {
        class: FailureClass::BadBody,
        detail,
    }
}

pub(super) fn tls(detail: String) -> Failure {
    Failure {
        class: FailureClass::Tls,
        detail,
    }
}

pub(super) fn timed_out(doing: &str, after: Duration) -> Failure {
    Failure {
        class: FailureClass::Timeout,
        detail: format!("no answer within {}s, {doing}", after.as_secs_f64()),
    }
}
