//! What the API knows before the first request: actions, lenses, users, entities.
//!
//! Read once from the embedded data; it never changes while a sandbox runs.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::data::{ACTIONS_JSON, LENSES_JSON};

/// What an action does to the data, and whether it needs a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Variant {
    /// Changes nothing.
    Read,
    /// Writes.
    Mutate,
    /// Writes, and carries a signature.
    Signed,
}

/// One operation of the action router.
#[derive(Debug, Deserialize)]
pub(crate) struct Action {
    pub(crate) action_id: String,
    pub(crate) domain: String,
    pub(crate) variant: Variant,
    pub(crate) allowed_roles: Vec<String>,
    pub(crate) required_fields: Vec<String>,
    #[serde(default)]
    pub(crate) signer_roles: Vec<String>,
    /// The action as `list` shows it, serialised once.
    #[serde(skip)]
    pub(crate) card: String,
}

impl Action {
    pub(crate) fn allows(&self, role: &str) -> bool {
        self.allowed_roles.iter().any(|allowed| allowed == role)
    }

    pub(crate) fn requires(&self, field: &str) -> bool {
        self.required_fields.iter().any(|required| required == field)
    }

    /// Title-cased id: `view_fault_detail` is "View Fault Detail".
    pub(crate) fn label(&self) -> String {
        let words = self.action_id.split('_').map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect::<String>())
                .unwrap_or_default()
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn draw_card(&mut self) {
        #[derive(Serialize)]
        struct Card<'a> {
            action_id: &'a str,
            label: String,
            variant: Variant,
            allowed_roles: &'a [String],
            required_fields: &'a [String],
            domain: &'a str,
        }
        let card = Card {
            action_id: &self.action_id,
            label: self.label(),
            variant: self.variant,
            allowed_roles: &self.allowed_roles,
            required_fields: &self.required_fields,
            domain: &self.domain,
        };
        self.card = serde_json::to_string(&card).expect("a card is made of strings");
    }
}

/// The part of a lens that the API cares about.
#[derive(Debug, Deserialize)]
pub(crate) struct Lens {
    pub(crate) lens_id: String,
    pub(crate) domain: String,
    pub(crate) feature_flags: Vec<String>,
    pub(crate) entity_id_key: String,
    pub(crate) signed_action: Option<String>,
    pub(crate) entity_type: Option<String>,
    pub(crate) test_entities: Vec<Uuid>,
}

impl Lens {
    /// The flags that must be on for suggestions, or for signed actions: the master flag and the
    /// one named for the purpose.
    pub(crate) fn flags_for(&self, purpose: &str) -> impl Iterator<Item = &str> {
        let named = self.feature_flags.iter().skip(1);
        let named = named.filter(move |flag| flag.contains(purpose));
        self.feature_flags.first().into_iter().chain(named).map(String::as_str)
    }

    /// The kind of entity the lens is about: its id key without `_id`.
    pub(crate) fn kind(&self) -> &str {
        kind_of(&self.entity_id_key)
    }
}

/// `fault_id` names a `fault`.
pub(crate) fn kind_of(id_key: &str) -> &str {
    id_key.strip_suffix("_id").unwrap_or(id_key)
}

#[derive(Deserialize)]
struct User {
    id: Uuid,
    role: String,
}

#[derive(Deserialize)]
struct Tenants {
    north: Uuid,
    south: Uuid,
}

#[derive(Deserialize)]
struct LensFile {
    tenants: Tenants,
    users: HashMap<String, User>,
    users_south: HashMap<String, User>,
    lenses: Vec<Lens>,
}

#[derive(Deserialize)]
struct ActionFile {
    actions: Vec<Action>,
}

/// Everything above, with its look-up tables.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) actions: Vec<Action>,
    pub(crate) lenses: Vec<Lens>,
    north: Uuid,
    south: Uuid,
    by_id: HashMap<String, usize>,
    roles: HashMap<(Uuid, Uuid), String>,
}

static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Registry::read(ACTIONS_JSON, LENSES_JSON).expect("the embedded registry is checked by the tests"));

/// The one registry.
pub(crate) fn registry() -> &'static Registry {
    &REGISTRY
}

impl Registry {
    fn read(actions: &str, lenses: &str) -> serde_json::Result<Self> {
        let ActionFile { mut actions } = serde_json::from_str(actions)?;
        let file: LensFile = serde_json::from_str(lenses)?;
        actions.iter_mut().for_each(Action::draw_card);
        let by_id = actions
            .iter()
            .enumerate()
            .map(|(at, action)| (action.action_id.clone(), at))
            .collect();
        let Tenants { north, south } = file.tenants;
        let mut roles = HashMap::new();
        for user in file.users.into_values() {
            roles.insert((user.id, north), user.role.clone());
            roles.insert((user.id, south), user.role);
        }
        for user in file.users_south.into_values() {
            roles.insert((user.id, south), user.role);
        }
        Ok(Self {
            actions,
            lenses: file.lenses,
            north,
            south,
            by_id,
            roles,
        })
    }

