//! What the answer to a probe says about a feature switch.

use lensops_core::verdict::Sample;
use lensops_core::verdict::outcome::Outcome;

/// How a probe is answered, as far as a switch is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// As expected of a feature that is on.
    Good,
    /// As the API says that the feature is switched off.
    Disabled,
    /// Otherwise: an error that is not about the switch.
    Other,
    /// Not at all.
    Silent,
}

impl Answered {
    pub(super) fn of(sample: &Sample, silent: bool) -> Self {
        match (silent, sample.disabled) {
            (true, _) => Self::Silent,
            (false, true) => Self::Disabled,
            (false, false) if sample.outcomes.iter().all(|outcome| *outcome == Outcome::Met) => Self::Good,
            (false, false) => Self::Other,
        }
    }

    /// The probes that are answered like this, for people: `list, read`; `None` where there is none.
    #[must_use]
    pub fn probes(self, answers: &[(String, Self)]) -> Option<String> {
        let mine = answers.iter().filter(|(_, answered)| *answered == self);
        let names: Vec<&str> = mine.map(|(name, _)| name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "on (answers as expected)",
            Self::Disabled => "off (503 FEATURE_DISABLED)",
            Self::Other => "does not tell (another error)",
            Self::Silent => "does not answer",
        }
    }
}
