//! `lensops phase`: where a lens is on its way into production, and whether it may go on. A promotion is recorded and
//! says what to do next; it switches nothing.

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::gate::Decision;
use lensops_core::history::phase::{Asked, Met, Move, Need, Phases, State, Step, ask};
use lensops_core::ident::{Ident, LensId};
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::verdict::{RunKind, Verdict};
use serde_json::{Value, json};
use uuid::Uuid;

use super::gate::gate;
use crate::commands::context::{known_tenants, monitor_plan, monitor_plans, open_history, open_journal};
use crate::commands::error::{Error, Result};
use crate::commands::evidence::package::Runs;
use crate::commands::evidence::runs::FOLDER;
use crate::commands::evidence::trust::Trust;
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::config::Settings;
use crate::http::Client;
use crate::store::{Journal, Store};

/// What somebody decides.
#[derive(Debug, Clone)]
pub struct Deciding {
    /// The lens.
    pub lens: String,
    /// Who.
    pub who: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub now: Timestamp,
    /// Whether the answer is JSON.
    pub json: bool,
}

impl Deciding {
    /// What people write stands on record and is printed line by line: one line each, and not without end.
    fn check(&self) -> Result<()> {
        for (what, text) in [("--by", Some(self.who.as_str())), ("--reason", self.reason.as_deref())] {
            let Some(text) = text else { continue };
            if text.trim().is_empty() {
                return Err(Error::usage(format!(
                    "{what} is empty: say it, for whoever reads the record"
                )));
            }
            if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
                return Err(Error::usage(format!(
                    "{what} is one line of at most {LONGEST} characters"
                )));
            }
        }
        Ok(())
    }
}

/// The longest reason, in characters.
const LONGEST: usize = 500;

/// Promotes a lens where the needs of its phase hold, or where somebody overrides them and says why.
///
/// # Errors
/// An unknown lens, phases that make no sense, or a journal, store or run that cannot be read.
pub async fn promote(settings: &Settings, deciding: &Deciding, overriding: bool) -> Result<Exit> {
    deciding.check()?;
    let known = Known::of(settings, &deciding.lens).await?;
    let state = known.state()?;
    let needs = known.needs(settings, &state, deciding.now).await?;
    let asked = ask(&state, &needs, known.blocked().await?, overriding);
    let evidence = needs
        .iter()
        .map(|(need, met)| format!("{}: {}", need.as_str(), met.tell()))
        .collect();
    let (exit, reasons) = match asked {
        Asked::Promoted { to, overridden } => {
            let step = known.step(&state, Move::Promote, &to, deciding, overridden, evidence);
            known.take(&step).await?;
            told(&known, &step, deciding.json);
            return Ok(Exit::Good);
        }
        Asked::Refused(reasons) => (Exit::Bad, reasons),
        Asked::CannotJudge(reasons) => (Exit::CouldNotJudge, reasons),
    };
    let (lens, phase) = (known.lens.title(), &state.phase.name);
    if deciding.json {
        let answer = if exit == Exit::Bad {
            "refused"
        } else {
            "could_not_judge"
        };
        say!(
            "{:#}",
            json!({"lens": known.lens, "phase": phase, "answer": answer, "reasons": reasons})
        );
    } else {
        let (mark, word) = if exit == Exit::Bad {
            ("❌", "stays in")
        } else {
            ("❔", "could not be judged, and stays in")
        };
        say!("{mark} {lens} {word} {phase}:");
        for reason in &reasons {
            say!("  {reason}");
        }
    }
    Ok(exit)
}

/// Holds a lens in its phase.
///
/// # Errors
/// As [`promote`]; an empty reason, and a lens that is held already.
pub async fn hold(settings: &Settings, deciding: &Deciding) -> Result<Exit> {
    decide(settings, deciding, Move::Hold).await
}

/// Ends a hold.
///
/// # Errors
/// As [`hold`]; a lens that is not held.
pub async fn release(settings: &Settings, deciding: &Deciding) -> Result<Exit> {
    decide(settings, deciding, Move::Release).await
}

async fn decide(settings: &Settings, deciding: &Deciding, kind: Move) -> Result<Exit> {
    deciding.check()?;
    let known = Known::of(settings, &deciding.lens).await?;
    let state = known.state()?;
    match (kind, state.held) {
        (Move::Hold, Some(hold)) => {
            return Err(Error::usage(format!("{} is held already, by {}", known.lens, hold.who)));
        }
        (Move::Release, None) => return Err(Error::usage(format!("{} is not held", known.lens))),
        _ => {}
    }
    let phase = state.phase.name.clone();
    let step = known.step(&state, kind, &phase, deciding, Vec::new(), Vec::new());
    known.take(&step).await?;
    told(&known, &step, deciding.json);
    Ok(Exit::Good)
}

