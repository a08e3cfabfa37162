//! The three kinds of plan that a set may render.

use serde::{Deserialize, Serialize};

/// Which plan an output is; others are plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// A monitor plan.
    Monitor,
    /// An acceptance plan.
    Acceptance,
    /// A stress plan.
    Stress,
}

impl PlanKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Monitor, Self::Acceptance, Self::Stress];

    /// Its key in the `overrides` of a lens.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Acceptance => "acceptance",
            Self::Stress => "stress",
        }
    }

    /// The name of its schema.
    #[must_use]
    pub fn schema(self) -> &'static str {
        match self {
            Self::Monitor => "monitor-plan",
            Self::Acceptance => "acceptance-plan",
            Self::Stress => "stress-plan",
        }
    }
}
