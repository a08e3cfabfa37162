//! The control port.

use std::io::ErrorKind;

use hyper::Method;
use lensops_sandbox::Dialect;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::client::{Tenant, authority, send};

const HEALTH: &str = "/v1/actions/health";

#[tokio::test]
async fn refused_connections_are_refused_at_once_and_the_port_comes_back() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let url = tenant.sandbox.url();
    let mut idle = TcpStream::connect(authority(&url)).await.expect("connects");
    tenant.get(HEALTH).await;
    for round in 0..3 {
        let refuse = json!({ "refuse_connections": true });
        assert_eq!(tenant.control(Method::PUT, "/faults", Some(refuse)).await.status, 200);
        let error = TcpStream::connect(authority(&url)).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "round {round}");
        assert_eq!(tenant.control(Method::GET, "/healthz", None).await.status, 200);
        assert_eq!(tenant.control(Method::DELETE, "/faults", None).await.status, 200);
        assert_eq!(tenant.get(HEALTH).await.status, 200, "round {round}: the same port");
    }
    let left = idle.read(&mut [0; 1]).await.expect("a clean end");
    assert_eq!(left, 0, "connections that were open were cut");
}

#[tokio::test]
async fn faults_are_shown_as_they_were_put() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let put = json!({
        "rules": [{ "path": HEALTH, "domain": "faults", "times": 2, "act": { "stall_ms": 5 } }],
        "store_down": true,
    });
    tenant.control(Method::PUT, "/faults", Some(put)).await;
    let shown = tenant.control(Method::GET, "/faults", None).await;
    assert_eq!(shown.at("/store_down"), true);
    assert_eq!(
        shown.at("/rules/0"),
        json!({
            "path": HEALTH, "domain": "faults", "probability": 1.0, "times": 2, "skip": 0,
            "act": { "stall_ms": 5.0 },
        })
    );
    assert!(tenant.sandbox.faults().store_down);
    tenant.control(Method::DELETE, "/faults", None).await;
    assert_eq!(tenant.sandbox.faults(), Default::default());
}

#[tokio::test]
async fn bad_faults_are_refused_with_a_reason_and_change_nothing() {
    let tenant = Tenant::start(Dialect::Documented).await;
    for (body, reason) in [
        (json!({ "store_dwon": true }), "store_dwon"),
        (json!({ "rules": [{ "act": "explode" }] }), "explode"),
        (
            json!({ "rules": [{ "act": "reset", "probability": 2 }] }),
            "rule 1: probability 2",
        ),
        (json!("x"), "expected struct Faults"),
    ] {
        let answer = tenant.control(Method::PUT, "/faults", Some(body.clone())).await;
        assert_eq!(answer.status, 400, "{body}");
        let said = answer.at("/error").to_string();
        assert!(said.contains(reason), "{body}: {said}");
    }
    let flag = tenant
        .control(Method::PUT, "/flags/X", Some(json!({ "value": true })))
        .await;
    assert_eq!(flag.status, 400);
    assert_eq!(tenant.sandbox.faults(), Default::default());
}

#[tokio::test]
async fn web_pages_cannot_drive_it() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let url = tenant.sandbox.control_url();
    for (case, header) in [("origin", "http://evil.example"), ("host", "evil.example")] {
        let headers = [(case, header.to_owned())];
        let answer = send(&url, Method::DELETE, "/faults", &headers, None).await;
        assert_eq!(answer.status, 403, "{case}");
    }
}

#[tokio::test]
async fn unknown_endpoints_tables_and_methods_are_told_apart() {
    let tenant = Tenant::start(Dialect::Documented).await;
    for (method, target, status) in [
        (Method::GET, "/nope", 404),
        (Method::GET, "/rows/nope", 404),
        (Method::POST, "/faults", 405),
        (Method::GET, "/rows/pms_health_events", 200),
        (Method::GET, "/audit", 200),
    ] {
        let answer = tenant.control(method.clone(), target, None).await;
        assert_eq!(answer.status, status, "{method} {target}");
    }
}
