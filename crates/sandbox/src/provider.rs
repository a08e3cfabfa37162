//! The hosting provider's API: environment variables in pages, and deploys.

use std::ops::Bound;

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Faults;
use crate::query;
use crate::reply::{Ask, Reply};
use crate::state::State;

const DEFAULT_LIMIT: usize = 20;
const LIMITS: std::ops::RangeInclusive<usize> = 1..=100;

/// Answers `/v1/services/{rest}`. Any service id will do: the sandbox hosts one service.
pub(crate) fn answer(state: &State, faults: &Faults, ask: &Ask<'_>, rest: &str) -> Reply {
    if faults.provider_down {
        return told(StatusCode::SERVICE_UNAVAILABLE, "service unavailable");
    }
    if faults.provider_rate_limited {
        return told(StatusCode::TOO_MANY_REQUESTS, "rate limit exceeded")
            .with(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if faults.provider_garbage {
        return Reply::html(StatusCode::OK, "<html><body>Bad gateway</body></html>");
    }
    if ask.bearer() != Some(state.config.provider_key.as_str()) {
        return told(StatusCode::UNAUTHORIZED, "unauthorized");
    }
    let mut segments = rest.splitn(3, '/');
    let service = segments.next().filter(|service| !service.is_empty());
    match (service, segments.next(), segments.next(), ask.method) {
        (Some(_), Some("env-vars"), None, &Method::GET) => page(state, ask.query),
        (Some(_), Some("env-vars"), None, &Method::PUT) => replace_all(state, ask.body),
        (Some(service), None, None, &Method::GET) => Reply::json(StatusCode::OK, &json!({ "id": service })),
        (Some(_), Some("env-vars"), Some(key), &Method::GET) => one(state, key),
        (Some(_), Some("env-vars"), Some(key), &Method::PUT) => set(state, key, ask.body),
        (Some(service), Some("deploys"), None, &Method::POST) => deploy(state, service),
        (Some(_), Some("env-vars" | "deploys"), ..) => told(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        _ => told(StatusCode::NOT_FOUND, "not found"),
    }
}

fn told(status: StatusCode, message: &str) -> Reply {
    Reply::json(status, &json!({ "message": message }))
}

fn page(state: &State, query: &str) -> Reply {
    let limit = match query::value(query, "limit").map(|text| text.parse::<usize>()) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit)) if LIMITS.contains(&limit) => limit,
        Some(_) => return told(StatusCode::BAD_REQUEST, "limit must be 1 to 100"),
    };
    let after = query::value(query, "cursor").filter(|cursor| !cursor.is_empty());
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let flags = state.flags();
    let vars = flags.provider.range::<String, _>((start, Bound::Unbounded));
    let items: Vec<Value> = vars
        .take(limit)
        .map(|(key, value)| json!({ "envVar": { "key": key, "value": value }, "cursor": key }))
        .collect();
    Reply::json(StatusCode::OK, &items)
}

fn one(state: &State, key: &str) -> Reply {
    let key = query::segment(key);
    match state.flags().provider.get(&key) {
        Some(value) => Reply::json(StatusCode::OK, &json!({ "key": key, "value": value })),
        None => told(StatusCode::NOT_FOUND, "environment variable not found"),
    }
}

#[derive(Deserialize)]
struct NewValue {
    value: String,
}

#[derive(Deserialize)]
struct NewVar {
    key: String,
    value: String,
}

fn set(state: &State, key: &str, body: &[u8]) -> Reply {
    let key = query::segment(key);
    let Ok(NewValue { value }) = serde_json::from_slice(body) else {
        return told(StatusCode::BAD_REQUEST, "body must be {\"value\": string}");
    };
    let reply = json!({ "key": key, "value": value });
    state.flags().provider.insert(key, value);
    Reply::json(StatusCode::OK, &reply)
}

/// Replaces every variable, as the real one does: a client that means to set one loses the rest.
fn replace_all(state: &State, body: &[u8]) -> Reply {
    let Ok(vars) = serde_json::from_slice::<Vec<NewVar>>(body) else {
        return told(StatusCode::BAD_REQUEST, "body must be [{\"key\", \"value\"}]");
    };
    let vars = vars.into_iter().map(|var| (var.key, var.value));
    state.flags().provider = vars.collect();
    page(state, "limit=100")
}

/// Restarts the service with the variables as they are now.
fn deploy(state: &State, service: &str) -> Reply {
    state.flags().deploy();
    let id = state.tenant_data().new_id().simple().to_string();
    let body = json!({ "id": format!("dep-{id}"), "serviceId": service, "status": "live" });
    Reply::json(StatusCode::CREATED, &body)
}
