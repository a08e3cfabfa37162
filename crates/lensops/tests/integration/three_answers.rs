//! Failed, could not judge, skipped: cases that cannot pass by not running, and plans that say what they
//! mean. Each test is named after the fault that it keeps away.

use lensops_sandbox::{Dialect, Faults, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Project, Ran, sandbox};

const HEAD: &str = "acceptance: flow\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\n\
    users: {captain: {id: 7672d3d4-fe80-5fb8-80e2-58b12b95d5b6, role: captain}}\n\
    dialects: {documented: {paths: {code: [$.detail.error_code]}}}\n";

async fn project(plan: &str) -> (Sandbox, Project) {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    project.point_at(&sandbox);
    project.write("plan.yml", &format!("{HEAD}{plan}"));
    (sandbox, project)
}

fn accept(project: &Project, code: i32) -> Ran {
    project.run("accept --plan plan.yml").expect(code)
}

/// The verdict's reason, as evidence keeps it.
fn reason(project: &Project) -> String {
    let evidence = project.read("verification_handoff/phase6/FLOW_ACCEPTANCE_EVIDENCE.json");
    let evidence: Value = serde_json::from_str(&evidence).unwrap();
    evidence["reason"].as_str().unwrap().to_owned()
}

/// Fault V9: the body that was sent for plain words that older YAML takes for something else.
#[tokio::test(flavor = "multi_thread")]
async fn v9_plain_words_and_leading_zeros_are_sent_as_they_are_meant() {
    let (sandbox, project) = project(
        "vars: {no: NO}\nrequests:\n  post:\n    post: /v1/actions/suggestions\n    \
         json: {domain: faults, country: NO, answer: off, axis: y, zip: 017, nested: [$no, 08]}\n\
         scenarios:\n  - {name: a, as: captain, send: post, with: {no: NO}, expect: {status: 200}}\n",
    )
    .await;
    accept(&project, 0);
    let body: Value = serde_json::from_str(&sandbox.requests().last().unwrap().body).unwrap();
    assert_eq!(
        body,
        json!({"domain": "faults", "country": "NO", "answer": "off", "axis": "y", "zip": 17, "nested": ["NO", 8]})
    );
}

/// Fault V9: lensops' own booleans in their older form are read, and told.
#[tokio::test(flavor = "multi_thread")]
async fn v9_own_booleans_of_older_yaml_are_read_with_a_warning() {
    let (_sandbox, mut project) = project(
        "env: {pw: {from: PW, secret: yes}}\nrequests: {list: {get: \"/v1/actions/list?domain=faults&pw=$pw\"}}\n\
         scenarios: [{name: a, as: captain, send: list}]\n",
    )
    .await;
    project.env.insert("PW".to_owned(), "made-up-secret\n".to_owned());
    let ran = accept(&project, 0);
    assert!(
        ran.err
            .contains("⚠️ plan.yml:5:30: \"secret\" is read as true: write true, `yes` is text in YAML 1.2"),
        "{}",
        ran.err
    );
    // Fault V10: a line break at the end of a secret is no part of it.
    assert!(
        ran.err.contains("⚠️ PW ends in a line break: it is removed"),
        "{}",
        ran.err
    );
    let evidence = project.read("verification_handoff/phase6/FLOW_ACCEPTANCE_EVIDENCE.md");
    assert!(
        evidence.contains("pw=[redacted]") && !evidence.contains("made-up-secret"),
        "{evidence}"
    );
}

/// Fault V10: a typo in a variable is exit code 2 before the first request, all of them told at once.
#[tokio::test(flavor = "multi_thread")]
async fn v10_an_undefined_variable_is_a_mistake_of_the_plan() {
    let (sandbox, project) = project(
        "vars: {userid: 5}\nrequests:\n  list: {get: /v1/actions/list?domain=faults}\n  drop: {delete: \"/admin/$usrid\"}\n\
         scenarios:\n  - {name: a, as: captain, send: list}\n  - {name: b, as: captain, send: drop}\n  \
         - {name: c, as: captain, send: list, expect: {is: {$.x: $nosuch}}}\n",
    )
    .await;
    let ran = accept(&project, 2);
    assert!(
        ran.err
            .contains("plan.yml:11:34: $usrid is not defined here (did you mean $userid?)")
            && ran.err.contains("plan.yml:12:"),
        "{}",
        ran.err
    );
    assert!(sandbox.requests().is_empty());
}

