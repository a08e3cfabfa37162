//! The fold: a state and an observation become the next state and, at times, a notice.
//!
//! A rule fires when so many of its last so many observations were broken, and resolves when none
//! of them is any more: what flaps is told once, not at every turn. An alert that fires while it is
//! silenced is told when the silence ends; one that was never told is never resolved aloud.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::rule::{Rule, Urgency};
use super::{Finding, RulePlan, Seen};
use crate::history::page::PageMemory;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// It fires.
    Firing,
    /// It fires still.
    Reminder,
    /// It does no more.
    Resolved,
}

impl Notice {
    /// As in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Reminder => "reminder",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert that fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    /// When it was told last; `None` while nobody was.
    pub told: Option<Timestamp>,
}

/// Where a rule stands on a subject. The default is a rule that saw nothing broken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The last observations, the latest in the lowest bit; 1 is broken.
    pub window: u32,
    /// When the first broken one of them was seen.
    pub since: Option<Timestamp>,
    /// Broken observations since then.
    pub times: u32,
    /// What the latest broken one showed.
    pub finding: Option<Finding>,
    /// Whether it fires.
    pub firing: Option<Firing>,
    /// What a rule over several checks remembers of them.
    #[serde(default, skip_serializing_if = "PageMemory::is_empty")]
    pub memory: PageMemory,
}

impl State {
    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.window == 0 && self.firing.is_none() && self.memory.is_empty()
    }

    /// How much it matters: as its rule says, or more where what was found does.
    #[must_use]
    pub fn urgency(&self, plan: &RulePlan) -> Urgency {
        let found = self.finding.as_ref().and_then(|finding| finding.urgency);
        found.map_or(plan.urgency, |found| found.max(plan.urgency))
    }
}

/// What an observation leads to. A resolved notice tells of the state before.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The next state.
    pub state: State,
    /// What is to be told, if anything.
    pub notice: Option<Notice>,
}

/// Takes the observation `seen`, made at `at`, into `state`. While `silenced`, nothing is told but
/// the end of what was told before.
#[must_use]
pub fn fold(rule: Rule, plan: &RulePlan, mut state: State, seen: &Seen, at: Timestamp, silenced: bool) -> Step {
    if !plan.enabled {
        return end(State {
            memory: PageMemory::default(),
            ..state
        });
    }
    let counted;
    let seen = if let (Seen::Counted(counts, budget), Some(over)) = (seen, rule.over_checks()) {
        counted = match state.memory.take(over, counts, *budget) {
            None => Seen::Unknown,
            Some(None) => Seen::Clear,
            Some(Some(reason)) => Seen::Broken(Finding {
                reason,
                response: None,
                urgency: None,
            }),
        };
        &counted
    } else {
        seen
    };
    let mut rises = false;
    let broken = match seen {
        Seen::Unknown | Seen::Counted(..) => return Step { state, notice: None },
        Seen::Clear => false,
        Seen::Broken(finding) => {
            if state.window == 0 && state.firing.is_none() {
                (state.since, state.times) = (Some(at), 0);
            }
            state.times = state.times.saturating_add(1);
            let before = state.urgency(plan);
            state.finding = Some(finding.clone());
            rises = state.urgency(plan) > before;
            true
        }
    };
    state.window = (state.window << 1 | u32::from(broken)) & mask(plan.of);
    if state.window == 0 {
        return end(state);
    }
    if state.firing.is_none() {
        if !broken || state.window.count_ones() < plan.needed {
            return Step { state, notice: None };
        }
        state.firing = Some(Firing { told: None });
    }
    let told = state.firing.as_ref().and_then(|firing| firing.told);
    let notice = match told {
        _ if silenced => None,
        None => Some(Notice::Firing),
        // Each toggle is news, not more of the same.
        Some(_) if rule == Rule::FlagToggled && broken => Some(Notice::Firing),
        // What matters more than it did is told now, not with the next reminder.
        Some(_) if rises => Some(Notice::Firing),
        Some(told) if at.duration_since(told) >= plan.reminder.max(SignedDuration::from_secs(1)) => {
            Some(Notice::Reminder)
        }
        Some(_) => None,
    };
    if notice.is_some() {
        state.firing = Some(Firing { told: Some(at) });
    }
    Step { state, notice }
}

fn end(state: State) -> Step {
    let told = state.firing.is_some_and(|firing| firing.told.is_some());
    Step {
        state: State {
            memory: state.memory,
            ..State::default()
        },
        notice: told.then_some(Notice::Resolved),
    }
}

