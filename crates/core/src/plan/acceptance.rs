//! The acceptance plan: scenarios with a fixed order, in the dialects of the API.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::sql::check_sql;
use super::{Dialect, Expect, JsonPath, PlanError, Request, Vars, check_tenants, check_unique, check_user};
use crate::exchange::Response;
use crate::ident::{EnvName, Ident, LensId};
use crate::lens::User;

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
    pub tenants: Vec<Uuid>,
    /// Its users by name.
    #[serde(default)]
    pub users: IndexMap<Ident, User>,
    /// Its variables besides `$tenant` and `$signature`.
    #[serde(default)]
    pub vars: Vars,
    /// Variables that come from the environment.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<Ident, FromEnv>,
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
}

/// One case: one step, written in place, or several under `steps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawScenario", into = "RawScenario")]
pub struct Scenario {
    /// Its name in reports.
    pub name: String,
    /// Its steps, at least one; the first that fails ends it.
    pub steps: Vec<Step>,
    /// The answer to the first step that means an earlier run used the entity up.
    pub used_up: Option<Expect>,
    /// What proves the success afterwards.
    pub then: Vec<Proof>,
    /// Why the case is left out.
    pub skip: Option<String>,
}

/// One request of a case with what it expects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The user it runs as.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub user: Option<Ident>,
    /// The request it sends.
    pub send: Ident,
    /// Places of the body left out, dotted: `payload.signature`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omit: Vec<String>,
    /// Variables of this step, over those of the plan.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub with: Vars,
    /// The role written into the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_as: Option<Ident>,
    /// What the answer must be.
    #[serde(default)]
    pub expect: Expect,
    /// What a pass says behind the status, with captures: `work_order created: $entity_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// Variables taken from the answer: name → where it stands.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub capture: IndexMap<Ident, Place>,
}

/// Where a captured value stands: a named place of the dialect (`entity`), a JSONPath
/// (`$.result.id`) or a header (`header:location`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// A named place of the dialect.
    Named(String),
    /// A JSONPath.
    Path(JsonPath),
    /// A header.
    Header(String),
}

