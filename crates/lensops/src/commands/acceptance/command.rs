//! `lensops accept`: a plan with the options of the command line is put together and run; each case is
//! printed as it comes, and the evidence is left behind.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::verdict::acceptance::{Case, judge_cases};
use lensops_core::verdict::{RunKind, Verdict};

use super::flag_proof;
use super::phases::Accepted;
use super::report::{Output, Report, finish};
use super::run::Acceptance;
use crate::commands::error::Result;
use crate::commands::evidence::bundle;
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::commands::signal::stop_on_signal;
use crate::config::Settings;

/// What the command line asks for besides the plan.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    /// The dialect that the API speaks; `None`: that of the settings.
    pub dialect: Option<&'a str>,
    /// The API's action registry.
    pub registry: Option<&'a Path>,
    /// Scenarios to run alone; all where none is named.
    pub scenarios: &'a [String],
    /// Where JUnit goes.
    pub junit: Option<PathBuf>,
    /// How often the API is asked until it follows a switched flag; `None`: no flag is switched.
    pub flag_proof: Option<u32>,
    /// Print JSON.
    pub json: bool,
}

/// Runs the acceptance plan `which`.
///
/// # Errors
/// A plan, an option or a setting that is not valid, or evidence that cannot be written.
pub async fn run(settings: &Settings, which: &Which<'_>, asked: Asked<'_>) -> Result<Exit> {
    let plan = load::<AcceptancePlan>(settings, which)?;
    let run = Acceptance::new(settings, plan, asked.scenarios, asked.dialect, asked.registry)?;
    let output = Output {
        json: asked.json,
        junit: asked.junit,
        flag_proof: asked.flag_proof,
    };
    accept(settings, &settings.client()?, &run, &output).await
}

impl Acceptance {
    /// What the run says of itself.
    #[must_use]
    pub fn report(&self, accepted: Accepted, finished_at: Timestamp) -> Report {
        let plan = &self.loaded.plan;
        let mut facts = vec![
            ("api", self.base.to_string()),
            ("dialect", self.dialect_name.clone()),
            ("tenant", plan.tenants.name(plan.tenants[0])),
            ("plan", self.loaded.path.display().to_string()),
        ];
        if !self.chosen.is_empty() {
            facts.push(("scenarios", format!("only {}", self.chosen.join(", "))));
        }
        Report {
            kind: RunKind::Acceptance,
            title: format!("Acceptance evidence: {}", plan.acceptance.title()),
            lens: plan.acceptance.clone(),
            tenants: Some(plan.tenants.to_vec()),
            facts,
            plan_origin: self.loaded.origin,
            plan_text: self.loaded.text.clone(),
            finished_at,
            verdict: accepted.verdict,
            reason: accepted.reason,
            cases: accepted.cases,
            pages: Vec::new(),
        }
    }
}

/// Runs, prints and writes. Ctrl-C and SIGTERM end the run in order: what was not sent is
/// unjudged, the teardown runs, the evidence is written.
///
/// # Errors
/// When the evidence cannot be written.
pub async fn accept<S: Sender>(settings: &Settings, sender: &S, run: &Acceptance, output: &Output) -> Result<Exit> {
    if let Some(warning) = run.warning() {
        complain!("⚠️ {warning}");
    }
    bundle::ready(settings)?;
    let mut rng = fastrand::Rng::new();
    let each = |case: &Case| {
        if !output.json {
            say!("{}", run.redactor.text(&case.line()));
        }
    };
    let stop = stop_on_signal();
    let _alone = flag_proof::alone(settings, output.flag_proof.is_some())?;
    flag_proof::undo(settings, sender).await?;
    // Whether the flag can be switched at all is known before the first request.
    let ready = match output.flag_proof {
        Some(tries) => Some((run.flag_ready(settings, sender).await?, tries)),
        None => None,
    };
    let mut accepted = run.run(sender, rng.u64(..), &stop, each).await;
    if let (Some((ready, tries)), false) = (ready, stop.is_cancelled()) {
        accepted
            .cases
            .extend(run.prove_flag(settings, sender, ready, tries, &stop, each).await?);
        (accepted.verdict, accepted.reason) = judge_cases(&accepted.cases);
        if stop.is_cancelled() && accepted.verdict == Verdict::Pass {
            accepted.verdict = Verdict::CouldNotJudge;
            accepted.reason = format!("interrupted ({})", accepted.reason);
        }
    }
    let mut skipped: Vec<String> = accepted
        .cases
        .iter()
        .flat_map(|case| case.proofs_skipped.clone())
        .collect();
    let count = skipped.len();
    skipped.dedup();
    if let (false, Some(reason)) = (output.json, skipped.first()) {
        say!("{count} database proofs not looked at: {reason}");
    }
    let report = run.report(accepted, Timestamp::now());
    finish(settings, run.redactor(), &report, output, rng.u32(..))
}
