//! `lensops matrix`: the API held to its own registry.

use lensops_sandbox::{ACTIONS_JSON, Dialect, Faults, LENSES_JSON, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Project, sandbox};

/// A project with every user of the sandbox's data, one user of another tenant, and the registry.
async fn project(dialect: Dialect, more: &str) -> (Sandbox, Project) {
    let sandbox = sandbox(dialect).await;
    let data: Value = serde_json::from_str(LENSES_JSON).unwrap();
    let mut project = Project::empty();
    project.point_at(&sandbox);
    project.write("actions.json", ACTIONS_JSON);
    let users = &data["users"];
    let outsider = &data["users_south"]["captain"];
    project.write(
        "lensops.yml",
        &format!("registry: actions.json\nusers: {users}\noutsiders: {{captain_south: {outsider}}}\n{more}"),
    );
    project.run(crate::harness::FAULTS).expect(0);
    (sandbox, project)
}

fn cases(project: &Project, arguments: &str, code: i32) -> Vec<Value> {
    let ran = project.run(arguments).expect(code);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    json["cases"].as_array().unwrap().clone()
}

fn count(cases: &[Value], result: &str) -> usize {
    cases.iter().filter(|case| case["result"] == result).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_only_reads_and_denials_are_asked_and_nothing_changes() {
    let (sandbox, project) = project(Dialect::Documented, "").await;
    let cases = cases(&project, "matrix --json", 0);
    assert_eq!(cases.len(), 76 * 15, "76 actions, 14 roles and an outsider");
    assert_eq!((count(&cases, "failed"), count(&cases, "unjudged")), (0, 0));
    assert!(count(&cases, "skipped") > 100 && count(&cases, "passed") > 800);
    assert!(sandbox.audit().is_empty(), "no row was written");
    let denied = sandbox
        .requests()
        .into_iter()
        .filter(|seen| seen.body.contains("close_work_order"))
        .all(|seen| !seen.body.contains("work_order_id"));
    assert!(denied, "a denied cell leaves the other fields out");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_leave_every_cell_is_asked_in_every_dialect() {
    for dialect in [Dialect::Documented, Dialect::DeployedA, Dialect::DeployedB] {
        let (_sandbox, project) = project(dialect, "destructive: allowed\n").await;
        let cases = cases(&project, &format!("matrix --json --dialect {dialect}"), 0);
        assert_eq!(
            (cases.len(), count(&cases, "failed"), count(&cases, "skipped")),
            (1140, 0, 0),
            "{dialect}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_the_api_is_a_failure_with_its_transcript() {
    let (sandbox, project) = project(Dialect::Documented, "").await;
    let hole = json!({"rules": [{"path": "/v1/actions/execute", "domain": "faults", "act": {"status": {"code": 200, "body": {"status": "success"}}}}]});
    sandbox.set_faults(serde_json::from_value::<Faults>(hole).unwrap());
    let ran = project.run("matrix faults --junit out/matrix.xml").expect(1);
    assert!(
        ran.out
            .contains("[FAIL] Test 1: create_work_order_from_fault × bosun: Expected 403, got 200"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("Expected 403 or 404 for a user of another tenant, got 200"),
        "{}",
        ran.out
    );
    let junit = project.read("out/matrix.xml");
    assert_eq!(junit.matches("<testcase ").count(), 12 * 15);
    let page = project.read("verification_handoff/phase6/FAULTS_MATRIX_EVIDENCE.html");
    assert!(
        page.contains("class=\"differs\"") && !page.contains("<script"),
        "{page}"
    );
    let markdown = project.read("verification_handoff/phase6/FAULTS_MATRIX_EVIDENCE.md");
    assert!(markdown.matches("POST /v1/actions/execute HTTP/1.1").count() > 100);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_matrix_keeps_its_evidence_and_never_passes() {
    let (sandbox, project) = project(Dialect::Documented, "").await;
    let stall = json!({"rules": [{"path": "/v1/actions/execute", "skip": 100, "act": {"stall_ms": 12000}}]});
    sandbox.set_faults(serde_json::from_value::<Faults>(stall).unwrap());
    let mut child = project.command("matrix").spawn().unwrap();
    // Every cell that may be under way is, and waits.
    while sandbox.requests().len() < 110 {
        tokio::task::yield_now().await;
    }
    let told = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let evidence = project.read("verification_handoff/phase6/ALL_MATRIX_EVIDENCE.json");
    let evidence: Value = serde_json::from_str(&evidence).unwrap();
    let cases = evidence["cases"].as_array().unwrap();
    assert!(count(cases, "passed") > 50 && count(cases, "unjudged") > 500);
    assert!(
        evidence["reason"].as_str().unwrap().starts_with("interrupted"),
        "{}",
        evidence["reason"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_a_user_is_unjudged() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    project.write("actions.json", ACTIONS_JSON);
    let ran = project.run("matrix faults --registry actions.json").expect(0);
    assert!(ran.out.contains("? "), "{}", ran.out);
    // Without a file the API's own lists are the registry: of the roles that have a user.
    let fetched = project.run("matrix faults").expect(0);
    assert!(
        fetched.out.contains("13 passed, 0 failed, 0 unjudged"),
        "{}",
        fetched.out
    );
    assert!(project.run("matrix").expect(2).err.contains("--registry FILE"));
}

/// A plan that the matrix asks may name what differs from request to request.
#[tokio::test(flavor = "multi_thread")]
async fn what_differs_from_request_to_request_is_known_to_the_matrix() {
    let (sandbox, project) = project(Dialect::Documented, "").await;
    let path = "tests/ci/faults_signed_flow_acceptance.yml";
    let plan = project.read(path).replace(
        "      action: $action\n",
        "      action: $action\n      trace: [$random_id, $counter, $now]\n",
    );
    project.write(path, &plan);
    let cases = cases(&project, "matrix faults --json", 0);
    assert_eq!(count(&cases, "unjudged"), 0);
    let traces: Vec<Value> = sandbox
        .requests()
        .iter()
        .filter_map(|seen| serde_json::from_str::<Value>(&seen.body).ok()?.get("trace").cloned())
        .collect();
    let ids: std::collections::BTreeSet<String> = traces.iter().map(|trace| trace[0].to_string()).collect();
    assert!(traces.len() > 50 && ids.len() == traces.len(), "{}", traces.len());
}
