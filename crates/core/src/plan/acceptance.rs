//! The acceptance plan: scenarios with a fixed order, in the dialects of the API.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Dialect, Expect, PlanError, Request, Vars, check_tenants, check_unique, check_user};
use crate::ident::{Ident, LensId};
use crate::lens::User;

/// An acceptance plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// The dialects of the API by name.
    pub dialects: IndexMap<Ident, Dialect>,
    /// Requests that scenarios send, by name.
    pub requests: IndexMap<Ident, Request>,
    /// The scenarios, in order.
    pub scenarios: Vec<Scenario>,
    /// How the role matrix asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Matrix>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name in reports.
    pub name: String,
    /// The user it runs as.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub user: Option<Ident>,
    /// The request it sends.
    pub send: Ident,
    /// Places of the body left out, dotted: `payload.signature`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omit: Vec<String>,
    /// Variables of this case, over those of the plan.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub with: Vars,
    /// The role written into the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_as: Option<Ident>,
    /// What the answer must be.
    pub expect: Expect,
    /// What a pass says behind the status, with captures: `work_order created: $entity_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// Variables taken from the answer: name → named place of the dialect.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub capture: IndexMap<Ident, String>,
    /// The answer that means an earlier run used the entity up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_up: Option<Expect>,
    /// What proves the success afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Proof>,
    /// Why the case is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
}

/// A postcondition in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// A read-only statement with `$captures`.
    pub sql: String,
    /// What it must return.
    pub expect: Rows,
}

/// How many rows a statement must return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// Exactly this many.
    pub rows: u64,
}

/// How a cell of the role matrix is asked: a request that names `$action`, and in its payload
/// every field that the API may want, of which a cell leaves out what it must not send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The request, by name.
    pub send: Ident,
    /// Where its signature stands, dotted.
    pub signature: String,
    /// Where its payload stands, dotted: known fields of the action go there.
    pub payload: String,
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
        for scenario in &self.scenarios {
            let place = format!("scenario {:?}", scenario.name);
            check_user(&place, scenario.user.as_ref(), &self.users)?;
            if !self.requests.contains_key(&scenario.send) {
                let keys = self.requests.keys().map(ToString::to_string).collect();
                return Err(known(keys, &place, "request", scenario.send.as_str()));
            }
            if scenario.sign_as.is_some() && scenario.user.is_none() {
                return Err(PlanError::Invalid {
                    place,
                    why: "`sign_as` needs the user who signs: add `as`".to_owned(),
                });
            }
            let places = scenario.capture.values().chain(&scenario.expect.present);
            for (dialect_name, dialect) in &self.dialects {
                if let Some(name) = places
                    .clone()
                    .find(|name| !dialect.paths.keys().any(|key| key.as_str() == name.as_str()))
                {
                    let keys = dialect.paths.keys().map(ToString::to_string).collect();
                    return Err(known(keys, &format!("{place}, dialect {dialect_name},"), "place", name));
                }
            }
        }
        Ok(())
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
                place: "--dialect".to_owned(),
                what: "dialect",
                name: name.to_owned(),
                known: self.dialects.keys().map(ToString::to_string).collect(),
            })
    }
}

impl Scenario {
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
