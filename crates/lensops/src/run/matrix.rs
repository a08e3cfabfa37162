//! `lensops matrix`: action × role × tenant, held against the API's own registry.
//!
//! A cell that must be denied leaves out every field but the tenant, so that a hole in the API
//! changes nothing; a cell that would be let in to change something runs only against a target
//! that is marked for it.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use lensops_core::evidence::{Redacted, Redactor, Transcript};
use lensops_core::exchange::{Base, PreparedRequest, Sender};
use lensops_core::ident::{Ident, LensId};
use lensops_core::lens::{Lens, User};
use lensops_core::plan::acceptance::{AcceptancePlan, Matrix, omit};
use lensops_core::plan::prepare::{prepare, set, signature, vars_of};
use lensops_core::plan::{Dialect, Request};
use lensops_core::registry::{Action, Expected, Judged, Registry, Variant};
use lensops_core::token::{Token, mint};
use lensops_core::verdict::acceptance::{Case, CaseResult, Phase, judge_cells};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Exit;
use super::accept::{DEFAULT_DIALECT, Output};
use super::plans::Loaded;
use super::report::{Report, finish, html_escaped};
use crate::config::{Destructive, Settings, Target};

/// What stands in a cell of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    LetIn,
    Denied,
    Differs,
    Unjudged,
    NotRun,
}

impl Mark {
    fn symbol(self) -> &'static str {
        match self {
            Self::LetIn => "✓",
            Self::Denied => "·",
            Self::Differs => "✗",
            Self::Unjudged => "?",
            Self::NotRun => "-",
        }
    }
}

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

