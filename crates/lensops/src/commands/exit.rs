//! The exit codes, and how verdicts, decisions and checks become one.

use std::process::ExitCode;

use lensops_core::history::gate::Decision;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::record::Status;

/// The exit codes of every command; the table stands in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Pass, healthy, proceed, clean.
    Good = 0,
    /// Fail, unhealthy, roll back, drift.
    Bad = 1,
    /// Bad usage, configuration or file.
    Usage = 2,
    /// Could not judge, not enough data.
    CouldNotJudge = 3,
    /// Degraded, investigate.
    Degraded = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Good,
            Verdict::Fail => Self::Bad,
            Verdict::CouldNotJudge => Self::CouldNotJudge,
        }
    }
}

impl From<Decision> for Exit {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Proceed => Self::Good,
            Decision::RollBack => Self::Bad,
            Decision::NotEnoughData => Self::CouldNotJudge,
            Decision::Investigate => Self::Degraded,
        }
    }
}

/// The exit code of checks: (status, whether anything required could be judged), worst wins.
#[must_use]
pub fn exit_of_checks(checks: &[(Status, bool)]) -> Exit {
    if checks.iter().any(|(status, _)| *status == Status::Unhealthy) {
        Exit::Bad
    } else if checks.is_empty() || checks.iter().any(|(_, judged)| !judged) {
        Exit::CouldNotJudge
    } else if checks.iter().any(|(status, _)| *status == Status::Degraded) {
        Exit::Degraded
    } else {
        Exit::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_of_checks_is_the_worst_and_none_is_not_good() {
        use Status::{Degraded, Healthy, Unhealthy};
        assert_eq!(exit_of_checks(&[]), Exit::CouldNotJudge);
        assert_eq!(exit_of_checks(&[(Healthy, true)]), Exit::Good);
        assert_eq!(exit_of_checks(&[(Healthy, true), (Degraded, true)]), Exit::Degraded);
        assert_eq!(
            exit_of_checks(&[(Degraded, true), (Degraded, false)]),
            Exit::CouldNotJudge
        );
        assert_eq!(exit_of_checks(&[(Degraded, false), (Unhealthy, true)]), Exit::Bad);
    }
}
