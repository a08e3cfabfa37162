//! `lensops accept`: the scenarios of an acceptance plan, one after the other, with their evidence.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use lensops_core::evidence::{Redactor, Transcript};
use lensops_core::exchange::{Base, Exchange, PreparedRequest, Secret, Sender};
use lensops_core::outcome::{Outcome, Severity, judge, matches};
use lensops_core::plan::acceptance::{AcceptancePlan, Scenario, omit};
use lensops_core::plan::prepare::{PrepareError, expand_text, prepare, set, signature, vars_of};
use lensops_core::plan::{Dialect, Request, Vars};
use lensops_core::registry::Registry;
use lensops_core::token::{Token, mint};
use lensops_core::verdict::Verdict;
use lensops_core::verdict::acceptance::{Case, CaseResult, judge_cases};
use serde_json::Value;

use super::plans::Loaded;
use super::report::{Report, finish};
use super::{Exit, files};
use crate::config::{Settings, Target};

/// The dialect where nothing says which.
pub const DEFAULT_DIALECT: &str = "documented";

/// An acceptance run, ready to go.
#[derive(Debug)]
pub struct Acceptance {
    loaded: Loaded<AcceptancePlan>,
    dialect_name: String,
    dialect: Dialect,
    base: Base,
    jwt_secret: Option<Secret>,
    issuer: String,
    redactor: Redactor,
    registry: Option<Registry>,
    no_proof: &'static str,
}

/// What a run came to.
#[derive(Debug)]
pub struct Accepted {
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}

/// State that later cases need of earlier ones.
struct Progress {
    captures: Vars,
    /// Entities that an earlier run used up.
    used_up: Vec<Value>,
    rng: fastrand::Rng,
}

impl Acceptance {
    /// Puts a run together from the settings.
    ///
    /// # Errors
    /// A missing address, secret or registry file, or an unknown dialect.
    pub fn new(
        settings: &Settings,
        loaded: Loaded<AcceptancePlan>,
        dialect: Option<&str>,
        registry: Option<&Path>,
    ) -> Result<Self> {
        let base = settings.api(Target::Staging)?;
        let dialect_name = dialect
            .or(settings.project.dialect.as_deref())
            .unwrap_or(DEFAULT_DIALECT)
            .to_owned();
        let dialect = loaded.plan.dialect(&dialect_name)?.clone();
        let jwt_secret = settings.jwt_secret(Target::Staging);
        if jwt_secret.is_none() && loaded.plan.scenarios.iter().any(|scenario| scenario.user.is_some()) {
            bail!(
                "{} is not set: the plan sends requests as users, whose tokens it signs",
                Settings::jwt_secret_names(Target::Staging)
            );
        }
        let registry = read_registry(settings, registry)?;
        let no_proof = if settings.has_staging_db() {
            "this version runs no SQL"
        } else {
            "STAGING_DB_URL is not set"
        };
        Ok(Self {
            issuer: settings.issuer(&base),
            redactor: settings.redactor(),
            loaded,
            dialect_name,
            dialect,
            base,
            jwt_secret,
            registry,
            no_proof,
        })
    }

    /// Runs every case. `seed` makes signatures differ from run to run.
    pub async fn run<S: Sender>(&self, sender: &S, seed: u64, mut each: impl FnMut(&Case)) -> Accepted {
        let mut progress = Progress {
            captures: Vars::new(),
            used_up: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
        };
        let mut cases = Vec::new();
        for (index, scenario) in self.loaded.plan.scenarios.iter().enumerate() {
            let case = self.run_case(sender, index + 1, scenario, &mut progress).await;
            each(&case);
            cases.push(case);
        }
        let (verdict, reason) = judge_cases(&cases);
        Accepted { cases, verdict, reason }
    }

