//! The phases that a lens goes through on its way into production: a state machine over what was decided.
//!
//! Nothing is switched here. A promotion says that somebody may switch now, by whom, why and on what evidence. Steps
//! are only ever appended, each with the next number of its lens, so that two machines cannot both take the same one.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::duration::Period;
use crate::ident::{Ident, LensId};

/// What must hold before a lens may leave a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The gate says proceed over the phase's window.
    Gate,
    /// The latest acceptance run passed, and counts as evidence.
    Accept,
    /// The latest stress run passed, and counts as evidence.
    Stress,
    /// The latest matrix passed, and counts as evidence.
    Matrix,
}

impl Need {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Accept => "accept",
            Self::Stress => "stress",
            Self::Matrix => "matrix",
        }
    }
}

/// A phase, as `phases` of `lensops.yml` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name, such as `staging-canary`.
    pub name: Ident,
    /// The window that the gate looks at.
    pub window: Period,
    /// What must hold before a lens may leave it.
    pub needs: Vec<Need>,
    /// How old a run may be that counts.
    #[serde(default = "a_day")]
    pub evidence_within: Period,
}

fn a_day() -> Period {
    Period::hours(24)
}

/// Why a list of phases makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhasesError {
    /// There is none.
    #[error("phases is empty: leave it out for the usual four, or name at least one")]
    Empty,
    /// Two have one name.
    #[error("two phases are named {0}: each needs a name of its own")]
    Twice(Ident),
    /// A lens is in a phase that is not listed any more.
    #[error("{lens} is in phase {phase}, which phases of lensops.yml does not list; it lists {listed}")]
    Gone {
        /// The lens.
        lens: LensId,
        /// The phase that the last promotion led to.
        phase: Ident,
        /// Those there are.
        listed: String,
    },
}

/// The phases of a project, in their order: at least one, each with a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phases(Vec<Phase>);

impl Default for Phases {
    /// Staging canary, staging, production canary, production.
    fn default() -> Self {
        // That each name is one is held by a test.
        let phase = |name: &str, window_hours: u16, needs: &[Need]| {
            Some(Phase {
                name: name.parse().ok()?,
                window: Period::hours(window_hours),
                needs: needs.to_vec(),
                evidence_within: a_day(),
            })
        };
        let all = &[Need::Gate, Need::Accept, Need::Stress];
        let phases = [
            phase("staging-canary", 24, all),
            phase("staging", 24, all),
            phase("production-canary", 7 * 24, &[Need::Gate]),
            phase("production", 7 * 24, &[Need::Gate]),
        ];
        Self(phases.into_iter().flatten().collect())
    }
}

impl Phases {
    /// The phases that a project lists; the usual four where it lists none.
    ///
    /// # Errors
    /// An empty list, or a name that stands twice.
    pub fn of(listed: Option<&[Phase]>) -> Result<Self, PhasesError> {
        let Some(listed) = listed else {
            return Ok(Self::default());
        };
        if listed.is_empty() {
            return Err(PhasesError::Empty);
        }
        let names = || listed.iter().map(|phase| &phase.name);
        match names().find(|name| names().filter(|other| other == name).count() > 1) {
            Some(twice) => Err(PhasesError::Twice(twice.clone())),
            None => Ok(Self(listed.to_vec())),
        }
    }

    /// All of them, the first first.
    #[must_use]
    pub fn all(&self) -> &[Phase] {
        &self.0
    }

    /// How `lens` stands after `steps`, oldest first: in the first phase where there is no promotion.
    ///
    /// # Errors
    /// When it is in a phase that is not listed any more.
    pub fn state<'a>(&'a self, lens: &LensId, steps: &'a [Step]) -> Result<State<'a>, PhasesError> {
        let promoted = steps.iter().rev().find(|step| step.kind == Move::Promote);
        let at = match promoted {
            None => 0,
            Some(step) => self
                .0
                .iter()
                .position(|phase| phase.name == step.to)
                .ok_or_else(|| PhasesError::Gone {
                    lens: lens.clone(),
                    phase: step.to.clone(),
                    listed: self
                        .0
                        .iter()
                        .map(|phase| phase.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", "),
                })?,
        };
        let (Some(phase), next) = (self.0.get(at), self.0.get(at + 1)) else {
            return Err(PhasesError::Empty);
        };
        Ok(State {
            phase,
            next,
            number: at + 1,
            since: promoted.map(|step| step.at),
            held: steps.last().filter(|step| step.kind == Move::Hold),
            seq: steps.last().map_or(0, |step| step.seq),
        })
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// On to the next phase.
    Promote,
    /// Nobody is to go on before somebody lets them.
    Hold,
    /// A hold is over.
    Release,
}

impl Move {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Hold => "hold",
            Self::Release => "release",
        }
    }

    /// The one that is written `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Promote, Self::Hold, Self::Release]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A decision as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its id.
    pub id: Uuid,
    /// The lens.
    pub lens: LensId,
    /// Its number among the steps of the lens, from 1 on.
    pub seq: u32,
    /// What was decided.
    pub kind: Move,
    /// The phase that the lens was in.
    pub from: Ident,
    /// The phase that it is in since; the same for a hold.
    pub to: Ident,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// Why; a promotion whose needs hold may have none.
    pub reason: Option<String>,
    /// What did not hold, and was overridden; empty where everything did.
    pub overridden: Vec<String>,
    /// What it was decided on: the gate's word, the runs.
    pub evidence: Vec<String>,
}

