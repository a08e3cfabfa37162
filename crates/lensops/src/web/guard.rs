//! What every request passes: its host, its client's budget, its time, and the headers of its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::app::App;
use super::page;
use super::rate_limit::Client;
use super::session::{Recognised, recognise};

/// The time that an answer may take to begin.
const ANSWER: Duration = Duration::from_secs(10);

/// Nothing but our own files, no script or style in a page, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Who is connected.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Whether a `Host` names this machine. A page of elsewhere whose name was made to lead here does not.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Lets a request through, or says why not; and sets what every answer has.
pub(super) async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let who = recognise(&app, request.headers());
    let client = match (&who, request.extensions().get::<Peer>()) {
        (Ok(who), _) if who.name.is_some() => Some(Client::User(who.key.clone())),
        (_, peer) => peer.map(|Peer(ip)| Client::Address(*ip)),
    };
    let has_budget = client.is_some_and(|client| app.rate_limit.take(client, begun));
    request.extensions_mut().insert(Recognised(who));
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let mut response = if !has_budget {
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
    // How long it took here, for whoever looks in the browser's own tools.
    let took_ms = begun.elapsed().as_secs_f64() * 1000.0;
    if let Ok(took) = HeaderValue::from_str(&format!("app;dur={took_ms:.2}")) {
        headers.insert(HeaderName::from_static("server-timing"), took);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, fixed("private, no-cache"));
    }
    response
}

/// What a browser says of where a request came from. Other clients say nothing, and carry no cookies.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}

#[cfg(test)]
mod tests {
    use super::*;

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
