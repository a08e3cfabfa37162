//! What earlier checks of a lens and tenant say, as far as the next one needs it.

use std::collections::BTreeMap;

use lensops_core::lens::mute::{Muted, Paused};
use lensops_core::stats::histogram::Latencies;
use serde_json::Value;

use crate::store::StoredCheck;

/// What earlier checks of the same lens and tenant say.
#[derive(Debug, Default)]
pub struct Before {
    pub(super) samples: Latencies,
    pub(super) disabled: Option<Vec<String>>,
    pub(super) flags: BTreeMap<String, bool>,
    /// Set where the lens was rolled back by command.
    pub(super) rolled_back: Option<Paused>,
}

impl Before {
    /// From the checks of the window, oldest first. Samples of muted ones count for nothing.
    #[must_use]
    pub fn of(checks: &[StoredCheck]) -> Self {
        let samples = checks
            .iter()
            .filter(|check| Muted::of_notes(&check.notes).is_none())
            .flat_map(|check| numbers(&check.notes["samples_us"]))
            .collect();
        let disabled = checks.last().map(|check| strings(&check.notes["disabled"]));
        let flags = checks.iter().rev().find_map(|check| check.notes["flags"].as_object());
        let flags = flags.into_iter().flatten();
        Self {
            samples,
            disabled,
            flags: flags
                .filter_map(|(name, on)| Some((name.clone(), on.as_bool()?)))
                .collect(),
            rolled_back: None,
        }
    }
}

pub(crate) fn numbers(value: &Value) -> impl Iterator<Item = u64> + '_ {
    value.as_array().into_iter().flatten().filter_map(Value::as_u64)
}

pub(crate) fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
