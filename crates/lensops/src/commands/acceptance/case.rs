//! One case: a scenario with its proofs, or a step of setup or teardown.

use lensops_core::exchange::Sender;
use lensops_core::plan::acceptance::{Scenario, Step};
use lensops_core::verdict::acceptance::{Case, CaseResult, Phase};
use tokio_util::sync::CancellationToken;

use super::captures::Progress;
use super::run::Acceptance;
use super::step::{Ended, scenario_of};
use super::undo::Undone;

impl Acceptance {
    /// A case that sends nothing.
    pub(super) fn unsent(&self, index: usize, scenario: &Scenario, result: CaseResult) -> Case {
        Case {
            phase: Phase::Test,
            number: index + 1,
            name: scenario.name.clone(),
            signed_flow: scenario.steps.iter().any(|step| self.is_signed(step)),
            result,
            proofs: Vec::new(),
            proofs_skipped: Vec::new(),
            transcripts: Vec::new(),
            answered: false,
        }
    }

    fn is_signed(&self, step: &Step) -> bool {
        let body = self
            .loaded
            .plan
            .requests
            .get(&step.send)
            .and_then(|request| request.json());
        body.is_some_and(|body| body.to_string().contains("$signature"))
    }

    /// Runs one scenario: its steps in order, to the first that does not pass.
    pub(super) async fn run_scenario<S: Sender>(
        &self,
        sender: &S,
        index: usize,
        scenario: &Scenario,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> Case {
        let refusal = || scenario.steps.iter().find_map(|step| self.registry_refusal(step));
        if let Some(reason) = scenario.skip.clone().or_else(refusal) {
            return self.unsent(
                index,
                scenario,
                CaseResult::Skipped {
                    reason: self.redactor.text(&reason),
                },
            );
        }
        let mut case = self.unsent(
            index,
            scenario,
            CaseResult::Skipped {
                reason: self.redactor.text("no step"),
            },
        );
        let before = match self.counts(scenario, &progress.vars).await {
            Ok(before) => before,
            Err(reason) => {
                case.proofs_skipped = vec![reason.clone(); scenario.then.len()];
                case.result = self.result(Ended::Unjudged(reason));
                return case;
            }
        };
        let mut undone: Vec<Undone> = Vec::new();
        let mut passed = true;
        for (at, step) in scenario.steps.iter().enumerate() {
            let tells_used_up = scenario.used_up.is_some() && at == 0;
            let ended = self
                .run_step(sender, step, tells_used_up, scenario, progress, stop, &mut case)
                .await;
            undone.extend(self.to_undo(step, progress));
            case.result = self.result(ended);
            passed = matches!(case.result, CaseResult::Passed { .. });
            if !passed {
                break;
            }
        }
        if passed {
            self.prove(scenario, &before, progress, &mut case).await;
        }
        self.undo(sender, undone, progress, &mut case).await;
        case
    }

    /// Why the registry makes this no case: a positive step that it does not let in, or a denied
    /// one that it does.
    fn registry_refusal(&self, step: &Step) -> Option<String> {
        let (registry, plan) = (self.registry.as_ref()?, &self.loaded.plan);
        let action = plan.requests[&step.send].json()?.get("action")?.as_str()?;
        let user = plan.users.get(step.user.as_ref()?)?;
        let refusal = registry.refusal(action, &user.role, step.sign_as.as_ref());
        if step.is_positive() {
            return refusal;
        }
        let denied = step.expect.status.as_ref().is_some_and(|status| status.is_only(403));
        (denied && refusal.is_none()).then(|| format!("the registry lets {} run and sign {action}", user.role))
    }

    /// Runs one step of setup or teardown as a case of its own.
    pub(super) async fn run_step_case<S: Sender>(
        &self,
        sender: &S,
        phase: Phase,
        index: usize,
        step: &Step,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> Case {
        let scenario = scenario_of(step);
        let mut case = self.unsent(
            index,
            &scenario,
            CaseResult::Skipped {
                reason: self.redactor.text("no step"),
            },
        );
        case.phase = phase;
        let ended = self
            .run_step(sender, step, false, &scenario, progress, stop, &mut case)
            .await;
        case.result = self.result(ended);
        case
    }

    pub(super) fn result(&self, ended: Ended) -> CaseResult {
        match ended {
            Ended::Passed(told) => CaseResult::Passed {
                told: self.redactor.text(&told),
            },
            Ended::Failed(why) => CaseResult::Failed {
                why: self.redactor.text(&why),
            },
            Ended::Unjudged(reason) => CaseResult::Unjudged {
                reason: self.redactor.text(&reason),
            },
        }
    }
}
