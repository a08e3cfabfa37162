//! Where requests go: the API, or another host by its name.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fill::{PrepareError, expand_text, names};
use super::spec::{Request, Vars};
use crate::exchange::Base;
use crate::ident::Ident;

/// The address of a host; variables of the tenant are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Address(String);

/// Hosts besides the API, by the names that requests call them in `at`.
pub type Hosts = IndexMap<Ident, Address>;

impl Address {
    /// `text` as an address.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The address as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it differs from tenant to tenant.
    #[must_use]
    pub fn varies(&self) -> bool {
        names(&self.0).next().is_some()
    }

    /// The address with `vars` filled in.
    ///
    /// # Errors
    /// A variable that is not known, or a text that is no address.
    pub fn base(&self, vars: &Vars) -> Result<Base, PrepareError> {
        let text = expand_text(&self.0, vars)?;
        // A value must not lead to another host than the address says: it stays within a label, or is a port.
        let literal: usize = self.0.matches(['/', '\\', '@', '?', '#']).count();
        if text.matches(['/', '\\', '@', '?', '#']).count() != literal {
            return Err(PrepareError::Address(self.0.clone()));
        }
        Base::parse(&text).map_err(|_| PrepareError::Address(self.0.clone()))
    }
}

impl Request {
    /// Where it goes: to `api`, or to the host of `hosts` that it names.
    ///
    /// # Errors
    /// A host that is not defined, or no address.
    pub fn base(&self, api: &Base, hosts: &Hosts, vars: &Vars) -> Result<Base, PrepareError> {
        let Some(name) = &self.at else {
            return Ok(api.clone());
        };
        let host = hosts.get(name);
        host.ok_or_else(|| PrepareError::Host(name.clone()))?.base(vars)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::prepare::set;

    #[test]
    fn a_value_fills_a_label_and_leads_nowhere_else() {
        let address = Address::new("https://$tenant.api.example.com/v1");
        for (tenant, base) in [
            ("acme", Some("https://acme.api.example.com/v1")),
            ("evil.example/x?", None),
            ("evil.example#", None),
            ("user@evil.example", None),
        ] {
            let mut vars = Vars::new();
            set(&mut vars, "tenant", json!(tenant));
            let found = address.base(&vars).ok().map(|base| base.to_string());
            assert_eq!(found.as_deref(), base, "{tenant}");
        }
        assert!(address.varies() && !Address::new("https://x").varies());
    }
}
