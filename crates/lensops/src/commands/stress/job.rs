//! A group of targets as a job of the engine: every request made before the first is sent.

use std::time::Duration;

use jiff::Timestamp;
use lensops_core::crypto::token::mint;
use lensops_core::plan::prepare::{prepare, vars_of};
use lensops_core::plan::request_template::{Marks, Prebuilt};
use lensops_core::plan::stress::Target as PlanTarget;

use super::load_run::{Group, Stress};
use crate::commands::error::Result;
use crate::connect::Connector;
use crate::load::{Job, LoadTarget};

/// The time a request may take where the plan says nothing, connecting included.
const TIMEOUT: Duration = Duration::from_secs(15);

impl Stress {
    pub(super) fn job(&self, group: &Group<'_>) -> Result<Job> {
        let plan = &self.loaded.plan;
        let targets = group.targets.iter().map(|target| self.prepare(target));
        Ok(Job {
            targets: targets.collect::<Result<Vec<_>>>()?,
            connector: Connector::system(),
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
        let expect = target.expect.filled(&vars)?;
        let marks = Marks::for_request(&target.request, &vars);
        let request = prepare(&self.base, &target.request, token.as_ref(), &marks.into_vars(vars))?;
        Ok(LoadTarget {
            prebuilt: Prebuilt::new(request, marks)?,
            weight: target.weight.unwrap_or(1),
            expect,
            dialect: plan.answers.clone(),
        })
    }
}
