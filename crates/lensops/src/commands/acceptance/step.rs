//! One step: its request made, sent and judged, and what its answer gives to later ones.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use lensops_core::exchange::{Exchange, PreparedRequest, Sender};
use lensops_core::plan::acceptance::{Scenario, Step, omit};
use lensops_core::plan::request_template::FIRST_COUNT;
use lensops_core::plan::{Expect, Vars, signature};
use lensops_core::redaction::{Redactor, Transcript, scalars};
use lensops_core::request::Credential;
use lensops_core::request::fill::{PrepareError, expand_json, expand_text};
use lensops_core::request::prepare::{prepare, set};
use lensops_core::secret::Secret;
use lensops_core::verdict::acceptance::Case;
use lensops_core::verdict::judge::{judge, matches};
use lensops_core::verdict::outcome::{Outcome, Severity};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::captures::Progress;
use super::run::Acceptance;
use crate::auth::{Sending, Signed, Unsigned};

/// How a step ended.
pub(super) enum Ended {
    Passed(String),
    Failed(String),
    Unjudged(String),
}

impl Acceptance {
    /// Sends `step`, again and again where it waits for something, and judges its answer; the last one counts. Of
    /// those before only the first is kept. An unexpected 5xx ends the wait: it is a failure, whatever follows.
    #[expect(clippy::too_many_arguments, reason = "a step needs all of its case")]
    pub(super) async fn run_step<S: Sender>(
        &self,
        sender: &S,
        step: &Step,
        tells_used_up: bool,
        scenario: &Scenario,
        progress: &mut Progress,
        stop: &CancellationToken,
        case: &mut Case,
    ) -> Ended {
        let (began, kept) = (Instant::now(), case.transcripts.len() + 1);
        loop {
            (progress.status, progress.made) = (None, None);
            let ended = self
                .run_once(sender, step, tells_used_up, scenario, progress, stop, case)
                .await;
            let (Some(until), Ended::Failed(_)) = (step.until, &ended) else {
                return ended;
            };
            let wait = until.every.get().unsigned_abs();
            let is_late = began.elapsed() + wait > until.patience.get().unsigned_abs();
            if is_late || progress.status.is_some_and(|status| status >= 500) {
                return ended;
            }
            case.transcripts.truncate(kept);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Unjudged("the run was interrupted".to_owned()),
                () = sleep(wait) => {}
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a step needs all of its case")]
    async fn run_once<S: Sender>(
        &self,
        sender: &S,
        step: &Step,
        tells_used_up: bool,
        scenario: &Scenario,
        progress: &mut Progress,
        stop: &CancellationToken,
        case: &mut Case,
    ) -> Ended {
        let signed = tokio::select! {
            biased;
            () = stop.cancelled() => return Ended::Unjudged("the run was interrupted".to_owned()),
            signed = self.sign(sender, step) => signed,
        };
        let credential = match signed {
            Ok(signed) => signed.credential,
            // The API's own sign-in is part of the API.
            Err(Unsigned::Failed(failed)) if failed.is_own_host => {
                case.answered |= failed.status.is_some();
                return Ended::Failed(failed.told);
            }
            Err(Unsigned::Failed(failed)) => return Ended::Unjudged(failed.told),
            Err(Unsigned::Unknown(reason)) => return Ended::Unjudged(reason),
        };
        let (request, vars, expect) = match self.prepare(step, credential.as_ref(), progress) {
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
        progress.status = exchange.status();
        let made = exchange
            .result
            .as_ref()
            .ok()
            .filter(|response| (200..300).contains(&response.status));
        progress.made = made.filter(|_| step.undo.is_some()).cloned();
        let mut secrets = exchange.request.secrets.clone();
        if let Ok(response) = &exchange.result {
            let given = progress.cookies.take(&exchange.request, response, step.user.as_ref());
            progress.secrets.extend_from_slice(&given);
            secrets.extend(given);
        }
        let redactor = self.redactor.for_exchange(&secrets);
        case.transcripts.push(Transcript::of(&exchange, &redactor));
        progress.last = Arc::clone(&vars);
        if self.is_used_up(tells_used_up, scenario, &exchange, progress) {
            progress.used_up.push(entity.clone());
            return Ended::Unjudged(used_up(&entity));
        }
        self.judge(step, &expect, &exchange, vars, progress, &redactor)
    }

    /// Who sends the request of `step`. A credential that the API refuses is not replaced: that is what a test is
    /// to find.
    async fn sign<S: Sender>(&self, sender: &S, step: &Step) -> Result<Signed, Unsigned> {
        let sending = Sending {
            user: step.user.as_ref().and_then(|name| self.loaded.plan.users.get(name)),
            base: &self.base,
            hosts: &self.loaded.plan.hosts,
            vars: &self.vars,
            tenant: self.loaded.plan.tenants.values(self.loaded.plan.tenants[0]),
            now: Timestamp::now(),
        };
        self.signing.sign(sender, &sending).await
    }

    fn prepare(
        &self,
        step: &Step,
        credential: Option<&Credential>,
        progress: &mut Progress,
    ) -> Result<(PreparedRequest, Arc<Vars>, Expect), String> {
        let plan = &self.loaded.plan;
        // Copied only by a step that has variables of its own.
        let mut vars = Arc::clone(&progress.vars);
        if self.differs {
            self.set_per_step(Arc::make_mut(&mut vars), progress);
        }
        let before = Arc::clone(&vars);
        for (name, value) in &step.with {
            // A variable may be set to `null`: then the case that needs it is unjudged.
            let filled = expand_json(value, &before).map_err(|error| self.unprepared(&error))?;
            Arc::make_mut(&mut vars).insert(name.clone(), filled);
        }
        let user = step.user.as_ref().and_then(|name| plan.users.get(name));
        let now = Timestamp::now();
        let mut secrets = progress.secrets.clone();
        if let (Some(role), Some(user)) = (&step.sign_as, user) {
            let (value, hash) = signature(user, role, now, progress.rng.u64(..));
            set(Arc::make_mut(&mut vars), "signature", value);
            secrets.push(hash);
        }
        let mut spec = plan.requests[&step.send].clone();
        if let Some(body) = spec.json_mut() {
            step.omit.iter().for_each(|place| omit(body, place));
        }
        let base = spec
            .base(&self.base, &plan.hosts, &vars)
            .map_err(|error| self.unprepared(&error))?;
        let mut request = prepare(&base, &spec, credential, &vars).map_err(|error| self.unprepared(&error))?;
        request.secrets.extend(secrets);
        let is_own = spec.headers.keys().any(|name| name.eq_ignore_ascii_case("cookie"));
        let request = if is_own {
            request
        } else {
            progress.cookies.add_to(request, step.user.as_ref())
        };
        let expect = step.expect.filled(&vars).map_err(|error| self.unprepared(&error))?;
        Ok((request, vars, expect))
    }

    /// Sets what differs from step to step, where the plan has no variable of that name.
    fn set_per_step(&self, vars: &mut Vars, progress: &mut Progress) {
        let id = uuid::Builder::from_random_bytes(progress.rng.u128(..).to_be_bytes()).into_uuid();
        let count = FIRST_COUNT + self.count.fetch_add(1, Ordering::Relaxed);
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        for (name, value) in [("counter", json!(count)), ("random_id", json!(id)), ("now", json!(now))] {
            if !vars.contains_key(name) {
                set(vars, name, value);
            }
        }
    }

    /// Why a request could not be made, with the way out.
    pub(super) fn unprepared(&self, error: &PrepareError) -> String {
        let PrepareError::NotKnown(name) = error else {
            return error.to_string();
        };
        let plan = &self.loaded.plan;
        let of_plan = plan.env.get(name.as_str()).map(|source| &source.from);
        let of_tenant = || plan.tenants.values(plan.tenants[0])?.get(name.as_str())?.variable();
        match of_plan.or_else(of_tenant) {
            Some(variable) => format!("{variable} is not set"),
            None => format!("no test {name}: name one in the lens file and generate again"),
        }
    }

    /// Whether the answer says that an earlier run used the entity up. The plan says so for one
    /// case; once that has come, the same answer means the same in later ones.
    fn is_used_up(&self, tells: bool, scenario: &Scenario, exchange: &Exchange, progress: &Progress) -> bool {
        let means = |expect: &Expect| {
            let filled = expect.filled(&progress.last);
            filled.is_ok_and(|expect| matches(&expect, &self.dialect, exchange))
        };
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
        expect: &Expect,
        exchange: &Exchange,
        mut vars: Arc<Vars>,
        progress: &mut Progress,
        redactor: &Redactor,
    ) -> Ended {
        let failed = |why: &str| Ended::Failed(redactor.text(why).as_str().to_owned());
        let outcomes = judge(expect, Severity::Fail, &self.dialect, exchange);
        if let Some((_, why)) = outcomes.iter().find_map(Outcome::broken) {
            return failed(&why.to_string());
        }
        let Ok(response) = &exchange.result else {
            return failed("no answer");
        };
        for (name, capture) in &step.capture {
            let Some(value) = capture.find(&self.dialect, response) else {
                return failed(&format!("the answer holds no {} to capture", capture.tell()));
            };
            if capture.place().is_secret() {
                progress.secrets.extend(scalars(&value));
            }
            Arc::make_mut(&mut vars).insert(name.clone(), value.clone());
            Arc::make_mut(&mut progress.vars).insert(name.clone(), value);
        }
        progress.last = Arc::clone(&vars);
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

/// A step that stands alone as a scenario.
pub(super) fn scenario_of(step: &Step) -> Scenario {
    Scenario {
        name: step.send.to_string(),
        steps: Vec::new(),
        used_up: None,
        then: Vec::new(),
        skip: None,
    }
}

fn used_up(entity: &Value) -> String {
    format!(
        "test entity {} was used up by an earlier run: name a fresh one in the lens file",
        entity.as_str().unwrap_or("(none)")
    )
}
