//! What every request passes: its host, its client's budget, its time, and the headers of its answer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use lensops_core::digest::sha256_hex;

use super::serve::Peer;
use super::{App, page};

/// Requests a second that a client may make for long.
const RATE: f64 = 50.0;

/// Requests that a client may make at once.
const BURST: f64 = 200.0;

/// Clients that are remembered; beyond that all start afresh.
const REMEMBERED: usize = 10_000;

/// The time that an answer may take to begin.
const ANSWER: Duration = Duration::from_secs(10);

/// The most bytes that a page may have.
const LARGEST_PAGE: usize = 8 * 1024 * 1024;

/// Nothing but our own files, no script or style in a page, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What each client has left.
#[derive(Default)]
pub(crate) struct Clients(Mutex<HashMap<IpAddr, (f64, Instant)>>);

impl Clients {
    /// Takes one request from what `client` has at `at`; `false` when nothing is left.
    fn take(&self, client: IpAddr, at: Instant) -> bool {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= REMEMBERED && !clients.contains_key(&client) {
            clients.clear();
        }
        let (left, last) = clients.entry(client).or_insert((BURST, at));
        *left = (*left + at.saturating_duration_since(*last).as_secs_f64() * RATE).min(BURST);
        *last = at;
        let may = *left >= 1.0;
        if may {
            *left -= 1.0;
        }
        may
    }
}

/// Whether a `Host` names this machine. A page of elsewhere whose name was made to lead here does not.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Lets a request through, or says why not; and sets what every answer has.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let mut response = if !peer.is_some_and(|Peer(ip)| app.clients.take(ip, Instant::now())) {
        let mut response = page::refused(StatusCode::TOO_MANY_REQUESTS, "too many requests: wait a second");
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        response
    } else if app.setup.jwt_secret.is_none() && !host.is_some_and(is_loopback) {
        page::refused(
            StatusCode::MISDIRECTED_REQUEST,
            "this dashboard is asked for as 127.0.0.1 or localhost and by no other name",
        )
    } else if request.method() == Method::POST && is_from_elsewhere(request.headers()) {
        page::refused(StatusCode::FORBIDDEN, "this form was sent from another site")
    } else {
        tokio::time::timeout(ANSWER, next.run(request))
            .await
            .unwrap_or_else(|_| page::refused(StatusCode::SERVICE_UNAVAILABLE, "this took too long: try again"))
    };
    let headers = response.headers_mut();
    let fixed = |value: &'static str| HeaderValue::from_static(value);
    headers.insert(CONTENT_SECURITY_POLICY, fixed(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(X_FRAME_OPTIONS, fixed("DENY"));
    headers.insert(REFERRER_POLICY, fixed("no-referrer"));
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(HeaderName::from_static(name), fixed(value));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, fixed("private, no-cache"));
    }
    response
}

/// What a browser says of where a form came from. Other clients say nothing, and carry no cookies.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}

/// Gives an answer its tag, and answers `304` to who has it.
pub(super) async fn tag(request: Request, next: Next) -> Response {
    let had = request.headers().get(IF_NONE_MATCH).cloned();
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    let response = next.run(request).await;
    let is_stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_read || is_stream || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_PAGE).await else {
        return page::refused(StatusCode::INTERNAL_SERVER_ERROR, "this page is too large");
    };
    let tag = format!("\"{}\"", sha256_hex(&bytes).get(..20).unwrap_or_default());
    let same = had.is_some_and(|had| {
        had.to_str()
            .is_ok_and(|had| had.split(',').any(|one| one.trim() == tag))
    });
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, tag);
    }
    if same {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_TYPE);
        return (parts, Body::empty()).into_response();
    }
    Response::from_parts(parts, Body::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_asks_too_much_waits_and_others_do_not() {
        let clients = Clients::default();
        let (one, other): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let at = Instant::now();
        assert_eq!((0..300).filter(|_| clients.take(one, at)).count(), 200);
        assert!(clients.take(other, at));
        let later = at + Duration::from_secs(1);
        assert_eq!((0..300).filter(|_| clients.take(one, later)).count(), 50);
    }

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for (host, own) in [
            ("127.0.0.1:8090", true),
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("[::1]:8090", true),
            ("127.0.0.1.attacker.example", false),
            ("attacker.example:8090", false),
            ("192.168.1.7", false),
            ("", false),
            ("[::1", true),
        ] {
            assert_eq!(is_loopback(host), own, "{host}");
        }
    }
}