    pub(crate) fn action(&self, id: &str) -> Option<&Action> {
        self.by_id.get(id).map(|&at| &self.actions[at])
    }

    pub(crate) fn lens_of(&self, domain: &str) -> Option<&Lens> {
        self.lenses.iter().find(|lens| lens.domain == domain)
    }

    /// The lens whose entities a field names, if it names any.
    pub(crate) fn lens_keyed(&self, field: &str) -> Option<&Lens> {
        self.lenses.iter().find(|lens| lens.entity_id_key == field)
    }

    /// The job role of a user in a tenant; `None` for a stranger.
    pub(crate) fn role_in(&self, user: Uuid, tenant: Uuid) -> Option<&str> {
        self.roles.get(&(user, tenant)).map(String::as_str)
    }

    /// The job role where the request names no tenant: that of the user's first one.
    pub(crate) fn role_of(&self, user: Uuid) -> Option<&str> {
        self.role_in(user, self.north)
            .or_else(|| self.role_in(user, self.south))
    }

    /// Every entity that exists at start: tenant, id, kind.
    pub(crate) fn entities(&self) -> impl Iterator<Item = (Uuid, Uuid, &str)> {
        self.lenses.iter().flat_map(move |lens| {
            [self.north, self.south].into_iter().flat_map(move |tenant| {
                let ids = self.entities_of(tenant, lens);
                ids.into_iter().map(move |id| (tenant, id, lens.kind()))
            })
        })
    }

    fn entities_of(&self, tenant: Uuid, lens: &Lens) -> Vec<Uuid> {
        if tenant == self.north {
            return lens.test_entities.clone();
        }
        if tenant != self.south {
            return Vec::new();
        }
        (0..lens.test_entities.len())
            .map(|at| derived_id(&format!("{}/south/{at}", lens.lens_id)))
            .collect()
    }
}

/// The entities of a lens that exist in a tenant when a sandbox starts; empty for an unknown
/// tenant or lens. North has those of [`crate::LENSES_JSON`]; south's are derived from the lens
/// id, the same in every run.
pub fn test_entities(tenant: Uuid, lens_id: &str) -> Vec<Uuid> {
    let registry = registry();
    let lens = registry.lenses.iter().find(|lens| lens.lens_id == lens_id);
    lens.map(|lens| registry.entities_of(tenant, lens)).unwrap_or_default()
}

/// A UUIDv8 made from a name: FNV-1a over 128 bits. Stable, and not meant to be secret.
fn derived_id(name: &str) -> Uuid {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = name
        .bytes()
        .fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    Uuid::new_v8(hash.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_registry_is_whole() {
        let registry = Registry::read(ACTIONS_JSON, LENSES_JSON).expect("embedded data parses");
        assert_eq!(registry.actions.len(), 76);
        assert_eq!(registry.by_id.len(), 76, "no action id occurs twice");
        for action in &registry.actions {
            let signed = action.variant == Variant::Signed;
            assert_eq!(signed, !action.signer_roles.is_empty(), "{}", action.action_id);
        }
        for lens in &registry.lenses {
            for signed in lens.signed_action.iter() {
                let action = registry.action(signed).expect("a signed action exists");
                assert_eq!(action.variant, Variant::Signed, "{signed}");
            }
        }
    }

    #[test]
    fn the_tenants_share_users_but_no_entity() {
        let registry = registry();
        let mut seen = std::collections::HashSet::new();
        for (_, id, kind) in registry.entities() {
            assert!(seen.insert(id), "{kind} {id} exists once");
        }
        assert_eq!(seen.len(), registry.lenses.len() * 4);
        assert!(test_entities(Uuid::nil(), "faults").is_empty());
        assert!(test_entities(registry.north, "no_such_lens").is_empty());
    }

    #[test]
    fn users_of_south_are_strangers_in_north() {
        let file: LensFile = serde_json::from_str(LENSES_JSON).expect("parses");
        let registry = registry();
        for user in file.users_south.values() {
            assert_eq!(registry.role_in(user.id, registry.north), None);
            assert_eq!(registry.role_of(user.id), Some(user.role.as_str()));
        }
        for user in file.users.values() {
            for tenant in [registry.north, registry.south] {
                assert_eq!(registry.role_in(user.id, tenant), Some(user.role.as_str()));
            }
        }
    }

    #[test]
    fn labels_are_title_cased_ids() {
        let action = registry().action("view_fault_detail").expect("exists");
        assert_eq!(action.label(), "View Fault Detail");
    }

    #[test]
    fn a_lens_needs_its_master_flag_and_the_one_for_the_purpose() {
        let faults = registry().lens_of("faults").expect("exists");
        let flags: Vec<&str> = faults.flags_for("_SUGGESTIONS_").collect();
        assert_eq!(flags, ["FAULT_LENS_V1_ENABLED", "FAULT_LENS_SUGGESTIONS_ENABLED"]);
        let equipment = registry().lens_of("equipment").expect("exists");
        let flags: Vec<&str> = equipment.flags_for("_SIGNED_ACTIONS_").collect();
        assert_eq!(flags, ["EQUIPMENT_LENS_V1_ENABLED"]);
    }
}
