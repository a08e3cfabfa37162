//! The jobs of a fleet: what they carry, and the keys that make them one a pair.

use graphile_worker::{JobKeyMode, JobSpec, RawJobSpec};
use jiff::Timestamp;
use lensops_core::history::schedule::from_ms;
use lensops_core::ident::LensId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The task that checks a pair.
pub const CHECK: &str = "lensops_check";

/// The task that tells a receiver what waits for it.
pub const NOTIFY: &str = "lensops_notify";

/// A job is never given up by the queue: `lensops_parked` says what is.
const ATTEMPTS: i16 = i16::MAX;

/// A slot of a pair, as its job carries it. Versions read one another's: a field is added, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckJob {
    /// The lens.
    pub lens: LensId,
    /// The tenant.
    pub tenant: Uuid,
    /// When its slot is due, in milliseconds since the epoch.
    pub due_ms: i64,
    /// The interval in milliseconds.
    #[serde(default)]
    pub every_ms: i64,
}

impl CheckJob {
    /// When its slot is due.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        from_ms(self.due_ms)
    }

    /// The key of the one job of a pair.
    #[must_use]
    pub fn key(lens: &LensId, tenant: Uuid) -> String {
        format!("check/{lens}/{tenant}")
    }
}

pub(super) fn chrono(at: Timestamp) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_millis(at.as_millisecond()).unwrap_or_default()
}

fn raw(task: &str, payload: Value, spec: JobSpec) -> RawJobSpec {
    RawJobSpec {
        identifier: task.to_owned(),
        payload,
        spec,
    }
}

/// The job of a pair's slot, to be run at `at`: it replaces whichever the pair has.
pub(super) fn check(job: &CheckJob, at: Timestamp) -> RawJobSpec {
    let spec = JobSpec::builder()
        .run_at(chrono(at))
        .max_attempts(ATTEMPTS)
        .job_key(CheckJob::key(&job.lens, job.tenant))
        .build();
    raw(CHECK, serde_json::json!(job), spec)
}

/// The job that tells `receiver` what waits, at `at` or sooner. Two of one receiver never run at once.
pub(super) fn notify(receiver: &str, at: Timestamp) -> RawJobSpec {
    let spec = JobSpec::builder()
        .run_at(chrono(at))
        .max_attempts(ATTEMPTS)
        .priority(-1)
        .queue_name(format!("notify/{receiver}"))
        .job_key(format!("notify/{receiver}"))
        .job_key_mode(JobKeyMode::PreserveRunAt)
        .build();
    raw(NOTIFY, serde_json::json!({ "receiver": receiver }), spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_another_version_is_read_and_nonsense_is_not() {
        let tenant = "85fe1119-b04c-41ac-80f1-829d23322598";
        for (text, good) in [
            (format!(r#"{{"lens":"faults","tenant":"{tenant}","due_ms":5}}"#), true),
            (
                format!(r#"{{"lens":"faults","tenant":"{tenant}","due_ms":5,"every_ms":1,"later":[1]}}"#),
                true,
            ),
            (format!(r#"{{"lens":"Fa ults","tenant":"{tenant}","due_ms":5}}"#), false),
            (r#"{"lens":"faults","tenant":"somebody","due_ms":5}"#.to_owned(), false),
            ("[]".to_owned(), false),
            ("null".to_owned(), false),
        ] {
            assert_eq!(serde_json::from_str::<CheckJob>(&text).is_ok(), good, "{text}");
        }
    }
}
