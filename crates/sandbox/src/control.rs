//! The control port: faults, flags, and what the API saw, over HTTP.
//!
//! A port of its own, so that it answers while the API refuses connections. Pages in a browser are
//! kept out: a request with an `Origin`, or for a host that is not loopback, is refused.

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::body::OutBody;
use crate::dispatch::{ask, collect, respond};
use crate::faults::Faults;
use crate::query;
use crate::reply::{Ask, Reply};
use crate::state::State;

pub(crate) async fn answer(state: &State, request: Request<Incoming>) -> Response<OutBody> {
    let (parts, body) = request.into_parts();
    let reply = match collect(body).await {
        Ok(body) => judged(state, &parts, &body),
        Err(_) => error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
    };
    respond(reply)
}

fn error(status: StatusCode, message: impl Into<String>) -> Reply {
    Reply::json(status, &json!({ "error": message.into() }))
}

fn judged(state: &State, parts: &Parts, body: &Bytes) -> Reply {
    let ask = ask(parts, body);
    if ask.headers.contains_key("origin") {
        return error(StatusCode::FORBIDDEN, "requests from web pages are refused");
    }
    let mut hosts = ask.headers.get_all("host").iter();
    if !hosts.all(|host| host.to_str().is_ok_and(is_loopback)) {
        return error(StatusCode::FORBIDDEN, "requests for another host are refused");
    }
    route(state, &ask)
}

/// Whether a `Host` header names this machine; a name that only resolves to it does not.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let address = name.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn route(state: &State, ask: &Ask<'_>) -> Reply {
    let (head, tail) = ask.path[1..].split_once('/').unwrap_or((&ask.path[1..], ""));
    match (head, tail, ask.method) {
        ("healthz", "", &Method::GET) => Reply::json(StatusCode::OK, &json!({ "status": "ok" })),
        ("faults", "", &Method::GET) => shown_faults(state),
        ("faults", "", &Method::PUT) => match read_faults(ask.body) {
            Ok(faults) => put_faults(state, faults),
            Err(why) => error(StatusCode::BAD_REQUEST, why),
        },
        ("faults", "", &Method::DELETE) => put_faults(state, Faults::default()),
        ("audit", "", &Method::GET) => Reply::json(StatusCode::OK, &state.tenant_data().audit),
        ("requests", "", &Method::GET) => Reply::json(StatusCode::OK, &state.request_log.all()),
        ("requests", "", &Method::DELETE) => {
            state.request_log.clear();
            Reply::empty(StatusCode::NO_CONTENT)
        }
        ("sessions", "", &Method::DELETE) => {
            state.sign_out_all();
            Reply::empty(StatusCode::NO_CONTENT)
        }
        ("flags", "", &Method::GET) => Reply::json(StatusCode::OK, &*state.flags()),
        ("flags", name, &Method::PUT) if !name.is_empty() => put_flag(state, &query::segment(name), ask.body),
        ("rows", name, &Method::GET) => match state.rows(&query::segment(name)) {
            Some(rows) => Reply::json(StatusCode::OK, &rows),
            None => error(StatusCode::NOT_FOUND, format!("no table {name:?}")),
        },
        ("healthz" | "faults" | "audit" | "requests" | "flags", ..) => {
            error(StatusCode::METHOD_NOT_ALLOWED, "no such method here")
        }
        _ => error(StatusCode::NOT_FOUND, format!("no such endpoint: {}", ask.path)),
    }
}

fn shown_faults(state: &State) -> Reply {
    Reply::json(StatusCode::OK, state.fault_book.faults().as_ref())
}

fn read_faults(body: &[u8]) -> Result<Faults, String> {
    let faults: Faults = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    faults.check().map_err(|error| error.to_string())?;
    Ok(faults)
}

fn put_faults(state: &State, faults: Faults) -> Reply {
    match state.set_faults(faults) {
        Ok(()) => shown_faults(state),
        Err(lost) => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the API cannot listen again on {}: {lost}", state.listener.addr()),
        ),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewValue {
    value: String,
}

fn put_flag(state: &State, name: &str, body: &[u8]) -> Reply {
    match serde_json::from_slice::<NewValue>(body) {
        Ok(NewValue { value }) => {
            state.set_flag(name, &value);
            Reply::json(StatusCode::OK, &json!({ "name": name, "value": value }))
        }
        Err(why) => error(StatusCode::BAD_REQUEST, format!("expected {{\"value\": \"…\"}}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_pass_for_loopback() {
        for (host, passes) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.1", true),
            ("localhost:1", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("192.168.0.1", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(host), passes, "{host:?}");
        }
    }
}