fn mask(of: u32) -> u32 {
    u32::MAX >> (32 - of.clamp(1, 32))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::alert::{AlertsFile, RuleBook};

    fn plan(rule: Rule, needed: u32, of: u32) -> RulePlan {
        let book = RuleBook::of(&AlertsFile::default(), &[]).unwrap();
        RulePlan {
            needed,
            of,
            reminder: SignedDuration::from_hours(1),
            ..book.plan(rule).clone()
        }
    }

    /// W17: three days before its end a certificate is critical, and that waits for no reminder.
    #[test]
    fn what_matters_more_than_it_did_is_told_at_once() {
        let plan = plan(Rule::CertificateExpires, 1, 1);
        let found = |urgency| {
            Seen::Broken(Finding {
                reason: "soon".to_owned(),
                response: None,
                urgency,
            })
        };
        let at: Timestamp = "2026-01-28T15:00:00Z".parse().unwrap();
        let (mut state, mut told) = (State::default(), Vec::new());
        for (minute, urgency) in [
            (0, None),
            (1, None),
            (2, Some(Urgency::Critical)),
            (3, Some(Urgency::Critical)),
        ] {
            let at = at + SignedDuration::from_mins(minute);
            let step = fold(Rule::CertificateExpires, &plan, state, &found(urgency), at, false);
            told.push((step.notice, step.state.urgency(&plan)));
            state = step.state;
        }
        let (firing, warning, critical) = (Some(Notice::Firing), Urgency::Warning, Urgency::Critical);
        assert_eq!(
            told,
            [(firing, warning), (None, warning), (firing, critical), (None, critical)]
        );
    }

    fn seen(letter: char) -> Seen {
        match letter {
            'B' | 'S' => Seen::Broken(Finding {
                reason: "broken".to_owned(),
                response: None,
                urgency: None,
            }),
            '?' => Seen::Unknown,
            _ => Seen::Clear,
        }
    }

    fn minute(n: usize) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * i64::try_from(n).unwrap()).unwrap()
    }

    /// One letter an observation, a minute apart: `B`roken, `c`lear, `?` unknown, `S` broken and
    /// silenced, `s` clear and silenced. One letter a notice comes back: `F`, `R`, `r`esolved, `.`.
    fn run(rule: Rule, plan: &RulePlan, letters: &str) -> (String, State) {
        let mut state = State::default();
        let mut told = String::new();
        for (at, letter) in letters.chars().enumerate() {
            let silenced = matches!(letter, 'S' | 's');
            let step = fold(rule, plan, state, &seen(letter), minute(at), silenced);
            told.push(match step.notice {
                Some(Notice::Firing) => 'F',
                Some(Notice::Reminder) => 'R',
                Some(Notice::Resolved) => 'r',
                None => '.',
            });
            state = step.state;
        }
        (told, state)
    }

    #[test]
    fn x_of_y_fires_once_and_resolves_when_none_of_y_is_left() {
        for (case, needed, of, letters, expected) in [
            ("one is not two", 2, 2, "Bcccc", "....."),
            ("two in a row", 2, 2, "BBBcc", ".F..r"),
            ("apart", 2, 2, "BcBcBc", "......"),
            ("one clear does not resolve two of two", 2, 2, "BBcBcc", ".F...r"),
            ("two of three", 2, 3, "BcBccc", "..F..r"),
            ("flapping is told once", 2, 3, "BcBcBcBcBccc", "..F........r"),
            ("too far apart for three", 2, 3, "BccBcc", "......"),
            ("at once", 1, 1, "BcBc", "FrFr"),
            ("unknown changes nothing", 2, 2, "B?B?c?c", "..F...r"),
            ("told after the silence", 1, 1, "SSBc", "..Fr"),
            ("never told, never resolved", 1, 1, "SSs", "..."),
            ("told before, resolved within", 1, 1, "BSs", "F.r"),
        ] {
            let (told, _) = run(Rule::Unhealthy, &plan(Rule::Unhealthy, needed, of), letters);
            assert_eq!(told, expected, "{case}");
        }
    }

    #[test]
    fn what_goes_on_is_told_again_and_how_often_it_was_seen() {
        let letters = "B".repeat(130);
        let (told, state) = run(Rule::Unhealthy, &plan(Rule::Unhealthy, 2, 2), &letters);
        let at: Vec<usize> = told.match_indices('R').map(|(at, _)| at).collect();
        assert_eq!(at, [61, 121], "every hour after it was told");
        assert_eq!((state.times, state.since), (130, Some(minute(0))));
    }

    #[test]
    fn each_toggle_is_told() {
        assert_eq!(run(Rule::FlagToggled, &plan(Rule::FlagToggled, 1, 1), "BBc").0, "FFr");
    }

    #[test]
    fn a_rule_that_is_switched_off_ends_what_it_told() {
        let on = plan(Rule::Unhealthy, 1, 1);
        let (_, state) = run(Rule::Unhealthy, &on, "B");
        let off = RulePlan { enabled: false, ..on };
        let step = fold(Rule::Unhealthy, &off, state, &seen('B'), minute(9), false);
        assert_eq!((step.notice, step.state), (Some(Notice::Resolved), State::default()));
    }

    proptest! {
        /// Whatever happens: firing and resolved alternate, a reminder stands only between them, and a
        /// run of clear observations leaves nothing behind.
        #[test]
        fn notices_alternate_and_clear_ones_end_everything(letters in "[Bc?Ss]{0,200}", needed in 1_u32..5, more in 0_u32..4) {
            let of = needed + more;
            let plan = plan(Rule::Unhealthy, needed, of);
            let (told, state) = run(Rule::Unhealthy, &plan, &format!("{letters}{}", "c".repeat(of as usize)));
            let mut open = false;
            for letter in told.chars() {
                match letter {
                    'F' => { prop_assert!(!open, "fired twice: {told}"); open = true; }
                    'R' => prop_assert!(open, "reminded of nothing: {told}"),
                    'r' => { prop_assert!(open, "resolved nothing: {told}"); open = false; }
                    _ => {}
                }
            }
            prop_assert!(!open, "never resolved: {told}");
            prop_assert_eq!(state, State::default());
        }

        /// A state that was kept and read back goes on as if nothing had happened.
        #[test]
        fn a_state_survives_being_kept(letters in "[Bc?Ss]{1,60}", cut in 0_usize..60) {
            let plan = plan(Rule::Unhealthy, 2, 3);
            let mut states = [State::default(), State::default()];
            for (at, letter) in letters.chars().enumerate() {
                if at == cut {
                    let kept = serde_json::to_string(&states[1]).unwrap();
                    states[1] = serde_json::from_str(&kept).unwrap();
                }
                let silenced = matches!(letter, 'S' | 's');
                let [a, b] = states.map(|state| fold(Rule::Unhealthy, &plan, state, &seen(letter), minute(at), silenced));
                prop_assert_eq!(a.notice, b.notice);
                states = [a.state, b.state];
            }
        }
    }
}
