//! The tally of a stress target and the verdict over all of them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::Verdict;
use crate::evidence::Transcript;
use crate::exchange::FailureClass;
use crate::percentile::{Latencies, Quantile};
use crate::plan::stress::Thresholds;

/// What a target's requests came to.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Its name.
    pub name: String,
    /// Requests that were to be sent.
    pub planned: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer, by failure class.
    pub failures: BTreeMap<FailureClass, u64>,
    /// Answers that the plan does not assert, 5xx among them.
    pub unexpected: u64,
    /// Why the first of them was not expected.
    pub first_unexpected: Option<String>,
    /// Latencies of the answers, in microseconds.
    pub latencies: Latencies,
    /// The first exchange of each status and failure class, in the order met.
    pub transcripts: Vec<(String, Transcript)>,
}

impl Tally {
    /// Requests that were answered.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Answers of 500 and above.
    #[must_use]
    pub fn server_errors(&self) -> u64 {
        self.statuses.range(500..).map(|(_, count)| count).sum()
    }

    /// Requests without an answer.
    #[must_use]
    pub fn transport_errors(&self) -> u64 {
        self.failures.values().sum()
    }

    /// The tally as JSON; percentiles in microseconds, `null` when nothing was answered.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let failures: BTreeMap<&str, u64> = self
            .failures
            .iter()
            .map(|(class, count)| (class.as_str(), *count))
            .collect();
        let transcripts: Vec<Value> = self
            .transcripts
            .iter()
            .map(|(label, transcript)| json!({"first_of": label, "transcript": transcript}))
            .collect();
        json!({
            "name": self.name,
            "planned": self.planned,
            "completed": self.completed(),
            "statuses": self.statuses,
            "failures": failures,
            "unexpected": self.unexpected,
            "n": self.latencies.len(),
            "latency_us": {
                "min": self.latencies.min(),
                "p50": self.latencies.at(Quantile::P50),
                "p95": self.latencies.at(Quantile::P95),
                "p99": self.latencies.at(Quantile::P99),
                "max": self.latencies.max(),
            },
            "p95_supported": self.latencies.len() >= Quantile::P95.supported_from(),
            "p99_supported": self.latencies.len() >= Quantile::P99.supported_from(),
            "transcripts": transcripts,
        })
    }
}

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StressVerdict {
    /// Pass or fail.
    pub verdict: Verdict,
    /// Why, one line.
    pub reason: String,
}

/// Judges all targets together. A run in which nothing answered never passes, and neither does one
/// in which an answer was not the asserted one.
#[must_use]
pub fn judge_stress(tallies: &[Tally], thresholds: &Thresholds) -> StressVerdict {
    let sum = |figure: fn(&Tally) -> u64| tallies.iter().map(figure).sum::<u64>();
    let (planned, completed) = (sum(|tally| tally.planned), sum(Tally::completed));
    let (server, transport, unexpected) = (
        sum(Tally::server_errors),
        sum(Tally::transport_errors),
        sum(|tally| tally.unexpected),
    );
    let mut broken = Vec::new();
    if let Some(silent) = tallies
        .iter()
        .find(|tally| tally.completed() < thresholds.min_completed)
    {
        broken.push(format!(
            "{}: {} of {} requests were answered",
            silent.name,
            silent.completed(),
            silent.planned
        ));
    }
    if server > thresholds.max_5xx {
        broken.push(format!("{server} × 5xx"));
    }
    if transport > thresholds.max_transport_errors {
        broken.push(format!("{transport} without an answer"));
    }
    if unexpected > server {
        let first = tallies
            .iter()
            .find_map(|tally| tally.first_unexpected.as_deref())
            .unwrap_or("no reason was kept");
        broken.push(format!(
            "{} answered otherwise than asserted (first: {first})",
            unexpected - server
        ));
    }
    if tallies.is_empty() {
        broken.push("no target was loaded".to_owned());
    }
    if broken.is_empty() {
        return StressVerdict {
            verdict: Verdict::Pass,
            reason: format!("{completed} of {planned} answered as asserted, 0 × 5xx, 0 without an answer"),
        };
    }
    StressVerdict {
        verdict: Verdict::Fail,
        reason: broken.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(statuses: &[(u16, u64)], refused: u64, unexpected: u64) -> Tally {
        Tally {
            name: "/list".to_owned(),
            planned: 50,
            statuses: statuses.iter().copied().collect(),
            failures: (refused > 0)
                .then_some((FailureClass::Connectivity, refused))
                .into_iter()
                .collect(),
            unexpected,
            ..Tally::default()
        }
    }

    /// Defect 13: stress passed when every request was refused, and when every answer was 401.
    #[test]
    fn defect_13_refused_and_unauthorised_runs_fail() {
        use Verdict::{Fail, Pass};
        let table = [
            ("good", vec![tally(&[(200, 50)], 0, 0)], Pass),
            ("all refused", vec![tally(&[], 50, 0)], Fail),
            ("all 401", vec![tally(&[(401, 50)], 0, 50)], Fail),
            ("one 500", vec![tally(&[(200, 49), (500, 1)], 0, 1)], Fail),
            ("one refused", vec![tally(&[(200, 49)], 1, 0)], Fail),
            ("nothing at all", vec![], Fail),
            (
                "one silent target beside a good one",
                vec![tally(&[(200, 50)], 0, 0), tally(&[], 0, 0)],
                Fail,
            ),
        ];
        for (what, tallies, verdict) in table {
            let judged = judge_stress(&tallies, &Thresholds::default());
            assert_eq!(judged.verdict, verdict, "{what}: {}", judged.reason);
        }
    }
}
