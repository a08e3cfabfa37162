//! Which policy decides: `gate` of a lens file or of `lensops.yml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the gate decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Any unhealthy check rolls back.
    #[default]
    Strict,
    /// Criteria over requests, with published error rates.
    Statistical,
}

impl Policy {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Statistical => "statistical",
        }
    }
}

/// `gate` of a lens file or of `lensops.yml`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateFile {
    /// How the gate decides: strict or statistical.
    pub policy: Policy,
}
