//! Loading the targets of a plan, one group after the other, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use lensops_core::exchange::Base;
use lensops_core::plan::Vars;
use lensops_core::plan::load_shape::Load;
use lensops_core::plan::stress::{StressPlan, Target as PlanTarget};
use lensops_core::redaction::{Redactor, Transcript};
use lensops_core::request::prepare::vars_with;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::load_generator::Generator;
use lensops_core::verdict::stress::{StressVerdict, judge_load};
use lensops_core::verdict::tally::Tally;
use tokio_util::sync::CancellationToken;

use super::progress::View;
use super::unready::Unready;
use crate::auth::Signing;
use crate::commands::context::first_vars;
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::plans::Loaded;
use crate::config::{Settings, Target};
use crate::connect::Connector;
use crate::http::{Client, TIMEOUT};
use crate::load::{self, Figures, Flow, Progress};

/// A stress run, ready to go.
#[derive(Debug)]
pub struct Stress {
    pub(super) loaded: Loaded<StressPlan>,
    pub(super) base: Base,
    pub(super) signing: Signing,
    pub(super) connector: Connector,
    /// The plan's variables, those of the environment among them.
    pub(super) vars: Vars,
    pub(super) redactor: Redactor,
    pub(super) threads: u32,
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
pub(super) struct Group<'a> {
    pub(super) load: &'a Load,
    pub(super) targets: Vec<&'a PlanTarget>,
}

impl Stress {
    /// Puts a run together from the settings; it sends from `threads`, else one a processor.
    ///
    /// # Errors
    /// A missing address or secret.
    pub fn new(settings: &Settings, loaded: Loaded<StressPlan>, threads: Option<u32>) -> Result<Self> {
        let base = settings.api_for(Target::Staging, &first_vars(settings, &loaded.plan.tenants))?;
        let plan = &loaded.plan;
        let signing = settings.signing(Target::Staging, &base, &plan.tenants, &plan.users, &plan.auth);
        let mut users = plan
            .targets
            .iter()
            .filter_map(|target| plan.users.get(target.user.as_ref()?));
        if signing.jwt_secret.is_none() && users.any(|user| user.auth.is_none()) {
            return Err(Error::usage(format!(
                "{} is not set: the plan sends requests as users, whose tokens it signs",
                Settings::jwt_secret_names(Target::Staging)
            )));
        }
        let (mut known, secrets) = settings.plan_environment(&plan.env);
        known.extend(plan.tenants.vars(plan.tenants[0], &signing.environment));
        Ok(Self {
            redactor: settings
                .redactor()
                .with(secrets.iter().chain(signing.environment.secrets())),
            vars: vars_with(&plan.vars, known),
            signing,
            connector: settings.connector()?,
            loaded,
            base,
            threads: threads.unwrap_or_else(load::processors),
        })
    }

    /// Loads the targets with a load of their own one after the other, then the others at once, until
    /// `interrupted`: then what was measured so far is judged, and proves nothing.
    ///
    /// # Errors
    /// When a request cannot be made of the plan, or this machine cannot send at all.
    pub async fn run(&self, view: &mut View, interrupted: &CancellationToken) -> Result<Ran> {
        // All requests are made before the first is sent: a plan that cannot run sends nothing.
        let client = Client::over(self.connector.clone(), TIMEOUT);
        let mut jobs = Vec::new();
        for group in self.groups() {
            match self.job(&client, &group).await {
                Ok(job) => jobs.push((job, group)),
                Err(Unready::Error(error)) => return Err(error),
                Err(Unready::Judged(verdict)) => {
                    return Ok(Ran {
                        tallies: Vec::new(),
                        generator: Generator::default(),
                        verdict,
                    });
                }
            }
        }
        let (mut tallies, mut generator, mut stopped) = (Vec::new(), Generator::default(), None);
        for (job, group) in jobs {
            let names: Vec<&str> = group.targets.iter().map(|target| target.name.as_str()).collect();
            view.begin(&names, &job.load);
            let outcome = load::run(job, |progress| {
                view.show(progress);
                stopped = stopped.take().or_else(|| self.gives_up(progress));
                if stopped.is_some() || interrupted.is_cancelled() {
                    Flow::Stop
                } else {
                    Flow::Continue
                }
            })
            .await
            .map_err(Error::system)
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
            if stopped.is_some() || interrupted.is_cancelled() {
                break;
            }
        }
        let position = |name: &str| self.loaded.plan.targets.iter().position(|target| target.name == name);
        tallies.sort_by_key(|tally| position(&tally.name));
        let mut verdict = judge_load(&tallies, &self.loaded.plan.verdict, &generator, stopped.as_deref());
        if interrupted.is_cancelled() && verdict.verdict != Verdict::Fail {
            verdict = StressVerdict {
                verdict: Verdict::CouldNotJudge,
                reason: format!("interrupted ({})", verdict.reason),
            };
        }
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
            reconnected: figures.reconnected,
            renewed: figures.renewed,
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
}