/// How a lens stands.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// The phase that it is in.
    pub phase: &'a Phase,
    /// The one that comes after; `None` in the last.
    pub next: Option<&'a Phase>,
    /// The number of the phase, from 1 on.
    pub number: usize,
    /// When it came there; `None` where it was never promoted.
    pub since: Option<Timestamp>,
    /// The hold that is in force.
    pub held: Option<&'a Step>,
    /// The number of the last step; 0 where there is none.
    pub seq: u32,
}

/// Whether a need holds, with a sentence that says on what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// It holds.
    Yes(String),
    /// It does not.
    No(String),
    /// Nobody can tell.
    CannotJudge(String),
}

impl Met {
    /// The sentence.
    #[must_use]
    pub fn tell(&self) -> &str {
        match self {
            Self::Yes(text) | Self::No(text) | Self::CannotJudge(text) => text,
        }
    }

    /// The mark before it.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        match self {
            Self::Yes(_) => "✅",
            Self::No(_) => "❌",
            Self::CannotJudge(_) => "❔",
        }
    }
}

/// What comes of asking for a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It goes on to this phase, with what did not hold and was overridden.
    Promoted {
        /// The next phase.
        to: Ident,
        /// What did not hold; empty without an override.
        overridden: Vec<String>,
    },
    /// It does not, for these reasons.
    Refused(Vec<String>),
    /// Nothing speaks against it, and this could not be judged.
    CannotJudge(Vec<String>),
}

