//! The acceptance plan: scenarios with a fixed order, in the dialects of the API.

mod access;
mod proof;
mod scenario;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::access::{Access, Cell, Entry};
pub use self::proof::{Proof, Rows};
pub use self::scenario::{Scenario, Step, Undo, Until};
use super::rules::{check_hosts, check_sign_in, check_tenants, check_unique, check_user};
use super::{Dialect, EnvVars, PlanError, Request, Vars};
use crate::auth::Auths;
pub use crate::expect::{Capture, Part, Place};
use crate::ident::{FlagName, Ident, LensId};
use crate::lens::{Tenants, User};
use crate::request::Hosts;
pub use crate::request::PER_STEP;

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_one(parallel: &usize) -> bool {
    *parallel == 1
}

/// An acceptance plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptancePlan {
    /// The lens it tests.
    pub acceptance: LensId,
    /// The tenants; the first is the one that is tested.
    pub tenants: Tenants,
    /// Its users by name.
    #[serde(default)]
    pub users: IndexMap<Ident, User>,
    /// How they sign in, besides the ways of `lensops.yml`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub auth: Auths,
    /// Hosts besides the API, by the names that requests call them in `at`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub hosts: Hosts,
    /// Its variables besides `$tenant` and `$signature`.
    #[serde(default)]
    pub vars: Vars,
    /// Variables that come from the environment.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: EnvVars,
    /// The dialects of the API by name.
    pub dialects: IndexMap<Ident, Dialect>,
    /// Requests that scenarios send, by name.
    pub requests: IndexMap<Ident, Request>,
    /// Steps before the scenarios; what they capture is known to all. Where one fails, every
    /// scenario is unjudged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<Step>,
    /// The scenarios, in order.
    pub scenarios: Vec<Scenario>,
    /// Steps after the scenarios, whatever came of them, also when the run is interrupted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardown: Vec<Step>,
    /// Scenarios that run at once; with more than one, captures stay within their scenario.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub parallel: usize,
    /// How the master flag proves itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag_proof: Option<FlagProof>,
    /// How the role matrix asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Matrix>,
    /// Who may send which request: the role matrix of an API without a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
}

/// How the master flag proves itself: off is told by one answer, on by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagProof {
    /// The flag.
    pub flag: FlagName,
    /// What is asked while it is off.
    pub off: Step,
    /// What is asked while it is on.
    pub on: Step,
}

/// How a cell of the role matrix is asked: a request that names `$action`, and in its payload
/// every field that the API may want, of which a cell leaves out what it must not send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The request, by name.
    pub send: Ident,
    /// Where its signature stands, dotted.
    pub signature: String,
    /// Where its payload stands, dotted: known fields of the action go there.
    pub payload: String,
    /// The request whose answer lists the actions of a role, by name: the registry where no file
    /// is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Ident>,
}

impl AcceptancePlan {
    /// Checks what one field says against another.
    ///
    /// # Errors
    /// The first thing that could never run.
    pub fn validate(&self) -> Result<(), PlanError> {
        check_tenants(&self.tenants)?;
        check_sign_in(&self.users, &self.auth)?;
        check_hosts(self.requests.values(), &self.auth, &self.hosts)?;
        if self.scenarios.is_empty() {
            return Err(PlanError::Empty("scenarios"));
        }
        if self.dialects.is_empty() {
            return Err(PlanError::Empty("dialects"));
        }
        check_unique(
            "scenarios",
            self.scenarios.iter().map(|scenario| scenario.name.as_str()),
        )?;
        if let Some(matrix) = &self.matrix {
            self.check_request("matrix", &matrix.send)?;
        }
        for entry in self.access.iter().flat_map(|access| &access.endpoints) {
            let place = format!("access, {},", entry.name);
            self.check_request(&place, &entry.send)?;
            for send in entry.undo.iter().map(|undo| &undo.send) {
                self.check_request(&place, send)?;
            }
            for step in &entry.first {
                self.check_step(&place, step)?;
            }
        }
        for name in self.access.iter().flat_map(|access| &access.outsiders) {
            check_user("access", Some(name), &self.users)?;
        }
        if !(1..=64).contains(&self.parallel) {
            let why = "run 1 to 64 scenarios at once".to_owned();
            return Err(PlanError::Invalid {
                place: "parallel".to_owned(),
                why,
            });
        }
        for (place, step) in self.steps() {
            self.check_step(&place, step)?;
            if step.undo.is_some() && (place == "setup" || place == "teardown") {
                let why = "`undo` is of scenarios: what the setup makes is taken back by the `teardown`".to_owned();
                return Err(PlanError::Invalid { place, why });
            }
        }
        Ok(())
    }

