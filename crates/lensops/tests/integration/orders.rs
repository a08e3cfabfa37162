//! Any HTTP API, from a lens of endpoints to evidence: the lens of `examples/orders` against the sandbox's shop.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use lensops_sandbox::{Dialect, Faults, Hole, Sandbox};

use crate::harness::{Project, sandbox, terminate};

/// What a person writes of the example.
pub(crate) const WRITTEN: [&str; 2] = ["lensops.yml", "lenses/orders.yml"];

/// The folder of the example.
pub(crate) fn example() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders")
}

/// The secrets of the example, as `sandbox` made them up.
fn secrets(sandbox: &Sandbox) -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    for user in &sandbox.config().shop {
        let name = format!("{}_{}", user.tenant, user.role).to_uppercase();
        secrets.push((format!("{name}_KEY"), user.key.clone()));
        secrets.push((format!("{name}_PASSWORD"), user.password.clone()));
    }
    secrets
}

/// The example, generated, with the environment to run it against a sandbox of its own.
async fn orders() -> (Sandbox, Project) {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    project.env.insert("API_BASE_URL".to_owned(), sandbox.url());
    project.env.extend(secrets(&sandbox));
    for file in WRITTEN {
        project.write(file, &std::fs::read_to_string(example().join(file)).unwrap());
    }
    let ran = project.run("generate").expect(0);
    // A document that shows `lensops accept` was told to list variables, as a workflow has to.
    assert!(!ran.err.contains("does not give"), "{}", ran.err);
    (sandbox, project)
}