impl TryFrom<String> for Place {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('$') {
            return JsonPath::try_from(text).map(Self::Path);
        }
        match text.strip_prefix("header:") {
            Some(name) => Ok(Self::Header(name.trim().to_owned())),
            None => Ok(Self::Named(text)),
        }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> String {
        place.to_string()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Path(path) => path.fmt(f),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

crate::schema::text_form!(
    Place,
    "place",
    "",
    "a named place of the dialect, a JSONPath, or a header: entity, $.result.id, header:location"
);

impl Place {
    /// The value that stands there in `response`, if there is one.
    #[must_use]
    pub fn find(&self, dialect: &Dialect, response: &Response) -> Option<Value> {
        match self {
            Self::Header(name) => response.header(name).map(|value| Value::String(value.to_owned())),
            Self::Named(name) => dialect.find(name, &response.json()?).cloned(),
            Self::Path(path) => path.first(&response.json()?).filter(|value| !value.is_null()).cloned(),
        }
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    name: String,
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    user: Option<Ident>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    send: Option<Ident>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    omit: Vec<String>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    with: Vars,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sign_as: Option<Ident>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<Expect>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<String>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    capture: IndexMap<Ident, Place>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_up: Option<Expect>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    then: Vec<Proof>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skip: Option<String>,
}

impl TryFrom<RawScenario> for Scenario {
    type Error = String;
    fn try_from(raw: RawScenario) -> Result<Self, String> {
        let RawScenario {
            name,
            user,
            send,
            omit,
            with,
            sign_as,
            expect,
            told,
            capture,
            steps,
            used_up,
            then,
            skip,
        } = raw;
        let in_place = user.is_some()
            || !omit.is_empty()
            || sign_as.is_some()
            || expect.is_some()
            || told.is_some()
            || !capture.is_empty();
        let steps = match (send, steps.is_empty()) {
            (Some(send), true) => vec![Step {
                user,
                send,
                omit,
                with,
                sign_as,
                expect: expect.unwrap_or_default(),
                told,
                capture,
            }],
            (None, false) if !in_place && with.is_empty() => steps,
            (None, true) => return Err(format!("scenario {name:?} sends nothing: give it `send`, or `steps`")),
            _ => {
                return Err(format!(
                    "scenario {name:?} has `steps`: what else it says of a request belongs into one of them"
                ));
            }
        };
        Ok(Self {
            name,
            steps,
            used_up,
            then,
            skip,
        })
    }
}

impl From<Scenario> for RawScenario {
    fn from(scenario: Scenario) -> Self {
        let Scenario {
            name,
            mut steps,
            used_up,
            then,
            skip,
        } = scenario;
        let mut raw = Self {
            name,
            user: None,
            send: None,
            omit: Vec::new(),
            with: Vars::new(),
            sign_as: None,
            expect: None,
            told: None,
            capture: IndexMap::new(),
            steps: Vec::new(),
            used_up,
            then,
            skip,
        };
        if steps.len() != 1 {
            raw.steps = steps;
            return raw;
        }
        if let Some(Step {
            user,
            send,
            omit,
            with,
            sign_as,
            expect,
            told,
            capture,
        }) = steps.pop()
        {
            (raw.user, raw.send, raw.omit, raw.with, raw.sign_as) = (user, Some(send), omit, with, sign_as);
            (raw.expect, raw.told, raw.capture) = (Some(expect), told, capture);
        }
        raw
    }
}

/// A variable that comes from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromEnv {
    /// The environment variable. Unset, the cases that need it are unjudged.
    pub from: EnvName,
    /// Whether its value is hidden wherever it comes up.
    #[serde(default)]
    pub secret: bool,
}

/// A postcondition in the database: a statement that reads, and how many rows it returns after
/// the case, or how much that number changes by the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawProof", into = "RawProof")]
pub struct Proof {
    /// What it proves, in reports.
    pub name: String,
    /// A read-only statement with `$variables` and captures.
    pub sql: String,
    /// What it must return.
    pub expect: Rows,
}

/// How many rows a statement must return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Exactly this many after the case.
    Exactly(u64),
    /// This many more than before the case; negative for fewer.
    Change(i64),
}

impl Rows {
    /// Why the counts are not as expected; `None` when they are. `before` is `None` where the
    /// statement could not be asked before the case, since it speaks of what the case captures.
    #[must_use]
    pub fn broken(self, before: Option<u64>, after: u64) -> Option<String> {
        match (self, before) {
            (Self::Exactly(wanted), _) if wanted == after => None,
            (Self::Exactly(wanted), _) => Some(format!("Expected {wanted} rows, got {after}")),
            (Self::Change(_), None) => Some("a change cannot be told of what the case itself captures".to_owned()),
            (Self::Change(wanted), Some(before)) => {
                let change = i128::from(after) - i128::from(before);
                let told = || format!("Expected {wanted:+} rows, got {change:+} ({before} before, {after} after)");
                (change != i128::from(wanted)).then(told)
            }
        }
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawProof {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    sql: String,
    expect: RawRows,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RawRows {
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<i64>,
}

impl TryFrom<RawProof> for Proof {
    type Error = String;
    fn try_from(raw: RawProof) -> Result<Self, String> {
        check_sql(&raw.sql)?;
        let expect = match (raw.expect.rows, raw.expect.change) {
            (Some(rows), None) => Rows::Exactly(rows),
            (None, Some(change)) => Rows::Change(change),
            _ => return Err("a proof expects either `rows` or a `change` of them".to_owned()),
        };
        Ok(Self {
            name: raw.name.unwrap_or_else(|| "database".to_owned()),
            sql: raw.sql,
            expect,
        })
    }
}

impl From<Proof> for RawProof {
    fn from(proof: Proof) -> Self {
        let (rows, change) = match proof.expect {
            Rows::Exactly(rows) => (Some(rows), None),
            Rows::Change(change) => (None, Some(change)),
        };
        Self {
            name: Some(proof.name),
            sql: proof.sql,
            expect: RawRows { rows, change },
        }
    }
}

/// How the master flag proves itself: off is told by one answer, on by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagProof {
    /// The flag.
    pub flag: EnvName,
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
        let known = |keys: Vec<String>, place: &str, what: &'static str, name: &str| PlanError::Unknown {
            place: place.to_owned(),
            what,
            name: name.to_owned(),
            known: keys,
        };
        if let Some(matrix) = self
            .matrix
            .as_ref()
            .filter(|matrix| !self.requests.contains_key(&matrix.send))
        {
            let keys = self.requests.keys().map(ToString::to_string).collect();
            return Err(known(keys, "matrix", "request", matrix.send.as_str()));
        }
        if !(1..=64).contains(&self.parallel) {
            let why = "run 1 to 64 scenarios at once".to_owned();
            return Err(PlanError::Invalid {
                place: "parallel".to_owned(),
                why,
            });
        }
        for (place, step) in self.steps() {
            check_user(&place, step.user.as_ref(), &self.users)?;
            if !self.requests.contains_key(&step.send) {
                let keys = self.requests.keys().map(ToString::to_string).collect();
                return Err(known(keys, &place, "request", step.send.as_str()));
            }
            if step.sign_as.is_some() && step.user.is_none() {
                let why = "`sign_as` needs the user who signs: add `as`".to_owned();
                return Err(PlanError::Invalid { place, why });
            }
            let captured = step.capture.values().filter_map(|place| match place {
                Place::Named(name) => Some(name),
                _ => None,
            });
            let places: Vec<&String> = captured.chain(&step.expect.present).collect();
            for (dialect_name, dialect) in &self.dialects {
                let defines = |name: &&&String| dialect.paths.keys().any(|key| key.as_str() == name.as_str());
                if let Some(name) = places.iter().find(|name| !defines(name)) {
                    let keys = dialect.paths.keys().map(ToString::to_string).collect();
                    return Err(known(keys, &format!("{place}, dialect {dialect_name},"), "place", name));
                }
            }
        }
        Ok(())
    }

    /// Every step with the place it stands at.
    fn steps(&self) -> impl Iterator<Item = (String, &Step)> {
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

    /// Whether any step runs as a user.
    #[must_use]
    pub fn needs_tokens(&self) -> bool {
        self.steps().any(|(_, step)| step.user.is_some())
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

impl Step {
    /// Whether it expects to be let in: its status is a success.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.expect
            .status
            .as_ref()
            .is_none_or(|status| status.codes().iter().all(|code| (200..300).contains(code)))
    }
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
