//! What a case made is taken back at its end, also what it made against its expectation.

use lensops_core::exchange::Sender;
use lensops_core::plan::acceptance::{Step, Undo};
use lensops_core::verdict::acceptance::{Case, CaseResult};
use tokio_util::sync::CancellationToken;

use super::captures::Progress;
use super::run::Acceptance;
use super::step::{Ended, scenario_of};

/// A step to be taken back, with the variables of its answer.
pub(super) struct Undone(Step);

impl Acceptance {
    /// What takes back what `step` made; `None` where it made nothing.
    pub(super) fn to_undo(&self, step: &Step, progress: &mut Progress) -> Option<Undone> {
        let response = progress.made.take()?;
        let Undo { user, send, capture } = step.undo.clone()?;
        let mut with = step.with.clone();
        for (name, capture) in &capture {
            let value = capture.find(&self.dialect, &response).unwrap_or_default();
            // A dollar of an answer is text.
            with.insert(name.clone(), literal(value));
        }
        let expect = lensops_core::yaml::read("undo", TAKEN_BACK).unwrap_or_default();
        Some(Undone(Step {
            user,
            send,
            with,
            expect,
            omit: Vec::new(),
            sign_as: None,
            until: None,
            undo: None,
            told: None,
            capture: indexmap::IndexMap::new(),
        }))
    }

    /// Takes back what the case made, the last first. What stays behind fails the case.
    pub(super) async fn undo<S: Sender>(
        &self,
        sender: &S,
        undone: Vec<Undone>,
        progress: &mut Progress,
        case: &mut Case,
    ) {
        for Undone(step) in undone.into_iter().rev() {
            let scenario = scenario_of(&step);
            // Also after an interrupt: what was made is no part of the target.
            let never = CancellationToken::new();
            let ended = self
                .run_step(sender, &step, false, &scenario, progress, &never, case)
                .await;
            let why = match ended {
                Ended::Passed(_) => continue,
                Ended::Failed(why) | Ended::Unjudged(why) => why,
            };
            let left = format!("what it made is not taken back: {} {why}", step.send);
            let told = match &case.result {
                CaseResult::Failed { why } => format!("{why}; {left}"),
                _ => left,
            };
            case.result = self.result(Ended::Failed(told));
        }
    }
}

/// That something was taken back, or is there no more.
const TAKEN_BACK: &str = "status: [200, 201, 202, 203, 204, 205, 404, 410]";

fn literal(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::String(text) => text.replace('$', "$$").into(),
        other => other,
    }
}
