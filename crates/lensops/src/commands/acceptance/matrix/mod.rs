//! `lensops matrix`: action × role × tenant, held against the API's own registry.
//!
//! A cell that must be denied leaves out every field but the tenant, so that a hole in the API
//! changes nothing; a cell that would be let in to change something runs only against a target
//! that is marked for it.

mod fetch;
mod run;
mod table;

pub use run::{Asked, run};

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use lensops_core::crypto::token::{Token, mint};
use lensops_core::exchange::{Base, Exchange, PreparedRequest, Sender};
use lensops_core::ident::{Ident, LensId};
use lensops_core::lens::{Lens, User};
use lensops_core::plan::acceptance::{AcceptancePlan, Matrix, omit};
use lensops_core::plan::prepare::{prepare, set, signature, vars_of};
use lensops_core::plan::{Dialect, Request};
use lensops_core::redaction::{Redactor, Transcript};
use lensops_core::verdict::Verdict;
use lensops_core::verdict::acceptance::{Case, CaseResult, Phase, judge_cells};
use lensops_core::verdict::registry::{Action, Expected, Judged, Registry, Variant};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commands::acceptance::report::{Report, finish};
use crate::commands::acceptance::{DEFAULT_DIALECT, Output};
use crate::commands::exit::Exit;
use crate::commands::plans::Loaded;
use crate::config::{Destructive, Settings, Target};
pub use fetch::fetch_registry;
use table::{Mark, Row, Table};

/// A role matrix, ready to be asked.
pub struct RoleMatrix {
    loaded: Loaded<AcceptancePlan>,
    matrix: Matrix,
    request: Request,
    lens: LensId,
    actions: Vec<Action>,
    roles: Vec<Ident>,
    outsiders: Vec<(Ident, User)>,
    /// What is not asked for want of somebody to ask as.
    left_out: Vec<String>,
    /// Payload fields whose values are known: entity keys of the lens files.
    known: Map<String, Value>,
    destructive: bool,
    dialect_name: String,
    dialect: Dialect,
    base: Base,
    /// One for each user that is asked, by the user's id: a run is shorter than a token's life.
    tokens: HashMap<Uuid, Token>,
    redactor: Redactor,
}

/// Cells that are asked at once.
const AT_ONCE: usize = 16;

/// What the table cannot show, and what would change that.
fn left_out(plan: &AcceptancePlan, lenses: &[Lens], asked: &[Ident], settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let lens = lenses.iter().find(|lens| lens.lens == plan.acceptance);
    let roles = lens.into_iter().flat_map(|lens| &lens.roles);
    let silent: Vec<&str> = roles.filter(|role| !asked.contains(role)).map(Ident::as_str).collect();
    if !silent.is_empty() {
        lines.push(format!(
            "not asked, for they have no user: {}; name one each in `users:` of the lens or of lensops.yml",
            silent.join(", ")
        ));
    }
    if settings.project.outsiders.is_empty() {
        lines.push(
            "not asked: what users of another tenant see; name them in `outsiders: {NAME: {id: UUID, role: ROLE}}` of lensops.yml"
                .to_owned(),
        );
    }
    lines
}

