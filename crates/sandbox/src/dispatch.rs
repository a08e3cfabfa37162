//! From a request on the API port to its answer: what was seen, faults, routes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};

use crate::body::{Cut, OutBody};
use crate::envelope::plain;
use crate::fault_book::Plan;
use crate::faults::{Act, Answer, Faults, duration};
use crate::reply::{Ask, Reply};
use crate::state::State;
use crate::{actions, execute, provider, rest, sign_in};

/// Largest body taken; the largest honest one is a batch of health checks.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

const PAGE: &str = "<!doctype html><html><head><title>Just a moment</title></head>\
<body><h1>Checking your browser</h1></body></html>";

/// Answers one request, or loses the answer as a fault demands.
pub(crate) async fn answer(
    state: &State,
    reset: &AtomicBool,
    connection: u64,
    request: Request<Incoming>,
) -> Result<Response<OutBody>, Cut> {
    let (parts, body) = request.into_parts();
    let Ok(body) = collect(body).await else {
        return Ok(respond(plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            state.config.dialect,
            parts.uri.path(),
        )));
    };
    state.request_log.push(&parts, &body, connection);
    let ask = ask(&parts, &body);
    let (faults, Plan { wait, act }) = state.fault_book.plan(&ask, Instant::now());
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let Some(act) = act else {
        return Ok(respond(route(state, &faults, &ask)));
    };
    if let Some(reply) = instead(&act, state, &parts) {
        return Ok(respond(reply));
    }
    spoil(&act, route(state, &faults, &ask), reset)
}

/// The whole body; the error is one that came too large or broke off.
pub(crate) async fn collect(body: Incoming) -> Result<Bytes, Cut> {
    if hyper::body::Body::is_end_stream(&body) {
        return Ok(Bytes::new());
    }
    let whole = Limited::new(body, BODY_LIMIT).collect().await;
    whole.map(|whole| whole.to_bytes()).map_err(|_| Cut)
}

pub(crate) fn ask<'a>(parts: &'a Parts, body: &'a Bytes) -> Ask<'a> {
    Ask {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    }
}

/// Carries a request out.
fn route(state: &State, faults: &Faults, ask: &Ask<'_>) -> Reply {
    let dialect = state.config.dialect;
    let answered = match (ask.path, ask.method) {
        ("/v1/actions/health", &Method::GET) => Ok(actions::health(faults)),
        ("/v1/actions/list", &Method::GET) => actions::list(state, faults, ask),
        ("/v1/actions/suggestions", &Method::POST) => actions::suggestions(state, faults, ask),
        ("/v1/actions/execute", &Method::POST) => execute::execute(state, faults, ask),
        ("/v1/actions/health" | "/v1/actions/list" | "/v1/actions/suggestions" | "/v1/actions/execute", _) => {
            Ok(plain(StatusCode::METHOD_NOT_ALLOWED, dialect, ask.path))
        }
        (path, _) => Ok(if let Some(rest) = path.strip_prefix("/v1/services/") {
            provider::answer(state, faults, ask, rest)
        } else if let Some(rest) = path.strip_prefix("/rest/v1/") {
            rest::answer(state, faults, ask, rest)
        } else if let Some(reply) = sign_in::answer(&state.config.accounts, &state.sessions, ask) {
            reply
        } else if let Some(reply) = state.counter(faults).answer(ask) {
            reply
        } else {
            plain(StatusCode::NOT_FOUND, dialect, path)
        }),
    };
    answered.unwrap_or_else(|refusal| refusal.reply(dialect, ask.path))
}

/// The answer of a fault that stands in the API's place.
fn instead(act: &Act, state: &State, parts: &Parts) -> Option<Reply> {
    match act {
        Act::Status(answer) => Some(given(answer, state, parts.uri.path())),
        Act::NonJson => Some(Reply::html(StatusCode::OK, PAGE)),
        Act::RedirectLoop => {
            let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
            let target = HeaderValue::try_from(target).ok()?;
            Some(Reply::empty(StatusCode::TEMPORARY_REDIRECT).with(LOCATION, target))
        }
        _ => None,
    }
}

fn given(answer: &Answer, state: &State, path: &str) -> Reply {
    let status = StatusCode::from_u16(answer.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = match &answer.body {
        Some(body) => Reply::json(status, body),
        None => plain(status, state.config.dialect, path),
    };
    for (name, value) in &answer.headers {
        let header = HeaderName::try_from(name.as_str()).ok();
        if let Some((name, value)) = header.zip(HeaderValue::try_from(value.as_str()).ok()) {
            reply.headers.retain(|(given, _)| *given != name);
            reply.headers.push((name, value));
        }
    }
    reply
}

/// The answer of a request that was carried out, lost or damaged on its way.
fn spoil(act: &Act, reply: Reply, reset: &AtomicBool) -> Result<Response<OutBody>, Cut> {
    match act {
        Act::Reset => {
            reset.store(true, Ordering::Relaxed);
            Err(Cut)
        }
        Act::Close => Err(Cut),
        Act::EmptyBody => {
            let mut reply = reply;
            reply.body = Bytes::new();
            Ok(respond(reply))
        }
        Act::Truncate(truncation) => {
            let part = reply.body.slice(..reply.body.len().min(truncation.after_bytes));
            // Even a body that fits is announced as longer: the answer must come short.
            let announced = reply.body.len().max(part.len() + 1);
            let reply = reply.with(CONTENT_LENGTH, HeaderValue::from(announced));
            Ok(respond_with(reply, |_| OutBody::truncated(part)))
        }
        Act::TrickleMs(ms) => {
            let pace = duration(*ms);
            Ok(respond_with(reply, |body| OutBody::trickle(body, pace)))
        }
        Act::Latency(_) | Act::StallMs(_) | Act::Status(_) | Act::NonJson | Act::RedirectLoop => Ok(respond(reply)),
    }
}

pub(crate) fn respond(reply: Reply) -> Response<OutBody> {
    respond_with(reply, OutBody::Whole)
}

fn respond_with(reply: Reply, body: impl FnOnce(Bytes) -> OutBody) -> Response<OutBody> {
    let mut response = Response::new(body(reply.body));
    *response.status_mut() = reply.status;
    for (name, value) in reply.headers {
        if name == CONTENT_TYPE {
            response.headers_mut().insert(name, value);
        } else {
            response.headers_mut().append(name, value);
        }
    }
    response
}
