//! What the gate says, whatever its policy.

use schemars::JsonSchema;
use serde::Serialize;

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Go on to the next phase.
    Proceed,
    /// Look at it first.
    Investigate,
    /// Switch it off.
    RollBack,
    /// Wait, or mend the monitoring.
    NotEnoughData,
}

impl Decision {
    /// For people.
    #[must_use]
    pub fn tell(self) -> &'static str {
        match self {
            Self::Proceed => "✅ PROCEED",
            Self::Investigate => "⚠️ INVESTIGATE",
            Self::RollBack => "❌ ROLL BACK",
            Self::NotEnoughData => "❔ NOT ENOUGH DATA",
        }
    }

    /// Which of two decisions over two tenants stands for both.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Proceed => 0,
            Self::Investigate => 1,
            Self::NotEnoughData => 2,
            Self::RollBack => 3,
        }
    }

    /// In words, without a mark.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proceed => "proceed",
            Self::Investigate => "investigate",
            Self::RollBack => "roll back",
            Self::NotEnoughData => "not enough data",
        }
    }
}
