//! The reference API's data, embedded in the program: actions, tenants, users, lenses.

/// The action registry of the reference API, as the sandbox serves it.
pub const ACTIONS_JSON: &str = include_str!("../data/actions.json");

/// Tenants, users, test entities and flags that the sandbox knows.
pub const LENSES_JSON: &str = include_str!("../data/lenses.json");
