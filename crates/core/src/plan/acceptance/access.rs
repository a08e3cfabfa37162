//! Who may send which request: endpoint by role by tenant, and the cases that this comes to.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scenario::{Scenario, Step, Undo};
use crate::expect::Expect;
use crate::ident::Ident;
use crate::lens::{Allow, User};

/// Who may send which request: what the role matrix of a lens with endpoints asks, without a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The roles, in the order of the table.
    pub roles: Vec<Ident>,
    /// Users of another tenant, by name. They are in no role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outsiders: Vec<Ident>,
    /// How nobody is let in.
    pub denied: Expect,
    /// The endpoints, in the order of the table.
    pub endpoints: Vec<Entry>,
}

/// One endpoint of [`Access`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in the table.
    pub name: Ident,
    /// The request, by name.
    pub send: Ident,
    /// The roles that are let in, or `anyone`.
    pub allow: Allow,
    /// What the answer is to who is let in.
    #[serde(default)]
    pub expect: Expect,
    /// Whether it changes something.
    #[serde(deserialize_with = "crate::yaml::own_boolean", default)]
    pub changes: bool,
    /// Whether it names what the setup makes.
    #[serde(deserialize_with = "crate::yaml::own_boolean", default)]
    pub needs: bool,
    /// Steps before it for who is let in: they make what it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<Step>,
    /// What takes back what it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What the answer is to a user of another tenant; `denied` where it names what the setup makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Expect>,
}

/// What a cell of the table expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// To be let in.
    LetIn,
    /// To be denied.
    Denied,
}

/// Where changes are not allowed.
const FORBIDDEN: &str = "runs only against a target marked `destructive: allowed` in lensops.yml";

impl Access {
    /// What stands above the columns: roles, then users of another tenant.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let outsiders = self.outsiders.iter().map(|name| format!("{name} (other tenant)"));
        self.roles.iter().map(ToString::to_string).chain(outsiders).collect()
    }

    /// The cases, row by row: what each expects, and the scenario that asks. `destructive` says whether the target may
    /// be changed.
    #[must_use]
    pub fn cells(&self, users: &IndexMap<Ident, User>, destructive: bool) -> Vec<(Cell, Scenario)> {
        let row = |entry: &Entry| {
            let of_roles = self
                .roles
                .iter()
                .map(|role| self.of_role(entry, role, users, destructive));
            let outside = self
                .outsiders
                .iter()
                .map(|name| self.of_outsider(entry, name, destructive));
            of_roles.chain(outside).collect::<Vec<_>>()
        };
        self.endpoints.iter().flat_map(row).collect()
    }

    fn of_role(
        &self,
        entry: &Entry,
        role: &Ident,
        users: &IndexMap<Ident, User>,
        destructive: bool,
    ) -> (Cell, Scenario) {
        let mut own = users.iter().filter(|(name, _)| !self.outsiders.contains(name));
        let user = own.find(|(_, user)| user.role == *role).map(|(name, _)| name);
        let name = format!("{} × {role}", entry.name);
        let cell = if entry.allow.lets_in(role) {
            Cell::LetIn
        } else {
            Cell::Denied
        };
        let is_taken_back = entry.undo.is_some() || !entry.first.is_empty();
        let skip = match cell {
            _ if user.is_none() => Some("no user of this role".to_owned()),
            Cell::LetIn if entry.changes && !is_taken_back => {
                Some("it changes something that nothing takes back: give the endpoint `undo`".to_owned())
            }
            Cell::LetIn if entry.changes && !destructive => Some(format!("would be let in: {FORBIDDEN}")),
            _ => unmade(entry.needs, destructive),
        };
        let expect = if cell == Cell::LetIn {
            &entry.expect
        } else {
            &self.denied
        };
        let first = if cell == Cell::LetIn {
            entry.first.clone()
        } else {
            Vec::new()
        };
        (cell, scenario(name, first, entry.step(user, expect), skip))
    }

    fn of_outsider(&self, entry: &Entry, user: &Ident, destructive: bool) -> (Cell, Scenario) {
        let name = format!("{} × {user} of another tenant", entry.name);
        let expect = entry.outside.as_ref().unwrap_or(&self.denied);
        let names_nothing = !entry.needs && entry.outside.is_none();
        let skip = if names_nothing || matches!(entry.allow, Allow::Anyone(_)) {
            Some(
                "it names nothing of this tenant that could be looked for: only an id that stands in a body can"
                    .to_owned(),
            )
        } else {
            // What a list must lack is made for the run as well.
            unmade(true, destructive)
        };
        let cell = if entry.outside.is_some() {
            Cell::LetIn
        } else {
            Cell::Denied
        };
        (cell, scenario(name, Vec::new(), entry.step(Some(user), expect), skip))
    }
}

impl Entry {
    fn step(&self, user: Option<&Ident>, expect: &Expect) -> Step {
        Step {
            user: user.cloned(),
            send: self.send.clone(),
            omit: Vec::new(),
            with: IndexMap::new(),
            sign_as: None,
            expect: expect.clone(),
            until: None,
            undo: self.undo.clone(),
            told: None,
            capture: IndexMap::new(),
        }
    }
}

/// Why a request that names what is made for the run cannot be sent where nothing may be made.
fn unmade(is_named: bool, destructive: bool) -> Option<String> {
    (is_named && !destructive).then(|| format!("names what is made for the run: {FORBIDDEN}"))
}

fn scenario(name: String, mut steps: Vec<Step>, step: Step, skip: Option<String>) -> Scenario {
    steps.push(step);
    Scenario {
        name,
        steps,
        used_up: None,
        then: Vec::new(),
        skip,
    }
}
