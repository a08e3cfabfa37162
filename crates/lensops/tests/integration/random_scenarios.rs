//! Over random plans: results depend neither on the order of scenarios nor on how many run at once, a plan
//! with an undefined name sends no request, and a run with an unjudged case does not pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lensops::commands::acceptance::Acceptance;
use lensops::commands::plans::{Loaded, Which, load};
use lensops::config::{Env, Settings};
use lensops_core::exchange::{Exchange, PreparedRequest, Sender};
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::plan::header::PlanOrigin;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::acceptance::CaseResult;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio_util::sync::CancellationToken;

use crate::fixture::answered;

/// Answers with what it was asked, after a time that differs from request to request.
#[derive(Default)]
struct Echo {
    sent: AtomicUsize,
}

impl Sender for Echo {
    async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
        let count = self.sent.fetch_add(1, Ordering::Relaxed);
        // Other scenarios get their turn, in an order that is not that of the plan.
        for _ in 0..(count * 7) % 5 {
            tokio::task::yield_now().await;
        }
        let body = serde_json::json!({"asked": request.target, "length": request.target.len()}).to_string();
        answered(request, 200, Vec::new(), &body)
    }
}

/// A variable of a plan: what defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    /// `vars`.
    Plan,
    /// An environment variable that is not set.
    Unset,
    /// The setup's capture.
    Setup,
    /// What this scenario captured in its first step.
    Own,
    /// What only the scenario before captured.
    Other,
    /// Nobody.
    Nobody,
}

impl Name {
    fn text(self, scenario: usize) -> String {
        match self {
            Self::Plan => "plain".to_owned(),
            Self::Unset => "unset".to_owned(),
            Self::Setup => "ready".to_owned(),
            Self::Own => format!("own_{scenario}"),
            Self::Other => format!("own_{}", scenario + 100),
            Self::Nobody => "nobody".to_owned(),
        }
    }
}

#[derive(Debug, Clone)]
struct Case {
    uses: Vec<Name>,
    /// Whether it expects what is never answered.
    fails: bool,
    skipped: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let name = prop_oneof![
        6 => Just(Name::Plan),
        1 => Just(Name::Unset),
        4 => Just(Name::Setup),
        6 => Just(Name::Own),
        1 => Just(Name::Other),
        1 => Just(Name::Nobody),
    ];
    (
        prop::collection::vec(name, 0..4),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(uses, fails, skipped)| Case { uses, fails, skipped })
}

/// The plan of `cases` in `order`.
fn plan(cases: &[Case], order: &[usize], parallel: usize) -> String {
    let mut text = format!(
        "acceptance: flow\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\ndialects: {{documented: {{}}}}\n\
         vars: {{plain: five}}\nenv: {{unset: {{from: NOT_SET_ANYWHERE}}}}\nparallel: {parallel}\nrequests:\n  \
         first: {{get: \"/first/$n\"}}\n"
    );
    for (index, case) in cases.iter().enumerate() {
        for (at, name) in case.uses.iter().enumerate() {
            text += &format!("  r_{index}_{at}: {{get: \"/x/${}\"}}\n", name.text(index));
        }
    }
    text += "setup: [{send: first, with: {n: setup}, capture: {ready: $.length}}]\nscenarios:\n";
    for index in order {
        let case = &cases[*index];
        text += &format!("  - name: case {index}\n");
        if case.skipped {
            text += "    skip: not here\n";
        }
        text +=
            &format!("    steps:\n      - {{send: first, with: {{n: {index}}}, capture: {{own_{index}: $.length}}}}\n");
        for at in 0..case.uses.len() {
            text += &format!("      - {{send: r_{index}_{at}}}\n");
        }
        if case.fails {
            text += "      - {send: first, with: {n: 1}, expect: {status: 404}}\n";
        }
    }
    text
}

/// What each case of the plan came to, by name, and the verdict; `None` where the plan was refused.
fn ran(text: &str) -> Option<(BTreeMap<String, String>, Verdict, usize)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.yml");
    std::fs::write(&path, text).unwrap();
    let env: Env = [("API_BASE_URL".to_owned(), "http://127.0.0.1:9".to_owned())].into();
    let settings = Settings::load(folder.path(), env).unwrap();
    let loaded: Loaded<AcceptancePlan> = load(&settings, &Which::File(&path)).ok()?;
    assert_eq!(
        (&loaded.path, loaded.origin),
        (&PathBuf::from(&path), PlanOrigin::Foreign)
    );
    let run = Acceptance::new(&settings, loaded, &[], None, None).unwrap();
    let echo = Echo::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let done = runtime.block_on(run.run(&echo, 1, &CancellationToken::new(), |_| {}));
    let told = |result: &CaseResult| match result {
        CaseResult::Passed { told } => format!("passed {told}"),
        CaseResult::Failed { why } => format!("failed {why}"),
        CaseResult::Unjudged { reason } => format!("unjudged {reason}"),
        CaseResult::Skipped { reason } => format!("skipped {reason}"),
    };
    let cases = done
        .cases
        .iter()
        .map(|case| (case.name.clone(), told(&case.result)))
        .collect();
    Some((cases, done.verdict, echo.sent.load(Ordering::Relaxed)))
}

#[test]
fn results_depend_on_neither_order_nor_parallelism_and_nothing_passes_by_not_running() {
    let mut runner = TestRunner::new(Config {
        cases: 96,
        failure_persistence: None,
        ..Config::default()
    });
    let strategy = (prop::collection::vec(case(), 1..6), 2..=8_usize, any::<u64>());
    let checked = runner.run(&strategy, |(cases, parallel, seed)| {
        let straight: Vec<usize> = (0..cases.len()).collect();
        let mut shuffled = straight.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        // A case that is left out sends nothing, whatever it names.
        let undefined = cases
            .iter()
            .filter(|case| !case.skipped)
            .any(|case| case.uses.iter().any(|name| matches!(name, Name::Other | Name::Nobody)));
        let first = ran(&plan(&cases, &straight, 1));
        // Refused means that nothing was sent: the plan did not load.
        prop_assert_eq!(first.is_none(), undefined);
        let Some((results, verdict, _)) = first else {
            return Ok(());
        };
        let unjudged = results.values().any(|result| result.starts_with("unjudged"));
        let failed = results.values().any(|result| result.starts_with("failed"));
        prop_assert!(!(unjudged && verdict == Verdict::Pass), "{results:?}");
        prop_assert_eq!(verdict == Verdict::Fail, failed);
        let skipped: BTreeSet<bool> = cases.iter().map(|case| case.skipped).collect();
        if !unjudged && !failed && skipped.contains(&false) {
            prop_assert_eq!(verdict, Verdict::Pass);
        }
        for (order, parallel) in [(&straight, parallel), (&shuffled, 1), (&shuffled, parallel)] {
            let (again, verdict_again, _) = ran(&plan(&cases, order, parallel)).unwrap();
            prop_assert_eq!((&again, verdict_again), (&results, verdict), "{:?} {}", order, parallel);
        }
        Ok(())
    });
    checked.unwrap();
}
