//! Load shapes end to end, against the sandbox. Whether the machine kept up is not asserted: a
//! busy one may answer *could not judge*, which is right.

use std::collections::BTreeSet;

use lensops_sandbox::Dialect;
use serde_json::Value;

use crate::harness::{Project, sandbox};

const HEAD: &str = "stress: faults\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\n\
    users: {hod: {role: chief_engineer, id: 11c093fe-0652-50b4-bb47-559c1c185f8a}}\n";

async fn results(plan: &str, arguments: &str) -> (i32, Value, Vec<String>) {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    project.point_at(&sandbox);
    project.write("plan.yml", &format!("{HEAD}{plan}"));
    let ran = project.run(&format!("stress --plan plan.yml --json {arguments}"));
    let json = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}\n{}", ran.out, ran.err));
    let paths = sandbox.requests().into_iter().map(|seen| seen.target);
    (ran.code, json, paths.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn weighted_targets_share_one_load_by_their_weights() {
    let plan = "targets:\n\
        - {name: list, as: hod, weight: 3, request: {get: '/v1/actions/list?domain=faults'}}\n\
        - {name: health, request: {get: /v1/actions/health}}\n\
        load: {closed: {connections: 4, count: 400}}\n";
    let (code, json, _) = results(plan, "--threads 2").await;
    let completed = |index: usize| json["targets"][index]["completed"].as_u64();
    assert_eq!(
        (code, completed(0), completed(1)),
        (0, Some(300), Some(100)),
        "{json:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_load_sends_every_request_that_is_due() {
    let plan = "targets: [{name: health, request: {get: /v1/actions/health}, load: {open: {rate: 200, for: 1s, connections: 20}}}]\n";
    let (code, json, _) = results(plan, "").await;
    let target = &json["targets"][0];
    assert!(code == 0 || code == 3, "{json:#}");
    assert_eq!(
        (target["planned"].as_u64(), target["n"].as_u64()),
        (Some(200), Some(200)),
        "{json:#}"
    );
    assert!(target["service_us"]["n"] == 200 && !target["series"].as_array().unwrap().is_empty());
    let interval = &target["interval_us"]["p50"];
    assert!(
        interval["low"].as_u64() <= target["latency_us"]["p50"].as_u64(),
        "{interval}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_a_number_of_its_own() {
    let plan = "targets: [{name: n, request: {get: '/v1/actions/health?n=$counter&id=$random_id'}, load: {closed: {connections: 3, count: 60}}}]\n";
    let (code, json, mut paths) = results(plan, "--threads 2").await;
    assert_eq!(code, 0, "{json:#}");
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 60, "{paths:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_reused_unless_the_plan_says_otherwise() {
    let target =
        "targets: [{name: health, request: {get: /v1/actions/health}, load: {closed: {connections: 2, count: 20}}}]\n";
    for (reuse, connections) in [(true, 2), (false, 20)] {
        let sandbox = sandbox(Dialect::Documented).await;
        let mut project = Project::empty();
        project.point_at(&sandbox);
        project.write("plan.yml", &format!("{HEAD}{target}reuse: {reuse}\n"));
        project.run("stress --plan plan.yml").expect(0);
        let seen: BTreeSet<u64> = sandbox.requests().iter().map(|seen| seen.connection).collect();
        assert_eq!(seen.len(), connections, "reuse: {reuse}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_up_is_sent_and_left_out_of_the_figures() {
    let plan = "targets: [{name: health, request: {get: /v1/actions/health}}]\n\
        load: {stages: [{rate: 200, for: 500ms}, {rate: 200, for: 500ms}]}\nwarm_up: 500ms\n";
    let (code, json, paths) = results(plan, "").await;
    let counted = json["targets"][0]["n"].as_u64().unwrap();
    assert!(code == 0 || code == 3, "{json:#}");
    // A ramp from nothing to 200 a second sends half of what the steady stage after it does.
    assert!((148..=152).contains(&paths.len()), "{} sent", paths.len());
    assert!((99..=101).contains(&counted), "{counted} counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hopeless_load_stops_early_and_says_so() {
    let plan = "targets: [{name: gone, request: {get: /v1/nothing}, load: {open: {rate: 50, for: 1h}}}]\n\
        abort: {error_rate_percent: 50, after: 1s}\n";
    let (code, json, _) = results(plan, "").await;
    assert_eq!(code, 1, "{json:#}");
    assert!(
        json["reason"].as_str().unwrap().contains("stopped after"),
        "{}",
        json["reason"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_compared_with_an_earlier_one() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    project.run("stress faults").expect(0);
    let latest = "verification_handoff/phase6/FAULTS_STRESS_RESULTS.json";
    let ran = project.run(&format!("stress faults --baseline {latest}")).expect(0);
    assert!(
        ran.out.contains("Compared with") && ran.out.contains("P95"),
        "{}",
        ran.out
    );
    let page = project.read("verification_handoff/phase6/FAULTS_STRESS_RESULTS.html");
    assert!(
        page.contains("<svg") && !page.contains("<script") && !page.contains("http://www"),
        "{page}"
    );
    project.run("stress faults --baseline nowhere.json").expect(2);
}