/// Fault V10: a variable of the environment that is not set leaves its case unjudged, and the run too.
#[tokio::test(flavor = "multi_thread")]
async fn v10_an_unjudged_case_beside_a_passing_one_is_no_pass() {
    let (_sandbox, project) = project(
        "env: {pw: {from: PW}}\nrequests:\n  list: {get: /v1/actions/list?domain=faults}\n  other: {get: \"/x/$pw\"}\n\
         scenarios:\n  - {name: a, as: captain, send: list}\n  - {name: b, as: captain, send: other}\n  \
         - {name: c, send: list, skip: not here}\n",
    )
    .await;
    let ran = accept(&project, 3);
    assert!(ran.out.contains("[UNJUDGED] Test 2: b: PW is not set"), "{}", ran.out);
    assert_eq!(
        reason(&project),
        "a case is unjudged (1 passed, 0 failed, 1 unjudged, 1 skipped (1: not here))"
    );
}

/// Fault V11: with one scenario at a time a capture ends with its scenario as it does with more.
#[tokio::test(flavor = "multi_thread")]
async fn v11_captures_end_with_their_scenario() {
    let plan = |parallel: u8| {
        format!(
            "parallel: {parallel}\nrequests:\n  list: {{get: /v1/actions/list?domain=faults}}\n  \
             next: {{get: \"/v1/actions/list?domain=$domain\"}}\nscenarios:\n  \
             - {{name: in, as: captain, send: list, capture: {{domain: \"$.actions[0].domain\"}}}}\n  \
             - {{name: out, send: next, expect: {{status: 401}}}}\n"
        )
    };
    for parallel in [1, 2] {
        let (sandbox, project) = project(&plan(parallel)).await;
        let ran = accept(&project, 2);
        assert!(
            ran.err.contains("scenario \"in\" captures it") && ran.err.contains("capture it in `setup`"),
            "{}",
            ran.err
        );
        assert!(sandbox.requests().is_empty());
    }
    // What a scenario sets anew over the setup's value is its own.
    let plan = "requests:\n  list: {get: \"/v1/actions/list?domain=$domain\"}\nsetup:\n  \
                - {as: captain, send: list, with: {domain: faults}, capture: {domain: \"$.actions[0].domain\"}}\nscenarios:\n  \
                - {name: a, as: captain, send: list, capture: {domain: \"$.actions[0].action_id\"}}\n  \
                - {name: b, as: captain, send: list, expect: {at_least: {$.total_count: 1}}}\n";
    let (_sandbox, project) = project(plan).await;
    accept(&project, 0);
}

/// Fault V12: variables work in every value.
#[tokio::test(flavor = "multi_thread")]
async fn v12_variables_work_in_with_vars_and_expectations() {
    let (sandbox, project) = project(
        "vars: {base: faults, who: $base, least: 1, type: application/json}\nrequests:\n  \
         list: {get: \"/v1/actions/list?domain=$d\", headers: {X-Price: \"$5 $$base\"}}\nscenarios:\n  \
         - name: a\n    as: captain\n    send: list\n    with: {d: $who}\n    expect:\n      \
         is: {\"$.actions[0].domain\": $base}\n      at_least: {$.total_count: $least}\n      \
         headers: {content-type: $type}\n      contains: $base\n      count: {\"$.nothing[*]\": 0}\n",
    )
    .await;
    accept(&project, 0);
    let sent = sandbox.requests().pop().unwrap();
    assert!(sent.target.ends_with("domain=faults"), "{}", sent.target);
}

