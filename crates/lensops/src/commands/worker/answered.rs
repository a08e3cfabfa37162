//! What the answer to a probe says about a feature switch.

use lensops_core::plan::monitor::Probe;
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

/// The answer to one probe that says how a switched-off feature answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The probe's name.
    pub probe: String,
    /// How it is answered.
    pub answered: Answered,
    /// How the plan says that the feature is switched off: `503 FEATURE_DISABLED`.
    pub off: String,
    /// What was seen, where it says that the feature is switched off.
    seen: Option<String>,
}

impl Answer {
    pub(super) fn of(probe: &Probe, sample: &Sample, silent: bool) -> Self {
        let answered = match (silent, &sample.disabled) {
            (true, _) => Answered::Silent,
            (false, Some(_)) => Answered::Disabled,
            (false, None) if sample.outcomes.iter().all(|outcome| *outcome == Outcome::Met) => Answered::Good,
            (false, None) => Answered::Other,
        };
        Self {
            probe: probe.name.clone(),
            answered,
            off: probe.disabled.as_ref().map(|off| off.tell()).unwrap_or_default(),
            seen: sample.disabled.as_ref().map(ToString::to_string),
        }
    }

    /// For people.
    #[must_use]
    pub fn tell(&self) -> String {
        match self.answered {
            Answered::Good => "on (answers as expected)".to_owned(),
            Answered::Disabled => format!("off ({})", self.seen.as_deref().unwrap_or(&self.off)),
            Answered::Other => "does not tell (another error)".to_owned(),
            Answered::Silent => "does not answer".to_owned(),
        }
    }
}

impl Answered {
    /// The probes that are answered like this, for people: `list, read`; `None` where there is none.
    #[must_use]
    pub fn probes(self, answers: &[Answer]) -> Option<String> {
        let mine = answers.iter().filter(|answer| answer.answered == self);
        let names: Vec<&str> = mine.map(|answer| answer.probe.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// How the plan says that the feature is switched off, over all probes: `503 FEATURE_DISABLED`.
#[must_use]
pub fn told_off(answers: &[Answer]) -> String {
    let mut told: Vec<&str> = answers.iter().map(|answer| answer.off.as_str()).collect();
    told.dedup();
    told.join(" or ")
}
