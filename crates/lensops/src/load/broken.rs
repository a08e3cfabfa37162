//! Why a request has no answer, classed as every other failure of lensops.

use std::io;

use lensops_core::exchange::{Failure, FailureClass};

/// Why a request has no answer; `own` when this machine could not even try.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) failure: Failure,
    pub(super) own: bool,
}

impl Broken {
    /// A failure of the other side.
    pub(super) fn of(class: FailureClass, detail: impl Into<String>) -> Self {
        let failure = Failure {
            class,
            detail: detail.into(),
        };
        Self { failure, own: false }
    }

    /// What the system said of a socket.
    pub(super) fn connectivity(error: &io::Error) -> Self {
        // Too many open files, in the process or the system; and no port left.
        let own = matches!(error.raw_os_error(), Some(23 | 24)) || error.kind() == io::ErrorKind::AddrNotAvailable;
        Self {
            own,
            ..Self::of(FailureClass::Connectivity, error.to_string())
        }
    }
}
