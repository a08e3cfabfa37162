//! The stress plan: targets under load and the thresholds of the verdict.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load_shape::Load;
use super::rules::{check_hosts, check_sign_in, check_tenants, check_unique, check_user};
use super::{Dialect, EnvVars, Expect, PlanError, Request, Vars};
use crate::auth::Auths;
use crate::duration::Span;
use crate::ident::{Ident, LensId};
use crate::lens::{Tenants, User};
use crate::request::Hosts;

/// A stress plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StressPlan {
    /// The lens it loads.
    pub stress: LensId,
    /// The tenants; the first is the one that is loaded.
    pub tenants: Tenants,
    /// The users its requests run as.
    #[serde(default)]
    pub users: IndexMap<Ident, User>,
    /// How they sign in, besides the ways of `lensops.yml`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub auth: Auths,
    /// Hosts besides the API, by the names that requests call them in `at`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub hosts: Hosts,
    /// Its variables besides `$tenant`.
    #[serde(default)]
    pub vars: Vars,
    /// Variables that come from the environment.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: EnvVars,
    /// Where answers keep what expectations speak of.
    #[serde(default)]
    pub answers: Dialect,
    /// What is loaded: those with a load of their own one after the other, then the others at
    /// once under the common `load`.
    pub targets: Vec<Target>,
    /// The load that the targets without one of their own share by weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// How long each load runs before its figures count. A failure in it counts all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<Span>,
    /// Whether a connection carries one request after the other. `false` opens one for each, and
    /// `connect_us` tells what that took.
    #[serde(
        deserialize_with = "crate::yaml::own_boolean",
        default = "reused",
        skip_serializing_if = "is_reused"
    )]
    pub reuse: bool,
    /// How long a request may take, connecting included; 15 s where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// When to stop before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
    /// What must hold over all targets together.
    #[serde(default)]
    pub verdict: Thresholds,
}

fn reused() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_reused(reuse: &bool) -> bool {
    *reuse
}

/// A request under load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name in reports.
    pub name: String,
    /// The user it runs as.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub user: Option<Ident>,
    /// The request.
    pub request: Request,
    /// How it is loaded; without it, as a share of the plan's common `load`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// Its share of the common load, beside the weights of the others; 1 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// What every answer must be.
    #[serde(default)]
    pub expect: Expect,
    /// What must hold for it besides the verdict's thresholds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Limits>,
}

/// What must hold for one target. What is not given is not asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The median in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// The 90th percentile in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90_ms: Option<f64>,
    /// The 95th percentile in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// The 99th percentile in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// The 99.9th percentile in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999_ms: Option<f64>,
    /// The longest in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// Requests without the asserted answer, in percent. Without it none is allowed. A 5xx or a
    /// request without an answer fails the run whatever stands here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate_percent: Option<f64>,
    /// 5xx answers allowed. The doctrine: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_5xx: Option<u64>,
    /// Requests that must have been answered for the figures to mean something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<u64>,
}

impl Limits {
    /// The latency limits: (quantile in thousandths, 1000 for the maximum; milliseconds).
    #[must_use]
    pub fn latencies(&self) -> Vec<(u32, f64)> {
        let all = [
            (500, self.p50_ms),
            (900, self.p90_ms),
            (950, self.p95_ms),
            (990, self.p99_ms),
            (999, self.p999_ms),
            (1000, self.max_ms),
        ];
        all.into_iter().filter_map(|(q, ms)| Some((q, ms?))).collect()
    }
}

/// When a run stops before its end: to go on would only hurt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// Stop when more than this share of all requests so far failed.
    pub error_rate_percent: f64,
    /// Not before this much of the load has run.
    #[serde(default = "usual_patience")]
    pub after: Span,
}

fn usual_patience() -> Span {
    Span::seconds(5)
}

/// What must hold for a pass. Each is at least as strict as the doctrine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// 5xx answers allowed. The doctrine: none.
    pub max_5xx: u64,
    /// Requests without an answer allowed. The doctrine: none.
    pub max_transport_errors: u64,
    /// Requests that must have been answered. The doctrine: at least one.
    pub min_completed: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_5xx: 0,
            max_transport_errors: 0,
            min_completed: 1,
        }
    }
}

impl StressPlan {
    /// Checks what one field says against another.
    ///
    /// # Errors
    /// The first thing that could never run, or that would weaken the doctrine.
    pub fn validate(&self) -> Result<(), PlanError> {
        check_tenants(&self.tenants)?;
        check_sign_in(&self.users, &self.auth)?;
        check_hosts(
            self.targets.iter().map(|target| &target.request),
            &self.auth,
            &self.hosts,
        )?;
        if self.targets.is_empty() {
            return Err(PlanError::Empty("targets"));
        }
        check_unique("targets", self.targets.iter().map(|target| target.name.as_str()))?;
        for target in &self.targets {
            let place = format!("target {:?}", target.name);
            check_user(&place, target.user.as_ref(), &self.users)?;
            self.check_load(&place, target)?;
            check_limits(&place, target.thresholds.as_ref())?;
        }
        self.check_common()?;
        let Thresholds {
            max_5xx,
            max_transport_errors,
            min_completed,
        } = self.verdict;
        if max_5xx > 0 || max_transport_errors > 0 || min_completed == 0 {
            return Err(PlanError::Invalid {
                place: "verdict".to_owned(),
                why: "stress passes only at 0 × 5xx, without transport error and with at least one completed request: max_5xx and max_transport_errors are 0, min_completed at least 1".to_owned(),
            });
        }
        Ok(())
    }

