//! Why a request has no answer, classed as every other failure of lensops.

use std::time::Duration;

use lensops_core::exchange::{Failure, FailureClass};

use crate::connect::ConnectError;
use crate::http1::TurnError;

/// Why a request has no answer; `own` when this machine could not even try.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) failure: Failure,
    pub(super) own: bool,
}

impl Broken {
    /// A failure of the other side.
    pub(super) fn of(class: FailureClass, detail: impl Into<String>) -> Self {
        let failure = Failure::new(class, detail);
        Self { failure, own: false }
    }

    /// Why no connection was made within `timeout`.
    pub(super) fn unconnected(error: &ConnectError, timeout: Duration) -> Self {
        let detail = match error {
            ConnectError::Late(doing) => format!("no connection within {timeout:?}, {doing}"),
            _ => error.to_string(),
        };
        Self {
            own: error.is_own(),
            ..Self::of(error.class(), detail)
        }
    }

    /// What came of a connection instead of an answer.
    pub(super) fn unanswered(error: &TurnError) -> Self {
        Self::of(error.class(), error.to_string())
    }
}