    async fn run_case<S: Sender>(
        &self,
        sender: &S,
        number: usize,
        scenario: &Scenario,
        progress: &mut Progress,
    ) -> Case {
        let spec = &self.loaded.plan.requests[&scenario.send];
        let signed_flow = spec
            .json
            .as_ref()
            .is_some_and(|body| body.to_string().contains("$signature"));
        let mut case = Case {
            number,
            name: scenario.name.clone(),
            signed_flow,
            result: CaseResult::Skipped {
                reason: self.redactor.text("not run"),
            },
            proofs_skipped: Vec::new(),
            transcript: None,
            answered: false,
        };
        if let Some(reason) = scenario.skip.clone().or_else(|| self.registry_refusal(scenario, spec)) {
            case.result = CaseResult::Skipped {
                reason: self.redactor.text(&reason),
            };
            return case;
        }
        let (request, vars) = match self.prepare(scenario, spec, progress) {
            Ok(prepared) => prepared,
            Err(reason) => {
                case.result = CaseResult::Unjudged {
                    reason: self.redactor.text(&reason),
                };
                return case;
            }
        };
        let entity = vars
            .iter()
            .find(|(name, _)| name.as_str() == "entity")
            .map(|(_, value)| value.clone())
            .unwrap_or_default();
        if progress.used_up.contains(&entity) {
            case.result = CaseResult::Unjudged {
                reason: self.redactor.text(&used_up(&entity)),
            };
            return case;
        }
        let exchange = sender.send(Arc::new(request)).await;
        case.answered = exchange.result.is_ok();
        case.transcript = Some(Transcript::of(&exchange, &self.redactor));
        let redactor = self.redactor.clone().with(&exchange.request.secrets);
        case.result = if self.is_used_up(scenario, &exchange, progress) {
            progress.used_up.push(entity.clone());
            CaseResult::Unjudged {
                reason: redactor.text(&used_up(&entity)),
            }
        } else {
            self.judge(scenario, &exchange, vars, progress, &redactor)
        };
        if matches!(case.result, CaseResult::Passed { .. }) {
            case.proofs_skipped = scenario.then.iter().map(|_| self.no_proof.to_owned()).collect();
        }
        case
    }

    /// Why the registry makes this no case: a positive one that it does not let in, or a denied
    /// one that it does.
    fn registry_refusal(&self, scenario: &Scenario, spec: &Request) -> Option<String> {
        let registry = self.registry.as_ref()?;
        let action = spec.json.as_ref()?.get("action")?.as_str()?;
        let user = self.loaded.plan.users.get(scenario.user.as_ref()?)?;
        let refusal = registry.refusal(action, &user.role, scenario.sign_as.as_ref());
        if scenario.is_positive() {
            return refusal;
        }
        let denied = scenario
            .expect
            .status
            .as_ref()
            .is_some_and(|status| status.is_only(403));
        (denied && refusal.is_none()).then(|| format!("the registry lets {} run and sign {action}", user.role))
    }

