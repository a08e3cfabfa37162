//! A case of the acceptance plan: its steps, and how it is written.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::proof::Proof;
use crate::duration::Period;
use crate::expect::Capture;
use crate::ident::Ident;
use crate::plan::{Expect, Vars};

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

/// How long a step is sent again until its answer is as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// The wait between two requests.
    pub every: Period,
    /// How long at most.
    #[serde(rename = "for")]
    pub patience: Period,
}

/// The request that takes back what a step made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// The user it runs as.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub user: Option<Ident>,
    /// The request it sends.
    pub send: Ident,
    /// Variables taken from the answer of the step, whatever the step expected.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub capture: IndexMap<Ident, Capture>,
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
    /// How long it is sent again until the answer is as expected; the last answer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// What takes back what the step made. It is sent at the end of the case when the answer was a 2xx, also where that
    /// was not expected; a 404 or 410 says that nothing is left to take back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What a pass says behind the status, with captures: `work_order created: $entity_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// Variables taken from the answer: name → where it stands, or `{from: PLACE, matches: "(…)"}`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub capture: IndexMap<Ident, Capture>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    /// Its name in reports.
    name: String,
    /// The user it runs as; without one the request carries no token.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    user: Option<Ident>,
    /// The request it sends; several go into `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    send: Option<Ident>,
    /// Places of the body that are left out, dotted: `payload.signature`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    omit: Vec<String>,
    /// Variables of this step, over those of the plan.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    with: Vars,
    /// The role written into the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sign_as: Option<Ident>,
    /// What the answer must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<Expect>,
    /// How long it is sent again until the answer is as expected; the last answer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Until>,
    /// What takes back what the step made. It is sent at the end of the case when the answer was a 2xx, also where that
    /// was not expected; a 404 or 410 says that nothing is left to take back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undo: Option<Undo>,
    /// What a pass says behind the status, with captures: `work_order created: $entity_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<String>,
    /// Variables taken from the answer: name and where it stands, or `{from: PLACE, matches: "(…)"}` for the
    /// first group of an expression. What stands at a place of a secret's name, such as `$.access_token`, is a
    /// secret from then on.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    capture: IndexMap<Ident, Capture>,
    /// Several requests in order, in place of `send`; the first that fails ends the case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
    /// The answer to the first step that means an earlier run used the entity up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_up: Option<Expect>,
    /// What the database must say after a pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    then: Vec<Proof>,
    /// Why the case is left out.
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
            until,
            undo,
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
            || until.is_some()
            || undo.is_some()
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
                until,
                undo,
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
            until: None,
            undo: None,
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
            until,
            undo,
            told,
            capture,
        }) = steps.pop()
        {
            (raw.user, raw.send, raw.omit, raw.with, raw.sign_as) = (user, Some(send), omit, with, sign_as);
            (raw.expect, raw.until, raw.undo, raw.told, raw.capture) = (Some(expect), until, undo, told, capture);
        }
        raw
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
