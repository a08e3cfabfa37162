//! A group of targets as a job of the engine: every request made before the first is sent.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::{Base, Sender};
use lensops_core::plan::request_template::{Marks, Prebuilt};
use lensops_core::plan::stress::Target as PlanTarget;
use lensops_core::request::fill::PrepareError;
use lensops_core::request::prepare::prepare;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::stress::StressVerdict;

use super::load_run::{Group, Stress};
use super::unready::Unready;
use crate::auth::{Sending, Signed, Unsigned};
use crate::http::{Client, TIMEOUT as PATIENCE};
use crate::load::{Job, LoadTarget, Renewal};

/// The time a request may take where the plan says nothing, connecting included.
const TIMEOUT: Duration = Duration::from_secs(15);

impl Stress {
    pub(super) async fn job<S: Sender>(&self, sender: &S, group: &Group<'_>) -> Result<Job, Unready> {
        let plan = &self.loaded.plan;
        let mut targets = Vec::new();
        for target in &group.targets {
            targets.push(self.prepare(sender, target).await?);
        }
        // Targets that share a load all go to the API: the plan was held to that.
        let base = group.targets.first().map(|target| self.base_of(target)).transpose()?;
        Ok(Job {
            targets,
            connector: self.connector.clone(),
            base: base.unwrap_or_else(|| self.base.clone()),
            load: group.load.clone(),
            reuse: plan.reuse,
            timeout: plan.timeout.map_or(TIMEOUT, |span| span.get()),
            warm_up: plan.warm_up.map_or(Duration::ZERO, |span| span.get()),
            threads: self.threads,
            seed: fastrand::u64(..),
        })
    }

    async fn prepare<S: Sender>(&self, sender: &S, target: &PlanTarget) -> Result<LoadTarget, Unready> {
        let plan = &self.loaded.plan;
        let sending = Sending {
            user: target.user.as_ref().and_then(|name| plan.users.get(name)),
            base: &self.base,
            hosts: &plan.hosts,
            vars: &self.vars,
            tenant: plan.tenants.values(plan.tenants[0]),
            now: Timestamp::now(),
        };
        let signed = self.signing.sign(sender, &sending).await;
        let signed = signed.map_err(|unsigned| self.unsigned(target, unsigned))?;
        let expect = target.expect.filled(&self.vars);
        let expect = expect.map_err(|error| self.unfilled(target, error))?;
        let marks = Marks::for_request(&target.request, &self.vars);
        let vars = marks.into_vars(self.vars.clone());
        let request = prepare(
            &self.base_of(target)?,
            &target.request,
            signed.credential.as_ref(),
            &vars,
        );
        let request = request.map_err(|error| self.unfilled(target, error))?;
        Ok(LoadTarget {
            renewal: self.renewal(target, signed, &marks),
            prebuilt: Prebuilt::new(request, marks)?,
            weight: target.weight.unwrap_or(1),
            expect,
            dialect: plan.answers.clone(),
        })
    }

    /// Where the requests of `target` go.
    fn base_of(&self, target: &PlanTarget) -> Result<Base, Unready> {
        let base = target.request.base(&self.base, &self.loaded.plan.hosts, &self.vars);
        base.map_err(|error| self.unfilled(target, error))
    }

    /// What takes the place of the request of `target` when the credential that was fetched for it is refused.
    fn renewal(&self, target: &PlanTarget, signed: Signed, marks: &Marks) -> Option<Renewal> {
        signed.fetch.as_ref()?;
        let vars = marks.into_vars(self.vars.clone());
        let all = Arc::new((
            (self.signing.clone(), self.connector.clone()),
            self.base_of(target).ok()?,
            target.request.clone(),
            marks.clone(),
            vars,
            signed,
        ));
        Some(Renewal::new(move || {
            let all = all.clone();
            Box::pin(async move {
                let ((signing, connector), base, spec, marks, vars, signed) = &*all;
                let client = Client::over(connector.clone(), PATIENCE);
                let renewed = signing.renew(&client, signed, Timestamp::now()).await.ok()??;
                let request = prepare(base, spec, renewed.credential.as_ref(), vars).ok()?;
                Prebuilt::new(request, marks.clone()).ok()
            })
        }))
    }

    /// The verdict where nobody can sign in: the API's own sign-in is part of the API.
    fn unsigned(&self, target: &PlanTarget, unsigned: Unsigned) -> Unready {
        let (verdict, why) = match unsigned {
            Unsigned::Failed(failed) if failed.is_own_host => (Verdict::Fail, failed.told),
            Unsigned::Failed(failed) => (Verdict::CouldNotJudge, failed.told),
            Unsigned::Unknown(why) => (Verdict::CouldNotJudge, why),
        };
        self.judged(target, verdict, &why)
    }

    fn unfilled(&self, target: &PlanTarget, error: PrepareError) -> Unready {
        let PrepareError::NotKnown(name) = &error else {
            return error.into();
        };
        let plan = &self.loaded.plan;
        let of_plan = plan.env.get(name.as_str()).map(|source| &source.from);
        let of_tenant = || plan.tenants.values(plan.tenants[0])?.get(name.as_str())?.variable();
        match of_plan.or_else(of_tenant) {
            Some(variable) => self.judged(target, Verdict::CouldNotJudge, &format!("{variable} is not set")),
            None => error.into(),
        }
    }

    fn judged(&self, target: &PlanTarget, verdict: Verdict, why: &str) -> Unready {
        let told = format!("nothing was sent to target {:?}: {why}", target.name);
        Unready::Judged(StressVerdict {
            verdict,
            reason: self.redactor.text(&told).as_str().to_owned(),
        })
    }
}