/// One row of the table: the action and its marks, roles first, then outsiders.
struct Row {
    action: String,
    marks: Vec<Mark>,
}

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
    async fn ask<S: Sender>(&self, sender: &S, seed: u64) -> (Vec<Case>, Vec<Row>) {
        let columns = self.roles.len() + self.outsiders.len();
        let asked = (0..self.actions.len() * columns).map(|index| {
            let mut rng = fastrand::Rng::with_seed(seed.wrapping_add(index as u64));
            let (action, column) = (&self.actions[index / columns], index % columns);
            async move {
                if let Some(role) = self.roles.get(column) {
                    let user = self.loaded.plan.users.values().find(|user| user.role == *role);
                    let name = format!("{} × {role}", action.action_id);
                    return self.cell(sender, index + 1, name, action, user, &mut rng).await;
                }
                let (name, user) = &self.outsiders[column - self.roles.len()];
                let name = format!("{} × {name} of another tenant", action.action_id);
                self.send(sender, index + 1, name, action, user, Expected::Outside, &mut rng)
                    .await
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

    async fn cell<S: Sender>(
        &self,
        sender: &S,
        number: usize,
        name: String,
        action: &Action,
        user: Option<&User>,
        rng: &mut fastrand::Rng,
    ) -> (Case, Mark) {
        let Some(user) = user else {
            let reason = self.redactor.text("no user of this role");
            return (
                case(number, name, CaseResult::Unjudged { reason }, None),
                Mark::Unjudged,
            );
        };
        let signs_as = (action.variant == Variant::Signed).then(|| user.signing_role());
        let expected = action
            .refusal(&user.role, signs_as)
            .map_or(Expected::LetIn, Expected::Denied);
        if expected == Expected::LetIn && action.variant != Variant::Read && !self.destructive {
            let reason = self
                .redactor
                .text("would be let in: runs only against a target marked `destructive: allowed` in lensops.yml");
            return (case(number, name, CaseResult::Skipped { reason }, None), Mark::NotRun);
        }
        self.send(sender, number, name, action, user, expected, rng).await
    }

    #[expect(clippy::too_many_arguments, reason = "a cell is what these seven say")]
    async fn send<S: Sender>(
        &self,
        sender: &S,
        number: usize,
        name: String,
        action: &Action,
        user: &User,
        expected: Expected,
        rng: &mut fastrand::Rng,
    ) -> (Case, Mark) {
        let request = match self.prepare(action, user, expected, rng) {
            Ok(request) => request,
            Err(error) => {
                let reason = self.redactor.text(&format!("{error:#}"));
                return (
                    case(number, name, CaseResult::Unjudged { reason }, None),
                    Mark::Unjudged,
                );
            }
        };
        let exchange = sender.send(Arc::new(request)).await;
        let transcript = Transcript::of(&exchange, &self.redactor);
        let (result, mark) = match &exchange.result {
            Err(failure) => (
                CaseResult::Failed {
                    why: self.redactor.text(&failure.detail),
                },
                Mark::Differs,
            ),
            Ok(response) => {
                let code = response.json().and_then(|body| self.dialect.code(&body));
                let told = code.as_ref().map_or_else(
                    || response.status.to_string(),
                    |code| format!("{} {code}", response.status),
                );
                match expected.judge(response.status, code.as_deref()) {
                    Judged::AsExpected => {
                        let mark = if expected == Expected::LetIn {
                            Mark::LetIn
                        } else {
                            Mark::Denied
                        };
                        (
                            CaseResult::Passed {
                                told: self.redactor.text(&told),
                            },
                            mark,
                        )
                    }
                    Judged::Differs(why) => (
                        CaseResult::Failed {
                            why: self.redactor.text(&why),
                        },
                        Mark::Differs,
                    ),
                    Judged::Unjudged(reason) => (
                        CaseResult::Unjudged {
                            reason: self.redactor.text(&reason),
                        },
                        Mark::Unjudged,
                    ),
                }
            }
        };
        let mut case = case(number, name, result, Some(transcript));
        case.answered = exchange.result.is_ok();
        (case, mark)
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

    fn table(&self, rows: &[Row]) -> String {
        let width = rows.iter().map(|row| row.action.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (column, name) in self.columns().iter().enumerate() {
            text.push_str(&format!("{:width$}  {}{name}\n", "", "│ ".repeat(column)));
        }
        for row in rows {
            let marks: Vec<&str> = row.marks.iter().map(|mark| mark.symbol()).collect();
            text.push_str(&format!("{:width$}  {}\n", row.action, marks.join(" ")));
        }
        text.push_str("✓ let in   · denied   ✗ differs from the registry   ? unjudged   - not run\n");
        text
    }

    fn columns(&self) -> Vec<String> {
        let outsiders = self.outsiders.iter().map(|(name, _)| format!("{name} (other tenant)"));
        self.roles.iter().map(ToString::to_string).chain(outsiders).collect()
    }

    /// The table as a page of its own, nothing fetched from elsewhere.
    fn html(&self, report: &Report, rows: &[Row]) -> Redacted {
        let mut text = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>\n\
             body {{ font: 15px system-ui, sans-serif; margin: 2rem; color-scheme: light dark }}\n\
             table {{ border-collapse: collapse }}\nth, td {{ border: 1px solid #8888; padding: .25rem .5rem; text-align: center }}\n\
             tbody th {{ text-align: left; font-weight: normal; font-family: monospace }}\n\
             thead th {{ writing-mode: vertical-rl; transform: rotate(180deg); text-align: left }}\n\
             .differs {{ background: #c62828; color: #fff; font-weight: bold }}\n.unjudged {{ background: #f9a82566 }}\n.letin {{ background: #2e7d3233 }}\n\
             </style>\n<h1>{title}</h1>\n<p>{verdict}: {reason}</p>\n<table>\n<thead><tr><th>action</th>",
            title = html_escaped(&report.title),
            verdict = report.verdict.tell(),
            reason = html_escaped(&report.reason),
        );
        text.extend(
            self.columns()
                .iter()
                .map(|name| format!("<th scope=\"col\">{}</th>", html_escaped(name))),
        );
        text.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            text.push_str(&format!("<tr><th scope=\"row\">{}</th>", html_escaped(&row.action)));
            text.extend(row.marks.iter().map(|mark| {
                let (class, words) = match mark {
                    Mark::LetIn => ("letin", "let in"),
                    Mark::Denied => ("denied", "denied"),
                    Mark::Differs => ("differs", "differs from the registry"),
                    Mark::Unjudged => ("unjudged", "unjudged"),
                    Mark::NotRun => ("notrun", "not run"),
                };
                format!("<td class=\"{class}\" title=\"{words}\">{}</td>", mark.symbol())
            }));
            text.push_str("</tr>\n");
        }
        text.push_str(
            "</tbody>\n</table>\n<p>✓ let in · denied ✗ differs from the registry ? unjudged - not run</p>\n</html>\n",
        );
        self.redactor.text(&text)
    }
}

fn case(number: usize, name: String, result: CaseResult, transcript: Option<Transcript>) -> Case {
    let transcripts = transcript.into_iter().collect();
    Case {
        phase: Phase::Test,
        number,
        name,
        signed_flow: false,
        result,
        proofs: Vec::new(),
        proofs_skipped: Vec::new(),
        transcripts,
        answered: false,
    }
}

/// The API did not say what it needs to be asked further: nothing could be judged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(String);

/// The registry as the API itself tells it: what each role of the plan's users is listed.
///
/// # Errors
/// When the plan names no list, the signing secret is missing, or a role gets no list.
pub async fn fetch_registry<S: Sender>(settings: &Settings, plan: &AcceptancePlan, sender: &S) -> Result<Registry> {
    const WAY_OUT: &str = "give --registry FILE, or `registry:` in lensops.yml";
    let list = plan.matrix.as_ref().and_then(|matrix| matrix.list.as_ref());
    let Some(spec) = list.and_then(|name| plan.requests.get(name)) else {
        bail!("no action registry: {WAY_OUT}")
    };
    let base = settings.api(Target::Staging)?;
    let Some(secret) = settings.jwt_secret(Target::Staging) else {
        bail!(
            "{} is not set: the matrix sends requests as users, whose tokens it signs",
            Settings::jwt_secret_names(Target::Staging)
        );
    };
    let vars = vars_of(&plan.vars, plan.tenants[0]);
    let mut lists: Vec<(Ident, Value)> = Vec::new();
    for user in plan.users.values() {
        if lists.iter().any(|(role, _)| *role == user.role) {
            continue;
        }
        let token = mint(&secret, &settings.issuer(&base), user.id, Timestamp::now())?;
        let exchange = sender.send(Arc::new(prepare(&base, spec, Some(&token), &vars)?)).await;
        let answer = match &exchange.result {
            Ok(response) if response.status == 200 => response.json(),
            Ok(response) => {
                let way_out = match response.status {
                    401 => format!(
                        "it takes no token signed with {}: another environment's?",
                        Settings::jwt_secret_names(Target::Staging)
                    ),
                    403 => format!("user {} is nobody there: mend its id", user.id),
                    _ => WAY_OUT.to_owned(),
                };
                let told = format!(
                    "the list of actions for {} was answered with {}: {way_out}",
                    user.role, response.status
                );
                return Err(Unanswered(told).into());
            }
            Err(failure) => {
                let told = format!(
                    "the list of actions for {} was not answered: {}",
                    user.role, failure.detail
                );
                return Err(Unanswered(told).into());
            }
        };
        let Some(answer) = answer else {
            let told = format!("the list of actions for {} is not JSON: {WAY_OUT}", user.role);
            return Err(Unanswered(told).into());
        };
        lists.push((user.role.clone(), answer));
    }
    Registry::from_lists(&lists).map_err(anyhow::Error::msg)
}

/// Asks, prints and writes.
///
/// # Errors
/// When the evidence cannot be written.
pub async fn matrix<S: Sender>(settings: &Settings, sender: &S, run: &RoleMatrix, output: &Output) -> Result<Exit> {
    if let Some(warning) = run.loaded.warning() {
        eprintln!("⚠️ {warning}");
    }
    super::evidence::ready(settings)?;
    for line in &run.left_out {
        eprintln!("⚠️ {line}");
    }
    let (cases, rows) = run.ask(sender, fastrand::u64(..)).await;
    let (verdict, reason) = judge_cells(&cases);
    if !output.json {
        say!("{}", (run.table(&rows)).to_string().trim_end());
        for case in cases
            .iter()
            .filter(|case| matches!(case.result, CaseResult::Failed { .. }))
        {
            say!("{}", case.line());
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
    report.pages.push(("html", run.html(&report, &rows)));
    finish(settings, &run.redactor, &report, output, fastrand::u32(..))
}
