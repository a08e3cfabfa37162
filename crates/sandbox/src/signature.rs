//! The signature of a signed action: there, whole, and by a role that may sign.
//!
//! The API never compares the signing role with the caller's own; neither does this.

use serde_json::Value;

use crate::envelope::Refusal;
use crate::registry::Action;

const PARTS: [&str; 4] = ["signed_at", "user_id", "role_at_signing", "signature_type"];

/// Judges `payload.signature` of a signed action.
pub(crate) fn judge(action: &Action, signature: Option<&Value>) -> Result<(), Refusal> {
    let signature = signature
        .filter(|given| !is_empty(given))
        .ok_or_else(|| Refusal::bad("signature_required", "This action requires a signature"))?;
    let part = |name: &str| {
        let text = signature.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    };
    if let Some(missing) = PARTS.into_iter().find(|name| part(name).is_none()) {
        let message = format!("The signature has no {missing}");
        return Err(Refusal::bad("invalid_signature", message));
    }
    let role = part("role_at_signing").unwrap_or_default();
    if !action.signer_roles.iter().any(|signer| signer == role) {
        let message = format!("Role {role} may not sign {}", action.action_id);
        return Err(Refusal::forbidden("invalid_signer_role", message).requiring(&action.signer_roles));
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::registry;

    #[test]
    fn a_signature_is_judged_for_presence_then_shape_then_role() {
        let action = registry().action("create_work_order_from_fault").expect("exists");
        let whole = |role: &str| {
            json!({
                "signed_at": "2026-01-28T15:00:00Z", "user_id": "u", "role_at_signing": role,
                "signature_type": "pin_totp", "signature_hash": "h",
            })
        };
        let mut partial = whole("captain");
        partial["signed_at"] = Value::Null;
        for (case, given, code) in [
            ("absent", None, Some("signature_required")),
            ("null", Some(Value::Null), Some("signature_required")),
            ("empty object", Some(json!({})), Some("signature_required")),
            ("empty text", Some(json!("")), Some("signature_required")),
            ("text", Some(json!("signed")), Some("invalid_signature")),
            ("other keys", Some(json!({"invalid": "x"})), Some("invalid_signature")),
            ("a part is null", Some(partial), Some("invalid_signature")),
            ("crew signs", Some(whole("crew")), Some("invalid_signer_role")),
            ("captain signs", Some(whole("captain")), None),
            ("manager signs", Some(whole("manager")), None),
        ] {
            let got = judge(action, given.as_ref()).err();
            assert_eq!(got.map(|refusal| refusal.code()), code, "{case}");
        }
    }
}
