//! `lensops check` against the sandbox, fault by fault.

use lensops_sandbox::{Dialect, Faults, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Project, Ran, sandbox};

fn faults(value: Value) -> Faults {
    serde_json::from_value(value).unwrap()
}

async fn check(sandbox: &Sandbox, project: &Project) -> Ran {
    // The sandbox answers from this runtime while the program runs in a process of its own.
    let command = project.command("check faults --json").output();
    let _alive = sandbox;
    let output = tokio::task::spawn_blocking(move || command).await.unwrap().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn provider(project: &mut Project, sandbox: &Sandbox) {
    project
        .env
        .insert("RENDER_API_KEY".to_owned(), sandbox.config().provider_key.clone());
    project
        .env
        .insert("RENDER_SERVICE_ID".to_owned(), "srv-made-up".to_owned());
    project.env.insert("RENDER_API_URL".to_owned(), sandbox.url());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_has_its_status_and_exit_code() {
    let list_500 = json!({"rules": [{"path": "/v1/actions/list", "act": {"status": {"code": 500}}}]});
    let table = [
        ("no fault", json!({}), 0, "✅ OVERALL: CANARY HEALTHY"),
        // Defect 1, live: nothing listens at all.
        (
            "defect 1: refused",
            json!({"refuse_connections": true}),
            1,
            "connection refused",
        ),
        // Defect 2, live: every token is refused.
        (
            "defect 2: every token refused",
            json!({"stale_jwt_secret": true}),
            1,
            "Expected 200, got 401 invalid_token",
        ),
        (
            "defect 2: rate limited",
            json!({"rules": [{"path": "/v1/actions/", "act": {"status": {"code": 429}}}]}),
            4,
            "List endpoint: 7 of 7 samples: 429, rate limited",
        ),
        // Defect 7, live.
        (
            "defect 7: own degraded",
            json!({"missing_handlers": ["list"]}),
            4,
            "⚠️ Service health: degraded",
        ),
        (
            "defect 7: no counters",
            json!({"health_without_counters": true}),
            4,
            "not judged: the answer has no $.handlers_loaded",
        ),
        // Defect 11, live: a 500 that persists through the retries.
        (
            "defect 11: persistent 500",
            list_500,
            1,
            "❌ List endpoint: Expected 200, got 500",
        ),
        (
            "defect 11: one 500 that a retry gets past",
            json!({"rules": [{"path": "/v1/actions/list", "times": 1, "act": {"status": {"code": 500}}}]}),
            1,
            "500 before a retry answered",
        ),
        (
            "reset",
            json!({"rules": [{"path": "/v1/actions/list", "act": "reset"}]}),
            1,
            "(connectivity)",
        ),
        (
            "truncated",
            json!({"rules": [{"path": "/v1/actions/list", "act": {"truncate": {"after_bytes": 10}}}]}),
            1,
            "(bad_body)",
        ),
        (
            "non-JSON",
            json!({"rules": [{"path": "/v1/actions/list", "act": "non_json"}]}),
            1,
            "body is not JSON",
        ),
        (
            "a page instead of the READ",
            json!({"rules": [{"path": "/v1/actions/execute", "act": "non_json"}]}),
            1,
            "❌ Read action: 200 with body is not JSON",
        ),
        (
            "no suggestions at all",
            json!({"rules": [{"path": "/v1/actions/suggestions", "act": "empty_body"}]}),
            1,
            "❌ Suggestions endpoint: 200 with empty body",
        ),
        (
            "a page instead of health",
            json!({"rules": [{"path": "/v1/actions/health", "act": "non_json"}]}),
            1,
            "❌ Service health: 200 with body is not JSON",
        ),
        (
            "redirects are not followed",
            json!({"rules": [{"path": "/v1/actions/list", "act": "redirect_loop"}]}),
            1,
            "got 307",
        ),
        (
            "one failure of 21",
            json!({"rules": [{"path": "/v1/actions/list", "times": 1, "skip": 3, "act": {"status": {"code": 404}}}]}),
            4,
            "error rate 4.76 %",
        ),
        (
            "one reset that a retry gets past",
            json!({"rules": [{"path": "/v1/actions/list", "times": 1, "act": "reset"}]}),
            0,
            "CANARY HEALTHY",
        ),
    ];
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    for (what, value, code, told) in table {
        sandbox.set_faults(faults(value));
        let ran = check(&sandbox, &project).await;
        assert_eq!(ran.code, code, "{what}: {}", ran.err);
        assert!(ran.err.contains(told), "{what}: {}", ran.err);
    }
}

/// Defect 3, live: a domain that does not exist, and a user without a role.
#[tokio::test(flavor = "multi_thread")]
async fn defect_3_no_actions_is_unhealthy() {
    let sandbox = sandbox(Dialect::DeployedA).await;
    let project = Project::with_faults(&sandbox);
    let plan = "tools/ops/monitors/faults_health_worker.yml";
    let text = project.read(plan);
    for (from, to) in [
        ("domain=faults", "domain=fautls"),
        (
            "11c093fe-0652-50b4-bb47-559c1c185f8a",
            "a5b3f0a5-90a9-5f0f-8f14-3d1c7c1b2f11",
        ),
    ] {
        project.write(plan, &text.replace(from, to));
        let ran = check(&sandbox, &project).await.expect(1);
        assert!(
            ran.err.contains("$.total_count is 0, expected at least 1"),
            "{}",
            ran.err
        );
        assert!(ran.err.contains("was edited by hand"), "{}", ran.err);
    }
}

/// Defect 8, live: `True` is on, a flag is asked for by its name and no other variable is, and a provider that cannot
/// be read is no flag that is off.
#[tokio::test(flavor = "multi_thread")]
async fn defect_8_flags_are_read_by_name_alone_and_an_unreadable_provider_is_unjudged() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&sandbox);
    let unset = check(&sandbox, &project).await.expect(0);
    assert!(
        unset
            .err
            .contains("Feature flags: not judged: RENDER_API_KEY and RENDER_SERVICE_ID are not set"),
        "{}",
        unset.err
    );
    provider(&mut project, &sandbox);
    sandbox.set_flag("FAULT_LENS_V1_ENABLED", "True");
    let on = check(&sandbox, &project).await.expect(0);
    assert!(
        on.err.contains("✅ Feature flags: enabled") && on.err.contains("[FeatureFlags] FAULT_LENS_V1_ENABLED=True"),
        "{}",
        on.err
    );
    let seen = sandbox.requests();
    let asked = seen.iter().filter(|seen| seen.target.starts_with("/v1/services/"));
    let asked: Vec<&str> = asked.map(|seen| seen.target.rsplit('/').next().unwrap()).collect();
    let flags = ["V1", "SUGGESTIONS", "SIGNED_ACTIONS"].map(|part| format!("FAULT_LENS_{part}_ENABLED"));
    assert_eq!(asked, flags, "the flags by name, and no other variable");
    for fault in ["provider_down", "provider_garbage", "provider_rate_limited"] {
        sandbox.set_faults(faults(json!({fault: true})));
        let ran = check(&sandbox, &project).await.expect(0);
        assert!(
            ran.err.contains("Feature flags: not judged: the provider"),
            "{fault}: {}",
            ran.err
        );
    }
    sandbox.set_faults(Faults::default());
    sandbox.set_flag("FAULT_LENS_V1_ENABLED", "false");
    let off = check(&sandbox, &project).await.expect(1);
    assert!(
        off.err.contains("❌ Feature flags: FAULT_LENS_V1_ENABLED off"),
        "{}",
        off.err
    );
    assert!(
        off.err.contains("❌ Suggestions endpoint: 503 FEATURE_DISABLED") && off.err.contains("200→503"),
        "{}",
        off.err
    );
    sandbox.set_flag("FAULT_LENS_V1_ENABLED", "true");
    let back = check(&sandbox, &project).await;
    assert!(back.err.contains("503→200"), "{}", back.err);
}

