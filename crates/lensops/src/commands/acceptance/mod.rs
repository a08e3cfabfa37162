//! `lensops accept`: the setup, scenarios and teardown of an acceptance plan, with their evidence.

mod case;
pub mod flag_proof;
pub mod matrix;
pub mod report;
mod run;

pub use run::{Asked, run};

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use lensops_core::exchange::{Base, Sender};
use lensops_core::plan::acceptance::{AcceptancePlan, Step};
use lensops_core::plan::prepare::vars_of;
use lensops_core::plan::{Dialect, Vars};
use lensops_core::redaction::{Redactor, SHORTEST_SECRET};
use lensops_core::secret::Secret;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::acceptance::{Case, CaseResult, Phase, judge_cases};
use lensops_core::verdict::registry::Registry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::acceptance::report::{Report, finish};
use crate::commands::exit::Exit;
use crate::commands::files;
use crate::commands::plans::Loaded;
use crate::config::{Settings, Target};
use crate::store::Staging;
use case::Progress;

/// The dialect where nothing says which.
pub const DEFAULT_DIALECT: &str = "documented";

/// An acceptance run, ready to go.
#[derive(Debug)]
pub struct Acceptance {
    loaded: Loaded<AcceptancePlan>,
    /// The scenarios that were asked for; all where it is empty.
    chosen: Vec<String>,
    dialect_name: String,
    dialect: Dialect,
    base: Base,
    jwt_secret: Option<Secret>,
    issuer: String,
    redactor: Redactor,
    registry: Option<Registry>,
    /// The plan's variables, those of the environment among them.
    vars: Vars,
    /// The tenant database, where there is one to look into.
    database: Option<Staging>,
}

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

/// Leaves only the scenarios named `names` in `plan`; all where none is named.
///
/// # Errors
/// A name that no scenario has.
fn choose(plan: &mut AcceptancePlan, names: &[String]) -> Result<()> {
    if let Some(name) = names
        .iter()
        .find(|name| !plan.scenarios.iter().any(|scenario| scenario.name == **name))
    {
        let known: Vec<&str> = plan.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        bail!("--scenario {name:?} is not in the plan; there are {}", known.join(", "));
    }
    if !names.is_empty() {
        plan.scenarios.retain(|scenario| names.contains(&scenario.name));
    }
    Ok(())
}

impl Acceptance {
    /// Puts a run together from the settings: of the scenarios named in `chosen`, or of all.
    ///
    /// # Errors
    /// A missing address, secret or registry file, or an unknown dialect.
    pub fn new(
        settings: &Settings,
        mut loaded: Loaded<AcceptancePlan>,
        chosen: &[String],
        dialect: Option<&str>,
        registry: Option<&Path>,
    ) -> Result<Self> {
        choose(&mut loaded.plan, chosen)?;
        let base = settings.api(Target::Staging)?;
        let dialect_name = dialect
            .or(settings.project.dialect.as_deref())
            .unwrap_or(DEFAULT_DIALECT)
            .to_owned();
        let dialect = loaded.plan.dialect(&dialect_name)?.clone();
        let jwt_secret = settings.jwt_secret(Target::Staging);
        if jwt_secret.is_none() && loaded.plan.needs_tokens() {
            bail!(
                "{} is not set: the plan sends requests as users, whose tokens it signs",
                Settings::jwt_secret_names(Target::Staging)
            );
        }
        let registry = read_registry(settings, registry)?;
        let database = settings
            .staging_db()
            .map(|url| Staging::new(&url))
            .transpose()
            .context("STAGING_DB_URL")?;
        let mut vars = vars_of(&loaded.plan.vars, loaded.plan.tenants[0]);
        let mut secrets = Vec::new();
        for (name, source) in &loaded.plan.env {
            let value = settings.var(source.from.as_str());
            if let (Some(value), true) = (value, source.secret) {
                if value.len() < SHORTEST_SECRET {
                    eprintln!(
                        "⚠️ {} is shorter than {SHORTEST_SECRET} bytes: evidence cannot hide it by its value",
                        source.from
                    );
                }
                secrets.push(Secret::new(value));
            }
            vars.insert(
                name.clone(),
                value.map_or(Value::Null, |value| Value::String(value.to_owned())),
            );
        }
        let redactor = settings.redactor().with(&secrets);
        Ok(Self {
            issuer: settings.issuer(&base),
            redactor,
            chosen: chosen.to_vec(),
            loaded,
            dialect_name,
            dialect,
            base,
            jwt_secret,
            registry,
            vars,
            database,
        })
    }

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
        if !ready {
            let reason = self.redactor.text("the setup failed");
            let unjudged =
                |(index, scenario)| self.unsent(index, scenario, CaseResult::Unjudged { reason: reason.clone() });
            cases.extend(
                plan.scenarios
                    .iter()
                    .enumerate()
                    .map(unjudged)
                    .inspect(|case| each(case)),
            );
        } else if plan.parallel == 1 {
            for (index, scenario) in plan.scenarios.iter().enumerate() {
                let case = self.run_scenario(sender, index, scenario, &mut progress, stop).await;
                each(&case);
                cases.push(case);
            }
        } else {
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
        }
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
        if stop.is_cancelled() && verdict == Verdict::Pass {
            // Half a run proves nothing.
            (verdict, reason) = (Verdict::CouldNotJudge, format!("interrupted ({reason})"));
        }
        Accepted { cases, verdict, reason }
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

