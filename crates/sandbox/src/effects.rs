//! What an action does once it has been let through: entities, duplicates, the audit log.

use std::collections::{HashMap, HashSet};

use hyper::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::envelope::Refusal;
use crate::execute::{Call, not_found};
use crate::registry::{Action, Lens, Variant, registry};

/// One row of `pms_audit_log`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRow {
    /// The tenant.
    pub yacht_id: Uuid,
    /// The action that wrote.
    pub action: String,
    /// What was written, e.g. `work_order`; `None` where the action is about no entity.
    pub entity_type: Option<String>,
    /// Its id.
    pub entity_id: Option<Uuid>,
    /// Who did it.
    pub user_id: Uuid,
    /// The whole signature object of a signed action; `{}` of any other.
    pub signature: Value,
    /// The payload without tenant and signature.
    pub new_values: Value,
    /// When, RFC 3339 in UTC.
    pub created_at: String,
}

/// A request that was judged and may proceed.
pub(crate) struct Deed<'a> {
    pub(crate) action: &'a Action,
    pub(crate) lens: Option<&'a Lens>,
    pub(crate) tenant: Uuid,
    pub(crate) user: Uuid,
    pub(crate) call: &'a Call,
}

/// What came of it.
pub(crate) struct Done {
    pub(crate) execution_id: Uuid,
    pub(crate) fields: Map<String, Value>,
}

/// The tenants' data.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) audit: Vec<AuditRow>,
    entities: HashMap<(Uuid, Uuid), String>,
    faults_with_work_order: HashSet<(Uuid, Uuid)>,
    random: fastrand::Rng,
}

/// How an action comes by the entity it reports.
enum Product<'a> {
    /// Made, and there to be read afterwards.
    Created(&'a str),
    /// An id of a record that nothing here reads back.
    Recorded(&'a str),
    /// The entity the request named.
    Same(&'a str),
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let entities = registry()
            .entities()
            .map(|(tenant, id, kind)| ((tenant, id), kind.to_owned()))
            .collect();
        Self {
            audit: Vec::new(),
            entities,
            faults_with_work_order: HashSet::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Whether an entity of that kind, or of any, is there for the tenant.
    pub(crate) fn has(&self, tenant: Uuid, id: Option<Uuid>, kind: Option<&str>) -> bool {
        id.and_then(|id| self.entities.get(&(tenant, id)))
            .is_some_and(|found| kind.is_none_or(|kind| kind == found))
    }

    pub(crate) fn new_id(&mut self) -> Uuid {
        let bytes = self.random.u128(..).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Does it. Two requests for one entity cannot both consume it: this runs under one lock.
    pub(crate) fn carry_out(&mut self, deed: &Deed<'_>) -> Result<Done, Refusal> {
        let named = deed.named();
        let mut fields = Map::new();
        if deed.action.variant == Variant::Read {
            fields.extend(named.map(|(key, id)| (key.to_owned(), id.to_string().into())));
            return Ok(self.done(fields));
        }
        self.refuse_duplicate(deed)?;
        if let Some((key, id)) = named.filter(|_| consumes(deed.action)) {
            let gone = self.entities.remove(&(deed.tenant, id));
            gone.ok_or_else(|| not_found(key))?;
        }
        let entity = self.produce(deed, named);
        if let Some((kind, id)) = &entity {
            fields.insert(format!("{kind}_id"), id.to_string().into());
        }
        self.audit.push(deed.audit_row(entity));
        Ok(self.done(fields))
    }

    fn done(&mut self, fields: Map<String, Value>) -> Done {
        Done {
            execution_id: self.new_id(),
            fields,
        }
    }

    fn refuse_duplicate(&mut self, deed: &Deed<'_>) -> Result<(), Refusal> {
        if deed.action.action_id != "create_work_order_from_fault" {
            return Ok(());
        }
        let Some(fault) = deed.call.id("fault_id") else {
            return Ok(());
        };
        let first = self.faults_with_work_order.insert((deed.tenant, fault));
        let overridden = deed.call.payload.get("override_duplicate") == Some(&Value::Bool(true));
        if first || overridden {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::CONFLICT,
            "DUPLICATE_WO_EXISTS",
            "A work order exists for this fault",
        ))
    }

    fn produce(&mut self, deed: &Deed<'_>, named: Option<(&str, Uuid)>) -> Option<(String, Uuid)> {
        match deed.product()? {
            Product::Created(kind) => {
                let id = self.new_id();
                self.entities.insert((deed.tenant, id), kind.to_owned());
                Some((kind.to_owned(), id))
            }
            Product::Recorded(kind) => Some((kind.to_owned(), self.new_id())),
            Product::Same(kind) => named.map(|(_, id)| (kind.to_owned(), id)),
        }
    }
}

/// Supersede, delete and decommission use their entity up.
fn consumes(action: &Action) -> bool {
    ["supersede_", "delete_", "decommission_"]
        .iter()
        .any(|verb| action.action_id.starts_with(verb))
}

impl<'a> Deed<'a> {
    /// The entity that the request names: its domain's, or for a READ the first one it must name.
    fn named(&self) -> Option<(&'a str, Uuid)> {
        let own = self.lens.map(|lens| lens.entity_id_key.as_str());
        let own = own.filter(|key| self.action.requires(key));
        let key = own.or_else(|| {
            let mut required = self.action.required_fields.iter();
            let read = self.action.variant == Variant::Read;
            required
                .find(|field| read && (registry().lens_keyed(field).is_some() || *field == "entity_id"))
                .map(String::as_str)
        })?;
        Some((key, self.call.id(key)?))
    }

    fn product(&self) -> Option<Product<'a>> {
        let action = self.action.action_id.as_str();
        match action {
            "report_fault" => return Some(Product::Created("fault")),
            "create_work_order_for_equipment" => return Some(Product::Created("work_order")),
            "create_equipment" | "decommission_and_replace_equipment" => {
                return Some(Product::Created("equipment"));
            }
            "create_vessel_certificate" | "create_crew_certificate" => {
                return Some(Product::Created("certificate"));
            }
            "upload_document" => return Some(Product::Created("document")),
            "create_shopping_list_item" => return Some(Product::Created("item")),
            _ => {}
        }
        let lens = self.lens?;
        match (&lens.signed_action, &lens.entity_type) {
            (Some(signed), Some(kind)) if signed == action => Some(match action {
                "create_work_order_from_fault" | "supersede_certificate" => Product::Created(kind),
                "reassign_work_order" => Product::Same(kind),
                _ => Product::Recorded(kind),
            }),
            _ => Some(Product::Same(lens.kind())),
        }
    }

    fn audit_row(&self, entity: Option<(String, Uuid)>) -> AuditRow {
        let mut new_values = self.call.payload.clone();
        new_values.shift_remove("yacht_id");
        let signature = new_values.shift_remove("signature");
        let signed = self.action.variant == Variant::Signed;
        let (entity_type, entity_id) = entity.unzip();
        AuditRow {
            yacht_id: self.tenant,
            action: self.action.action_id.clone(),
            entity_type,
            entity_id,
            user_id: self.user,
            signature: signature.filter(|_| signed).unwrap_or_else(|| Map::new().into()),
            new_values: new_values.into(),
            created_at: Timestamp::now().to_string(),
        }
    }
}