/// Defect 16: a new TCP connection was opened for each request.
#[tokio::test(flavor = "multi_thread")]
async fn defect_16_a_check_keeps_its_connection() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    check(&sandbox, &project).await.expect(0);
    let seen = sandbox.requests();
    let mut connections: Vec<u64> = seen.iter().map(|request| request.connection).collect();
    connections.dedup();
    assert_eq!(
        (seen.len(), connections.len()),
        (22, 1),
        "22 requests over one connection"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_lens_is_checked_and_shown_as_paused() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    project.write(
        "lenses/faults.yml",
        &project
            .read("lenses/faults.yml")
            .replace("every: 15m", "every: 15m\npaused: rolled back on purpose"),
    );
    project.run("generate").expect(0);
    let ran = check(&sandbox, &project).await.expect(0);
    assert!(ran.err.contains("(paused: rolled back on purpose)"), "{}", ran.err);
    let status = project.run("status").expect(0);
    assert!(status.out.contains("⏸ Paused"), "{}", status.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_gate_read_what_checks_recorded() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    assert!(
        project.run("status").expect(0).out.contains("❔ Unknown"),
        "never checked is unknown"
    );
    project.run("gate faults").expect(3);
    check(&sandbox, &project).await.expect(0);
    let status = project.run("status").expect(0);
    assert!(status.out.contains("Faults ✅ Healthy"), "{}", status.out);
    project.run("gate faults --window 1h").expect(3);
    sandbox.set_faults(faults(
        json!({"rules": [{"path": "/v1/actions/list", "act": {"status": {"code": 500}}}]}),
    ));
    check(&sandbox, &project).await.expect(1);
    let gate = project.run("gate faults --window 1h --json").expect(1);
    let answer: Value = serde_json::from_str(&gate.out).unwrap();
    assert_eq!(
        (answer["decision"].as_str(), answer["tenants"][0]["unhealthy"].as_u64()),
        (Some("roll_back"), Some(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_json_a_check_prints_its_lines_and_a_reader_that_leaves_does_no_harm() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    let ran = project.run("check faults").expect(0);
    assert!(
        ran.out.contains("✅ OVERALL: CANARY HEALTHY") && ran.err.is_empty(),
        "{} {}",
        ran.out,
        ran.err
    );
    for command in ["status", "accept faults", "stress faults", "config"] {
        let mut child = project
            .command(command)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), said.contains("panicked")),
            (Some(0), false),
            "{command}: {said}"
        );
    }
    assert_eq!(
        std::fs::read_dir(project.path("verification_handoff/runs"))
            .unwrap()
            .count(),
        2,
        "the evidence is whole"
    );
}
