//! `lensops stress`: targets under load, a tally of each, and the verdict.

mod page;
pub mod progress;
mod report;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use lensops_core::crypto::token::mint;
use lensops_core::exchange::Base;
use lensops_core::plan::load::Load;
use lensops_core::plan::prepare::{prepare, vars_of};
use lensops_core::plan::request_template::{Marks, Prebuilt};
use lensops_core::plan::stress::{StressPlan, Target as PlanTarget};
use lensops_core::redaction::{Redactor, Transcript};
use lensops_core::secret::Secret;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::baseline::{Change, compare};
use lensops_core::verdict::generator::Generator;
use lensops_core::verdict::results::{FigureChange, PlanFile, StressResults, TargetResult};
use lensops_core::verdict::stress::{StressVerdict, judge_load};
use lensops_core::verdict::tally::Tally;
use progress::View;
use serde_json::{Value, json};

use crate::commands::acceptance::report::{add_to_summary, annotate};
use crate::commands::evidence::bundle::{self, Bundle, Written};
use crate::commands::exit::Exit;
use crate::commands::files;
use crate::commands::plans::{self, Loaded, Which};
use crate::config::{Settings, Target};
use crate::load::{self, Figures, Flow, Job, LoadTarget, Progress};

/// The time a request may take where the plan says nothing, connecting included.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A stress run, ready to go.
#[derive(Debug)]
pub struct Stress {
    loaded: Loaded<StressPlan>,
    base: Base,
    jwt_secret: Option<Secret>,
    issuer: String,
    redactor: Redactor,
    threads: u32,
}

/// What a stress run came to.
#[derive(Debug)]
pub struct Ran {
    /// What each target's requests came to, in the plan's order.
    pub tallies: Vec<Tally>,
    /// What the generator did.
    pub generator: Generator,
    /// The verdict with its reason.
    pub verdict: StressVerdict,
}

/// A load and the targets that share it.
struct Group<'a> {
    load: &'a Load,
    targets: Vec<&'a PlanTarget>,
}

impl Stress {
    /// Puts a run together from the settings; it sends from `threads`, else one a processor.
    ///
    /// # Errors
    /// A missing address or secret.
    pub fn new(settings: &Settings, loaded: Loaded<StressPlan>, threads: Option<u32>) -> Result<Self> {
        let base = settings.api(Target::Staging)?;
        let jwt_secret = settings.jwt_secret(Target::Staging);
        if jwt_secret.is_none() && loaded.plan.targets.iter().any(|target| target.user.is_some()) {
            bail!(
                "{} is not set: the plan sends requests as users, whose tokens it signs",
                Settings::jwt_secret_names(Target::Staging)
            );
        }
        Ok(Self {
            issuer: settings.issuer(&base),
            redactor: settings.redactor(),
            loaded,
            base,
            jwt_secret,
            threads: threads.unwrap_or_else(load::processors),
        })
    }

    /// Loads the targets with a load of their own one after the other, then the others at once.
    ///
    /// # Errors
    /// When a request cannot be made of the plan, or this machine cannot send at all.
    pub async fn run(&self, view: &mut View) -> Result<Ran> {
        // All requests are made before the first is sent: a plan that cannot run sends nothing.
        let jobs = self
            .groups()
            .into_iter()
            .map(|group| Ok((self.job(&group)?, group)))
            .collect::<Result<Vec<_>>>()?;
        let (mut tallies, mut generator, mut stopped) = (Vec::new(), Generator::default(), None);
        for (job, group) in jobs {
            let names: Vec<&str> = group.targets.iter().map(|target| target.name.as_str()).collect();
            view.begin(&names, &job.load);
            let outcome = load::run(job, |progress| {
                view.show(progress);
                stopped = stopped.take().or_else(|| self.gives_up(progress));
                if stopped.is_some() { Flow::Stop } else { Flow::Continue }
            })
            .await
            .context("the load could not be sent")?;
            view.end();
            generator.open |= group.load.is_open();
            generator.busy_percent = generator.busy_percent.max(outcome.busy_percent);
            let Progress { totals, series, .. } = outcome.progress;
            for ((target, figures), series) in group.targets.iter().zip(totals).zip(series) {
                let mut tally = self.tally(target, figures);
                tally.series = series;
                tally.load = group.load.tell();
                tally.elapsed_us = u64::try_from(outcome.elapsed.as_micros()).unwrap_or(u64::MAX);
                view.ended(&tally);
                tallies.push(tally);
            }
            if stopped.is_some() {
                break;
            }
        }
        let position = |name: &str| self.loaded.plan.targets.iter().position(|target| target.name == name);
        tallies.sort_by_key(|tally| position(&tally.name));
        let verdict = judge_load(&tallies, &self.loaded.plan.verdict, &generator, stopped.as_deref());
        Ok(Ran {
            tallies,
            generator,
            verdict,
        })
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let plan = &self.loaded.plan;
        let alone = plan.targets.iter().filter_map(|target| {
            let targets = vec![target];
            target.load.as_ref().map(|load| Group { load, targets })
        });
        let together: Vec<&PlanTarget> = plan.targets.iter().filter(|target| target.load.is_none()).collect();
        let shared = plan.load.as_ref().filter(|_| !together.is_empty());
        let mut groups: Vec<Group<'_>> = alone.collect();
        groups.extend(shared.map(|load| Group {
            load,
            targets: together,
        }));
        groups
    }

