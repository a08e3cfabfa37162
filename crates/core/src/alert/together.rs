//! What a message of several alerts tells besides the one that it begins with.

use serde::{Deserialize, Serialize};

use super::rule::Rule;

/// What a message tells besides the alert that it begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Together {
    /// Alerts that it tells of.
    pub alerts: usize,
    /// Their lenses.
    pub lenses: usize,
    /// Their tenants.
    pub tenants: usize,
    /// Their rules.
    pub rules: Vec<Rule>,
    /// Pairs of lens and tenant of this incident that still fire.
    pub still: usize,
    /// Whether it tells of an end while others still fire.
    pub partly_over: bool,
    /// The alerts, a line each; the first hundred.
    pub list: Vec<String>,
}

impl Together {
    /// What it is about: `312 lenses, such as faults`, `faults for 3 tenants`, or one lens.
    pub(super) fn subject(&self, lens: &str) -> String {
        match (self.lenses, self.tenants) {
            (0 | 1, 0 | 1) => lens.to_owned(),
            (0 | 1, tenants) => format!("{lens} for {tenants} tenants"),
            (lenses, _) => format!("{lenses} lenses, such as {lens},"),
        }
    }

    /// Its rules: `unhealthy, 5xx`.
    pub(super) fn titles(&self) -> String {
        let titles: Vec<&str> = self.rules.iter().map(|rule| rule.title()).collect();
        titles.join(", ")
    }
}