    /// Whether the plan defines what `step` at `place` names.
    fn check_step(&self, place: &str, step: &Step) -> Result<(), PlanError> {
        check_user(place, step.user.as_ref(), &self.users)?;
        let body = self.check_request(place, &step.send)?.json();
        let invalid = |why: String| {
            Err(PlanError::Invalid {
                place: place.to_owned(),
                why,
            })
        };
        let mut omitted = step.omit.iter();
        if let Some(nowhere) = omitted.find(|omitted| !body.is_some_and(|body| stands(body, omitted))) {
            return invalid(format!(
                "`omit` names {nowhere}, which request {} does not hold",
                step.send
            ));
        }
        if let Some(undo) = &step.undo {
            check_user(place, undo.user.as_ref(), &self.users)?;
            self.check_request(place, &undo.send)?;
        }
        let hour = jiff::SignedDuration::from_hours(1);
        if step
            .until
            .is_some_and(|until| until.patience.get() > hour || until.every.get() > until.patience.get())
        {
            return invalid("`until` waits an hour at most, and `every` is no longer than `for`".to_owned());
        }
        if step.sign_as.is_some() && step.user.is_none() {
            return invalid("`sign_as` needs the user who signs: add `as`".to_owned());
        }
        let undone = step.undo.iter().flat_map(|undo| undo.capture.values());
        let captured = step
            .capture
            .values()
            .chain(undone)
            .filter_map(|capture| match capture.place() {
                Place::Named(name) => Some(name),
                _ => None,
            });
        let places: Vec<&String> = captured.chain(&step.expect.present).collect();
        for (dialect_name, dialect) in &self.dialects {
            let defines = |name: &&&String| dialect.paths.keys().any(|key| key.as_str() == name.as_str());
            if let Some(name) = places.iter().find(|name| !defines(name)) {
                return Err(PlanError::Unknown {
                    place: format!("{place}, dialect {dialect_name},"),
                    what: "place",
                    name: (*name).clone(),
                    known: dialect.paths.keys().map(ToString::to_string).collect(),
                });
            }
        }
        Ok(())
    }

    /// The request that `place` names.
    fn check_request(&self, place: &str, name: &Ident) -> Result<&Request, PlanError> {
        self.requests.get(name).ok_or_else(|| PlanError::Unknown {
            place: place.to_owned(),
            what: "request",
            name: name.to_string(),
            known: self.requests.keys().map(ToString::to_string).collect(),
        })
    }

    /// Every step with the place it stands at.
    pub(super) fn steps(&self) -> impl Iterator<Item = (String, &Step)> {
        let scenarios = self.scenarios.iter().flat_map(|scenario| {
            scenario
                .steps
                .iter()
                .map(|step| (format!("scenario {:?}", scenario.name), step))
        });
        let setup = self.setup.iter().map(|step| ("setup".to_owned(), step));
        setup
            .chain(scenarios)
            .chain(self.teardown.iter().map(|step| ("teardown".to_owned(), step)))
    }

    /// Whether any step runs as a user whose tokens are minted.
    #[must_use]
    pub fn needs_tokens(&self) -> bool {
        let mut users = self.steps().filter_map(|(_, step)| self.users.get(step.user.as_ref()?));
        users.any(|user| user.auth.is_none())
    }

    /// The dialect of that name.
    ///
    /// # Errors
    /// Names the dialects there are.
    pub fn dialect(&self, name: &str) -> Result<&Dialect, PlanError> {
        self.dialects
            .iter()
            .find(|(key, _)| key.as_str() == name)
            .map(|(_, dialect)| dialect)
            .ok_or_else(|| PlanError::Unknown {
                place: "the run (--dialect, or `dialect:` in lensops.yml)".to_owned(),
                what: "dialect",
                name: name.to_owned(),
                known: self.dialects.keys().map(ToString::to_string).collect(),
            })
    }
}

/// Whether `body` holds something at the dotted `place`, or a variable that may.
fn stands(body: &Value, place: &str) -> bool {
    let mut at = body;
    for key in place.split('.') {
        match at {
            Value::String(text) if text.starts_with('$') => return true,
            _ => match at.get(key) {
                Some(next) => at = next,
                None => return false,
            },
        }
    }
    true
}

/// Removes the value at a dotted `place` from `body`; nothing happens when it is not there.
pub fn omit(body: &mut Value, place: &str) {
    let (parents, last) = place.rsplit_once('.').unwrap_or(("", place));
    let mut at = body;
    for key in parents.split('.').filter(|key| !key.is_empty()) {
        let Some(next) = at.get_mut(key) else { return };
        at = next;
    }
    if let Some(object) = at.as_object_mut() {
        // Shifting, not swapping: what was reviewed keeps its order on the wire.
        object.shift_remove(last);
    }
}