impl RoleMatrix {
    /// Puts a matrix together: the actions of the plan's lens, or all of the registry's.
    ///
    /// Its tokens are minted at `now`, real time.
    ///
    /// # Errors
    /// A missing address, secret or `matrix` section, an unknown dialect, or nothing to ask.
    pub fn new(
        settings: &Settings,
        loaded: Loaded<AcceptancePlan>,
        registry: Registry,
        all: bool,
        lenses: &[Lens],
        dialect: Option<&str>,
        now: Timestamp,
    ) -> Result<Self> {
        let base = settings.api(Target::Staging)?;
        let dialect_name = dialect
            .or(settings.project.dialect.as_deref())
            .unwrap_or(DEFAULT_DIALECT)
            .to_owned();
        let dialect = loaded.plan.dialect(&dialect_name)?.clone();
        let Some(jwt_secret) = settings.jwt_secret(Target::Staging) else {
            bail!(
                "{} is not set: the matrix sends requests as users, whose tokens it signs",
                Settings::jwt_secret_names(Target::Staging)
            );
        };
        let matrix = loaded
            .plan
            .matrix
            .clone()
            .with_context(|| format!("{} has no `matrix` section: generate it again", loaded.path.display()))?;
        let domain = lenses
            .iter()
            .find(|lens| lens.lens == loaded.plan.acceptance)
            .map(|lens| lens.domain.clone());
        let domain = domain.map_or_else(|| loaded.plan.acceptance.as_str().parse(), Ok)?;
        let actions: Vec<Action> = registry
            .actions
            .into_iter()
            .filter(|action| all || action.domain == domain)
            .collect();
        if actions.is_empty() {
            bail!("the registry has no action of domain {domain}: nothing to ask");
        }
        let keyed = lenses.iter().filter_map(|lens| {
            let key = lens
                .signed_action
                .as_ref()
                .map(|a| &a.entity_id_key)
                .or_else(|| lens.read_action.as_ref().map(|a| &a.entity_id_key))?;
            let entity = lens.read_action.as_ref().and_then(|a| a.entity)?;
            Some((key.to_string(), json!(entity)))
        });
        let left_out = left_out(&loaded.plan, lenses, &registry.roles, settings);
        let outsiders: Vec<(Ident, User)> = settings.project.outsiders.clone().into_iter().collect();
        let users = loaded.plan.users.values().chain(outsiders.iter().map(|(_, user)| user));
        let issuer = settings.issuer(&base);
        let tokens = users
            .map(|user| Ok((user.id, mint(&jwt_secret, &issuer, user.id, now)?)))
            .collect::<Result<HashMap<Uuid, Token>>>()?;
        Ok(Self {
            left_out,
            request: loaded.plan.requests[&matrix.send].clone(),
            lens: if all {
                "all".parse()?
            } else {
                loaded.plan.acceptance.clone()
            },
            known: keyed.collect(),
            roles: if registry.roles.is_empty() {
                bail!("the registry names no `roles`")
            } else {
                registry.roles
            },
            outsiders,
            destructive: settings.project.destructive == Some(Destructive::Allowed),
            redactor: settings.redactor().with(tokens.values().map(|token| &token.compact)),
            tokens,
            loaded,
            matrix,
            actions,
            dialect_name,
            dialect,
            base,
        })
    }

    /// Asks every cell, some at once; results stand in the order of the table.
    /// Once `stop` is cancelled nothing new is sent, and what is under way is let go.
    async fn ask<S: Sender>(&self, sender: &S, seed: u64, stop: &CancellationToken) -> (Vec<Case>, Vec<Row>) {
        let columns = self.roles.len() + self.outsiders.len();
        let asked = (0..self.actions.len() * columns).map(|index| {
            let mut rng = fastrand::Rng::with_seed(seed.wrapping_add(index as u64));
            let (action, column) = (&self.actions[index / columns], index % columns);
            async move {
                let name = match self.roles.get(column) {
                    Some(role) => format!("{} × {role}", action.action_id),
                    None => {
                        let (name, _) = &self.outsiders[column - self.roles.len()];
                        format!("{} × {name} of another tenant", action.action_id)
                    }
                };
                let asked = async {
                    match self.roles.get(column) {
                        Some(role) => {
                            let user = self.loaded.plan.users.values().find(|user| user.role == *role);
                            self.cell(sender, action, user, &mut rng).await
                        }
                        None => {
                            let (_, user) = &self.outsiders[column - self.roles.len()];
                            self.send(sender, action, user, Expected::Outside, &mut rng).await
                        }
                    }
                };
                let cell = tokio::select! {
                    biased;
                    () = stop.cancelled() => self.unjudged("the run was interrupted"),
                    cell = asked => cell,
                };
                (case(index + 1, name, cell.result, cell.transcript), cell.mark)
            }
        });
        let (cases, marks): (Vec<Case>, Vec<Mark>) = futures_util::stream::iter(asked).buffered(AT_ONCE).unzip().await;
        let rows = self.actions.iter().zip(marks.chunks(columns));
        let rows = rows.map(|(action, marks)| Row {
            action: action.action_id.to_string(),
            marks: marks.to_vec(),
        });
        (cases, rows.collect())
    }