    fn job(&self, group: &Group<'_>) -> Result<Job> {
        let plan = &self.loaded.plan;
        let targets = group.targets.iter().map(|target| self.prepare(target));
        Ok(Job {
            targets: targets.collect::<Result<Vec<_>>>()?,
            tls: if self.base.is_tls() {
                crate::connect::tls::connector()
            } else {
                Err("TLS is not spoken".to_owned())
            },
            base: self.base.clone(),
            load: group.load.clone(),
            reuse: plan.reuse,
            timeout: plan.timeout.map_or(TIMEOUT, |span| span.get()),
            warm_up: plan.warm_up.map_or(Duration::ZERO, |span| span.get()),
            threads: self.threads,
            seed: fastrand::u64(..),
        })
    }

    fn prepare(&self, target: &PlanTarget) -> Result<LoadTarget> {
        let plan = &self.loaded.plan;
        let user = target.user.as_ref().and_then(|name| plan.users.get(name));
        let token = match (user, &self.jwt_secret) {
            (Some(user), Some(secret)) => Some(mint(secret, &self.issuer, user.id, Timestamp::now())?),
            _ => None,
        };
        let vars = vars_of(&plan.vars, plan.tenants[0]);
        let marks = Marks::for_request(&target.request, &vars);
        let request = prepare(&self.base, &target.request, token.as_ref(), &marks.into_vars(vars))?;
        Ok(LoadTarget {
            prebuilt: Prebuilt::new(request, marks)?,
            weight: target.weight.unwrap_or(1),
            expect: target.expect.clone(),
            dialect: plan.answers.clone(),
        })
    }

    /// Why the run stops before its end; `None` while it goes on.
    fn gives_up(&self, progress: &Progress) -> Option<String> {
        let abort = self.loaded.plan.abort?;
        let sum = |figure: fn(&Figures) -> u64| progress.totals.iter().map(figure).sum::<u64>();
        let (errors, ended) = (sum(Figures::errors), sum(Figures::ended));
        #[expect(clippy::cast_precision_loss, reason = "a share for people and limits")]
        let percent = if ended == 0 {
            0.0
        } else {
            errors as f64 * 100.0 / ended as f64
        };
        let patient = Duration::from_secs(u64::from(progress.second)) < abort.after.get();
        (!patient && percent > abort.error_rate_percent).then(|| {
            format!(
                "stopped after {}s: {percent:.1} % of {ended} requests failed, above {} %",
                progress.second, abort.error_rate_percent
            )
        })
    }

    fn tally(&self, target: &PlanTarget, figures: Figures) -> Tally {
        let classes = figures.classes.iter().zip(1_u16..);
        let first = figures.first_unexpected.as_deref();
        let mut tally = Tally {
            name: target.name.clone(),
            planned: figures.planned,
            statuses: figures.statuses.iter().copied().collect(),
            failures: figures.failures.iter().copied().collect(),
            unexpected: figures.unexpected,
            first_unexpected: first.map(|why| self.redactor.text(why).as_str().to_owned()),
            latencies: figures.latencies(),
            service: figures.service.clone(),
            connects: figures.connects.clone(),
            classes: classes
                .filter_map(|(window, class)| Some((class, window.as_deref()?.clone())))
                .collect::<BTreeMap<_, _>>(),
            unsent: figures.unsent,
            late: figures.late,
            own_faults: figures.own_faults,
            limits: target.thresholds,
            ..Tally::default()
        };
        for (label, exchange) in &figures.kept {
            tally
                .transcripts
                .push((label.clone(), Transcript::of(exchange, &self.redactor)));
        }
        tally
    }