/// Fault V15: `disabled` means what the plan says, in check, flags and rollback.
#[tokio::test(flavor = "multi_thread")]
async fn v15_off_is_what_the_plan_says_it_is() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::at_provider(&sandbox);
    let plan = "tools/ops/monitors/faults_health_worker.yml";
    let text = project.read(plan);
    project.write(
        plan,
        &text.replace(
            "disabled: {status: 503, code: FEATURE_DISABLED}",
            "disabled: {status: 404}",
        ),
    );
    let off = json!({"rules": [{"path": "/v1/actions/list", "act": {"status": {"code": 404, "body": {"detail": {"error_code": "NO_SUCH_ROUTE"}}}}}]});
    sandbox.set_faults(serde_json::from_value::<Faults>(off).unwrap());
    let checked = project.run("check faults").expect(1);
    assert!(
        checked
            .out
            .contains("❌ List endpoint: 404 NO_SUCH_ROUTE: the feature is switched off"),
        "{}",
        checked.out
    );
    let flags = project.run("flags faults").expect(4).out;
    assert!(
        flags.contains("off (404 NO_SUCH_ROUTE: the feature is switched off)"),
        "{flags}"
    );
    let rolled = project.run("rollback faults --reason slow").expect(0).out;
    assert!(rolled.contains("the API answers 404 (List endpoint)"), "{rolled}");
}

/// Fault V17: a service that calls itself unhealthy is unhealthy, also with 200 and all handlers.
#[tokio::test(flavor = "multi_thread")]
async fn v17_a_service_that_says_unhealthy_is_unhealthy() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    for (status, code, line) in [
        (
            "unhealthy",
            1,
            "❌ Service health: $[?@ == 'unhealthy' || @ == 'down'] is unhealthy",
        ),
        ("degraded", 4, "⚠️ Service health: degraded (4/4 handlers)"),
        ("healthy", 0, "✅ Service health: healthy (4/4 handlers)"),
    ] {
        let body = json!({"status": status, "handlers_loaded": 4, "total_handlers": 4});
        let rule = json!({"rules": [{"path": "/v1/actions/health", "act": {"status": {"code": 200, "body": body}}}]});
        sandbox.set_faults(serde_json::from_value::<Faults>(rule).unwrap());
        let ran = project.run("check faults").expect(code);
        assert!(ran.out.contains(line), "{}", ran.out);
    }
}

/// The record of a flag proof that was killed.
const CUT_OFF: &str =
    r#"{"service": "srv-made-up", "flag": "FAULT_LENS_V1_ENABLED", "found": "true", "wrote": ["false"]}"#;

/// Fault F1: a provider that may be read and not written leaves nothing to undo, and no command sends to
/// another that sends back.
#[tokio::test(flavor = "multi_thread")]
async fn f1_a_refused_switch_leaves_nothing_to_undo() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::at_provider(&sandbox);
    let refuses = json!({"rules": [{"path": "/v1/services", "method": "PUT", "act": {"status": {"code": 403}}}]});
    sandbox.set_faults(serde_json::from_value::<Faults>(refuses).unwrap());
    let ran = project.run("accept faults --flag-proof").expect(3);
    assert!(ran.out.contains("the provider did not switch it"), "{}", ran.out);
    assert!(!project.path(".lensops/flag-proof.json").exists());
    project.run("accept faults").expect(0);
    let rolled = project.run("rollback faults --reason slow").expect(1);
    assert!(rolled.err.contains("was not set to false"), "{}", rolled.err);
    // A record that an older version left, of a flag that the provider shows as it was found, is closed.
    project.write(".lensops/flag-proof.json", CUT_OFF);
    let ran = project.run("accept faults").expect(0);
    assert!(ran.err.contains("an earlier flag proof was cut off"), "{}", ran.err);
    assert!(!project.path(".lensops/flag-proof.json").exists());
}

/// Fault F1: a rollback waits for no proof, and what it decides is not undone by the end of one.
#[tokio::test(flavor = "multi_thread")]
async fn f1_a_rollback_closes_the_record_of_a_proof() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::at_provider(&sandbox);
    project.write(".lensops/flag-proof.json", CUT_OFF);
    let ran = project.run("rollback faults --reason slow").expect(0);
    assert!(ran.err.contains("its record is closed"), "{}", ran.err);
    project.run("accept faults --scenario \"Missing signature\"");
    let flags = project.run("flags faults").out;
    assert!(flags.contains("provider: off"), "{flags}");
}

/// Fault F7: a check that is made to look at something counts for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn f7_a_check_that_is_not_recorded_is_printed_alone() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    let ran = project.run("check faults --no-record").expect(0);
    assert!(
        ran.out.contains("Not recorded: --no-record") && ran.out.contains("OVERALL: CANARY HEALTHY"),
        "{}",
        ran.out
    );
    assert!(project.run("status").expect(0).out.contains("never"));
}