    async fn cell<S: Sender>(&self, sender: &S, action: &Action, user: Option<&User>, rng: &mut fastrand::Rng) -> Cell {
        let Some(user) = user else {
            return self.unjudged("no user of this role");
        };
        let signs_as = (action.variant == Variant::Signed).then(|| user.signing_role());
        let expected = action
            .refusal(&user.role, signs_as)
            .map_or(Expected::LetIn, Expected::Denied);
        if expected == Expected::LetIn && action.variant != Variant::Read && !self.destructive {
            let reason = self
                .redactor
                .text("would be let in: runs only against a target marked `destructive: allowed` in lensops.yml");
            return Cell {
                result: CaseResult::Skipped { reason },
                mark: Mark::NotRun,
                transcript: None,
            };
        }
        self.send(sender, action, user, expected, rng).await
    }

    fn unjudged(&self, reason: &str) -> Cell {
        Cell {
            result: CaseResult::Unjudged {
                reason: self.redactor.text(reason),
            },
            mark: Mark::Unjudged,
            transcript: None,
        }
    }

    async fn send<S: Sender>(
        &self,
        sender: &S,
        action: &Action,
        user: &User,
        expected: Expected,
        rng: &mut fastrand::Rng,
    ) -> Cell {
        let request = match self.prepare(action, user, expected, rng) {
            Ok(request) => request,
            Err(error) => return self.unjudged(&format!("{error:#}")),
        };
        let exchange = sender.send(Arc::new(request)).await;
        let redactor = self.redactor.for_exchange(&exchange.request.secrets);
        let (result, mark) = self.judge(&exchange, expected, &redactor);
        Cell {
            result,
            mark,
            transcript: Some((Transcript::of(&exchange, &redactor), exchange.result.is_ok())),
        }
    }

    fn judge(&self, exchange: &Exchange, expected: Expected, redactor: &Redactor) -> (CaseResult, Mark) {
        let clean = |text: &str| redactor.text(text);
        let response = match &exchange.result {
            Ok(response) => response,
            Err(failure) => {
                let why = clean(&failure.detail);
                return (CaseResult::Failed { why }, Mark::Differs);
            }
        };
        let code = response.json().and_then(|body| self.dialect.code(&body));
        match expected.judge(response.status, code.as_deref()) {
            Judged::AsExpected => {
                let told = match &code {
                    Some(code) => clean(&format!("{} {code}", response.status)),
                    None => clean(&response.status.to_string()),
                };
                let mark = if expected == Expected::LetIn {
                    Mark::LetIn
                } else {
                    Mark::Denied
                };
                (CaseResult::Passed { told }, mark)
            }
            Judged::Differs(why) => (CaseResult::Failed { why: clean(&why) }, Mark::Differs),
            Judged::Unjudged(reason) => (CaseResult::Unjudged { reason: clean(&reason) }, Mark::Unjudged),
        }
    }

    fn prepare(
        &self,
        action: &Action,
        user: &User,
        expected: Expected,
        rng: &mut fastrand::Rng,
    ) -> Result<PreparedRequest> {
        let mut vars = vars_of(&self.loaded.plan.vars, self.loaded.plan.tenants[0]);
        set(&mut vars, "action", json!(action.action_id));
        let mut secrets = Vec::new();
        let mut signed = Value::Null;
        if action.variant == Variant::Signed {
            let (value, hash) = signature(user, user.signing_role(), Timestamp::now(), rng.u64(..));
            secrets.push(hash);
            signed = value;
        }
        set(&mut vars, "signature", signed);
        let mut spec = self.request.clone();
        if let Some(body) = spec.json_mut() {
            if action.variant != Variant::Signed {
                omit(body, &self.matrix.signature);
            }
            if expected == Expected::LetIn {
                self.fill(action, body);
            }
        }
        let mut request = prepare(&self.base, &spec, self.tokens.get(&user.id), &vars)?;
        request.secrets.extend(secrets);
        Ok(request)
    }