    fn check_load(&self, place: &str, target: &Target) -> Result<(), PlanError> {
        let why = match (&target.load, &self.load, target.weight) {
            (Some(load), _, None) => return load.validate(place),
            (Some(_), _, Some(_)) => "a weight is a share of the plan's common load, which a load of its own replaces",
            (None, None, _) => "it has no load, and the plan has none that its targets share",
            (None, Some(_), Some(0)) => "a weight is at least 1",
            (None, Some(_), _) if target.request.at.is_some() => {
                "a target `at` another host needs a load of its own: a common load goes to one host"
            }
            (None, Some(_), _) => return Ok(()),
        };
        refuse(place, why)
    }

    fn check_common(&self) -> Result<(), PlanError> {
        if let Some(load) = &self.load {
            load.validate("load")?;
            if self.targets.iter().all(|target| target.load.is_some()) {
                return refuse("load", "every target has a load of its own: no target shares this one");
            }
        }
        if self
            .timeout
            .is_some_and(|span| span.get().is_zero() || span.get().as_secs() > 600)
        {
            return refuse("timeout", "a time-out is longer than nothing and at most 10m");
        }
        let loads = self
            .targets
            .iter()
            .filter_map(|target| target.load.as_ref())
            .chain(&self.load);
        if let Some(warm_up) = self.warm_up
            && loads
                .into_iter()
                .filter_map(Load::duration)
                .any(|time| time <= warm_up.get())
        {
            return refuse("warm_up", "a load must outlast the warm-up, or nothing is measured");
        }
        match self.abort {
            Some(abort) if !(0.0..100.0).contains(&abort.error_rate_percent) => {
                refuse("abort", "an error rate that stops a run is 0 to below 100 percent")
            }
            _ => Ok(()),
        }
    }
}

fn refuse(place: &str, why: &str) -> Result<(), PlanError> {
    Err(PlanError::Invalid {
        place: place.to_owned(),
        why: why.to_owned(),
    })
}

fn check_limits(place: &str, limits: Option<&Limits>) -> Result<(), PlanError> {
    let Some(limits) = limits else { return Ok(()) };
    if limits.max_5xx.is_some_and(|allowed| allowed > 0) {
        return refuse(place, "stress passes only at 0 × 5xx: max_5xx is 0");
    }
    if limits
        .error_rate_percent
        .is_some_and(|rate| !(0.0..=100.0).contains(&rate))
    {
        return refuse(place, "an error rate is 0 to 100 percent");
    }
    if limits.latencies().iter().any(|(_, ms)| !ms.is_finite() || *ms <= 0.0) {
        return refuse(place, "a latency limit is above 0 ms");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rest: &str) -> Result<StressPlan, String> {
        let head = "stress: faults\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\n";
        let plan: StressPlan =
            crate::yaml::read("plan.yml", &format!("{head}{rest}")).map_err(|error| error.to_string())?;
        plan.validate().map_err(|error| error.to_string())?;
        Ok(plan)
    }

    #[test]
    fn targets_without_a_load_share_the_common_one() {
        let text = "targets: [{name: a, weight: 3, request: {get: /a}}, {name: b, request: {get: /b}}]\nload: {open: {rate: 5, for: 10s}}\nwarm_up: 2s";
        let plan = plan(text).unwrap();
        assert_eq!((plan.targets[0].weight, plan.targets[1].weight), (Some(3), None));
    }

    #[test]
    fn what_could_never_run_or_would_weaken_the_doctrine_is_refused() {
        let one = |more: &str| format!("targets: [{{name: a, request: {{get: /a}}{more}}}]\n");
        let table = [
            (one(""), "no load"),
            (one(", load: {burst: 1}, weight: 2"), "a weight is a share"),
            (one(", weight: 0") + "load: {burst: 5}", "at least 1"),
            (one(", load: {burst: 1}") + "load: {burst: 5}", "no target shares"),
            (
                one("") + "load: {open: {rate: 5, for: 2s}}\nwarm_up: 2s",
                "outlast the warm-up",
            ),
            (one(", load: {burst: 1}, thresholds: {max_5xx: 1}"), "0 × 5xx"),
            (one(", load: {burst: 1}, thresholds: {p95_ms: 0}"), "above 0 ms"),
            (
                one(", load: {burst: 1}, thresholds: {error_rate_percent: 101}"),
                "0 to 100",
            ),
            (one(", load: {burst: 1}") + "timeout: 0s", "time-out"),
            (
                one(", load: {burst: 1}") + "abort: {error_rate_percent: 100}",
                "below 100",
            ),
            (one(", load: {burst: 1}") + "verdict: {max_5xx: 1}", "0 × 5xx"),
        ];
        for (text, why) in table {
            let error = plan(&text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
