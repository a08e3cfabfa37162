//! Whether the load generator itself was the bottleneck.
//!
//! A generator that is out of breath measures itself. It says so from two figures that it cannot
//! get wrong: the processor time of its own threads, and how many requests left late though a
//! connection was free for them. A look at the machine's load was rejected: what others burn does
//! not matter until it makes a request late.

use schemars::JsonSchema;
use serde::Serialize;

use super::tally::Tally;

/// A request is *late* when it left this long after it was due though a connection was free.
pub const LATE_US: u64 = 5_000;

/// More late requests than this, in percent, and the rate was not the planned one.
pub const LATE_PERCENT: u64 = 1;

/// Threads busier than this, in percent of their time, have no room left.
pub const BUSY_PERCENT: u32 = 95;

/// What the generator did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Generator {
    /// Whether any of its loads was open, and so had times to keep.
    pub open: bool,
    /// Processor time of its busiest thread in percent of the load's time; `None` where the load
    /// was too short to tell, or the system does not say.
    pub busy_percent: Option<u32>,
}

impl Generator {
    /// Why its figures are not the server's; `None` when they are.
    #[must_use]
    pub fn bottleneck(&self, tallies: &[Tally]) -> Option<String> {
        let sum = |figure: fn(&Tally) -> u64| tallies.iter().map(figure).sum::<u64>();
        let (late, planned, own) = (
            sum(|tally| tally.late),
            sum(|tally| tally.planned),
            sum(|tally| tally.own_faults),
        );
        let mut why = Vec::new();
        if own > 0 {
            why.push(format!("{own} requests found no socket or port on this machine"));
        }
        if late * 100 > planned * LATE_PERCENT {
            why.push(format!(
                "{late} of {planned} requests left more than {}ms late though a connection was free",
                LATE_US / 1_000
            ));
        }
        if let Some(busy) = self.busy_percent.filter(|busy| *busy >= BUSY_PERCENT) {
            why.push(format!("its busiest thread used {busy} % of a processor"));
        }
        (!why.is_empty()).then(|| why.join(", "))
    }
}
