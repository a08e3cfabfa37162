//! One check: the probes of a monitor plan for one tenant, sent, judged and recorded.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lensops_core::exchange::{Base, Exchange, PreparedRequest, Sender};
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::{EnvName, LensId};
use lensops_core::lens::mute::{Maintenance, Muted, Paused};
use lensops_core::plan::Vars;
use lensops_core::plan::header::PlanOrigin;
use lensops_core::plan::monitor::{MonitorPlan, Probe};
use lensops_core::redaction::Redactor;
use lensops_core::request::fill::PrepareError;
use lensops_core::request::prepare::{prepare, vars_with};
use lensops_core::request::{Address, Credential};
use lensops_core::verdict::check::{flag_line, probe_line};
use lensops_core::verdict::record::Level;
use lensops_core::verdict::{CheckContext, CheckReport, ProbeReport, ProbeResult, Sample, judge_check};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::answered::Answer;
use super::attempt::{OUT_OF_TIME, budget};
use super::before::Before;
use super::turn::Turn;
use crate::auth::{Sending, Signed, Signing, Unsigned};
use crate::flags::SharedFlags;
use crate::store::{History, Journal, Store, StoreError, StoredCheck};

/// How long a store elsewhere may take to say what was before.
pub(super) const ASK_FOR: Duration = Duration::from_secs(3);

/// Everything that checks of one plan share.
#[derive(Debug, Clone)]
pub struct Monitor {
    /// The plan.
    pub plan: MonitorPlan,
    /// How the plan stands to what is generated.
    pub plan_origin: PlanOrigin,
    /// The API, for the first tenant where it differs from tenant to tenant.
    pub base: Base,
    /// Its address, where it differs from tenant to tenant.
    pub address: Option<Address>,
    /// Who sends the requests.
    pub signing: Signing,
    /// The plan's variables that come from the environment.
    pub environment: Vars,
    /// The flag provider, or why there is none.
    pub provider: Result<Arc<SharedFlags>, String>,
    /// When everything is expected to be down, besides what the plan says.
    pub maintenance: Vec<Maintenance>,
    /// Knows the secrets.
    pub redactor: Redactor,
    /// Whether the times of checks come from a virtual clock.
    pub virtual_clock: bool,
}

