//! Tenants: any text by name, kept in rows under a UUID, with values of their own.

use std::ops::Deref;
use std::str::FromStr as _;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::auth::{Environment, Given, Values, literals};
use crate::crypto::digest::sha256;
use crate::ident::{EntityId, EnvName};
use crate::request::Vars;
use crate::request::prepare::set;

/// The id under which rows keep the tenant `name`: the UUID that it is, else a UUIDv8 of the first 16 bytes of
/// SHA-256 over `lensops tenant`, a zero byte and the name in UTF-8.
#[must_use]
pub fn tenant_id(name: &EntityId) -> Uuid {
    name.uuid().unwrap_or_else(|| {
        let hash = sha256(&[b"lensops tenant\0", name.as_str().as_bytes()].concat());
        let mut bytes = hash.into_iter();
        uuid::Builder::from_custom_bytes(std::array::from_fn(|_| bytes.next().unwrap_or_default())).into_uuid()
    })
}

/// The id of the tenant that somebody names at the command line.
///
/// # Errors
/// What is wrong with the name, in words.
pub fn parse_tenant(text: &str) -> Result<Uuid, String> {
    let name = EntityId::from_str(text).map_err(|error| error.to_string())?;
    Ok(tenant_id(&name))
}

/// The tenants of a file, in order: names, or a map from names to values, which are variables of requests for that
/// tenant. As a slice it is their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Written", into = "Written")]
pub struct Tenants {
    ids: Vec<Uuid>,
    named: Vec<(EntityId, Values)>,
    /// Tenants besides these whose names and values are known: those of `lensops.yml`.
    others: Vec<(Uuid, EntityId, Values)>,
}

/// Tenants as files write them.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    /// Names alone.
    List(Vec<EntityId>),
    /// Names with their values.
    Map(IndexMap<EntityId, Option<Values>>),
}

impl From<Written> for Tenants {
    fn from(written: Written) -> Self {
        let named: Vec<(EntityId, Values)> = match written {
            Written::List(names) => names.into_iter().map(|name| (name, Values::new())).collect(),
            Written::Map(map) => map
                .into_iter()
                .map(|(name, values)| (name, values.unwrap_or_default()))
                .collect(),
        };
        let ids = named.iter().map(|(name, _)| tenant_id(name)).collect();
        Self {
            ids,
            named,
            others: Vec::new(),
        }
    }
}

impl From<Tenants> for Written {
    fn from(tenants: Tenants) -> Self {
        let named = tenants.named;
        if named.iter().all(|(_, values)| values.is_empty()) {
            return Self::List(named.into_iter().map(|(name, _)| name).collect());
        }
        Self::Map(named.into_iter().map(|(name, values)| (name, Some(values))).collect())
    }
}

impl From<Vec<Uuid>> for Tenants {
    fn from(ids: Vec<Uuid>) -> Self {
        ids.into_iter().collect()
    }
}

impl FromIterator<Uuid> for Tenants {
    fn from_iter<I: IntoIterator<Item = Uuid>>(ids: I) -> Self {
        Written::List(ids.into_iter().map(EntityId::from).collect()).into()
    }
}

impl FromIterator<EntityId> for Tenants {
    fn from_iter<I: IntoIterator<Item = EntityId>>(names: I) -> Self {
        Written::List(names.into_iter().collect()).into()
    }
}

/// The ids.
impl Deref for Tenants {
    type Target = [Uuid];
    fn deref(&self) -> &[Uuid] {
        &self.ids
    }
}

impl Tenants {
    /// The names, each with its id.
    pub fn names(&self) -> impl Iterator<Item = (Uuid, &EntityId)> {
        self.ids.iter().copied().zip(self.named.iter().map(|(name, _)| name))
    }

    /// The name of `id`; the id as text, where no tenant of these has it.
    #[must_use]
    pub fn name(&self, id: Uuid) -> String {
        self.find(id)
            .map_or_else(|| id.to_string(), |(name, _)| name.to_string())
    }

    /// The values of `id`.
    #[must_use]
    pub fn values(&self, id: Uuid) -> Option<&Values> {
        self.find(id).map(|(_, values)| values)
    }

    fn find(&self, id: Uuid) -> Option<(&EntityId, &Values)> {
        let own = self.ids.iter().position(|known| *known == id);
        let own = own
            .and_then(|at| self.named.get(at))
            .map(|(name, values)| (name, values));
        let other = || self.others.iter().find(|(known, ..)| *known == id);
        own.or_else(|| other().map(|(_, name, values)| (name, values)))
    }

