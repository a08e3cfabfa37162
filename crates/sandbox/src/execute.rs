//! `POST /v1/actions/execute`: the order in which a request is judged.
//!
//! The order is the contract: two dialects differ in nothing but the place of the signature, so
//! both are one list of steps with that one step movable.

use uuid::Uuid;

use crate::call::{Call, not_found};
use crate::envelope::{Refusal, success};
use crate::faults::Faults;
use crate::operation::Operation;
use crate::registry::{Action, Lens, Variant, registry};
use crate::reply::{Ask, Reply};
use crate::signature;
use crate::state::State;

/// Judges a request and carries it out.
pub(crate) fn execute(state: &State, faults: &Faults, ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let call = match Call::read(ask.body) {
        Ok(call) => call,
        Err(error) => return Ok(error.reply()),
    };
    let user = state
        .verifier
        .user(ask, faults.stale_jwt_secret)
        .map_err(|denied| denied.on_execute())?;
    let known = registry().action(&call.action);
    if let Some(action) = known.filter(|action| action.variant == Variant::Signed) {
        state.flags_on(&action.domain, "_SIGNED_ACTIONS_")?;
    }
    let (tenant, role) = membership(&call, user)?;
    let action = known.ok_or_else(|| Refusal::bad("INVALID_ACTION", format!("Unknown action {:?}", call.action)))?;
    let lens = registry().lens_of(&action.domain);

    let dialect = state.config.dialect;
    let sign = || match action.variant {
        Variant::Signed => signature::judge(action, call.payload.get("signature")),
        Variant::Read | Variant::Mutate => Ok(()),
    };
    if dialect.signature_first() {
        sign()?;
    }
    may(action, role)?;
    complete(action, &call)?;
    valid(action, &call)?;
    exists(state, action, lens, tenant, &call)?;
    if !dialect.signature_first() {
        sign()?;
    }

    let operation = Operation {
        action,
        lens,
        tenant,
        user,
        call: &call,
    };
    let outcome = state.tenant_data().carry_out(&operation)?;
    let message = format!("{}: done", action.label());
    let execution_id = outcome.execution_id.to_string();
    Ok(success(
        dialect,
        &action.action_id,
        &execution_id,
        &message,
        outcome.fields,
    ))
}

/// The tenant, and the caller's role there.
fn membership(call: &Call, user: Uuid) -> Result<(Uuid, &'static str), Refusal> {
    let named = call
        .tenant()
        .ok_or_else(|| Refusal::forbidden("RLS_DENIED", "No tenant for this request"))?;
    named
        .as_str()
        .and_then(|text| Uuid::parse_str(text).ok())
        .and_then(|tenant| Some((tenant, registry().role_in(user, tenant)?)))
        .ok_or_else(|| Refusal::forbidden("RLS_DENIED", "Access to this tenant is denied"))
}

fn may(action: &Action, role: &str) -> Result<(), Refusal> {
    if action.allows(role) {
        return Ok(());
    }
    let message = format!("Role {role} may not do {}", action.action_id);
    Err(Refusal::forbidden("FORBIDDEN", message).requiring(&action.allowed_roles))
}

/// Every required field is there. The signature is exempt: its own step owns it.
fn complete(action: &Action, call: &Call) -> Result<(), Refusal> {
    let mut required = action.required_fields.iter();
    match required.find(|name| *name != "signature" && call.field(name).is_none()) {
        None => Ok(()),
        Some(name) => {
            let message = format!("Missing required field: {name}");
            Err(Refusal::bad("MISSING_REQUIRED_FIELD", message))
        }
    }
}

/// Every field that names an id is a UUID; every quantity is a number. The context may carry what
/// is nobody's business here: of it only required fields are looked at.
fn valid(action: &Action, call: &Call) -> Result<(), Refusal> {
    let context = call.context.iter().filter(|(name, _)| action.requires(name));
    let fields = call.payload.iter().chain(context);
    for (name, value) in fields.filter(|(_, value)| !value.is_null()) {
        let wrong = if name.ends_with("_id") {
            let id = value.as_str().and_then(|text| Uuid::parse_str(text).ok());
            id.is_none().then_some("a UUID")
        } else if is_quantity(name) {
            (!value.is_number()).then_some("a number")
        } else {
            None
        };
        if let Some(wanted) = wrong {
            let message = format!("{name} must be {wanted}");
            return Err(Refusal::bad("VALIDATION_FAILED", message).on_field(name));
        }
    }
    Ok(())
}

fn is_quantity(name: &str) -> bool {
    name == "quantity"
        || name == "new_quantity"
        || name.starts_with("quantity_")
        || name == "hours"
        || name.starts_with("hours_")
}

/// The entities that a request must find in its tenant: for a READ every one it names, for the
/// others the one its domain is about. People, locations and comments are not looked up.
fn exists(state: &State, action: &Action, lens: Option<&Lens>, tenant: Uuid, call: &Call) -> Result<(), Refusal> {
    let data = state.tenant_data();
    for field in &action.required_fields {
        let found = match (action.variant, registry().lens_keyed(field)) {
            (Variant::Read, Some(owner)) => data.has(tenant, call.id(field), Some(owner.kind())),
            (Variant::Read, None) if field == "entity_id" => data.has(tenant, call.id(field), None),
            (Variant::Read, None) => true,
            _ if lens.is_some_and(|lens| lens.entity_id_key == *field) => {
                let kind = lens.map(Lens::kind);
                data.has(tenant, call.id(field), kind)
            }
            _ => true,
        };
        if !found {
            return Err(not_found(field));
        }
    }
    Ok(())
}
