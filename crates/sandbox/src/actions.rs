//! Health, list and suggestions: the endpoints that only read.

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::call::{object, optional_object};
use crate::envelope::{BodyError, Refusal};
use crate::faults::Faults;
use crate::query;
use crate::registry::{Action, registry};
use crate::reply::{Ask, Reply};
use crate::state::State;

const SERVICE: &str = "action-router";
const VERSION: &str = "1.0.0";
const HANDLERS: [&str; 4] = [
    "read_handlers",
    "mutate_handlers",
    "signed_handlers",
    "suggestion_handlers",
];

/// The service's word about itself. A missing handler degrades it; the status stays 200. A name
/// that is none of its own counts as one more handler that should be there.
pub(crate) fn health(faults: &Faults) -> Reply {
    let missing = &faults.missing_handlers;
    let status = if missing.is_empty() { "healthy" } else { "degraded" };
    if faults.health_without_counters {
        let body = json!({ "status": status, "service": SERVICE, "version": VERSION });
        return Reply::json(StatusCode::OK, &body);
    }
    let mut handlers = Map::new();
    for name in HANDLERS {
        handlers.insert(name.into(), "loaded".into());
    }
    for name in missing {
        handlers.insert(name.clone(), "missing".into());
    }
    let loaded = handlers.values().filter(|state| *state == "loaded").count();
    let body = json!({
        "status": status, "service": SERVICE,
        "handlers_loaded": loaded, "total_handlers": handlers.len(),
        "handlers": handlers, "version": VERSION,
    });
    Reply::json(StatusCode::OK, &body)
}

/// The actions of a domain that the caller may do.
pub(crate) fn list(state: &State, faults: &Faults, ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let role = caller_role(state, faults, ask)?;
    let domain = query::value(ask.query, "domain");
    let q = query::value(ask.query, "q").unwrap_or_default();
    let (cards, count) = cards(role, domain.as_deref(), &q);
    let body = format!(
        r#"{{"query":{},"actions":[{cards}],"total_count":{count},"role":{}}}"#,
        Value::from(q),
        Value::from(role),
    );
    Ok(Reply::raw_json(StatusCode::OK, body))
}

/// The same, for a person who is typing.
pub(crate) fn suggestions(state: &State, faults: &Faults, ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let wanted = match Wanted::read(ask.body) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(error.reply()),
    };
    state.flags_on(&wanted.domain, "_SUGGESTIONS_")?;
    let role = caller_role(state, faults, ask)?;
    let (cards, count) = cards(role, Some(&wanted.domain), &wanted.q);
    let body = format!(
        r#"{{"actions":[{cards}],"candidates":[],"unresolved":[],"total_count":{count},"role":{},"context":{}}}"#,
        Value::from(role),
        Value::Object(wanted.context),
    );
    Ok(Reply::raw_json(StatusCode::OK, body))
}

/// The caller's job role; `None` for a user without one, who is let in and shown nothing.
fn caller_role(state: &State, faults: &Faults, ask: &Ask<'_>) -> Result<Option<&'static str>, Refusal> {
    let user: Uuid = state
        .verifier
        .user(ask, faults.stale_jwt_secret)
        .map_err(|denied| denied.refusal())?;
    Ok(registry().role_of(user))
}

/// Cards of the matching actions, separated by commas, and their number.
fn cards(role: Option<&str>, domain: Option<&str>, q: &str) -> (String, usize) {
    let Some(role) = role else {
        return (String::new(), 0);
    };
    let q = q.to_lowercase();
    let matches = |action: &&Action| {
        domain.is_none_or(|domain| action.domain == domain)
            && action.allows(role)
            && (q.is_empty() || action.action_id.contains(&q) || action.label().to_lowercase().contains(&q))
    };
    let mut cards = String::with_capacity(4096);
    let mut count = 0;
    for action in registry().actions.iter().filter(matches) {
        if count > 0 {
            cards.push(',');
        }
        cards.push_str(&action.card);
        count += 1;
    }
    (cards, count)
}

struct Wanted {
    domain: String,
    q: String,
    context: Map<String, Value>,
}

impl Wanted {
    fn read(body: &[u8]) -> Result<Self, BodyError> {
        let mut fields = object(body)?;
        let domain = match fields.remove("domain") {
            Some(Value::String(domain)) => domain,
            None => return Err(BodyError::new("missing", "domain", "Field required")),
            Some(_) => return Err(not_text("domain")),
        };
        let q = match fields.remove("q") {
            Some(Value::String(q)) => q,
            None | Some(Value::Null) => String::new(),
            Some(_) => return Err(not_text("q")),
        };
        let context = optional_object(&mut fields, "context")?;
        Ok(Self { domain, q, context })
    }
}

fn not_text(field: &'static str) -> BodyError {
    BodyError::new("string_type", field, "Input should be a valid string")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(reply: &Reply) -> Value {
        serde_json::from_slice(&reply.body).expect("replies are JSON")
    }

    #[test]
    fn a_missing_handler_degrades_the_service_but_not_the_status_code() {
        let faults = Faults {
            missing_handlers: vec!["signed_handlers".into()],
            ..Faults::default()
        };
        let reply = health(&faults);
        assert_eq!(reply.status, StatusCode::OK);
        let body = body(&reply);
        assert_eq!(body["status"], "degraded");
        assert_eq!(
            (&body["handlers_loaded"], &body["total_handlers"]),
            (&json!(3), &json!(4))
        );
        assert_eq!(body["handlers"]["signed_handlers"], "missing");
    }

    #[test]
    fn an_older_build_has_no_counters() {
        let faults = Faults {
            health_without_counters: true,
            ..Faults::default()
        };
        let body = body(&health(&faults));
        assert!(body.get("handlers_loaded").is_none() && body.get("total_handlers").is_none());
    }

    #[test]
    fn only_what_the_role_may_do_is_listed() {
        for (role, domain, q, expected) in [
            (Some("captain"), Some("faults"), "", 12),
            (Some("crew"), Some("faults"), "", 5),
            (Some("captain"), Some("no_such_domain"), "", 0),
            (Some("captain"), Some("faults"), "PHOTO", 1),
            (Some("captain"), Some("faults"), "work order", 1),
            (Some("captain"), None, "view_", 8),
            (None, Some("faults"), "", 0),
        ] {
            let (cards, count) = cards(role, domain, q);
            assert_eq!(count, expected, "{role:?} {domain:?} {q:?}");
            let list: Vec<Value> = serde_json::from_str(&format!("[{cards}]")).expect("JSON");
            assert_eq!(list.len(), expected);
        }
    }
}