fn plant(sandbox: &Sandbox, hole: Hole) {
    sandbox.set_faults(Faults {
        holes: vec![hole],
        ..Faults::default()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_of_a_lens_of_endpoints() {
    let (sandbox, mut project) = orders().await;
    let rows = || sandbox.rows("orders").len();
    let before = rows();
    project.run("generate --check").expect(0);
    let ran = project.run("check orders").expect(0);
    assert!(ran.out.contains("list"), "{}", ran.out);

    let ran = project.run("accept orders").expect(0);
    for told in [
        "create is denied without credentials: 401 unauthorized",
        "create is denied to viewer: 403 forbidden (expected)",
        "read shows globex_editor of another tenant nothing: 404 not_found",
        "list shows globex_editor of another tenant nothing: 200",
        "remove as editor: 204",
    ] {
        assert!(ran.out.contains(told), "{told}: {}", ran.out);
    }
    assert_eq!(rows(), before, "what is created is taken back");

    let ran = project.run("matrix orders").expect(0);
    let table: Vec<&str> = ran.out.lines().skip(3).take(5).collect();
    assert_eq!(
        table,
        [
            "list    ✓ ✓ ✓",
            "create  · ✓ -",
            "read    ✓ ✓ ·",
            "change  · ✓ ·",
            "remove  · ✓ ·",
        ],
        "{}",
        ran.out
    );
    assert_eq!(rows(), before, "what the matrix creates is taken back");

    project.run("stress orders").expect(0);
    worker(&project, 2);
    let ran = project.run("gate orders --window 24h").expect(3);
    assert!(ran.out.to_lowercase().contains("not enough data"), "{}", ran.out);
    for run in project.listed("verification_handoff/runs") {
        project.run(&format!("evidence verify {}", run.display())).expect(0);
    }
    // Off is told apart from an outage, and proved by a switch that the flag's provider makes.
    project.switch_at(&sandbox);
    let ran = project.run("accept orders --flag-proof").expect(0);
    assert!(ran.out.contains("404"), "{}", ran.out);
    sandbox.set_flag(lensops_sandbox::ORDERS_FLAG, "false");
    let ran = project.run("check orders").expect(1);
    assert!(
        ran.out.contains("off") || ran.err.contains("off"),
        "{}{}",
        ran.out,
        ran.err
    );
    // No secret is left behind.
    let secrets = secrets(&sandbox);
    for (path, bytes) in project.files() {
        let text = String::from_utf8_lossy(&bytes);
        let held = secrets.iter().find(|(_, secret)| text.contains(secret.as_str()));
        assert!(
            held.is_none(),
            "{} holds {:?}",
            path.display(),
            held.map(|(name, _)| name)
        );
    }
}

/// Runs a worker until it has made `count` checks.
fn worker(project: &Project, count: usize) {
    project.write(
        "tools/ops/monitors/orders_health_worker.yml",
        &project
            .read("tools/ops/monitors/orders_health_worker.yml")
            .replace("every: 15m", "every: 1s"),
    );
    let mut child = project
        .command("worker orders")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let checks: Vec<String> = lines.filter(|line| line.contains("OVERALL")).take(count).collect();
    terminate(&child);
    assert!(child.wait().unwrap().success());
    assert_eq!(checks.len(), count, "the worker ended early");
    assert!(checks.iter().all(|line| line.contains("CANARY HEALTHY")), "{checks:#?}");
    project.run("generate --force").expect(0);
}

/// Each hole is found, in words, and what it let through is taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_the_api_is_found_and_told_in_words() {
    let (sandbox, project) = orders().await;
    let before = sandbox.rows("orders").len();
    let table = [
        (
            Hole::ViewerCreates,
            "create is denied to viewer: Expected 401 or 403 or 404, got 201",
            "create × viewer: Expected 401 or 403 or 404, got 201",
        ),
        (
            Hole::ForeignRow,
            "read shows globex_editor of another tenant nothing: Expected 401 or 403 or 404, got 200",
            "read × globex_editor of another tenant: Expected 401 or 403 or 404, got 200",
        ),
        (
            Hole::ForeignList,
            "list shows globex_editor of another tenant nothing: $..id holds",
            "list × globex_editor of another tenant: $..id holds",
        ),
        (
            Hole::ErrorIn200,
            "list as viewer: $.error is {\"code\":\"database_unavailable\"}, expected nothing there",
            "list × viewer: $.error is",
        ),
    ];
    for (hole, accept, matrix) in table {
        plant(&sandbox, hole);
        for (command, told) in [("accept orders", accept), ("matrix orders", matrix)] {
            let ran = project.run(command).expect(1);
            let found = ran
                .out
                .lines()
                .any(|line| line.starts_with("[FAIL]") && line.contains(told));
            assert!(found, "{hole:?} by {command}: {}", ran.out);
        }
        assert_eq!(sandbox.rows("orders").len(), before, "{hole:?} leaves rows behind");
    }
}

/// Without leave to change the target the matrix creates nothing, and says what it did not ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_matrix_without_leave_changes_nothing() {
    let (sandbox, project) = orders().await;
    let text = project
        .read("lensops.yml")
        .replace("destructive: allowed", "destructive: forbidden");
    project.write("lensops.yml", &text);
    let before = sandbox.requests().len();
    let ran = project.run("matrix orders").expect(0);
    assert!(
        ran.out.contains("create  · - -") && ran.out.contains("read    - - -"),
        "{}",
        ran.out
    );
    let sent = &sandbox.requests()[before..];
    let changed = sent
        .iter()
        .filter(|seen| seen.method != "GET" && seen.target == "/orders");
    assert_eq!(changed.count(), 1, "the denied creation alone");
}

/// Nothing is written, and what is printed goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_check_needs_no_file_and_a_new_lens_starts_from_it() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    let key = sandbox.config().shop[0].key.clone();
    let url = format!("{}/orders?limit=2", sandbox.url());
    let run = |project: &Project, command: &str| {
        let mut command = project.command(command);
        command.arg("--header").arg(format!("X-Api-Key: {key}"));
        crate::harness::Ran::of(command.output().unwrap())
    };
    let ran = run(&project, &format!("check --url {url}")).expect(0);
    for told in [
        "orders: 200",
        "auth: {caller: {header: X-Api-Key, value: {env: X_API_KEY}}}",
        "template_set: http",
    ] {
        assert!(ran.out.contains(told), "{told}: {}", ran.out);
    }
    assert!(!ran.out.contains(&key) && !ran.err.contains(&key));
    assert!(project.files().is_empty(), "{:?}", project.files().keys());
    // Its exit codes are those of `check`.
    project.run(&format!("check --url {url}")).expect(1);
    project.run(&format!("check --url {url} --expect 401")).expect(0);
    project.run("check --url http://127.0.0.1:9/x").expect(1);
    project.run("check --url nowhere").expect(2);
    project.run("check --header A:b").expect(2);

    let ran = project.run(&format!("new orders --url {url}")).expect(3);
    assert!(ran.err.contains("it answers 401; nothing was written"), "{}", ran.err);
    assert!(project.files().is_empty());
    run(
        &project,
        &format!("new orders --url {url} --health /healthz --tenant acme"),
    )
    .expect(0);
    assert!(
        project
            .read("lensops.yml")
            .contains(&format!("api_base_url: \"{}\"", sandbox.url()))
    );
    let told = project.run("check orders");
    assert!(
        format!("{}{}", told.out, told.err).contains("X_API_KEY is not set"),
        "{}{}",
        told.out,
        told.err
    );
    project.env.insert("X_API_KEY".to_owned(), key.clone());
    project.run("check orders").expect(0);
    project.run("accept orders").expect(0);
    project.run("matrix orders").expect(0);
    project.run("stress orders").expect(0);
    project.run("generate --check").expect(0);
    for (path, bytes) in project.files() {
        assert!(
            !String::from_utf8_lossy(&bytes).contains(&key),
            "{} holds the key",
            path.display()
        );
    }
}