/// Prints the phase of `lens`, or of all lenses, and what each still needs.
///
/// # Errors
/// As [`promote`].
pub async fn status(settings: &Settings, lens: Option<&str>, now: Timestamp, as_json: bool) -> Result<Exit> {
    let lenses: Vec<String> = match lens {
        Some(lens) => vec![lens.to_owned()],
        None => monitor_plans(settings)?
            .iter()
            .map(|plan| plan.monitor.to_string())
            .collect(),
    };
    let (mut rows, mut exit) = (Vec::new(), Exit::Good);
    for lens in lenses {
        let known = Known::of(settings, &lens).await?;
        let state = match known.state() {
            Ok(state) => state,
            // The other lenses are shown all the same.
            Err(error) => {
                complain!("❌ {}", error.line());
                exit = Exit::Usage;
                continue;
            }
        };
        let needs = known.needs(settings, &state, now).await?;
        let blocked = known.blocked().await?;
        if as_json {
            rows.push(row(&known, &state, &needs, blocked.as_deref()));
            continue;
        }
        let since = state.since.map_or_else(String::new, |at| format!(" since {at:.0}"));
        let of = known.phases.all().len();
        say!(
            "{}: {}, phase {} of {of}{since}",
            known.lens.title(),
            state.phase.name,
            state.number
        );
        if let Some(blocked) = blocked {
            say!("  ❌ {blocked}");
        }
        if let Some(hold) = state.held {
            say!(
                "  ❌ held by {}: {}",
                hold.who,
                hold.reason.as_deref().unwrap_or_default()
            );
        }
        match state.next {
            None => say!("  the last phase; its needs are watched, and lead nowhere"),
            Some(next) => say!("  before {}:", next.name),
        }
        for (need, met) in &needs {
            say!("  {} {}: {}", met.mark(), need.as_str(), met.tell());
        }
        for step in known.steps.iter().filter(|step| !step.overridden.is_empty()) {
            let reason = step.reason.as_deref().unwrap_or_default();
            say!(
                "  ⚠️ {} → {} was overridden by {}: {reason}",
                step.from,
                step.to,
                step.who
            );
        }
    }
    if as_json {
        say!("{:#}", Value::Array(rows));
    }
    Ok(exit)
}

fn row(known: &Known, state: &State<'_>, needs: &[(Need, Met)], blocked: Option<&str>) -> Value {
    let needs = needs.iter().map(|(need, met)| {
        let holds = match met {
            Met::Yes(_) => "yes",
            Met::No(_) => "no",
            Met::CannotJudge(_) => "could_not_judge",
        };
        json!({"need": need, "holds": holds, "told": met.tell()})
    });
    json!({
        "lens": known.lens,
        "phase": state.phase.name,
        "number": state.number,
        "of": known.phases.all().len(),
        "since": state.since,
        "next": state.next.map(|next| &next.name),
        "held": state.held.map(|hold| json!({"by": hold.who, "reason": hold.reason, "at": hold.at})),
        "blocked": blocked,
        "needs": needs.collect::<Vec<_>>(),
        "steps": known.steps,
    })
}

/// A lens, its phases and what was decided on it.
struct Known {
    lens: LensId,
    plan: MonitorPlan,
    phases: Phases,
    steps: Vec<Step>,
    journal: Journal,
    history: Store<Client>,
}

impl Known {
    async fn of(settings: &Settings, lens: &str) -> Result<Self> {
        let phases = Phases::of(settings.project.phases.as_deref()).map_err(Error::invalid)?;
        let plan = monitor_plan(settings, load(settings, &Which::Lens(lens))?)?.plan;
        let journal = open_journal(settings).await?;
        let history = open_history(settings).await?;
        if history.is_elsewhere() {
            complain!("⚠️ Phases are kept in the journal of this machine, not in the store");
        }
        Ok(Self {
            steps: journal.steps(&plan.monitor).await?,
            lens: plan.monitor.clone(),
            plan,
            phases,
            journal,
            history,
        })
    }