/// Whether a lens that stands like `state` may go on. `blocked` says why it may not whatever its needs are: it is rolled
/// back. An override passes needs, and neither a block nor a hold.
#[must_use]
pub fn ask(state: &State<'_>, needs: &[(Need, Met)], blocked: Option<String>, overriding: bool) -> Asked {
    let Some(next) = state.next else {
        return Asked::Refused(vec![format!("{} is the last phase", state.phase.name)]);
    };
    let held = state.held.map(|hold| {
        let reason = hold.reason.as_deref().unwrap_or("without a reason");
        format!("held by {} since {:.0}: {reason}", hold.who, hold.at)
    });
    let fast: Vec<String> = blocked.into_iter().chain(held).collect();
    if !fast.is_empty() {
        return Asked::Refused(fast);
    }
    let told = |wanted: fn(&Met) -> bool| {
        let of = needs.iter().filter(move |(_, met)| wanted(met));
        of.map(|(need, met)| format!("{}: {}", need.as_str(), met.tell()))
            .collect::<Vec<_>>()
    };
    let (failed, unjudged) = (
        told(|met| matches!(met, Met::No(_))),
        told(|met| matches!(met, Met::CannotJudge(_))),
    );
    let to = next.name.clone();
    match (failed.is_empty(), unjudged.is_empty()) {
        (true, true) => Asked::Promoted {
            to,
            overridden: Vec::new(),
        },
        _ if overriding => Asked::Promoted {
            to,
            overridden: failed.into_iter().chain(unjudged).collect(),
        },
        (false, _) => Asked::Refused(failed.into_iter().chain(unjudged).collect()),
        (true, false) => Asked::CannotJudge(unjudged),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lens() -> LensId {
        "faults".parse().unwrap()
    }

    fn step(seq: u32, kind: Move, from: &str, to: &str) -> Step {
        Step {
            id: Uuid::from_u128(u128::from(seq)),
            lens: lens(),
            seq,
            kind,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            who: "ada".to_owned(),
            reason: Some("because".to_owned()),
            overridden: Vec::new(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn the_usual_four_are_all_there() {
        let phases = Phases::default();
        let names: Vec<&str> = phases.all().iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names, ["staging-canary", "staging", "production-canary", "production"]);
        assert_eq!(Phases::of(None).unwrap(), phases);
    }

    #[test]
    fn a_list_that_makes_no_sense_is_refused() {
        assert_eq!(Phases::of(Some(&[])), Err(PhasesError::Empty));
        let one = Phases::default().all()[0].clone();
        assert_eq!(
            Phases::of(Some(&[one.clone(), one.clone()])),
            Err(PhasesError::Twice(one.name))
        );
    }

    #[test]
    fn a_phase_that_is_listed_no_more_is_said() {
        let phases = Phases::default();
        let steps = [step(1, Move::Promote, "staging-canary", "dogfood")];
        let error = phases.state(&lens(), &steps).unwrap_err().to_string();
        assert!(
            error.contains("dogfood") && error.contains("production-canary"),
            "{error}"
        );
    }

    #[test]
    fn needs_decide_and_three_answers_stay_apart() {
        let phases = Phases::default();
        let yes = (Need::Gate, Met::Yes("proceed".to_owned()));
        let no = (Need::Accept, Met::No("the latest run failed".to_owned()));
        let open = (Need::Stress, Met::CannotJudge("not enough data".to_owned()));
        let promoted = [step(1, Move::Promote, "staging-canary", "staging")];
        let held = [step(1, Move::Hold, "staging-canary", "staging-canary")];
        let last = [step(1, Move::Promote, "production-canary", "production")];
        let to = |name: &str, overridden: &[&str]| Asked::Promoted {
            to: name.parse().unwrap(),
            overridden: overridden.iter().map(|text| (*text).to_owned()).collect(),
        };
        let refused = |reasons: &[&str]| Asked::Refused(reasons.iter().map(|text| (*text).to_owned()).collect());
        for (case, steps, needs, blocked, overriding, wanted) in [
            (
                "all hold",
                &promoted[..],
                vec![yes.clone()],
                None,
                false,
                to("production-canary", &[]),
            ),
            (
                "one does not",
                &[],
                vec![yes.clone(), no.clone()],
                None,
                false,
                refused(&["accept: the latest run failed"]),
            ),
            (
                "one does not, one cannot be told",
                &[],
                vec![open.clone(), no.clone()],
                None,
                false,
                refused(&["accept: the latest run failed", "stress: not enough data"]),
            ),
            (
                "one cannot be told",
                &[],
                vec![yes.clone(), open.clone()],
                None,
                false,
                Asked::CannotJudge(vec!["stress: not enough data".to_owned()]),
            ),
            (
                "overridden, and marked",
                &[],
                vec![no.clone(), open],
                None,
                true,
                to("staging", &["accept: the latest run failed", "stress: not enough data"]),
            ),
            (
                "nothing to override",
                &[],
                vec![yes.clone()],
                None,
                true,
                to("staging", &[]),
            ),
            (
                "held",
                &held[..],
                vec![yes.clone()],
                None,
                true,
                refused(&["held by ada since 1970-01-01T00:00:00Z: because"]),
            ),
            (
                "rolled back",
                &[],
                vec![yes.clone()],
                Some("rolled back".to_owned()),
                true,
                refused(&["rolled back"]),
            ),
            (
                "the last",
                &last[..],
                vec![yes],
                None,
                true,
                refused(&["production is the last phase"]),
            ),
        ] {
            let state = phases.state(&lens(), steps).unwrap();
            assert_eq!(ask(&state, &needs, blocked, overriding), wanted, "{case}");
        }
    }

    proptest! {
        /// Histories of promoting, holding and releasing by two machines, each of which may look at an old state. A step
        /// is taken only where its number is free, as the stores hold it.
        #[test]
        fn no_history_skips_a_phase_or_promotes_twice(
            asked in proptest::collection::vec((0_u8..4, any::<bool>(), any::<bool>(), 0_usize..3), 0..60)
        ) {
            let phases = Phases::default();
            let mut steps: Vec<Step> = Vec::new();
            for (what, met, overriding, behind) in asked {
                let seen = steps[..steps.len().saturating_sub(behind)].to_vec();
                let state = phases.state(&lens(), &seen).unwrap();
                let from = state.phase.name.as_str();
                let need = if met { Met::Yes(String::new()) } else { Met::No(String::new()) };
                let next = match what {
                    0 => Some(step(state.seq + 1, Move::Hold, from, from)),
                    1 if state.held.is_some() => Some(step(state.seq + 1, Move::Release, from, from)),
                    1 => None,
                    _ => match ask(&state, &[(Need::Gate, need)], None, overriding) {
                        Asked::Promoted { to, overridden } => {
                            prop_assert!(met != (overridden.len() == 1), "an override is marked, and nothing else is");
                            prop_assert!(met || overriding);
                            Some(Step { overridden, ..step(state.seq + 1, Move::Promote, from, to.as_str()) })
                        }
                        Asked::Refused(_) | Asked::CannotJudge(_) => None,
                    },
                };
                if let Some(next) = next.filter(|next| steps.iter().all(|step| step.seq != next.seq)) {
                    steps.push(next);
                }
            }
            let promoted: Vec<&Step> = steps.iter().filter(|step| step.kind == Move::Promote).collect();
            for (at, step) in promoted.iter().enumerate() {
                prop_assert_eq!(&step.from, &phases.all()[at].name);
                prop_assert_eq!(&step.to, &phases.all()[at + 1].name);
            }
            prop_assert!(steps.iter().enumerate().all(|(at, step)| step.seq as usize == at + 1));
        }
    }
}
