//! What earlier checks of a lens and tenant say, as far as the next one needs it.

use std::collections::BTreeMap;

use lensops_core::lens::mute::Paused;
use lensops_core::stats::histogram::Latencies;
use lensops_core::verdict::own_fault::Worked;

use crate::store::StoredCheck;

/// What earlier checks of the same lens and tenant say.
#[derive(Debug, Default)]
pub struct Before {
    pub(super) samples: Latencies,
    pub(super) disabled: Option<Vec<String>>,
    pub(super) flags: BTreeMap<String, bool>,
    /// What earlier checks reached.
    pub(super) worked: Worked,
    /// Set where the lens was rolled back by command.
    pub(super) rolled_back: Option<Paused>,
}

impl Before {
    /// From the checks of the window, oldest first. Samples of muted ones count for nothing.
    #[must_use]
    pub fn of(checks: &[StoredCheck]) -> Self {
        let checks = || checks.iter().filter(|check| check.notes.read().annuls().is_none());
        let samples = checks()
            .map(|check| check.notes.read())
            .filter(|notes| notes.muted.is_none())
            .flat_map(|notes| notes.samples_us.iter().copied())
            .collect();
        let flags = checks().rev().map(|check| &check.notes.read().flags);
        let flags = flags.into_iter().find(|flags| !flags.is_empty());
        let flags = flags.into_iter().flatten();
        Self {
            samples,
            disabled: checks().next_back().map(|check| check.notes.read().disabled.clone()),
            flags: flags.map(|(name, on)| (name.clone(), *on)).collect(),
            worked: Worked::ALL,
            rolled_back: None,
        }
    }
}
