//! Signed evidence, and what CI shows of a run.

use lensops_sandbox::{Dialect, Faults};
use serde_json::{Value, json};

use crate::harness::{Project, sandbox};

fn only_run(project: &Project) -> std::path::PathBuf {
    project.listed("verification_handoff/runs").pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_signs_every_run_and_its_public_half_proves_it() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&sandbox);
    let elsewhere = tempfile::tempdir().unwrap();
    let key_file = elsewhere.path().join("evidence.key");
    project.run("evidence keygen --out inside.key").expect(2);
    let made = project
        .run(&format!("evidence keygen --out {}", key_file.display()))
        .expect(0);
    let public = made
        .out
        .lines()
        .find_map(|line| line.strip_prefix("Public key: "))
        .unwrap()
        .to_owned();
    project
        .run(&format!("evidence keygen --out {}", key_file.display()))
        .expect(2);
    project
        .env
        .insert("LENSOPS_EVIDENCE_KEY_FILE".to_owned(), key_file.display().to_string());
    project.run("accept faults").expect(0);
    let run = only_run(&project);
    let verify = format!("evidence verify {}", run.display());
    assert!(
        project
            .run(&verify)
            .expect(0)
            .out
            .contains(&format!("signed by {public}"))
    );
    project.run(&format!("{verify} --key {public}")).expect(0);
    project.run(&format!("{verify} --key {}", "ab".repeat(32))).expect(1);
    project.run(&format!("{verify} --key nonsense")).expect(2);
    assert!(
        project
            .run(&format!("evidence show {}", run.display()))
            .expect(0)
            .out
            .contains("previous  none")
    );
    project.run("stress faults").expect(0);
    let second = project
        .run(&format!("evidence show {}", only_run(&project).display()))
        .expect(0);
    assert!(
        second.out.contains("-faults-acceptance-"),
        "a run names the run before it: {}",
        second.out
    );
    // A run also vouches for the one before it, as far as that is beside it.
    let latest = only_run(&project);
    let follows = |code: i32, said: &str| {
        let told: Value = serde_json::from_str(
            &project
                .run(&format!("evidence verify {} --json", latest.display()))
                .expect(code)
                .out,
        )
        .unwrap();
        assert_eq!(told["previous"], said, "{told:#}");
        assert_eq!(told["intact"], code == 0, "{told:#}");
    };
    follows(0, "as_left");
    let (away, plan) = (
        elsewhere.path().join("away"),
        std::fs::read(run.join("plan.yml")).unwrap(),
    );
    std::fs::write(run.join("plan.yml"), "changed").unwrap();
    follows(1, "changed");
    std::fs::write(run.join("plan.yml"), plan).unwrap();
    std::fs::rename(&run, &away).unwrap();
    follows(0, "not_here");
    std::fs::rename(&away, &run).unwrap();
    follows(0, "as_left");
    // The private half is nowhere below the project.
    let seed = std::fs::read_to_string(&key_file).unwrap();
    for (path, bytes) in project.files() {
        assert!(
            !String::from_utf8_lossy(&bytes).contains(seed.trim()),
            "{}",
            path.display()
        );
    }
    std::fs::create_dir(run.join("more")).unwrap();
    assert!(project.run(&verify).expect(1).out.contains("more was added"));
    std::fs::remove_dir(run.join("more")).unwrap();
    std::fs::write(run.join("plan.yml"), "changed").unwrap();
    assert!(project.run(&verify).expect(1).out.contains("plan.yml was changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_once_are_one_chain_that_sorts_by_their_ids() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    // Where a clock was once ahead, later runs still follow it.
    project.run("matrix faults").expect(0);
    let first = only_run(&project);
    let id = first.file_name().unwrap().to_str().unwrap();
    let ahead = format!("20990101T000000000Z{}", &id[id.find('-').unwrap()..]);
    let manifest = std::fs::read_to_string(first.join("manifest.json")).unwrap();
    std::fs::write(first.join("manifest.json"), manifest.replace(id, &ahead)).unwrap();
    std::fs::rename(&first, first.with_file_name(&ahead)).unwrap();
    let runs: Vec<_> = (0..4)
        .map(|_| project.command("matrix faults").spawn().unwrap())
        .collect();
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    let folders = project.listed("verification_handoff/runs");
    assert_eq!(folders.len(), 5);
    let mut before = json!(ahead);
    for folder in &folders[1..] {
        let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest["previous"]["run_id"], before, "{}", folder.display());
        before = manifest["run_id"].clone();
        assert!(folder.ends_with(before.as_str().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_renamed_is_told_and_a_copy_of_it_may_be_called_anything() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    project.run("accept faults").expect(0);
    let run = only_run(&project);
    let id = run.file_name().unwrap().to_str().unwrap().to_owned();
    let verify = |folder: &std::path::Path, code: i32| {
        let told = project
            .run(&format!("evidence verify {}", folder.display()))
            .expect(code);
        told.out
    };
    let renamed = run.with_file_name(id.replace("acceptance", "stress"));
    std::fs::rename(&run, &renamed).unwrap();
    assert!(verify(&renamed, 1).contains(&format!("{id} was renamed to")));
    let copy = project.path("copy");
    std::fs::rename(&renamed, &copy).unwrap();
    assert!(verify(&copy, 0).contains(&format!("a copy of the run {id}")));
    // A file's name is told on one line, and steers no terminal.
    std::fs::write(copy.join("a\n\u{1b}[2Jb"), "").unwrap();
    let told = verify(&copy, 1);
    assert_eq!(told.trim_end(), "❌ a\\n\\u{1b}[2Jb was added");
}

/// Every file of `run` sealed anew, as whoever can write files can do it.
fn sealed_anew(run: &std::path::Path, verdict: &str, seed: Option<&str>) {
    use lensops_core::evidence::Manifest;
    use lensops_core::evidence::seal::Files;
    use lensops_core::evidence::signature::SigningKey;
    let text = std::fs::read_to_string(run.join("manifest.json")).unwrap();
    let mut manifest: Manifest = serde_json::from_str(&text).unwrap();
    manifest.verdict = verdict.parse().unwrap();
    let mut files = Files::new();
    for entry in &manifest.files {
        let results = String::from_utf8(std::fs::read(run.join(&entry.name)).unwrap()).unwrap();
        files.insert(entry.name.clone(), results.replace("\"fail\"", "\"pass\"").into_bytes());
    }
    let key = seed.map(|seed| SigningKey::from_hex(&lensops_core::secret::Secret::new(seed)).unwrap());
    std::fs::remove_file(run.join("manifest.dsse.json")).ok();
    for (name, bytes) in manifest.seal(files, key.as_ref()) {
        std::fs::write(run.join(name), bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_where_keys_are_trusted_a_run_that_was_sealed_anew_counts_nowhere() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&sandbox);
    let seed = "7a".repeat(32);
    let public = lensops_core::evidence::signature::SigningKey::from_hex(&lensops_core::secret::Secret::new(&*seed))
        .unwrap()
        .public();
    project.env.insert("LENSOPS_EVIDENCE_KEY".to_owned(), seed);
    let trust = |project: &Project, more: &str| {
        let keys = format!("evidence: {{trusted_keys: [{{name: CI, key: 'ed25519:{public}'{more}}}]}}");
        project.write("lensops.yml", &keys);
    };
    project.run("accept faults").expect(0);
    let run = only_run(&project);
    let manifest: Value = serde_json::from_slice(&std::fs::read(run.join("manifest.json")).unwrap()).unwrap();
    let head = manifest["head"].as_str().unwrap().to_owned();
    let verify = format!("evidence verify {}", run.display());
    let all = |project: &Project, code: i32, whose: &str, ready: &str| {
        for command in [verify.as_str(), "evidence list"] {
            let told = project.run(command).expect(code).out;
            assert!(told.contains(whose), "{command}: {told}");
        }
        project.run("evidence package faults").expect(code);
        let page = project.read("verification_handoff/phase6/FAULTS_EVIDENCE.md");
        assert!(page.contains(&format!("| acceptance | pass | {ready} |")), "{page}");
    };
    // Without trusted keys it counts, with its signer.
    let by = format!("signed by {public}");
    all(&project, 0, &by, &format!("pass ({by})"));
    trust(&project, "");
    all(&project, 0, "signed by CI", "pass (signed by CI)");
    trust(&project, ", until: 2020-01-01T00:00:00Z");
    all(&project, 1, "outside of the time", "not there yet");
    trust(&project, ", revoked: true");
    all(&project, 1, "was revoked", "not there yet");
    project.run(&format!("{verify} --expect-head {head}")).expect(0);
    project
        .run(&format!("evidence package faults --expect-head {head}"))
        .expect(0);
    project.run(&format!("evidence list --expect-head {head}")).expect(0);
    project
        .run(&format!("{verify} --expect-head {}", "0".repeat(64)))
        .expect(1);
    trust(&project, "");
    // E8: a checkout that rewrote the line ends.
    let as_left: Vec<(std::path::PathBuf, String)> = project
        .listed(&format!(
            "verification_handoff/runs/{}",
            run.file_name().unwrap().to_str().unwrap()
        ))
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    for (path, text) in &as_left {
        std::fs::write(path, text.replace('\n', "\r\n")).unwrap();
    }
    for command in [verify.as_str(), "evidence list"] {
        let told = project.run(command).expect(4).out;
        assert!(
            told.contains("only line ends differ") && told.contains("signed by CI"),
            "{told}"
        );
    }
    for (path, text) in &as_left {
        std::fs::write(path, text).unwrap();
    }
    // The faults of E1: rewritten, and sealed unsigned or with another key.
    let other = "7b".repeat(32);
    for (seed, told) in [
        (None, "not trusted: unsigned"),
        (Some(other.as_str()), "an unknown key"),
    ] {
        sealed_anew(&run, "pass", seed);
        all(&project, 1, told, "not there yet");
    }
    project.write("lensops.yml", "");
    sealed_anew(&run, "pass", None);
    all(&project, 0, "unsigned", "pass (unsigned)");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_can_read_is_refused_before_anything_is_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&sandbox);
    let elsewhere = tempfile::tempdir().unwrap();
    let key_file = elsewhere.path().join("evidence.key");
    project
        .run(&format!("evidence keygen --out {}", key_file.display()))
        .expect(0);
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    project
        .env
        .insert("LENSOPS_EVIDENCE_KEY_FILE".to_owned(), key_file.display().to_string());
    let ran = project.run("accept faults").expect(2);
    assert!(ran.err.contains("chmod 600"), "{}", ran.err);
    assert!(!project.path("verification_handoff/runs").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ci_run_gets_junit_a_summary_and_an_annotation_for_each_failure() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&sandbox);
    let summary = project.path("summary.md");
    project.env.insert("GITHUB_ACTIONS".to_owned(), "true".to_owned());
    project
        .env
        .insert("GITHUB_STEP_SUMMARY".to_owned(), summary.display().to_string());
    project.run("accept faults --junit out/junit.xml").expect(0);
    let junit = project.read("out/junit.xml");
    assert_eq!(
        (junit.matches("<testcase ").count(), junit.matches("<failure").count()),
        (5, 0)
    );
    assert!(junit.contains("Bearer eyJ…[redacted]"), "{junit}");
    assert!(
        project
            .read("summary.md")
            .contains("| Test 4: CAPTAIN signature | ✅ 200 + work_order created")
    );
    let rule = json!({"rules": [{"path": "/v1/actions/execute", "times": 1, "act": {"status": {"code": 404, "body": {"detail": {"error_code": "X\n::error::forged"}}}}}]});
    sandbox.set_faults(serde_json::from_value::<Faults>(rule).unwrap());
    let ran = project.run("accept faults --junit out/junit.xml").expect(1);
    let annotations: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(annotations.len(), 1, "{}", ran.out);
    assert!(
        annotations[0].starts_with(
            "::error title=Acceptance evidence  Faults::[FAIL] Test 1: Missing signature: Expected 400, got 404"
        ),
        "{}",
        ran.out
    );
    assert_eq!(project.read("out/junit.xml").matches("<failure").count(), 1);
}

fn provider(project: &mut Project, sandbox: &lensops_sandbox::Sandbox) {
    project
        .env
        .insert("RENDER_API_KEY".to_owned(), sandbox.config().provider_key.clone());
    project
        .env
        .insert("RENDER_SERVICE_ID".to_owned(), "srv-made-up".to_owned());
    project.env.insert("RENDER_API_URL".to_owned(), sandbox.url());
}

/// Values that the master flag was set to, in order, as the provider saw it.
fn switches(sandbox: &lensops_sandbox::Sandbox) -> Vec<String> {
    let sets = sandbox
        .requests()
        .into_iter()
        .filter(|seen| seen.method == "PUT" && seen.target.ends_with("/FAULT_LENS_V1_ENABLED"));
    sets.map(|seen| {
        serde_json::from_str::<serde_json::Value>(&seen.body).unwrap()["value"]
            .as_str()
            .unwrap()
            .to_owned()
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flag_proves_itself_and_is_put_back() {
    let sandbox = sandbox(Dialect::Documented).await;
    sandbox.set_flag("FAULT_LENS_V1_ENABLED", "True");
    let mut project = Project::with_faults(&sandbox);
    assert!(
        project
            .run("accept faults --flag-proof")
            .expect(2)
            .err
            .contains("RENDER_API_KEY"),
        "no provider, nothing switched"
    );
    provider(&mut project, &sandbox);
    let ran = project.run("accept faults --flag-proof").expect(0);
    assert!(
        ran.out
            .contains("[PASS] Flag 1: FAULT_LENS_V1_ENABLED OFF: 503 FEATURE_DISABLED"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("[PASS] Flag 2: FAULT_LENS_V1_ENABLED ON: 200"),
        "{}",
        ran.out
    );
    assert_eq!(
        switches(&sandbox),
        ["false", "true", "True"],
        "what was found is put back, to the letter"
    );
    assert!(!project.path(".lensops/flag-proof.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialect_that_never_says_503_fails_the_proof_and_the_flag_is_put_back() {
    let sandbox = sandbox(Dialect::DeployedA).await;
    let mut project = Project::with_faults(&sandbox);
    provider(&mut project, &sandbox);
    let ran = project
        .run("accept faults --dialect deployed_a --flag-proof --flag-tries 1")
        .expect(1);
    assert!(
        ran.out
            .contains("[FAIL] Flag 1: FAULT_LENS_V1_ENABLED OFF: Expected 503, got 200"),
        "{}",
        ran.out
    );
    assert_eq!(switches(&sandbox).last().unwrap(), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_was_killed_is_undone_by_the_next_run() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&sandbox);
    provider(&mut project, &sandbox);
    // As a killed run leaves it: the intent on disk, the flag off.
    project.write(
        ".lensops/flag-proof.json",
        r#"{"service": "srv-made-up", "flag": "FAULT_LENS_V1_ENABLED", "found": "true", "wrote": ["false"]}"#,
    );
    sandbox.set_flag("FAULT_LENS_V1_ENABLED", "false");
    let told = project.run("check faults").expect(1).out;
    assert!(told.contains("was cut off and left its flag switched"), "{told}");
    let ran = project.run("accept faults").expect(0);
    assert!(
        ran.err
            .contains("an earlier flag proof was cut off: FAULT_LENS_V1_ENABLED is \"true\" again"),
        "{}",
        ran.err
    );
    assert_eq!(switches(&sandbox), ["true"]);
    assert!(!project.path(".lensops/flag-proof.json").exists());
    // An operator has switched it since: that stays.
    project.write(
        ".lensops/flag-proof.json",
        r#"{"service": "srv-made-up", "flag": "FAULT_LENS_V1_ENABLED", "found": "true", "wrote": ["false"]}"#,
    );
    sandbox.set_flag("FAULT_LENS_V1_ENABLED", "False");
    let left = project.run("accept faults").expect(1).err;
    assert!(
        left.contains("was set to \"False\" by somebody since, and stays so"),
        "{left}"
    );
    assert_eq!(switches(&sandbox), ["true"]);
    sandbox.set_flag("FAULT_LENS_V1_ENABLED", "true");
    project.write(
        ".lensops/flag-proof.json",
        r#"{"service": "srv-other", "flag": "X", "found": null}"#,
    );
    assert!(
        project.run("accept faults").expect(2).err.contains("srv-other"),
        "another service is not touched"
    );
    for command in ["status", "flags faults"] {
        let told = project.run(command).err;
        assert!(told.contains("left its flag switched"), "{command}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_is_filled_from_the_runs_that_exist_and_names_those_that_do_not() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    let document = "verification_handoff/phase6/FAULTS_EVIDENCE.md";
    project.run("evidence package faults").expect(0);
    let empty = project.read(document);
    for command in [
        "lensops accept faults",
        "lensops stress faults",
        "lensops matrix faults",
        "lensops accept faults --flag-proof",
    ] {
        assert!(empty.contains(&format!("`{command}` makes it")), "{command}: {empty}");
    }
    assert!(
        empty.contains("| gate over 7 d | proceed | ❔ NOT ENOUGH DATA"),
        "{empty}"
    );
    project.run("accept faults").expect(0);
    project.run("stress faults").expect(0);
    project.run("evidence package faults").expect(0);
    let filled = project.read(document);
    assert!(
        filled.contains("| CAPTAIN signature | passed | 200 + work_order created"),
        "{filled}"
    );
    assert!(filled.contains("| /v1/actions/list | 50 of 50 |"), "{filled}");
    assert!(filled.contains("❌ Not every criterion is met."), "{filled}");
    let page = project.read("verification_handoff/phase6/FAULTS_EVIDENCE.html");
    assert!(
        page.contains("<td>CAPTAIN signature</td>") && !page.contains("<script") && !page.contains("http-equiv"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_believes_only_runs_that_verify_and_knows_what_was_left_out() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&sandbox);
    provider(&mut project, &sandbox);
    let package = |project: &Project, code| {
        project.run("evidence package faults").expect(code);
        project.read("verification_handoff/phase6/FAULTS_EVIDENCE.md")
    };
    // A chosen scenario says nothing of the others.
    project.write("one.sh", "");
    let mut one = project.command("accept faults");
    assert!(one.args(["--scenario", "CREW denied"]).status().unwrap().success());
    assert!(package(&project, 0).contains("`lensops accept faults` makes it"));
    // The proof of the flag is remembered behind a later run without one.
    project.run("accept faults --flag-proof").expect(0);
    project.run("accept faults").expect(0);
    let filled = package(&project, 0);
    assert!(filled.contains("| FAULT_LENS_V1_ENABLED OFF | passed |"), "{filled}");
    assert!(filled.contains("| acceptance | pass | pass (unsigned) |"), "{filled}");
    // What lies in phase6 is a copy that nobody vouches for.
    let copy = "verification_handoff/phase6/FAULTS_ACCEPTANCE_EVIDENCE.json";
    project.write(copy, &project.read(copy).replace("\"pass\"", "\"fail\""));
    assert!(package(&project, 0).contains("| acceptance | pass | pass (unsigned) |"));
    // A plan that was not generated may ask for less: its run proves nothing of the lens.
    let easy = "acceptance: faults\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\ndialects: {documented: {paths: {}}}\n\
        requests: {health: {get: /v1/actions/health}}\nscenarios: [{name: Idempotency made easy, send: health}]\n";
    project.write("easy.yml", easy);
    project.run("accept --plan easy.yml").expect(0);
    let unmoved = package(&project, 0);
    assert!(
        !unmoved.contains("made easy") && unmoved.contains("## Runs of other plans"),
        "{unmoved}"
    );
    // Runs that were changed are named and not used.
    let runs = project.path("verification_handoff/runs");
    for entry in std::fs::read_dir(runs).unwrap() {
        let file = entry.unwrap().path().join("FAULTS_ACCEPTANCE_EVIDENCE.json");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("200", "201")).unwrap();
    }
    let refused = package(&project, 1);
    assert!(refused.contains("| acceptance | pass | not there yet |"), "{refused}");
    assert!(
        refused.contains("FAULTS_ACCEPTANCE_EVIDENCE.json was changed"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_keep_a_run_from_leaving_evidence_is_told_before_the_first_request() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&sandbox);
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "0").unwrap();
    project
        .env
        .insert("LENSOPS_EVIDENCE_KEY_FILE".to_owned(), key.display().to_string());
    for command in ["accept faults", "stress faults", "matrix faults"] {
        let before = sandbox
            .requests()
            .iter()
            .filter(|seen| seen.target.contains("execute"))
            .count();
        let told = project.run(command).expect(2).err;
        assert!(told.contains("chmod 600"), "{command}: {told}");
        let after = sandbox
            .requests()
            .iter()
            .filter(|seen| seen.target.contains("execute"))
            .count();
        assert_eq!(before, after, "{command} sent requests");
    }
    project.env.remove("LENSOPS_EVIDENCE_KEY_FILE");
    // The provider is looked at before the first request too.
    provider(&mut project, &sandbox);
    project
        .env
        .insert("RENDER_API_KEY".to_owned(), "made-up-wrong-key".to_owned());
    let told = project.run("accept faults --flag-proof").expect(2).err;
    assert!(told.contains("the flags of srv-made-up cannot be read"), "{told}");
    // A wrong key is to be mended; a provider that is down could not be judged.
    sandbox.set_faults(Faults {
        provider_garbage: true,
        ..Faults::default()
    });
    project
        .env
        .insert("RENDER_API_KEY".to_owned(), sandbox.config().provider_key.clone());
    let told = project.run("accept faults --flag-proof").expect(3).err;
    assert!(told.contains("the flags of srv-made-up cannot be read"), "{told}");
    assert!(!sandbox.requests().iter().any(|seen| seen.target.contains("execute")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matrix_without_an_answer_could_not_judge() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&sandbox);
    let told = project.run("matrix faults").expect(0).err;
    assert!(told.contains("not asked: what users of another tenant see"), "{told}");
    let no_list =
        json!({"rules": [{"path": "/v1/actions/list", "act": {"status": {"code": 200, "body": {"oops": 1}}}}]});
    sandbox.set_faults(serde_json::from_value::<Faults>(no_list).unwrap());
    project.run("matrix faults").expect(3);
    project
        .env
        .insert("API_BASE_URL".to_owned(), "http://127.0.0.1:1".to_owned());
    project.run("matrix faults").expect(3);
}
