//! Phases: promoted on evidence, held, overridden and marked, blocked by a rollback.

use lensops_core::history::phase::{Move, Step};
use lensops_sandbox::{Config, Dialect, serve};
use serde_json::Value;
use uuid::Uuid;

use crate::harness::Project;

const PHASES: &str = "phases:
  - {name: canary, window: 1h, needs: [accept, stress]}
  - {name: staging, window: 24h, needs: [gate], evidence_within: 1h}
  - {name: production, window: 7d, needs: []}
";

fn with_phases(project: &Project) {
    let file = std::fs::read_to_string(project.path("lensops.yml")).unwrap_or_default();
    project.write("lensops.yml", &format!("{file}{PHASES}"));
}

fn phase(project: &Project) -> Value {
    let out = project.run("phase status faults --json").expect(0).out;
    let rows: Value = serde_json::from_str(&out).unwrap();
    rows[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lens_goes_on_when_its_needs_hold_and_a_person_may_override_and_is_named() {
    let sandbox = serve(Config::loopback(Dialect::Documented)).await.unwrap();
    let project = Project::with_faults(&sandbox);
    with_phases(&project);

    let refused = project.run("phase promote faults").expect(1);
    assert!(refused.out.contains("Faults stays in canary"), "{}", refused.out);
    assert!(refused.out.contains("accept: no run that counts"), "{}", refused.out);
    assert!(refused.out.contains("stress: no run that counts"), "{}", refused.out);

    project.run("accept faults").expect(0);
    project.run("stress faults").expect(0);
    let went = project.run("phase promote faults --by ada").expect(0);
    assert!(went.out.contains("Faults: canary → staging by ada"), "{}", went.out);
    assert!(went.out.contains("Nothing was switched"), "{}", went.out);

    let open = project.run("phase promote faults").expect(3);
    assert!(open.out.contains("gate: in staging since "), "{}", open.out);

    project.run("phase hold faults --by eve --reason audit").expect(0);
    project.run("phase hold faults --reason again").expect(2);
    for (by, reason) in [("eve", "two\nlines"), ("eve", "\u{1b}[31m"), ("", "why"), ("eve", " ")] {
        let mut command = project.command("phase release faults");
        let ran = command.args(["--by", by, "--reason", reason]).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{by:?} {reason:?}");
    }
    let held = project.run("phase promote faults --override --reason hotfix").expect(1);
    assert!(held.out.contains("held by eve"), "{}", held.out);
    project.run("phase release faults --reason done").expect(0);
    project.run("phase release faults --reason again").expect(2);

    project.run("phase promote faults --override").expect(2);
    let overridden = project
        .run("phase promote faults --by eve --override --reason hotfix")
        .expect(0);
    assert!(
        overridden.out.contains("overridden: gate: in staging since "),
        "{}",
        overridden.out
    );
    let row = phase(&project);
    assert_eq!(
        (&row["phase"], &row["number"]),
        (&Value::from("production"), &Value::from(3))
    );
    let steps = row["steps"].as_array().unwrap();
    let kinds: Vec<&str> = steps.iter().map(|step| step["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["promote", "hold", "release", "promote"]);
    assert_eq!(steps[3]["overridden"].as_array().unwrap().len(), 1);
    let status = project.run("phase status").expect(0).out;
    assert!(
        status.contains("staging → production was overridden by eve: hotfix"),
        "{status}"
    );

    let last = project.run("phase promote faults").expect(1);
    assert!(last.out.contains("production is the last phase"), "{}", last.out);
}

/// One run carried a lens through two phases.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_proved_in_one_phase_counts_in_no_other() {
    let sandbox = serve(Config::loopback(Dialect::Documented)).await.unwrap();
    let project = Project::with_faults(&sandbox);
    project.write(
        "lensops.yml",
        "phases:\n  - {name: a, window: 1h, needs: [accept]}\n  - {name: b, window: 1h, needs: [accept]}\n  - {name: c, window: 1h, needs: []}\n",
    );
    project.run("accept faults").expect(0);
    project.run("phase promote faults").expect(0);
    let refused = project.run("phase promote faults").expect(1);
    assert!(refused.out.contains("before the lens came into b"), "{}", refused.out);
    project.run("accept faults").expect(0);
    project.run("phase promote faults").expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_keys_are_trusted_an_unsigned_run_promotes_nobody() {
    let sandbox = serve(Config::loopback(Dialect::Documented)).await.unwrap();
    let project = Project::with_faults(&sandbox);
    let key = "0".repeat(63) + "1";
    project.write(
        "lensops.yml",
        &format!("evidence: {{trusted_keys: [{{name: CI, key: \"ed25519:{key}\"}}]}}\n"),
    );
    with_phases(&project);
    project.run("accept faults").expect(0);
    project.run("stress faults").expect(0);
    let refused = project.run("phase promote faults").expect(1);
    assert!(
        refused.out.contains("accept: no run that counts; 2 were not used"),
        "{}",
        refused.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lens_that_is_rolled_back_goes_nowhere_before_it_is_restored() {
    let sandbox = serve(Config::loopback(Dialect::Documented)).await.unwrap();
    let project = Project::at_provider(&sandbox);
    with_phases(&project);
    project.run("accept faults").expect(0);
    project.run("stress faults").expect(0);
    project.run("rollback faults --reason slow").expect(0);
    let refused = project.run("phase promote faults --override --reason hurry").expect(1);
    assert!(
        refused.out.contains("restore it first: lensops restore faults"),
        "{}",
        refused.out
    );
    project.run("restore faults --reason mended").expect(0);
    project.run("phase promote faults").expect(0);
}

#[tokio::test]
async fn of_two_that_decide_at_once_one_is_recorded_and_the_other_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let journal = lensops::store::Journal::open(&folder.path().join("journal.db"))
        .await
        .unwrap();
    let step = |id: u128, to: &str| Step {
        id: Uuid::from_u128(id),
        lens: "faults".parse().unwrap(),
        seq: 1,
        kind: Move::Promote,
        from: "canary".parse().unwrap(),
        to: to.parse().unwrap(),
        at: "2026-01-28T15:00:00Z".parse().unwrap(),
        who: "ada".to_owned(),
        reason: None,
        overridden: vec!["gate: not enough data".to_owned()],
        evidence: vec!["accept: run r passed".to_owned()],
    };
    let (one, two) = (step(1, "staging"), step(2, "staging"));
    let (first, second) = tokio::join!(journal.put_step(one.clone()), journal.put_step(two.clone()));
    let recorded = [first.unwrap(), second.unwrap()];
    assert_eq!(recorded.iter().filter(|taken| **taken).count(), 1, "{recorded:?}");
    let kept = journal.steps(&one.lens).await.unwrap();
    assert_eq!(kept, [if recorded[0] { one } else { two }]);
}

#[test]
fn phases_that_make_no_sense_are_a_mistake_of_lensops_yml() {
    let project = Project::empty();
    for (text, says) in [
        ("phases: []\n", "phases is empty"),
        (
            "phases: [{name: a, window: 1h, needs: []}, {name: a, window: 1h, needs: []}]\n",
            "two phases are named a",
        ),
        ("phases: [{name: a, window: 1h, needs: [luck]}]\n", "luck"),
    ] {
        project.write("lensops.yml", text);
        let ran = project.run("phase status").expect(2);
        assert!(
            ran.err.contains("lensops.yml") && ran.err.contains(says),
            "{text}: {}",
            ran.err
        );
    }
}