    /// The variables of requests for `id`: `$tenant`, its name, and its values. What another tenant has and this one
    /// has not is not known.
    #[must_use]
    pub fn vars(&self, id: Uuid, environment: &Environment) -> Vars {
        let mut vars = Vars::new();
        for name in self.value_names() {
            vars.insert(name.clone(), Value::Null);
        }
        let values = self.values(id).into_iter().flatten();
        vars.extend(values.map(|(name, value)| (name.clone(), value.value(environment))));
        set(&mut vars, "tenant", json!(self.name(id)));
        vars
    }

    /// The names of all values.
    pub fn value_names(&self) -> impl Iterator<Item = &crate::ident::Ident> {
        let own = self.named.iter().map(|(_, values)| values);
        own.chain(self.others.iter().map(|(_, _, values)| values))
            .flat_map(IndexMap::keys)
    }

    /// The environment variables that values name.
    pub fn variables(&self) -> impl Iterator<Item = &EnvName> {
        let own = self.named.iter().map(|(_, values)| values);
        let all = own.chain(self.others.iter().map(|(_, _, values)| values));
        all.flat_map(IndexMap::values).filter_map(Given::variable)
    }

    /// The same tenants with the names and values that `known` has of them and of others.
    #[must_use]
    pub fn knowing(self, known: &Self) -> Self {
        let others = known.names().zip(&known.named);
        let others = others.map(|((id, name), (_, values))| (id, name.clone(), values.clone()));
        let complete = |(id, (name, values)): (Uuid, (EntityId, Values))| match known.find(id) {
            Some((name, known)) if values.is_empty() => (name.clone(), known.clone()),
            _ => (name, values),
        };
        let named = self.ids.iter().copied().zip(self.named).map(complete).collect();
        Self {
            others: self.others.into_iter().chain(others).collect(),
            ids: self.ids,
            named,
        }
    }

    /// The same with those of `more` behind.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.ids.extend(more.ids);
        self.named.extend(more.named);
        self
    }

    /// What is wrong with them: where, key by key, and why.
    #[must_use]
    pub fn wrong(&self) -> Vec<(String, String)> {
        let wrong = self.named.iter().flat_map(|(name, values)| {
            let wrong = literals(values).into_iter();
            wrong.map(move |(key, why)| (format!("tenants.{name}.{key}"), why))
        });
        wrong.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(text: &str) -> Tenants {
        crate::yaml::read("x", text).unwrap()
    }

    /// The published test vector: whoever joins rows to their own tenants makes the same ids.
    #[test]
    fn the_id_of_a_text_is_a_uuid_v8_of_its_hash_and_a_uuid_is_itself() {
        for (name, id) in [
            ("acme", "1aaee8ec-0edc-82fc-8642-16c97cada842"),
            ("globex", "9ce4320f-9844-8bc6-a5ec-1949366f42ca"),
            ("Müller & Söhne", "7d03be0f-dfa7-8648-830b-15538884f49f"),
            (
                "53FBDF09-B709-509D-AAD0-3A6F50239A5D",
                "53fbdf09-b709-509d-aad0-3a6f50239a5d",
            ),
        ] {
            assert_eq!(tenant_id(&name.parse().unwrap()).to_string(), id, "{name}");
        }
    }

    #[test]
    fn a_list_and_a_map_are_tenants_and_are_written_as_they_were() {
        for text in [
            "[acme, 53fbdf09-b709-509d-aad0-3a6f50239a5d]",
            "{acme: {key: {env: ACME_KEY}}, globex: {host: globex.example}}",
        ] {
            let read = tenants(text);
            assert_eq!(read.len(), 2);
            assert_eq!(tenants(&serde_json::to_string(&read).unwrap()), read, "{text}");
        }
        assert_eq!(tenants("{acme: , globex: }").name(tenants("[globex]")[0]), "globex");
    }

    #[test]
    fn values_are_variables_of_their_tenant_alone() {
        let of = tenants("{acme: {host: a.example, plan: 7}, globex: {host: b.example}}");
        let vars = |at: usize| json!(of.vars(of[at], &Environment::default()));
        assert_eq!(vars(0), json!({"host": "a.example", "plan": 7, "tenant": "acme"}));
        assert_eq!(vars(1), json!({"host": "b.example", "plan": null, "tenant": "globex"}));
        // A plan that lists names alone takes the values of lensops.yml.
        let plan = tenants("[globex]").knowing(&of);
        assert_eq!(plan.vars(plan[0], &Environment::default())["host"], "b.example");
        assert_eq!(tenants("{a: {key: sk-made-up}}").wrong()[0].0, "tenants.a.key");
    }
}
