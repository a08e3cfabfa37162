//! `lensops accept` in the three dialects, with and without a signed action.

use lensops_sandbox::{Dialect, Faults, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Project, sandbox};

const CERTIFICATES: &str = "generate --lens-id certificates --domain certificates --roles crew,captain,manager \
    --signed-action supersede_certificate --entity-type certificate --entity-id-key certificate_id --consumes-entity \
    --user manager=manager:e1da62c0-e82d-5772-8a08-a3762ed5c8b4 --signers captain,manager \
    --signed-payload reason=survey \
    --test-entity-id a4d65293-6d10-5de2-be73-2a8291c9059b,e9b6eb03-5081-5cd4-8f4f-e5e4e1e48792";

const SHOPPING: &str = "generate --lens-id shopping_list --domain shopping_list --roles crew,captain \
    --read-action view_shopping_list_history --entity-id-key item_id --test-entity-id 77ffdabd-7950-5311-b739-6de1736a433c";

async fn project(dialect: Dialect) -> (Sandbox, Project) {
    let sandbox = sandbox(dialect).await;
    let project = Project::with_faults(&sandbox);
    project.run(CERTIFICATES).expect(0);
    project.run(SHOPPING).expect(0);
    (sandbox, project)
}

/// The lines of the cases, ids replaced.
fn lines(out: &str) -> String {
    let lines = out.lines().filter(|line| line.starts_with('['));
    let clean = lines.map(|line| match line.rsplit_once(' ') {
        Some((head, last)) if last.len() == 36 && last.matches('-').count() == 4 => format!("{head} ID"),
        _ => line.to_owned(),
    });
    clean.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signed_flow_passes_in_each_dialect_with_its_own_codes() {
    for dialect in [Dialect::Documented, Dialect::DeployedA, Dialect::DeployedB] {
        let (sandbox, project) = project(dialect).await;
        let denied = if dialect == Dialect::Documented {
            "invalid_signer_role"
        } else {
            "FORBIDDEN"
        };
        let ran = project.run(&format!("accept faults --dialect {dialect}")).expect(0);
        let expected = format!(
            "[PASS] Test 1: Missing signature: 400 signature_required\n\
             [PASS] Test 2: Invalid signature: 400 invalid_signature\n\
             [PASS] Test 3: CREW denied: 403 {denied} (expected)\n\
             [PASS] Test 4: CAPTAIN signature: 200 + work_order created: ID\n\
             [PASS] Test 5: HOD signature: 200 + work_order created: ID"
        );
        assert_eq!(lines(&ran.out), expected, "{dialect}");
        let ran = project
            .run(&format!("accept certificates --dialect {dialect}"))
            .expect(0);
        assert!(
            ran.out
                .contains("[PASS] Test 5: MANAGER signature: 200 + certificate: "),
            "{dialect}: {}",
            ran.out
        );
        let ran = project
            .run(&format!("accept shopping_list --dialect {dialect}"))
            .expect(0);
        let expected = "[PASS] Test 1: List: 200\n[PASS] Test 2: Suggestions: 200\n[PASS] Test 3: READ view_shopping_list_history: 200";
        assert_eq!(lines(&ran.out), expected, "{dialect}");
        let signed = sandbox.audit().iter().filter(|row| row.signature != json!({})).count();
        assert_eq!(signed, 4, "two signed actions of each lens, and no row of a rejection");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_dialect_than_asserted_fails_and_nothing_is_guessed() {
    let (_sandbox, project) = project(Dialect::DeployedB).await;
    let ran = project.run("accept faults").expect(1);
    assert!(
        ran.out
            .contains("[FAIL] Test 1: Missing signature: Expected signature_required, got no error code"),
        "{}",
        ran.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_what_was_expected_and_what_came() {
    let (_sandbox, project) = project(Dialect::Documented).await;
    let plan = "tests/ci/faults_signed_flow_acceptance.yml";
    project.write(
        plan,
        &project.read(plan).replace(
            "a1bcc3d4-8832-5f43-b4d0-d845c74c9637",
            "0c0ffee0-8832-5f43-b4d0-d845c74c9637",
        ),
    );
    let ran = project.run("accept faults").expect(1);
    assert!(
        ran.out
            .contains("[FAIL] Test 4: CAPTAIN signature: Expected 200, got 404"),
        "{}",
        ran.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_used_up_by_an_earlier_run_leaves_its_cases_unjudged() {
    let (_sandbox, project) = project(Dialect::DeployedA).await;
    project.run("accept certificates --dialect deployed_a").expect(0);
    let again = project.run("accept certificates --dialect deployed_a").expect(3);
    assert!(
        again.out.contains("[UNJUDGED] Test 1: Missing signature: test entity"),
        "{}",
        again.out
    );
    assert!(
        again.out.contains("[UNJUDGED] Test 5: MANAGER signature: test entity"),
        "{}",
        again.out
    );
    assert!(again.out.contains("used up by an earlier run"), "{}", again.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_test_entity_the_signed_flow_is_unjudged() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    project.point_at(&sandbox);
    project
        .run(&crate::harness::FAULTS.replace("--test-entity-id a1bcc3d4-8832-5f43-b4d0-d845c74c9637", ""))
        .expect(0);
    let ran = project.run("accept faults").expect(3);
    assert!(
        ran.out.contains("[UNJUDGED] Test 4: CAPTAIN signature: no test entity"),
        "{}",
        ran.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_does_not_answer_cannot_be_judged_and_an_outage_fails() {
    let (sandbox, project) = project(Dialect::Documented).await;
    let faults: Faults = serde_json::from_value(json!({"refuse_connections": true})).unwrap();
    sandbox.set_faults(faults);
    let ran = project.run("accept faults").expect(3);
    assert!(ran.out.contains("nothing answered"), "{}", ran.out);
    let faults: Faults =
        serde_json::from_value(json!({"rules": [{"path": "/v1/actions/execute", "act": {"status": {"code": 500}}}]}))
            .unwrap();
    sandbox.set_faults(faults);
    project.run("accept faults").expect(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_whom_the_registry_does_not_let_in_is_skipped_with_the_reason() {
    let (_sandbox, project) = project(Dialect::Documented).await;
    project.write("actions.json", lensops_sandbox::ACTIONS_JSON);
    let lens = project
        .read("lenses/certificates.yml")
        .replace("signers: [captain, manager]", "signers: [captain, hod]");
    project.write("lenses/certificates.yml", &lens);
    project.run("generate").expect(0);
    let ran = project.run("accept certificates --registry actions.json").expect(0);
    assert!(
        ran.out.contains(
            "[SKIP] Test 5: HOD signature: the registry does not let chief_engineer run supersede_certificate"
        ),
        "{}",
        ran.out
    );
    project.run("accept certificates --registry nowhere.json").expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_holds_every_transcript_and_verifies_until_it_is_changed() {
    let (_sandbox, project) = project(Dialect::Documented).await;
    project.run("accept faults").expect(0);
    let markdown = project.read("verification_handoff/phase6/FAULTS_ACCEPTANCE_EVIDENCE.md");
    assert_eq!(markdown.matches("POST /v1/actions/execute HTTP/1.1").count(), 5);
    assert_eq!(markdown.matches("Authorization: Bearer eyJ…[redacted]").count(), 5);
    assert!(
        markdown.contains("\"role\": \"authenticated\""),
        "claims stand beside the token"
    );
    let json: Value =
        serde_json::from_str(&project.read("verification_handoff/phase6/FAULTS_ACCEPTANCE_EVIDENCE.json")).unwrap();
    assert_eq!(
        (json["verdict"].as_str(), json["cases"].as_array().unwrap().len()),
        (Some("pass"), 5)
    );
    assert_eq!(json["plan_origin"], "generated");
    let runs = project.path("verification_handoff/runs");
    let run = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let verify = format!("evidence verify {}", run.display());
    assert!(project.run(&verify).expect(0).out.contains("unsigned"));
    let file = run.join("FAULTS_ACCEPTANCE_EVIDENCE.md");
    std::fs::write(&file, markdown.replace("[PASS] Test 3", "[PASS] Test 4")).unwrap();
    assert!(
        project
            .run(&verify)
            .expect(1)
            .out
            .contains("FAULTS_ACCEPTANCE_EVIDENCE.md was changed")
    );
    std::fs::remove_file(&file).unwrap();
    assert!(
        project
            .run(&verify)
            .expect(1)
            .out
            .contains("FAULTS_ACCEPTANCE_EVIDENCE.md was removed")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_edited_by_hand_runs_and_its_evidence_says_so() {
    let (_sandbox, project) = project(Dialect::Documented).await;
    let plan = "tests/ci/faults_signed_flow_acceptance.yml";
    project.write(plan, &format!("{}# mine\n", project.read(plan)));
    let ran = project.run("accept faults --json").expect(0);
    assert!(ran.err.contains("was edited by hand"), "{}", ran.err);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["plan_origin"], "edited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_try_is_refused_also_when_an_earlier_run_made_the_first() {
    let (sandbox, project) = project(Dialect::Documented).await;
    let twice = "  idempotency: {entity: 8c1eb08d-6ae7-5184-afd3-fffaf364778c, code: DUPLICATE_WO_EXISTS, omit: [override_duplicate]}\n  consumes_entity:";
    project.write(
        "lenses/faults.yml",
        &project.read("lenses/faults.yml").replace("  consumes_entity:", twice),
    );
    project.run("generate").expect(0);
    for _ in 0..2 {
        let ran = project.run("accept faults").expect(0);
        assert!(
            ran.out.contains("[PASS] Test 6: Idempotency: 409 DUPLICATE_WO_EXISTS"),
            "{}",
            ran.out
        );
    }
    let audit = sandbox.audit();
    let made = audit
        .iter()
        .filter(|row| serde_json::to_string(row).unwrap().contains("8c1eb08d"))
        .count();
    assert_eq!(made, 1, "one row, however often it is tried");
}
