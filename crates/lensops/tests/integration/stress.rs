//! `lensops stress` against the sandbox.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use lensops_sandbox::{Dialect, Faults};
use serde_json::{Value, json};

use crate::harness::{Project, sandbox, terminate};

/// Defect 13, live: stress passed when every request was refused, and when every answer was 401.
#[tokio::test(flavor = "multi_thread")]
async fn defect_13_only_a_run_answered_as_asserted_passes() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    let table = [
        ("no fault", json!({}), 0, "80 of 80 answered as asserted"),
        (
            "refused",
            json!({"refuse_connections": true}),
            1,
            "0 of 50 requests were answered",
        ),
        (
            "every token refused",
            json!({"stale_jwt_secret": true}),
            1,
            "answered otherwise than asserted",
        ),
        (
            "one 500",
            json!({"rules": [{"path": "/v1/actions/list", "times": 1, "act": {"status": {"code": 500}}}]}),
            1,
            "1 × 5xx",
        ),
        (
            "one reset",
            json!({"rules": [{"path": "/v1/actions/list", "times": 1, "act": "reset"}]}),
            1,
            "1 without an answer",
        ),
        (
            "an empty body",
            json!({"rules": [{"path": "/v1/actions/list", "act": "empty_body"}]}),
            1,
            "answered otherwise than asserted",
        ),
        (
            "a page instead of JSON",
            json!({"rules": [{"path": "/v1/actions/execute", "act": "non_json"}]}),
            1,
            "body is not JSON",
        ),
        (
            "no actions",
            json!({"rules": [{"path": "/v1/actions/list", "act": {"status": {"code": 200, "body": {"total_count": 0}}}}]}),
            1,
            "$.total_count is 0",
        ),
    ];
    for (what, value, code, told) in table {
        sandbox.set_faults(serde_json::from_value::<Faults>(value).unwrap());
        let ran = project.run("stress faults");
        assert_eq!(ran.code, code, "{what}: {}\n{}", ran.out, ran.err);
        assert!(ran.out.contains(told), "{what}: {}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_results_hold_the_breakdown_and_the_percentiles_with_their_sample() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    project.run("stress faults").expect(0);
    let json: Value =
        serde_json::from_str(&project.read("verification_handoff/phase6/FAULTS_STRESS_RESULTS.json")).unwrap();
    let list = &json["targets"][0];
    assert_eq!(
        (list["n"].as_u64(), list["statuses"]["200"].as_u64()),
        (Some(50), Some(50))
    );
    assert_eq!(
        (list["p95_supported"].as_bool(), list["p99_supported"].as_bool()),
        (Some(true), Some(false))
    );
    let latency = &list["latency_us"];
    assert!(
        latency["min"].as_u64().unwrap() <= latency["p50"].as_u64().unwrap()
            && latency["p99"].as_u64() <= latency["max"].as_u64()
    );
    let markdown = project.read("verification_handoff/phase6/FAULTS_STRESS_RESULTS.md");
    assert!(
        markdown.contains("50 × 200") && markdown.contains("(n=50)"),
        "{markdown}"
    );
    let mut connections: Vec<u64> = sandbox.requests().iter().map(|seen| seen.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    assert_eq!(
        connections.len(),
        80,
        "each request of a burst has a connection of its own"
    );
}

/// Fault E7: a run that was told to stop left no figures and no evidence.
#[tokio::test(flavor = "multi_thread")]
async fn e7_an_interrupted_run_says_what_it_measured_and_proves_nothing() {
    for (what, faults, code) in [
        ("nothing wrong so far", json!({}), 3),
        (
            "a 5xx so far",
            json!({"rules": [{"path": "/v1/actions/health", "act": {"status": {"code": 500}}}]}),
            1,
        ),
    ] {
        // One of its own: what it was asked before says nothing of this run.
        let sandbox = sandbox(Dialect::Documented).await;
        sandbox.set_faults(serde_json::from_value::<Faults>(faults).unwrap());
        let mut project = Project::empty();
        project.point_at(&sandbox);
        project.write(
            "plan.yml",
            "stress: flow\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\n\
             targets: [{name: health, request: {get: /v1/actions/health}, load: {closed: {connections: 2, for: 60s}}, expect: {status: 200}}]\n",
        );
        let mut child = project
            .command("stress --plan plan.yml --json")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answered = || {
            sandbox
                .requests()
                .iter()
                .any(|request| request.target == "/v1/actions/health")
        };
        while !answered() && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        terminate(&child);
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert_eq!(
            child.wait().unwrap().code(),
            Some(code),
            "{what}: {}",
            &out[..out.len().min(1500)]
        );
        let results: Value = serde_json::from_str(&out).unwrap();
        let reason = results["reason"].as_str().unwrap();
        assert_eq!(reason.starts_with("interrupted ("), code == 3, "{what}: {reason}");
        let ended = results["targets"][0]["completed"].as_u64().unwrap();
        assert!(ended > 0, "{what}: {results:#}");
        assert!(!project.listed("verification_handoff/runs").is_empty(), "{what}");
    }
}