    /// What the run says of itself.
    #[must_use]
    pub fn report(&self, accepted: Accepted, finished_at: Timestamp) -> Report {
        let plan = &self.loaded.plan;
        let mut facts = vec![
            ("api", self.base.to_string()),
            ("dialect", self.dialect_name.clone()),
            ("tenant", plan.tenants[0].to_string()),
            ("plan", self.loaded.path.display().to_string()),
        ];
        if !self.chosen.is_empty() {
            facts.push(("scenarios", format!("only {}", self.chosen.join(", "))));
        }
        Report {
            kind: "acceptance",
            title: format!("Acceptance evidence: {}", plan.acceptance.title()),
            lens: plan.acceptance.clone(),
            tenants: Some(plan.tenants.clone()),
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

    /// Knows the secrets of the run.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// What to tell of the plan.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.loaded.warning()
    }
}

/// Reads the action registry of the option, else of `lensops.yml`; `None` where neither names one.
///
/// # Errors
/// When it cannot be read, or is no registry.
pub fn read_registry(settings: &Settings, option: Option<&Path>) -> Result<Option<Registry>> {
    let named = settings.project.registry.as_ref().map(|path| settings.root.join(path));
    let Some(path) = option.map(Path::to_owned).or(named) else {
        return Ok(None);
    };
    let registry = serde_json::from_str(&files::read(&path)?);
    Ok(Some(registry.with_context(|| {
        format!("{} is no action registry", path.display())
    })?))
}

/// What to print and leave behind besides the evidence.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Print JSON instead of lines.
    pub json: bool,
    /// Write JUnit to this file as well.
    pub junit: Option<PathBuf>,
    /// Let the master flag prove itself as well, asking the API this often for each state.
    pub flag_proof: Option<u32>,
}

/// Runs, prints and writes. Ctrl-C and SIGTERM end the run in order: what was not sent is
/// unjudged, the teardown runs, the evidence is written.
///
/// # Errors
/// When the evidence cannot be written.
pub async fn accept<S: Sender>(settings: &Settings, sender: &S, run: &Acceptance, output: &Output) -> Result<Exit> {
    if let Some(warning) = run.warning() {
        eprintln!("⚠️ {warning}");
    }
    crate::commands::evidence::bundle::ready(settings)?;
    let mut rng = fastrand::Rng::new();
    let each = |case: &Case| {
        if !output.json {
            say!("{}", run.redactor.text(&case.line()));
        }
    };
    let stop = crate::commands::signal::stop_on_signal();
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
