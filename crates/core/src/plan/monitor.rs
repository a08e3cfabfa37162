//! The monitor plan: probes that make one check.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::{check_hosts, check_sign_in, check_tenants, check_unique, check_user};
use super::{Dialect, EnvVars, Expect, PlanError, Request, Show, Vars};
use crate::auth::Auths;
use crate::duration::Every;
use crate::ident::{FlagName, Ident, LensId};
use crate::lens::mute::{Maintenance, Paused};
use crate::lens::{GateFile, Slo, Tenants, User, check_muted};
use crate::request::Hosts;
use crate::request::fill::PrepareError;

fn yes() -> bool {
    true
}

/// A monitor plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorPlan {
    /// The lens it checks.
    pub monitor: LensId,
    /// How often.
    pub every: Every,
    /// Samples of a timed probe.
    pub samples: u32,
    /// The tenants it runs for.
    pub tenants: Tenants,
    /// The users its probes run as.
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
    /// Where answers keep what probes speak of.
    #[serde(default)]
    pub answers: Dialect,
    /// The probes, in order.
    pub probes: Vec<Probe>,
    /// What the lens promises.
    #[serde(default)]
    pub slo: Slo,
    /// How the gate decides; what `lensops.yml` says, or strict, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateFile>,
    /// Why the lens is rolled back on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// When the lens is expected to be down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<Maintenance>,
}

/// One probe: a request, or the flags of the lens at the provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its name in reports.
    pub name: String,
    /// Whether an unjudged probe makes the check degraded.
    #[serde(deserialize_with = "crate::yaml::own_boolean", default = "yes")]
    pub required: bool,
    /// Whether it takes the plan's samples and counts in latency and error rate.
    #[serde(deserialize_with = "crate::yaml::own_boolean", default)]
    pub timed: bool,
    /// The user it runs as; without one no token is sent.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub user: Option<Ident>,
    /// The request; absent in a flag probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// Flags that must all be on at the provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagName>,
    /// Broken: unhealthy.
    #[serde(default)]
    pub expect: Expect,
    /// Broken: degraded. Looked at only when `expect` is met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn: Option<Expect>,
    /// The answer by which the API says that the feature is switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Expect>,
    /// What of a good answer is worth showing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<Show>,
}

impl Probe {
    /// The probe with the variables of its expectations filled in.
    ///
    /// # Errors
    /// As [`Expect::filled`].
    pub fn filled(&self, vars: &Vars) -> Result<Self, PrepareError> {
        let some = |expect: &Option<Expect>| expect.as_ref().map(|expect| expect.filled(vars)).transpose();
        Ok(Self {
            expect: self.expect.filled(vars)?,
            warn: some(&self.warn)?,
            disabled: some(&self.disabled)?,
            ..self.clone()
        })
    }
}

impl MonitorPlan {
    /// Checks what one field says against another.
    ///
    /// # Errors
    /// The first thing that could never run.
    pub fn validate(&self) -> Result<(), PlanError> {
        check_tenants(&self.tenants)?;
        check_sign_in(&self.users, &self.auth)?;
        check_hosts(
            self.probes.iter().filter_map(|probe| probe.request.as_ref()),
            &self.auth,
            &self.hosts,
        )?;
        if self.probes.is_empty() {
            return Err(PlanError::Empty("probes"));
        }
        check_muted(self.paused.as_ref(), &self.maintenance).map_err(|(field, why)| PlanError::Invalid {
            place: field.to_owned(),
            why,
        })?;
        check_unique("probes", self.probes.iter().map(|probe| probe.name.as_str()))?;
        if !(1..=1000).contains(&self.samples) {
            return Err(PlanError::Invalid {
                place: "samples".to_owned(),
                why: "take 1 to 1000 samples".to_owned(),
            });
        }
        for probe in &self.probes {
            let place = format!("probe {:?}", probe.name);
            check_user(&place, probe.user.as_ref(), &self.users)?;
            let invalid = |why: &str| PlanError::Invalid {
                place: place.clone(),
                why: why.to_owned(),
            };
            match (&probe.request, probe.flags.is_empty()) {
                (None, true) => return Err(invalid("it needs a `request` or `flags`")),
                (Some(_), false) => {
                    return Err(invalid("it has both a `request` and `flags`: make two probes of it"));
                }
                (None, false) if probe.timed => {
                    return Err(invalid("a flag probe cannot be `timed`"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The flags named by any probe, each once.
    #[must_use]
    pub fn flags(&self) -> Vec<&FlagName> {
        let mut flags: Vec<_> = self.probes.iter().flat_map(|probe| &probe.flags).collect();
        flags.dedup();
        flags
    }
}
