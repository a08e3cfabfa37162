//! The fleet: whether this login sees its jobs, and whether its machines are alike.

use super::finding::Findings;
use super::subject::Subject;
use crate::commands::fleet;

const PLACE: &str = "DATABASE_URL";

pub(super) async fn look(subject: &Subject<'_>, findings: &mut Findings) {
    let fleet = match fleet::shared_by(subject.settings) {
        Ok(Some(fleet)) => fleet,
        Ok(None) => return,
        Err(error) => {
            return findings.error(
                error.line(),
                "lensops.yml",
                "set DATABASE_URL, or take away `schedule: fleet`",
            );
        }
    };
    match fleet.sees_jobs().await {
        Ok(true) => findings.good("the worker adds and sees jobs of the fleet (rolled back)"),
        Ok(false) => findings.error(
            "this login sees no jobs of the fleet: row-level security hides them, and its worker would wait forever",
            PLACE,
            "run `lensops migrate` as the owner, and GRANT service_role to this login",
        ),
        Err(error) => {
            return findings.error(
                format!("the jobs of the fleet cannot be used: {error}"),
                PLACE,
                "run `lensops migrate` as the owner, and GRANT service_role to this login",
            );
        }
    }
    match fleet.standing().await {
        Ok(standing) => {
            let found = fleet::findings(&standing);
            if found.is_empty() {
                findings.good("the machines of the fleet are alike, and every pair has one");
            }
            for what in found {
                findings.warning(what, "the fleet", "see `lensops fleet status`");
            }
        }
        Err(error) => findings.unjudged(
            format!("how the fleet stands could not be told: {error}"),
            PLACE,
            "run `lensops migrate` as the owner",
        ),
    }
}