    /// Writes the results of a run.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, settings: &Settings, ran: &Ran, finished_at: Timestamp, nonce: u32) -> Result<Written> {
        let lens = &self.loaded.plan.stress;
        let prefix = format!("{}_STRESS_RESULTS", lens.upper());
        let text = |text: String| self.redactor.text(&text);
        let files = vec![
            (format!("{prefix}.md"), text(self.markdown(ran, finished_at))),
            (
                format!("{prefix}.json"),
                self.redactor.json_pretty(json!(self.results(ran, finished_at))),
            ),
            (format!("{prefix}.html"), text(self.page(ran, finished_at)?)),
        ];
        let bundle = Bundle {
            kind: "stress",
            lens,
            tenants: Some(self.loaded.plan.tenants.clone()),
            verdict: ran.verdict.verdict,
            plan_text: &self.loaded.text,
            plan_origin: self.loaded.origin,
            finished_at,
            nonce,
            latest: files.iter().map(|(name, _)| name.clone()).collect(),
            files,
        };
        bundle::write(settings, bundle, &self.redactor)
    }

    fn results<'a>(&'a self, ran: &'a Ran, finished_at: Timestamp) -> StressResults<'a> {
        StressResults {
            lens: &self.loaded.plan.stress,
            tenant: self.loaded.plan.tenants[0].to_string(),
            api: self.base.to_string(),
            plan: PlanFile {
                path: self.loaded.path.display().to_string(),
                origin: self.loaded.origin,
            },
            finished_at: finished_at.to_string(),
            verdict: ran.verdict.verdict,
            reason: &ran.verdict.reason,
            generator: ran.generator,
            targets: ran.tallies.iter().map(TargetResult::of).collect(),
            changes: None,
        }
    }
}

/// Prints what changed since the run of `path`.
fn print_changes(path: &Path, earlier: &Value, tallies: &[Tally]) {
    let (changes, missing) = compare(earlier, tallies);
    say!("Compared with {}:", path.display());
    for line in changes.iter().map(Change::tell) {
        say!("  {line}");
    }
    for name in missing {
        say!("  {name}: the earlier run holds nothing to compare with");
    }
}

/// Runs the stress plan `which` with so many threads, compares it with the result at `baseline`, and
/// prints and keeps what it came to.
///
/// # Errors
/// A plan, a baseline or a setting that is not valid, or evidence that cannot be written.
pub async fn run(
    settings: &Settings,
    which: &Which<'_>,
    baseline: Option<&Path>,
    threads: Option<u32>,
    as_json: bool,
) -> Result<Exit> {
    let run = Stress::new(settings, plans::load::<StressPlan>(settings, which)?, threads)?;
    stress(settings, &run, baseline, as_json).await
}

/// Runs, prints and writes.
///
/// # Errors
/// When a request cannot be made of the plan, the baseline cannot be read, or the results cannot be written.
pub async fn stress(settings: &Settings, run: &Stress, baseline: Option<&Path>, as_json: bool) -> Result<Exit> {
    if let Some(warning) = run.loaded.warning() {
        eprintln!("⚠️ {warning}");
    }
    // Read before anything is sent: a run takes minutes, a wrong path should not.
    let earlier = baseline.map(|path| -> Result<(&Path, Value)> {
        let text = files::read(path)?;
        let value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        Ok((path, value))
    });
    let earlier = earlier.transpose()?;
    crate::commands::evidence::bundle::ready(settings)?;
    let ran = run.run(&mut View::new(!as_json)).await?;
    let finished_at = Timestamp::now();
    let written = run.write(settings, &ran, finished_at, fastrand::u32(..))?;
    let verdict = &ran.verdict;
    add_to_summary(settings, &run.redactor.text(&run.markdown(&ran, finished_at)))?;
    if settings.in_github_actions() && verdict.verdict != Verdict::Pass {
        let title = format!("Stress of {}", run.loaded.plan.stress);
        annotate("error", &title, run.redactor.text(&verdict.reason).as_str(), as_json);
    }
    if as_json {
        let changes = earlier.as_ref().map(|(_, earlier)| compare(earlier, &ran.tallies).0);
        let results = StressResults {
            changes: changes
                .as_ref()
                .map(|changes| changes.iter().map(FigureChange::of).collect()),
            ..run.results(&ran, finished_at)
        };
        say!("{}", run.redactor.json_pretty(json!(results)));
    } else {
        if let Some((path, earlier)) = &earlier {
            print_changes(path, earlier, &ran.tallies);
        }
        say!("{}: {}", verdict.verdict.tell(), verdict.reason);
        say!("Evidence: {}", written.folder.display());
        for path in &written.latest {
            say!("          {}", path.display());
        }
    }
    Ok(verdict.verdict.into())
}