    fn state(&self) -> Result<State<'_>> {
        self.phases.state(&self.lens, &self.steps).map_err(Error::invalid)
    }

    /// Why the lens may not go on, whatever its needs are.
    async fn blocked(&self) -> Result<Option<String>> {
        let rolled_back = self.journal.rolled_back().await?;
        Ok(rolled_back.get(&self.lens).map(|paused| {
            format!(
                "{}; restore it first: lensops restore {} --reason …",
                paused.reason, self.lens
            )
        }))
    }

    async fn needs(&self, settings: &Settings, state: &State<'_>, now: Timestamp) -> Result<Vec<(Need, Met)>> {
        let phase = state.phase;
        let trust = Trust::of(
            settings.project.evidence.as_ref(),
            None,
            &settings.root.join(FOLDER).join("runs"),
        )?;
        let runs = Runs::of(settings, &self.lens, &trust)?;
        let mut needs = Vec::new();
        for need in &phase.needs {
            let met = match need {
                Need::Gate => self.gate(settings, state, now).await?,
                Need::Accept => evidence(&runs, RunKind::Acceptance, state, now),
                Need::Stress => evidence(&runs, RunKind::Stress, state, now),
                Need::Matrix => evidence(&runs, RunKind::Matrix, state, now),
            };
            needs.push((*need, met));
        }
        Ok(needs)
    }

    /// What the gate says over the phase's window.
    async fn gate(&self, settings: &Settings, state: &State<'_>, now: Timestamp) -> Result<Met> {
        let phase = state.phase;
        // What was seen in the phase before says nothing of this one.
        if let Some(since) = state.since
            && now.duration_since(since) < phase.window.get()
        {
            let told = format!("in {} since {since:.0}, and its window is {}", phase.name, phase.window);
            return Ok(Met::CannotJudge(told));
        }
        let plan = known_tenants(settings, vec![self.plan.clone()]).await?.swap_remove(0);
        let gated = gate(&self.history, &plan, phase.window.get(), now, now).await?;
        let report = gated.reports.iter().find(|report| report.decision == gated.decision);
        let reason = report.map_or("no tenant is checked", |report| report.reason.as_str());
        let told = format!("{} over {}: {reason}", gated.decision.word(), phase.window);
        Ok(match gated.decision {
            Decision::Proceed => Met::Yes(told),
            Decision::Investigate | Decision::RollBack => Met::No(told),
            Decision::NotEnoughData => Met::CannotJudge(told),
        })
    }

    fn step(
        &self,
        state: &State<'_>,
        kind: Move,
        to: &Ident,
        deciding: &Deciding,
        overridden: Vec<String>,
        evidence: Vec<String>,
    ) -> Step {
        Step {
            id: Uuid::new_v4(),
            lens: self.lens.clone(),
            seq: state.seq.saturating_add(1),
            kind,
            from: state.phase.name.clone(),
            to: to.clone(),
            at: deciding.now,
            who: deciding.who.clone(),
            reason: deciding.reason.as_deref().map(|reason| reason.trim().to_owned()),
            overridden,
            evidence,
        }
    }

    /// Records `step`, unless somebody else decided on the lens meanwhile.
    async fn take(&self, step: &Step) -> Result<()> {
        if self.journal.put_step(step.clone()).await? {
            return Ok(());
        }
        Err(Error::Unanswered(format!(
            "somebody else decided on {} meanwhile, and nothing was recorded: look again with lensops phase status {}",
            self.lens, self.lens
        )))
    }
}

/// Whether the latest run of `kind` passed, in time, and counts.
fn evidence(runs: &Runs, kind: RunKind, state: &State<'_>, now: Timestamp) -> Met {
    let phase = state.phase;
    // A run of some scenarios alone proves less than the lens needs.
    let Some(run) = runs.newest(kind, |run| run["scenarios"].is_null()) else {
        let refused = match runs.refused.as_slice() {
            [] => String::new(),
            [one] => format!("; one was not used: {one}"),
            [first, ..] => format!("; {} were not used, such as {first}", runs.refused.len()),
        };
        return Met::No(format!("no run that counts{refused}"));
    };
    let manifest = &run.manifest;
    let told = |text: &str| format!("run {} {text}", manifest.run_id);
    let Ok(finished) = manifest.finished_at.parse::<Timestamp>() else {
        return Met::CannotJudge(told("does not say when it ended"));
    };
    let age = now.duration_since(finished);
    if age > phase.evidence_within.get() || age < -SignedDuration::from_mins(5) {
        return Met::No(told(&format!(
            "ended {finished:.0}, and {} is the age that counts",
            phase.evidence_within
        )));
    }
    if let Some(since) = state.since.filter(|since| finished < *since) {
        return Met::No(told(&format!(
            "ended {finished:.0}, before the lens came into {} at {since:.0}",
            phase.name
        )));
    }
    match manifest.verdict.known() {
        Some(Verdict::Pass) => Met::Yes(told(&format!("passed, ended {finished:.0}"))),
        Some(Verdict::Fail) => Met::No(told("failed")),
        Some(Verdict::CouldNotJudge) | None => Met::CannotJudge(told("could not be judged")),
    }
}

/// Prints a step that was taken, and what comes next.
fn told(known: &Known, step: &Step, as_json: bool) {
    if as_json {
        say!("{:#}", json!(step));
        return;
    }
    let (lens, who) = (known.lens.title(), &step.who);
    match step.kind {
        Move::Hold => say!("✅ {lens} is held in {} by {who}", step.from),
        Move::Release => say!("✅ {lens} is released in {} by {who}", step.from),
        Move::Promote => {
            say!("✅ {lens}: {} → {} by {who}", step.from, step.to);
            for what in &step.overridden {
                say!("  ⚠️ overridden: {what}");
            }
            say!(
                "  Nothing was switched. Next: switch the flags on for {}, and watch it with",
                step.to
            );
            say!("  lensops phase status {}", known.lens);
        }
    }
}
