//! The phases of a run: setup, scenarios and teardown, and the verdict on them.

use futures_util::StreamExt as _;
use lensops_core::exchange::Sender;
use lensops_core::plan::acceptance::Step;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::acceptance::{Case, CaseResult, Phase, judge_cases};
use tokio_util::sync::CancellationToken;

use super::captures::Progress;
use super::run::Acceptance;

/// What a run came to.
#[derive(Debug)]
pub struct Accepted {
    /// The cases, in order: setup, scenarios, teardown.
    pub cases: Vec<Case>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}

impl Acceptance {
    /// Runs setup, scenarios and teardown. `seed` makes signatures differ from run to run. Once
    /// `stop` is cancelled nothing new is sent but the teardown.
    pub async fn run<S: Sender>(
        &self,
        sender: &S,
        seed: u64,
        stop: &CancellationToken,
        each: impl Fn(&Case),
    ) -> Accepted {
        let plan = &self.loaded.plan;
        let mut progress = Progress::new(self.vars.clone(), seed);
        let mut cases = self
            .run_steps(sender, Phase::Setup, &plan.setup, &mut progress, stop, &each)
            .await;
        let ready = cases
            .iter()
            .all(|case| matches!(case.result, CaseResult::Passed { .. }));
        cases.extend(if ready {
            self.run_scenarios(sender, &mut progress, stop, &each).await
        } else {
            self.unjudged("the setup failed", &each)
        });
        // Whatever came of the rest, and also after an interrupt.
        cases.extend(
            self.run_steps(
                sender,
                Phase::Teardown,
                &plan.teardown,
                &mut progress,
                &CancellationToken::new(),
                &each,
            )
            .await,
        );
        let (mut verdict, mut reason) = judge_cases(&cases);
        if stop.is_cancelled() && verdict != Verdict::Fail {
            // Half a run proves nothing.
            (verdict, reason) = (Verdict::CouldNotJudge, format!("interrupted ({reason})"));
        }
        Accepted { cases, verdict, reason }
    }

    /// The scenarios, none of them run.
    fn unjudged(&self, reason: &str, each: &impl Fn(&Case)) -> Vec<Case> {
        let reason = self.redactor.text(reason);
        let unjudged =
            |(index, scenario)| self.unsent(index, scenario, CaseResult::Unjudged { reason: reason.clone() });
        let scenarios = self.loaded.plan.scenarios.iter().enumerate();
        scenarios.map(unjudged).inspect(each).collect()
    }

    /// Runs the scenarios, some at once where the plan says so; results stand in the plan's order.
    async fn run_scenarios<S: Sender>(
        &self,
        sender: &S,
        progress: &mut Progress,
        stop: &CancellationToken,
        each: &impl Fn(&Case),
    ) -> Vec<Case> {
        let plan = &self.loaded.plan;
        let mut cases = Vec::new();
        if plan.parallel == 1 {
            for (index, scenario) in plan.scenarios.iter().enumerate() {
                let mut own = progress.fork(index);
                let case = self.run_scenario(sender, index, scenario, &mut own, stop).await;
                // One after the other, the next one knows which entities are used up.
                progress.used_up = own.used_up;
                each(&case);
                cases.push(case);
            }
            return cases;
        }
        let runs = plan.scenarios.iter().enumerate().map(|(index, scenario)| {
            let mut own = progress.fork(index);
            async move { self.run_scenario(sender, index, scenario, &mut own, stop).await }
        });
        // Buffered in order: results do not depend on who answers first.
        let mut done = futures_util::stream::iter(runs).buffered(plan.parallel);
        while let Some(case) = done.next().await {
            each(&case);
            cases.push(case);
        }
        cases
    }

    /// Runs the steps of setup or teardown, each a case. A setup ends at its first failure, a
    /// teardown goes on.
    async fn run_steps<S: Sender>(
        &self,
        sender: &S,
        phase: Phase,
        steps: &[Step],
        progress: &mut Progress,
        stop: &CancellationToken,
        each: &impl Fn(&Case),
    ) -> Vec<Case> {
        let mut cases: Vec<Case> = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let case = self.run_step_case(sender, phase, index, step, progress, stop).await;
            each(&case);
            let passed = matches!(case.result, CaseResult::Passed { .. });
            cases.push(case);
            if !passed && phase == Phase::Setup {
                break;
            }
        }
        cases
    }
}