    /// Adds the fields that the action needs and whose values are known.
    fn fill(&self, action: &Action, body: &mut Value) {
        let pointer = format!("/{}", self.matrix.payload.replace('.', "/"));
        let Some(payload) = body.pointer_mut(&pointer).and_then(Value::as_object_mut) else {
            return;
        };
        for field in &action.required_fields {
            if let (Some(value), false) = (self.known.get(field.as_str()), payload.contains_key(field.as_str())) {
                payload.insert(field.to_string(), value.clone());
            }
        }
    }

    fn columns(&self) -> Vec<String> {
        let outsiders = self.outsiders.iter().map(|(name, _)| format!("{name} (other tenant)"));
        self.roles.iter().map(ToString::to_string).chain(outsiders).collect()
    }
}

/// What a cell came to.
struct Cell {
    result: CaseResult,
    mark: Mark,
    /// The exchange, and whether it was answered; `None` where nothing was sent.
    transcript: Option<(Transcript, bool)>,
}

fn case(number: usize, name: String, result: CaseResult, sent: Option<(Transcript, bool)>) -> Case {
    let (transcripts, answered) = match sent {
        Some((transcript, answered)) => (vec![transcript], answered),
        None => (Vec::new(), false),
    };
    Case {
        phase: Phase::Test,
        number,
        name,
        signed_flow: false,
        result,
        proofs: Vec::new(),
        proofs_skipped: Vec::new(),
        transcripts,
        answered,
    }
}

/// Asks, prints and writes. Ctrl-C and SIGTERM end the run in order: cells that were not answered are
/// unjudged, and the evidence is written.
///
/// # Errors
/// When the evidence cannot be written.
pub async fn matrix<S: Sender>(settings: &Settings, sender: &S, run: &RoleMatrix, output: &Output) -> Result<Exit> {
    if let Some(warning) = run.loaded.warning() {
        eprintln!("⚠️ {warning}");
    }
    crate::commands::evidence::bundle::ready(settings)?;
    for line in &run.left_out {
        eprintln!("⚠️ {line}");
    }
    let stop = crate::commands::signal::stop_on_signal();
    let (cases, rows) = run.ask(sender, fastrand::u64(..), &stop).await;
    let table = Table {
        columns: run.columns(),
        rows,
    };
    let (mut verdict, mut reason) = judge_cells(&cases);
    if stop.is_cancelled() && verdict == Verdict::Pass {
        // Half a table proves nothing.
        (verdict, reason) = (Verdict::CouldNotJudge, format!("interrupted ({reason})"));
    }
    if !output.json {
        say!("{}", table.text().trim_end());
        for case in cases
            .iter()
            .filter(|case| matches!(case.result, CaseResult::Failed { .. }))
        {
            say!("{}", run.redactor.text(&case.line()));
        }
    }
    let mut report = Report {
        kind: "matrix",
        title: format!("Role matrix: {}", run.lens.title()),
        lens: run.lens.clone(),
        // Nobody says which tenant an outsider is of.
        tenants: run.outsiders.is_empty().then(|| run.loaded.plan.tenants.clone()),
        facts: [
            ("api", run.base.to_string()),
            ("dialect", run.dialect_name.clone()),
            ("tenant", run.loaded.plan.tenants[0].to_string()),
            ("actions", run.actions.len().to_string()),
            ("roles", run.roles.len().to_string()),
            (
                "destructive",
                if run.destructive { "allowed" } else { "forbidden" }.to_owned(),
            ),
        ]
        .into_iter()
        .chain((!run.left_out.is_empty()).then(|| ("left_out", run.left_out.join(" · "))))
        .collect(),
        plan_origin: run.loaded.origin,
        plan_text: run.loaded.text.clone(),
        finished_at: Timestamp::now(),
        verdict,
        reason,
        cases,
        pages: Vec::new(),
    };
    let page = run.redactor.text(&table.html(&report));
    report.pages.push(("html", page));
    finish(settings, &run.redactor, &report, output, fastrand::u32(..))
}
