//! What a provider says of a flag.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ident::FlagName;

/// What a provider says of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagState {
    /// On for everybody.
    On,
    /// Off.
    Off,
    /// On, for a part of those who ask.
    Partly,
    /// The provider has no such flag.
    NotThere,
}

impl FlagState {
    /// Whether anybody gets the feature.
    #[must_use]
    pub fn is_on(self) -> bool {
        matches!(self, Self::On | Self::Partly)
    }

    /// For people.
    #[must_use]
    pub fn tell(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Partly => "partly",
            Self::NotThere => "not there",
        }
    }
}

/// One flag as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What it says.
    pub state: FlagState,
    /// Its value as the provider keeps it; setting it to this again changes nothing. `None` where it is not there.
    pub value: Option<String>,
}

impl Reading {
    /// A flag that the provider does not have.
    pub const NOT_THERE: Self = Self {
        state: FlagState::NotThere,
        value: None,
    };

    /// A variable, as services read one: on where it is `true` in any case.
    #[must_use]
    pub fn of_variable(value: &str) -> Self {
        let state = if value.eq_ignore_ascii_case("true") {
            FlagState::On
        } else {
            FlagState::Off
        };
        Self {
            state,
            value: Some(value.to_owned()),
        }
    }

    /// A switch that is in `state`.
    #[must_use]
    pub fn of_switch(state: FlagState) -> Self {
        let value = (state != FlagState::NotThere).then(|| state.is_on().to_string());
        Self { state, value }
    }
}

/// Flags as they were read, each that was asked for.
pub type Readings = BTreeMap<FlagName, Reading>;

#[cfg(test)]
mod tests {
    use super::*;

    /// Defect 8, its first third: the flag `True` was read as off.
    #[test]
    fn defect_8_true_in_any_case_is_on_and_anything_else_is_off() {
        for on in ["true", "True", "TRUE"] {
            assert_eq!(Reading::of_variable(on).state, FlagState::On, "{on}");
        }
        for off in ["false", "", "1", "yes", " true"] {
            assert_eq!(Reading::of_variable(off).state, FlagState::Off, "{off:?}");
        }
    }
}
