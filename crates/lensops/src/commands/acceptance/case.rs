//! One case: its steps sent, judged, and what they capture.

use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::crypto::token::mint;
use lensops_core::exchange::{Exchange, PreparedRequest, Sender};
use lensops_core::plan::Vars;
use lensops_core::plan::acceptance::{Scenario, Step, omit};
use lensops_core::plan::prepare::{PrepareError, expand_text, prepare, set, signature};
use lensops_core::plan::sql::expand_sql;
use lensops_core::redaction::{Redactor, Transcript};
use lensops_core::secret::Secret;
use lensops_core::verdict::acceptance::{Case, CaseResult, DatabaseProof, Phase};
use lensops_core::verdict::outcome::{Outcome, Severity, judge, matches};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Acceptance;

/// What later cases need of earlier ones.
pub(crate) struct Progress {
    /// The plan's variables and what was captured.
    vars: Vars,
    /// Entities that an earlier run used up.
    used_up: Vec<Value>,
    /// The variables of the last step that was sent, its signature and captures among them.
    last: Vars,
    /// What was captured from places that hold secrets.
    secrets: Vec<Secret>,
    rng: fastrand::Rng,
}

impl Progress {
    pub(crate) fn new(vars: Vars, seed: u64) -> Self {
        Self {
            vars,
            used_up: Vec::new(),
            last: Vars::new(),
            secrets: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// A progress of its own for the scenario at `index`.
    pub(crate) fn fork(&self, index: usize) -> Self {
        let seed = self.rng.clone().u64(..).wrapping_add(index as u64);
        Self {
            vars: self.vars.clone(),
            used_up: Vec::new(),
            last: Vars::new(),
            secrets: self.secrets.clone(),
            rng: fastrand::Rng::with_seed(seed),
        }
    }
}

/// How a step ended.
enum Ended {
    Passed(String),
    Failed(String),
    Unjudged(String),
}

impl Acceptance {
    /// A case that sends nothing.
    pub(crate) fn unsent(&self, index: usize, scenario: &Scenario, result: CaseResult) -> Case {
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
    pub(crate) async fn run_scenario<S: Sender>(
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
        for (at, step) in scenario.steps.iter().enumerate() {
            let tells_used_up = scenario.used_up.is_some() && at == 0;
            let ended = self
                .run_step(sender, step, tells_used_up, scenario, progress, stop, &mut case)
                .await;
            case.result = self.result(ended);
            if !matches!(case.result, CaseResult::Passed { .. }) {
                return case;
            }
        }
        self.prove(scenario, &before, progress, &mut case).await;
        case
    }

    /// Rows of each proof; `None` for one that speaks of what is not known yet, and for all of
    /// them without a database.
    async fn counts(&self, scenario: &Scenario, vars: &Vars) -> Result<Vec<Option<u64>>, String> {
        let Some(database) = &self.database else {
            return Ok(vec![None; scenario.then.len()]);
        };
        let expanded: Vec<Option<String>> = scenario
            .then
            .iter()
            .map(|proof| expand_sql(&proof.sql, vars).ok())
            .collect();
        let statements: Vec<String> = expanded.iter().flatten().cloned().collect();
        if statements.is_empty() {
            return Ok(vec![None; expanded.len()]);
        }
        let mut counts = database.count(&statements).await?.into_iter();
        Ok(expanded
            .iter()
            .map(|statement| statement.as_ref().and_then(|_| counts.next()))
            .collect())
    }

    /// Looks into the database after a case that passed: a proof that is broken fails it.
    async fn prove(&self, scenario: &Scenario, before: &[Option<u64>], progress: &Progress, case: &mut Case) {
        if self.database.is_none() {
            case.proofs_skipped = scenario
                .then
                .iter()
                .map(|_| "STAGING_DB_URL is not set".to_owned())
                .collect();
            return;
        }
        let after = match self.counts(scenario, &progress.last).await {
            Ok(after) => after,
            Err(reason) => {
                case.proofs_skipped = vec![reason.clone(); scenario.then.len()];
                case.result = self.result(Ended::Unjudged(reason));
                return;
            }
        };
        for ((proof, before), after) in scenario.then.iter().zip(before).zip(after) {
            let Some(after) = after else {
                let reason = match expand_sql(&proof.sql, &progress.last) {
                    Err(error) => format!("{}: {}", proof.name, self.unprepared(&error)),
                    Ok(_) => format!("{}: the database gave no answer", proof.name),
                };
                if matches!(case.result, CaseResult::Passed { .. }) {
                    case.result = self.result(Ended::Unjudged(reason.clone()));
                }
                case.proofs_skipped.push(reason);
                continue;
            };
            let broken = proof.expect.broken(*before, after);
            if let (Some(why), CaseResult::Passed { .. }) = (&broken, &case.result) {
                case.result = self.result(Ended::Failed(format!("{}: {why}", proof.name)));
            }
            let (name, sql) = (proof.name.clone(), proof.sql.clone());
            case.proofs.push(DatabaseProof {
                name,
                sql,
                before: *before,
                after,
                broken,
            });
        }
    }

    /// Runs one step of setup or teardown as a case of its own.
    pub(crate) async fn run_step_case<S: Sender>(
        &self,
        sender: &S,
        phase: Phase,
        index: usize,
        step: &Step,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> Case {
        let scenario = Scenario {
            name: step.send.to_string(),
            steps: Vec::new(),
            used_up: None,
            then: Vec::new(),
            skip: None,
        };
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

    fn result(&self, ended: Ended) -> CaseResult {
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

    #[expect(clippy::too_many_arguments, reason = "a step needs all of its case")]
    async fn run_step<S: Sender>(
        &self,
        sender: &S,
        step: &Step,
        tells_used_up: bool,
        scenario: &Scenario,
        progress: &mut Progress,
        stop: &CancellationToken,
        case: &mut Case,
    ) -> Ended {
        let (request, vars) = match self.prepare(step, progress) {
            Ok(prepared) => prepared,
            Err(reason) => return Ended::Unjudged(reason),
        };
        let entity = vars
            .iter()
            .find(|(name, _)| name.as_str() == "entity")
            .map(|(_, value)| value.clone())
            .unwrap_or_default();
        if !entity.is_null() && progress.used_up.contains(&entity) {
            return Ended::Unjudged(used_up(&entity));
        }
        let exchange = tokio::select! {
            biased;
            () = stop.cancelled() => return Ended::Unjudged("the run was interrupted".to_owned()),
            exchange = sender.send(Arc::new(request)) => exchange,
        };
        case.answered |= exchange.result.is_ok();
        let redactor = self.redactor.for_exchange(&exchange.request.secrets);
        case.transcripts.push(Transcript::of(&exchange, &redactor));
        progress.last.clone_from(&vars);
        if self.is_used_up(tells_used_up, scenario, &exchange, progress) {
            progress.used_up.push(entity.clone());
            return Ended::Unjudged(used_up(&entity));
        }
        self.judge(step, &exchange, vars, progress, &redactor)
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

    fn prepare(&self, step: &Step, progress: &mut Progress) -> Result<(PreparedRequest, Vars), String> {
        let plan = &self.loaded.plan;
        let mut vars = progress.vars.clone();
        vars.extend(step.with.clone());
        let user = step.user.as_ref().and_then(|name| plan.users.get(name));
        let now = Timestamp::now();
        let mut secrets = progress.secrets.clone();
        if let (Some(role), Some(user)) = (&step.sign_as, user) {
            let (value, hash) = signature(user, role, now, progress.rng.u64(..));
            set(&mut vars, "signature", value);
            secrets.push(hash);
        }
        let token = match (user, &self.jwt_secret) {
            (Some(user), Some(secret)) => {
                Some(mint(secret, &self.issuer, user.id, now).map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        let mut spec = plan.requests[&step.send].clone();
        if let Some(body) = spec.json_mut() {
            step.omit.iter().for_each(|place| omit(body, place));
        }
        let mut request = prepare(&self.base, &spec, token.as_ref(), &vars).map_err(|error| self.unprepared(&error))?;
        request.secrets.extend(secrets);
        Ok((request, vars))
    }

    /// Why a request could not be made, with the way out.
    fn unprepared(&self, error: &PrepareError) -> String {
        let PrepareError::NotKnown(name) = error else {
            return error.to_string();
        };
        match self.loaded.plan.env.iter().find(|(key, _)| key.as_str() == name) {
            Some((_, source)) => format!("{} is not set", source.from),
            None => format!("no test {name}: name one in the lens file and generate again"),
        }
    }

    /// Whether the answer says that an earlier run used the entity up. The plan says so for one
    /// case; once that has come, the same answer means the same in later ones.
    fn is_used_up(&self, tells: bool, scenario: &Scenario, exchange: &Exchange, progress: &Progress) -> bool {
        let means = |expect| matches(expect, &self.dialect, exchange);
        if tells {
            return scenario.used_up.as_ref().is_some_and(means);
        }
        !progress.used_up.is_empty()
            && self
                .loaded
                .plan
                .scenarios
                .iter()
                .filter_map(|other| other.used_up.as_ref())
                .any(means)
    }

    fn judge(
        &self,
        step: &Step,
        exchange: &Exchange,
        mut vars: Vars,
        progress: &mut Progress,
        redactor: &Redactor,
    ) -> Ended {
        let failed = |why: &str| Ended::Failed(redactor.text(why).as_str().to_owned());
        let outcomes = judge(&step.expect, Severity::Fail, &self.dialect, exchange);
        if let Some((_, why)) = outcomes.iter().find_map(Outcome::broken) {
            return failed(&why.to_string());
        }
        let Ok(response) = &exchange.result else {
            return failed("no answer");
        };
        for (name, place) in &step.capture {
            let Some(value) = place.find(&self.dialect, response) else {
                return failed(&format!("the answer holds no {place} to capture"));
            };
            if let (true, Value::String(secret)) = (place.is_secret(), &value) {
                progress.secrets.push(Secret::new(secret.clone()));
            }
            vars.insert(name.clone(), value.clone());
            progress.vars.insert(name.clone(), value.clone());
            progress.last.insert(name.clone(), value);
        }
        let known: Vec<Secret> = exchange
            .request
            .secrets
            .iter()
            .chain(&progress.secrets)
            .cloned()
            .collect();
        let redactor = redactor.for_exchange(&known);
        let mut told = response.status.to_string();
        if let Some(code) = response.json().and_then(|body| self.dialect.code(&body)) {
            told = format!("{told} {code}");
        }
        if response.status == 403 {
            told.push_str(" (expected)");
        }
        match step.told.as_ref().map(|text| expand_text(text, &vars)) {
            Some(Ok(text)) => told = format!("{told} + {text}"),
            Some(Err(error)) => return Ended::Unjudged(self.unprepared(&error)),
            None => {}
        }
        Ended::Passed(redactor.text(&told).as_str().to_owned())
    }
}

fn used_up(entity: &Value) -> String {
    format!(
        "test entity {} was used up by an earlier run: name a fresh one in the lens file",
        entity.as_str().unwrap_or("(none)")
    )
}
