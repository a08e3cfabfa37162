//! Why a load is not sent.

use lensops_core::verdict::stress::StressVerdict;

use crate::commands::error::Error;

/// Why a load is not sent.
pub(super) enum Unready {
    /// The plan cannot run.
    Error(Error),
    /// Something of it is not known, or nobody can sign in: that is judged.
    Judged(StressVerdict),
}

impl<E: Into<Error>> From<E> for Unready {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}
