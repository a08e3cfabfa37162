//! What released versions wrote is read by this one: lens and plans, journal, export, evidence, results.

use std::path::{Path, PathBuf};
use std::process::Command;

use lensops_sandbox::{Config, Dialect, serve};
use serde_json::Value;

use crate::harness::Project;

/// A release whose files are kept, and the public half of the key that signed its runs.
const RELEASES: [(&str, &str); 1] = [(
    "0.1.0",
    "95d8baf89cbd9c151773d8684fa6e7db520383b978fc15fa1bf476fe8ba57da8",
)];

fn golden(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(release)
}

/// The files of `release` in a project, its journal where the program looks for it.
fn project(release: &str) -> Project {
    let project = Project::empty();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(golden(release).join("."))
        .arg(project.root())
        .status()
        .unwrap();
    assert!(copied.success());
    std::fs::create_dir(project.path(".lensops")).unwrap();
    let sql = std::fs::read_to_string(golden(release).join("journal.sql")).unwrap();
    // The number of the schema is no part of a dump.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        use sqlx::{ConnectOptions as _, Executor as _};
        let path = project.path(".lensops/journal.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        connection.execute("PRAGMA user_version = 9").await.unwrap();
    });
    project
}

#[test]
fn a_journal_of_every_release_is_read_and_exported_as_it_was() {
    for (release, _) in RELEASES {
        let project = project(release);
        let before = std::fs::read_to_string(golden(release).join("export.jsonl")).unwrap();
        let now = project.run("export").expect(0).out;
        let lines =
            |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
        let (before, now) = (lines(&before), lines(&now));
        assert_eq!(before.len(), now.len(), "{release}");
        for (before, now) in before.iter().zip(&now) {
            // A later version may say more, never less and nothing else.
            for (key, value) in before.as_object().unwrap() {
                assert_eq!(now.get(key), Some(value), "{release}: {key}");
            }
        }
        let status = project.run("status --json").expect(0).out;
        let status: Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status[0]["status"], "unhealthy", "{release}: {status}");
    }
}

#[test]
fn an_export_of_every_release_is_a_history_for_the_gate() {
    for (release, _) in RELEASES {
        let project = project(release);
        let ran = project.run("gate faults --window 24h --history export.jsonl").expect(1);
        assert!(ran.out.contains("ROLL BACK: 1 unhealthy"), "{release}: {}", ran.out);
    }
}

#[test]
fn runs_of_every_release_verify_with_the_key_that_signed_them_and_with_no_other() {
    for (release, key) in RELEASES {
        let project = project(release);
        for run in project.listed("verification_handoff/runs") {
            let run = run.display();
            project.run(&format!("evidence verify {run} --key {key}")).expect(0);
            let other = key.replace('9', "8");
            project.run(&format!("evidence verify {run} --key {other}")).expect(1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lens_and_plans_of_every_release_run_and_its_results_are_a_baseline() {
    let sandbox = serve(Config::loopback(Dialect::Documented)).await.unwrap();
    for (release, _) in RELEASES {
        let mut project = tokio::task::spawn_blocking(move || project(release)).await.unwrap();
        project.point_at(&sandbox);
        project.run("check faults").expect(0);
        project.run("accept faults").expect(0);
        let stress = std::fs::read_dir(project.path("verification_handoff/runs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains("-stress-"))
            .unwrap();
        let baseline = stress.join("FAULTS_STRESS_RESULTS.json");
        let ran = project
            .run(&format!("stress faults --baseline {}", baseline.display()))
            .expect(0);
        assert!(ran.out.contains("Compared with"), "{release}: {}", ran.out);
        // The lens makes the plans of this version, and nothing is asked of whoever has them.
        project.run("generate").expect(0);
        project.run("generate --check").expect(0);
        project.run("check faults").expect(0);
    }
}