impl Monitor {
    /// The timetable of the lens for `tenant`.
    #[must_use]
    pub fn schedule(&self, tenant: Uuid) -> Schedule<'_> {
        Schedule::new(self.plan.every, &self.plan.monitor, tenant)
    }

    /// The lens.
    #[must_use]
    pub fn lens(&self) -> &LensId {
        &self.plan.monitor
    }

    /// Reads what earlier checks say, as of `at`. The journal is asked first: it is at hand, and has
    /// what was not delivered yet. The store is asked where the journal has nothing, as on a
    /// machine that is new; one that does not answer must not hold up the check.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn before<S: Sender>(
        &self,
        journal: &Journal,
        store: &Store<S>,
        tenant: Uuid,
        at: Timestamp,
    ) -> Result<Before, StoreError> {
        let window = SignedDuration::from_millis(self.plan.slo.window.as_ms());
        let from = at.checked_sub(window).unwrap_or(Timestamp::MIN);
        let mut checks = journal.between(tenant, self.lens(), from, at).await?;
        if checks.is_empty() && store.is_elsewhere() {
            match tokio::time::timeout(ASK_FOR, store.between(tenant, self.lens(), from, at)).await {
                Ok(Ok(found)) => checks = found,
                Ok(Err(error)) => {
                    tracing::warn!(
                        "⚠️ History could not be read: {}",
                        self.redactor.text(&error.to_string())
                    );
                }
                Err(_) => tracing::warn!("⚠️ History could not be read: no answer within {}s", ASK_FOR.as_secs()),
            }
        }
        self.before_of(journal, store, tenant, &checks).await
    }

    /// What `checks` say, those of the window, oldest first; and what was rolled back.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) async fn before_of<S: Sender>(
        &self,
        journal: &Journal,
        store: &Store<S>,
        tenant: Uuid,
        checks: &[StoredCheck],
    ) -> Result<Before, StoreError> {
        Ok(Before {
            worked: self.worked(journal, store, tenant, checks).await?,
            rolled_back: journal.rolled_back().await?.get(self.lens()).cloned(),
            ..Before::of(checks)
        })
    }

    /// Runs the probes for `tenant` as check `id`, observed at `observed_at`. Tokens are minted at
    /// `now`, real time, whatever clock the check is on. `each` is told every line as it is known: the
    /// flags, each probe as it ends, then what was found besides.
    #[expect(clippy::too_many_arguments, reason = "two clocks, and what was before")]
    pub async fn check<S: Sender>(
        &self,
        sender: &S,
        tenant: Uuid,
        id: Uuid,
        observed_at: Timestamp,
        now: Timestamp,
        before: Before,
        each: &(dyn Fn(Level, &str) + Sync),
    ) -> CheckReport {
        let (began, time) = (Instant::now(), budget(self.plan.every));
        let deadline = began + time;
        // A provider that hangs leaves half of the time to the API.
        let (flags, flag_reports) = self.flags_first(sender, observed_at, began + time / 2, each).await;
        let mut turn = Turn {
            tenant,
            vars: self.vars(tenant),
            now,
            deadline,
            rng: fastrand::Rng::with_seed(id.as_u64_pair().1),
            renewed: Vec::new(),
        };
        let (mut probes, mut flag_reports) = (Vec::new(), flag_reports.into_iter());
        for probe in &self.plan.probes {
            let report = if probe.request.is_some() {
                Some(self.run_probe(sender, probe, &mut turn).await)
            } else {
                flag_reports.next()
            };
            let Some(report) = report else { continue };
            let (level, line) = probe_line(&report);
            each(level, self.redactor.text(&line).as_str());
            probes.push(report);
        }
        let told = flags.len() + probes.len();
        let context = CheckContext {
            every: self.plan.every,
            id,
            tenant,
            lens: self.plan.monitor.clone(),
            observed_at,
            slo: self.plan.slo.clone(),
            earlier: before.samples,
            disabled_before: before.disabled,
            flags,
            flags_before: before.flags,
            muted: self.muted(observed_at, before.rolled_back.as_ref()),
            virtual_clock: self.virtual_clock,
            plan_origin: self.plan_origin,
            host: self.base_of(tenant).host().to_owned(),
            credential: self.credential(),
            worked: before.worked,
        };
        let report = judge_check(&context, probes, &self.redactor);
        for (level, line) in report.lines.iter().skip(told) {
            each(*level, line);
        }
        report
    }

    /// The flag probes, before the others: their lines stand first.
    async fn flags_first<S: Sender>(
        &self,
        sender: &S,
        at: Timestamp,
        deadline: Instant,
        each: &(dyn Fn(Level, &str) + Sync),
    ) -> (Vec<(String, bool)>, Vec<ProbeReport>) {
        let mut flags = Vec::new();
        let mut flag_reports = Vec::new();
        for probe in self.plan.probes.iter().filter(|probe| probe.request.is_none()) {
            let asked = self.run_flag_probe(sender, probe, at);
            let (report, read) = timeout_at(deadline, asked).await.unwrap_or_else(|_| {
                (
                    ProbeReport::unsent(probe, ProbeResult::Unjudged(OUT_OF_TIME.to_owned())),
                    Vec::new(),
                )
            });
            flags.extend(read);
            flag_reports.push(report);
        }
        for (name, on) in &flags {
            let (level, line) = flag_line(name, *on);
            each(level, &line);
        }
        (flags, flag_reports)
    }

    /// Whether and why a check at `at` counts for nothing.
    #[must_use]
    pub fn muted(&self, at: Timestamp, rolled_back: Option<&Paused>) -> Option<Muted> {
        let windows = self.plan.maintenance.iter().chain(&self.maintenance);
        Muted::at(at, self.plan.paused.as_ref().or(rolled_back), windows)
    }

    /// Sends a probe's request once; the probe comes back with its variables filled in.
    ///
    /// # Errors
    /// Why it cannot be sent: something of it is not known.
    pub async fn ask<S: Sender>(
        &self,
        sender: &S,
        probe: &Probe,
        tenant: Uuid,
        now: Timestamp,
    ) -> Result<(Exchange, Probe), String> {
        let vars = self.vars(tenant);
        let signed = self
            .sign(sender, probe, tenant, &vars, now)
            .await
            .map_err(|unsigned| match unsigned {
                Unsigned::Unknown(why) => why,
                Unsigned::Failed(failed) => failed.told,
            })?;
        let (request, probe) = self.prepare(probe, tenant, &vars, signed.credential.as_ref())?;
        Ok((sender.send(Arc::new(request)).await, probe))
    }

    /// Asks once, for the plan's first tenant, every probe that says how a switched-off feature
    /// answers; none where no probe does.
    pub async fn ask_switched<S: Sender>(&self, sender: &S, now: Timestamp) -> Vec<Answer> {
        let mut answers = Vec::new();
        let Some(tenant) = self.plan.tenants.first() else {
            return answers;
        };
        for probe in self.plan.probes.iter().filter(|probe| probe.disabled.is_some()) {
            // What cannot be asked at all says nothing about the switch.
            let Ok((exchange, probe)) = self.ask(sender, probe, *tenant, now).await else {
                continue;
            };
            let (silent, probe) = (exchange.result.is_err(), &probe);
            let sample = Sample::of(probe, &self.plan.answers, &[exchange], &self.redactor);
            answers.extend(sample.map(|sample| Answer::of(probe, &sample, silent)));
        }
        answers
    }

    /// The request of `probe`, and the probe with the variables of its expectations filled in.
    pub(super) fn prepare(
        &self,
        probe: &Probe,
        tenant: Uuid,
        vars: &Vars,
        credential: Option<&Credential>,
    ) -> Result<(PreparedRequest, Probe), String> {
        let Some(spec) = &probe.request else {
            return Err("the probe has no request".to_owned());
        };
        let told = |error: PrepareError| match &error {
            PrepareError::NotKnown(name) => match self.variable(tenant, name) {
                Some(variable) => format!("{variable} is not set"),
                None => format!("${name} is not known: name a test {name} in the lens file"),
            },
            other => other.to_string(),
        };
        let api = self.base_of(tenant);
        let base = spec.base(&api, &self.plan.hosts, vars).map_err(told)?;
        let request = prepare(&base, spec, credential, vars).map_err(told)?;
        Ok((request, probe.filled(vars).map_err(told)?))
    }

    /// The API of `tenant`.
    #[must_use]
    pub fn base_of(&self, tenant: Uuid) -> Base {
        let own = self
            .address
            .as_ref()
            .and_then(|address| address.base(&self.vars(tenant)).ok());
        own.unwrap_or_else(|| self.base.clone())
    }

    /// The plan's variables for `tenant`.
    pub(crate) fn vars(&self, tenant: Uuid) -> Vars {
        let mut known = self.environment.clone();
        known.extend(self.plan.tenants.vars(tenant, &self.signing.environment));
        vars_with(&self.plan.vars, known)
    }

    /// The environment variable that would give `name`; `None` where it comes from elsewhere.
    fn variable(&self, tenant: Uuid, name: &str) -> Option<&EnvName> {
        let of_plan = self.plan.env.get(name).map(|source| &source.from);
        of_plan.or_else(|| self.plan.tenants.values(tenant)?.get(name)?.variable())
    }

    /// Who sends the request of `probe`.
    pub(super) async fn sign<S: Sender>(
        &self,
        sender: &S,
        probe: &Probe,
        tenant: Uuid,
        vars: &Vars,
        now: Timestamp,
    ) -> Result<Signed, Unsigned> {
        let sending = Sending {
            user: probe.user.as_ref().and_then(|name| self.plan.users.get(name)),
            base: &self.base_of(tenant),
            hosts: &self.plan.hosts,
            vars,
            tenant: self.plan.tenants.values(tenant),
            now,
        };
        self.signing.sign(sender, &sending).await
    }
}