    fn prepare(
        &self,
        scenario: &Scenario,
        spec: &Request,
        progress: &mut Progress,
    ) -> Result<(PreparedRequest, Vars), String> {
        let plan = &self.loaded.plan;
        let tenant = plan.tenants[0];
        let mut vars = vars_of(&plan.vars, tenant);
        vars.extend(progress.captures.clone());
        vars.extend(scenario.with.clone());
        let user = scenario.user.as_ref().and_then(|name| plan.users.get(name));
        let now = Timestamp::now();
        let mut secrets = Vec::new();
        if let (Some(role), Some(user)) = (&scenario.sign_as, user) {
            let (value, hash) = signature(user, role, now, progress.rng.u64(..));
            set(&mut vars, "signature", value);
            secrets.push(hash);
        }
        let token: Option<Token> = match (user, &self.jwt_secret) {
            (Some(user), Some(secret)) => {
                Some(mint(secret, &self.issuer, user.id, now).map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        let mut spec = spec.clone();
        for place in &scenario.omit {
            spec.json.iter_mut().for_each(|body| omit(body, place));
        }
        let mut request = prepare(&self.base, &spec, token.as_ref(), &vars).map_err(|error| match error {
            PrepareError::NotKnown(name) => format!("no test {name}: name one in the lens file and generate again"),
            PrepareError::Undefined(_) => error.to_string(),
        })?;
        request.secrets.extend(secrets);
        Ok((request, vars))
    }

    /// Whether the answer says that an earlier run used the entity up. The plan says so for its
    /// first case; once it has, the same answer means the same in later ones.
    fn is_used_up(&self, scenario: &Scenario, exchange: &Exchange, progress: &Progress) -> bool {
        let stated = self
            .loaded
            .plan
            .scenarios
            .iter()
            .filter_map(|other| other.used_up.as_ref());
        match &scenario.used_up {
            Some(expect) => matches(expect, &self.dialect, exchange),
            None if progress.used_up.is_empty() => false,
            None => stated
                .into_iter()
                .any(|expect| matches(expect, &self.dialect, exchange)),
        }
    }

    fn judge(
        &self,
        scenario: &Scenario,
        exchange: &Exchange,
        mut vars: Vars,
        progress: &mut Progress,
        redactor: &Redactor,
    ) -> CaseResult {
        let outcomes = judge(&scenario.expect, Severity::Fail, &self.dialect, exchange);
        if let Some((_, why)) = outcomes.iter().find_map(Outcome::broken) {
            return CaseResult::Failed {
                why: redactor.text(&why.to_string()),
            };
        }
        let Ok(response) = &exchange.result else {
            return CaseResult::Failed {
                why: redactor.text("no answer"),
            };
        };
        let body = response.json().unwrap_or_default();
        for (name, place) in &scenario.capture {
            match self.dialect.find(place, &body) {
                Some(value) => {
                    vars.insert(name.clone(), value.clone());
                    progress.captures.insert(name.clone(), value.clone());
                }
                None => {
                    return CaseResult::Failed {
                        why: redactor.text(&format!("the answer holds no {place} to capture")),
                    };
                }
            }
        }
        let mut told = response.status.to_string();
        if let Some(code) = self.dialect.code(&body) {
            told = format!("{told} {code}");
        }
        if response.status == 403 {
            told.push_str(" (expected)");
        }
        if let Some(text) = &scenario.told {
            told = match expand_text(text, &vars) {
                Ok(text) => format!("{told} + {text}"),
                Err(error) => {
                    return CaseResult::Failed {
                        why: redactor.text(&error.to_string()),
                    };
                }
            };
        }
        CaseResult::Passed {
            told: redactor.text(&told),
        }
    }

    /// What the run says of itself.
    #[must_use]
    pub fn report(&self, accepted: Accepted, finished_at: Timestamp) -> Report {
        let plan = &self.loaded.plan;
        Report {
            kind: "acceptance",
            title: format!("Acceptance evidence: {}", plan.acceptance.title()),
            lens: plan.acceptance.clone(),
            facts: vec![
                ("api", self.base.to_string()),
                ("dialect", self.dialect_name.clone()),
                ("tenant", plan.tenants[0].to_string()),
                ("plan", self.loaded.path.display().to_string()),
            ],
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

    /// The dialect that is asserted.
    #[must_use]
    pub fn dialect_name(&self) -> &str {
        &self.dialect_name
    }

    /// What to tell of the plan.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.loaded.warning()
    }
}

fn used_up(entity: &Value) -> String {
    format!(
        "test entity {} was used up by an earlier run: name a fresh one in the lens file",
        entity.as_str().unwrap_or("(none)")
    )
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
}

/// Runs, prints and writes.
///
/// # Errors
/// When the evidence cannot be written.
pub async fn accept<S: Sender>(settings: &Settings, sender: &S, run: &Acceptance, output: &Output) -> Result<Exit> {
    if let Some(warning) = run.warning() {
        eprintln!("⚠️ {warning}");
    }
    let mut rng = fastrand::Rng::new();
    let each = |case: &Case| {
        if !output.json {
            println!("{}", case.line());
        }
    };
    let accepted = run.run(sender, rng.u64(..), each).await;
    let mut skipped: Vec<String> = accepted
        .cases
        .iter()
        .flat_map(|case| case.proofs_skipped.clone())
        .collect();
    let count = skipped.len();
    skipped.dedup();
    if let (false, Some(reason)) = (output.json, skipped.first()) {
        println!("{count} database proofs not looked at: {reason}");
    }
    let report = run.report(accepted, Timestamp::now());
    finish(settings, run.redactor(), &report, output, rng.u32(..))
}
