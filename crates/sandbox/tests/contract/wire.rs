//! Faults that befall requests.

use std::time::{Duration, Instant};

use hyper::Method;
use lensops_sandbox::{Act, Answer, Dialect, Latency, Rule, Truncation};
use serde_json::{Value, json};

use crate::client::{Tenant, raw, send};

const HEALTH: &str = "/v1/actions/health";

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_a_close() {
    let tenant = Tenant::start(Dialect::Documented).await;
    tenant.fault(Rule::new(Act::Reset));
    let (bytes, end) = raw(&tenant.sandbox.url(), HEALTH).await;
    assert_eq!(bytes, "");
    let error = end.expect_err("a reset is an error");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

    tenant.fault(Rule::new(Act::Close));
    let (bytes, end) = raw(&tenant.sandbox.url(), HEALTH).await;
    assert_eq!(bytes, "");
    end.expect("a clean end");
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_announced() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let whole = tenant.get(HEALTH).await.body.len();
    for (after_bytes, sent, announced) in [(0, 0, whole), (10, 10, whole), (9999, whole, whole + 1)] {
        tenant.fault(Rule::new(Act::Truncate(Truncation { after_bytes })));
        let (bytes, _) = raw(&tenant.sandbox.url(), HEALTH).await;
        let (head, body) = bytes.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let length = format!("content-length: {announced}\r\n");
        assert!(format!("{head}\r\n").contains(&length), "{head}");
        assert_eq!(body.len(), sent, "cut after {after_bytes}");
    }
}

#[tokio::test]
async fn bodies_can_be_html_empty_or_slow() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let whole = tenant.get(HEALTH).await;
    tenant.fault(Rule::new(Act::NonJson));
    let page = tenant.get(HEALTH).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(serde_json::from_slice::<Value>(&page.body).is_err());
    tenant.fault(Rule::new(Act::EmptyBody));
    let empty = tenant.get(HEALTH).await;
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    tenant.fault(Rule::new(Act::TrickleMs(0.0)));
    assert_eq!(tenant.get(HEALTH).await.body, whole.body, "slow, but whole");
}

#[tokio::test]
async fn a_redirect_loop_leads_to_itself() {
    let tenant = Tenant::start(Dialect::Documented).await;
    tenant.fault(Rule::new(Act::RedirectLoop));
    let target = "/v1/actions/list?domain=faults";
    let answer = tenant.get(target).await;
    assert_eq!((answer.status, answer.header("location")), (307, Some(target)));
}

#[tokio::test]
async fn a_status_comes_with_its_body_and_headers_after_the_latency() {
    let tenant = Tenant::start(Dialect::DeployedA).await;
    let rules = json!({ "rules": [
        { "act": { "status": {
            "code": 429, "body": { "error": "slow down" },
            "headers": { "retry-after": "2", "content-type": "application/problem+json" },
        } } },
        { "act": { "latency": { "constant_ms": 20 } } },
    ] });
    assert_eq!(tenant.control(Method::PUT, "/faults", Some(rules)).await.status, 200);
    let start = Instant::now();
    let answer = tenant.get(HEALTH).await;
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!((answer.status, answer.at("/error")), (429, json!("slow down")));
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));

    tenant.fault(Rule::new(Act::Status(Answer {
        code: 500,
        body: None,
        headers: Default::default(),
    })));
    let plain = tenant.get(HEALTH).await;
    assert_eq!(
        (plain.status, plain.at("/error")),
        (500, json!("Internal Server Error"))
    );
}

#[tokio::test]
async fn a_lost_answer_belongs_to_a_request_that_was_carried_out() {
    let tenant = Tenant::start(Dialect::DeployedA).await;
    let captain = tenant.user("captain");
    let note = || {
        json!({
            "action": "add_fault_note", "context": { "yacht_id": tenant.north() },
            "payload": { "fault_id": tenant.entity("faults"), "text": "seen" },
        })
    };
    tenant.fault(Rule::new(Act::EmptyBody).times(1));
    assert_eq!(tenant.execute(captain, note()).await.body.len(), 0);
    assert_eq!(tenant.sandbox.audit().len(), 1, "carried out");
    tenant.fault(
        Rule::new(Act::Status(Answer {
            code: 502,
            body: None,
            headers: Default::default(),
        }))
        .on("/v1/actions/execute"),
    );
    assert_eq!(tenant.execute(captain, note()).await.status, 502);
    assert_eq!(tenant.sandbox.audit().len(), 1, "answered in the API's place");
}

#[tokio::test]
async fn latency_waits_and_the_rule_is_spent() {
    let tenant = Tenant::start(Dialect::Documented).await;
    tenant.fault(Rule::new(Act::Latency(Latency::UniformMs([15.0, 20.0]))).times(1));
    let start = Instant::now();
    tenant.get(HEALTH).await;
    assert!(start.elapsed() >= Duration::from_millis(15));
    assert_eq!(tenant.get(HEALTH).await.status, 200);
}

#[tokio::test]
async fn faulted_requests_are_seen_too_with_their_connection() {
    let tenant = Tenant::start(Dialect::Documented).await;
    tenant.fault(Rule::new(Act::Reset).times(1));
    raw(&tenant.sandbox.url(), HEALTH).await.1.expect_err("reset");
    let body = json!({ "domain": "faults" });
    let url = tenant.sandbox.url();
    send(
        &url,
        Method::POST,
        "/v1/actions/suggestions?x=%20",
        &[("x-mark", "é".into())],
        Some(body.clone()),
    )
    .await;
    let seen = tenant.sandbox.requests();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str(), seen[0].connection),
        ("GET", HEALTH, 1)
    );
    assert_eq!(
        (seen[1].target.as_str(), seen[1].connection),
        ("/v1/actions/suggestions?x=%20", 2)
    );
    assert_eq!(seen[1].header("x-mark"), Some("é"));
    assert_eq!(seen[1].body, body.to_string());
    let shown = tenant.control(Method::GET, "/requests", None).await;
    assert_eq!(
        shown.json().as_array().map(Vec::len),
        Some(2),
        "the control port is not in it"
    );
    assert_eq!(tenant.control(Method::DELETE, "/requests", None).await.status, 204);
    assert!(tenant.sandbox.requests().is_empty());
}
