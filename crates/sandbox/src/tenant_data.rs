//! The tenants' data: entities, duplicates, the audit log, and operations carried out on them.

use std::collections::{HashMap, HashSet};

use hyper::StatusCode;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::audit::AuditRow;
use crate::call::not_found;
use crate::envelope::Refusal;
use crate::operation::{Operation, Product};
use crate::registry::{Variant, registry};

/// What came of an operation.
pub(crate) struct Outcome {
    pub(crate) execution_id: Uuid,
    pub(crate) fields: Map<String, Value>,
}

/// The tenants' data.
#[derive(Debug)]
pub(crate) struct TenantData {
    pub(crate) audit: Vec<AuditRow>,
    entities: HashMap<(Uuid, Uuid), String>,
    faults_with_work_order: HashSet<(Uuid, Uuid)>,
    random: fastrand::Rng,
}

impl TenantData {
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

    /// Carries out an operation. Two requests for one entity cannot both consume it: this runs under one lock.
    pub(crate) fn carry_out(&mut self, operation: &Operation<'_>) -> Result<Outcome, Refusal> {
        let named = operation.named();
        let mut fields = Map::new();
        if operation.action.variant == Variant::Read {
            fields.extend(named.map(|(key, id)| (key.to_owned(), id.to_string().into())));
            return Ok(self.outcome(fields));
        }
        self.refuse_duplicate(operation)?;
        if let Some((key, id)) = named.filter(|_| operation.consumes()) {
            let gone = self.entities.remove(&(operation.tenant, id));
            gone.ok_or_else(|| not_found(key))?;
        }
        let entity = self.produce(operation, named);
        if let Some((kind, id)) = &entity {
            fields.insert(format!("{kind}_id"), id.to_string().into());
        }
        self.audit.push(operation.audit_row(entity));
        Ok(self.outcome(fields))
    }

    fn outcome(&mut self, fields: Map<String, Value>) -> Outcome {
        Outcome {
            execution_id: self.new_id(),
            fields,
        }
    }

    fn refuse_duplicate(&mut self, operation: &Operation<'_>) -> Result<(), Refusal> {
        if operation.action.action_id != "create_work_order_from_fault" {
            return Ok(());
        }
        let Some(fault) = operation.call.id("fault_id") else {
            return Ok(());
        };
        let first = self.faults_with_work_order.insert((operation.tenant, fault));
        let overridden = operation.call.payload.get("override_duplicate") == Some(&Value::Bool(true));
        if first || overridden {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::CONFLICT,
            "DUPLICATE_WO_EXISTS",
            "A work order exists for this fault",
        ))
    }

    fn produce(&mut self, operation: &Operation<'_>, named: Option<(&str, Uuid)>) -> Option<(String, Uuid)> {
        match operation.product()? {
            Product::Created(kind) => {
                let id = self.new_id();
                self.entities.insert((operation.tenant, id), kind.to_owned());
                Some((kind.to_owned(), id))
            }
            Product::Recorded(kind) => Some((kind.to_owned(), self.new_id())),
            Product::Same(kind) => named.map(|(_, id)| (kind.to_owned(), id)),
        }
    }
}
