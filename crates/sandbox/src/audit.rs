//! The audit log's rows.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

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
