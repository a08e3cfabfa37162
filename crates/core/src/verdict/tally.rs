//! What a load came to, counted: the figures that a stress verdict is made of.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::exchange::FailureClass;
use crate::plan::stress::Limits;
use crate::redaction::Transcript;
use crate::stats::histogram::{Latencies, Quantile};

/// The percentiles of a report, with their names in JSON.
pub const FIGURES: [(&str, Quantile); 5] = [
    ("p50", Quantile::P50),
    ("p90", Quantile::P90),
    ("p95", Quantile::P95),
    ("p99", Quantile::P99),
    ("p999", Quantile::P999),
];

/// One second of a target's load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Second {
    /// Which one, from the start of the load.
    pub at: u32,
    /// Requests that came to an end, answered or not.
    pub ended: u64,
    /// Those without the asserted answer.
    pub errors: u64,
    /// The median of their latency in microseconds; `None` when none was timed.
    pub p50_us: Option<u64>,
    /// The 95th percentile.
    pub p95_us: Option<u64>,
    /// The longest.
    pub max_us: Option<u64>,
}

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
    /// Latencies in microseconds: in open loads from when a request was due, in the others from
    /// when it was written. A time-out counts with the time it waited.
    pub latencies: Latencies,
    /// From the start of writing to the last byte, of the answers; empty where it is the same.
    pub service: Latencies,
    /// What opening connections during the load took.
    pub connects: Latencies,
    /// Latencies of the answers by status class (2 for 2xx).
    pub classes: BTreeMap<u16, Latencies>,
    /// Requests that were due and never sent: every connection was busy until their time-out.
    pub unsent: u64,
    /// Requests that left late though a connection was free: the generator's own doing.
    pub late: u64,
    /// Requests that this machine could not send: no socket or port was left.
    pub own_faults: u64,
    /// Requests that were sent again over a new connection, since a kept one had ended before its answer began.
    pub reconnected: u64,
    /// Requests that were sent again with another credential, since the API refused the first.
    pub renewed: u64,
    /// How long the measured part of its load took, in microseconds.
    pub elapsed_us: u64,
    /// The load, for people: `burst of 50`.
    pub load: String,
    /// What must hold for it.
    pub limits: Option<Limits>,
    /// Its course, second by second; empty for a burst.
    pub series: Vec<Second>,
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

    /// Requests without the asserted answer in percent of all; `None` when there was none.
    #[must_use]
    pub fn error_rate_percent(&self) -> Option<f64> {
        let ended = self.completed() + self.transport_errors() + self.unsent;
        #[expect(clippy::cast_precision_loss, reason = "a share for people and limits")]
        let share = |errors: u64| errors as f64 * 100.0 / ended as f64;
        (ended > 0).then(|| share(self.unexpected + self.transport_errors() + self.unsent))
    }
}
