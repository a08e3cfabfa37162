//! A request that was judged and may proceed: the entity it names, what it makes, what it uses up.

use jiff::Timestamp;
use serde_json::Map;
use uuid::Uuid;

use crate::audit::AuditRow;
use crate::call::Call;
use crate::registry::{Action, Lens, Variant, registry};

/// A request that was judged and may proceed.
pub(crate) struct Operation<'a> {
    pub(crate) action: &'a Action,
    pub(crate) lens: Option<&'a Lens>,
    pub(crate) tenant: Uuid,
    pub(crate) user: Uuid,
    pub(crate) call: &'a Call,
}

/// How an action comes by the entity it reports.
pub(crate) enum Product<'a> {
    /// Made, and there to be read afterwards.
    Created(&'a str),
    /// An id of a record that nothing here reads back.
    Recorded(&'a str),
    /// The entity the request named.
    Same(&'a str),
}

impl<'a> Operation<'a> {
    /// The entity that the request names: its domain's, or for a READ the first one it must name.
    pub(crate) fn named(&self) -> Option<(&'a str, Uuid)> {
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

    /// Whether it uses its entity up: supersede, delete and decommission do.
    pub(crate) fn consumes(&self) -> bool {
        ["supersede_", "delete_", "decommission_"]
            .iter()
            .any(|verb| self.action.action_id.starts_with(verb))
    }

    /// The entity it reports; `None` where it reports none.
    pub(crate) fn product(&self) -> Option<Product<'a>> {
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

    /// The row that it leaves in the audit log.
    pub(crate) fn audit_row(&self, entity: Option<(String, Uuid)>) -> AuditRow {
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
