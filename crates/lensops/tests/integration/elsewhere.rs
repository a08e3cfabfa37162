//! The generator in repositories that were not made for it: own template sets, sub-folders, other branches,
//! links, modes and line ends. Each test is named after the fault that it keeps from coming back.

use std::path::{Path, PathBuf};
use std::process::Command;

use lensops_core::plan::header;
use lensops_sandbox::Dialect;
use serde_json::Value;

use crate::harness::{FAULTS, Project, Ran, git, sandbox};
use crate::workflows::lint;

const MONITOR: &str = "tools/ops/monitors/faults_health_worker.yml";
const ACCEPTANCE: &str = "tests/ci/faults_signed_flow_acceptance.yml";
const WORKFLOW: &str = ".github/workflows/faults-staging-acceptance.yml";
const STRESS: &str = ".github/workflows/faults-stress.yml";

fn workflow(text: &str) -> Value {
    lensops_core::yaml::read("workflow", text).unwrap()
}

/// An API that is not there: commands say what they think of a plan, and fail.
fn nowhere(project: &mut Project) {
    for (name, value) in [
        ("API_BASE_URL", "http://127.0.0.1:9"),
        ("TENANT_SUPABASE_JWT_SECRET", "a made-up secret of thirty-two bytes"),
    ] {
        project.env.insert(name.to_owned(), value.to_owned());
    }
}

/// An ejected set in `set/` with a moved acceptance plan and a file of its own.
fn own_set(project: &Project) {
    own_set_in(project, project.root());
}

fn own_set_in(project: &Project, folder: &Path) {
    run_in(project, folder, "templates eject set").expect(0);
    let manifest = std::fs::read_to_string(folder.join("set/manifest.yml"))
        .unwrap()
        .replace(
            "tests/ci/[[ id ]]_signed_flow_acceptance.yml",
            "qa/[[ id ]]/acceptance.yml",
        )
        .replace(
            "outputs:\n",
            "outputs:\n  - {path: \"notes/[[ id ]].md\", template: note.md}\n",
        );
    std::fs::write(folder.join("set/manifest.yml"), manifest).unwrap();
    std::fs::write(folder.join("set/note.md"), "# [[ title ]] of [[ domain ]]\n").unwrap();
}

/// Today: the second `generate` wrote the built-in files again and the drift workflow was red.
#[test]
fn g1_the_template_set_is_in_the_repository_and_only_read_from_then_on() {
    let project = Project::empty();
    own_set(&project);
    let ran = project.run(&format!("{FAULTS} --template-dir set")).expect(0);
    assert!(
        ran.err
            .contains("lensops.yml now says `template_set: set` (from --template-dir)"),
        "{}",
        ran.err
    );
    assert_eq!(project.read("lensops.yml"), "template_set: set\n");
    let before = project.files();
    let again = project.run("generate").expect(0);
    assert!(!again.err.contains("now says"), "{}", again.err);
    assert_eq!(project.files(), before);
    project.run("generate --check").expect(0);
    project.write("lensops.yml", "template_set: nowhere\n");
    let told = project.run("generate").expect(2).err;
    assert!(
        told.contains("template_set \"nowhere\" is neither a built-in set (action-router, http) nor a folder"),
        "{told}"
    );
    // What else decides committed files.
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    project.run("generate --single-worker --runtime rust --prune").expect(0);
    assert_eq!(project.read("lensops.yml"), "single_worker: true\nruntime: rust\n");
    project.run("generate --check").expect(0);
}

/// Today: "no acceptance plan of lens faults: … is not there (run `lensops generate`)".
#[test]
fn g2_plans_are_found_where_the_set_puts_them_and_by_their_header() {
    let project = Project::empty();
    own_set(&project);
    project.run(&format!("{FAULTS} --template-dir set")).expect(0);
    assert!(project.path("qa/faults/acceptance.yml").is_file() && !project.path(ACCEPTANCE).exists());
    let unset = project.run("accept faults").expect(2).err;
    assert!(unset.contains("STAGING_API_URL"), "the plan was found: {unset}");
    assert!(
        project.read(WORKFLOW).contains("- \"qa/faults/acceptance.yml\""),
        "the workflow watches the plan where it is"
    );
    // Without its set, as in an image.
    std::fs::remove_dir_all(project.path("set")).unwrap();
    let unset = project.run("accept faults").expect(2).err;
    assert!(unset.contains("STAGING_API_URL"), "{unset}");
    let unheard_of = project.run("accept parts").expect(2).err;
    assert!(unheard_of.contains("no acceptance plan of lens parts"), "{unheard_of}");
}

#[test]
fn g2_a_plan_that_moved_leaves_no_second_one_behind() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    own_set(&project);
    project.write("lensops.yml", "template_set: set\n");
    let told = project.run("generate").expect(0).err;
    assert!(
        told.contains(&format!("{ACCEPTANCE} is generated as"))
            || told.contains(&format!("{ACCEPTANCE} is of no lens")),
        "{told}"
    );
    project.run("generate --prune").expect(0);
    assert!(!project.path(ACCEPTANCE).exists());
    project.run("generate --check").expect(0);
}

/// A repository with `services/api` in it, as a project.
fn sub_folder() -> Project {
    let project = Project::empty();
    git(project.root(), &["init", "-q", "-b", "trunk"]);
    std::fs::create_dir_all(project.path("services/api")).unwrap();
    project
}

/// Today: the workflows lay in services/api/.github/workflows, where nothing runs them.
#[test]
fn g3_workflows_go_to_the_repository_s_root_where_it_is_named() {
    let project = sub_folder();
    project.write(
        "services/api/lensops.yml",
        "repository: {branch: trunk, root: services/api}\npaths: [src/**, /shared/**]\n",
    );
    let ran = project
        .run(&format!("--root services/api {FAULTS}").replace("--output-dir .", ""))
        .expect(0);
    assert!(
        ran.out
            .contains("✅ Created: ../../.github/workflows/services-api-faults-stress.yml"),
        "{}",
        ran.out
    );
    assert!(!project.path("services/api/.github").exists());
    let text = project.read(".github/workflows/services-api-faults-staging-acceptance.yml");
    let read = workflow(&text);
    assert_eq!(read["defaults"]["run"]["working-directory"], "services/api");
    assert_eq!(read["on"]["push"]["branches"][0], "trunk");
    let paths: Vec<&str> = read["on"]["push"]["paths"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(
        paths,
        [
            "services/api/lensops.yml",
            "services/api/lenses/faults.yml",
            "services/api/tests/ci/faults_signed_flow_acceptance.yml",
            ".github/workflows/services-api-faults-staging-acceptance.yml",
            "services/api/src/**",
            "shared/**",
        ]
    );
    project.run("--root services/api generate --check").expect(0);
    // Another folder of the repository with the same lens: neither takes nor prunes the files of the first.
    project.write(
        "services/web/lensops.yml",
        "repository: {branch: trunk, root: services/web}\n",
    );
    project
        .run(&format!("--root services/web {FAULTS}").replace("--output-dir .", ""))
        .expect(0);
    project.run("--root services/web generate --prune").expect(0);
    project.run("--root services/api generate --check").expect(0);
    // A folder that is another one than lensops.yml says writes nothing.
    project.write("other/lensops.yml", "repository: {root: services/api}\n");
    let before = project.files();
    let told = project
        .run(&format!("--root other {FAULTS}").replace("--output-dir .", ""))
        .expect(2)
        .err;
    assert!(told.contains("repository.root of lensops.yml"), "{told}");
    assert_eq!(project.files(), before);
}

#[test]
fn g3_inside_another_checkout_nothing_is_written_outside_unasked() {
    for arguments in [FAULTS.to_owned(), FAULTS.replace("--output-dir .", "")] {
        let project = sub_folder();
        project.write("README.md", "theirs\n");
        let outside = |project: &Project| {
            let mut files = project.files();
            files.retain(|path, _| {
                !path.starts_with(project.path("services/api")) && !path.starts_with(project.path(".git"))
            });
            files
        };
        let before = outside(&project);
        let arguments = arguments.replace("--output-dir .", "--output-dir services/api");
        let arguments = if arguments.contains("--output-dir") {
            arguments
        } else {
            format!("--root services/api {arguments}")
        };
        let ran = project.run(&arguments).expect(0);
        assert_eq!(outside(&project), before);
        assert!(
            ran.err
                .contains("`repository: {branch: trunk, root: services/api}` in lensops.yml writes them there"),
            "{}",
            ran.err
        );
        assert!(project.path("services/api/.github/workflows").is_dir());
        assert!(!project.path("services/api/lensops.yml").exists());
    }
}

#[test]
fn g3_the_default_branch_is_found_once_and_then_read() {
    let project = Project::empty();
    git(project.root(), &["init", "-q", "-b", "trunk"]);
    let ran = project.run(FAULTS).expect(0);
    assert!(
        ran.err
            .contains("lensops.yml now says `repository: {branch: trunk}` (from git)"),
        "{}",
        ran.err
    );
    for path in [WORKFLOW, ".github/workflows/lensops-drift.yml"] {
        assert!(project.read(path).contains("branches: [trunk]"), "{path}");
    }
    git(project.root(), &["symbolic-ref", "HEAD", "refs/heads/other"]);
    project.run("generate").expect(0);
    assert_eq!(project.read("lensops.yml"), "repository: {branch: trunk}\n");
    project.run("generate --check").expect(0);
}

/// Today: every stress workflow ran at 02:00.
#[test]
fn g4_lenses_are_stressed_at_minutes_of_their_own_and_share_no_group() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let second = |n: usize| {
        format!("generate --lens-id lens_{n} --domain faults --roles crew --flag X").replace(" --flag X", "")
    };
    for n in 0..3 {
        project.run(&second(n)).expect(0);
    }
    let cron = |lens: &str| {
        let read = workflow(&project.read(&format!(".github/workflows/{lens}-stress.yml")));
        read["on"]["schedule"][0]["cron"].as_str().unwrap().to_owned()
    };
    let crons: std::collections::BTreeSet<String> = ["faults", "lens_0", "lens_1", "lens_2"].map(cron).into();
    assert_eq!(crons.len(), 4, "{crons:?}");
    assert!(crons.iter().all(|cron| cron.ends_with(" 2 * * *")), "{crons:?}");
    for n in 3..30 {
        let lens = project
            .read("lenses/lens_0.yml")
            .replace("lens_0", &format!("lens_{n}"));
        project.write(&format!("lenses/lens_{n}.yml"), &lens);
    }
    project.run("generate").expect(0);
    let (mut hours, mut groups) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    let mut count = 0;
    for path in project.listed(".github/workflows") {
        let read = workflow(&std::fs::read_to_string(path).unwrap());
        let group = read["concurrency"]["group"].as_str().unwrap().to_owned();
        groups.insert(group);
        count += 1;
        if let Some(cron) = read["on"]["schedule"][0]["cron"].as_str() {
            hours.insert(cron.split(' ').nth(1).unwrap().to_owned());
        }
    }
    assert_eq!(groups.len(), count);
    assert!(hours.len() > 1, "{hours:?}");
}

/// Today: the whole of verification_handoff/ was uploaded, so that the committed template alone was enough.
#[test]
fn g5_the_artefact_holds_what_this_run_wrote_and_nothing_else() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let read = workflow(&project.read(WORKFLOW));
    let steps = read["jobs"]["acceptance"]["steps"].as_array().unwrap();
    let step = |name: &str| steps.iter().find(|step| step["name"] == name).unwrap();
    let upload = &step("Keep the evidence")["with"];
    assert_eq!(upload["path"], "${{ runner.temp }}/evidence/");
    assert_eq!(upload["if-no-files-found"], "error");
    project.write("verification_handoff/runs/old/manifest.json", "{}\n");
    for writes in [false, true] {
        let temp = tempfile::tempdir().unwrap();
        let shell = |script: &str| {
            let status = Command::new("bash")
                .args(["-e", "-o", "pipefail", "-c", script])
                .env("RUNNER_TEMP", temp.path())
                .current_dir(project.root())
                .status()
                .unwrap();
            assert!(status.success(), "{script}");
        };
        shell(step("Mark the start")["run"].as_str().unwrap());
        if writes {
            project.write("verification_handoff/phase6/FAULTS_ACCEPTANCE_EVIDENCE.md", "new\n");
        }
        shell(step("Collect what this run wrote")["run"].as_str().unwrap());
        let kept: Vec<String> = walk(&temp.path().join("evidence"));
        let wanted: &[&str] = if writes {
            &["verification_handoff/phase6/FAULTS_ACCEPTANCE_EVIDENCE.md"]
        } else {
            &[]
        };
        assert_eq!(kept, wanted);
    }
}

/// The files below `folder`, as paths from there.
fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Today: there was no key, and a push to the API's code started nothing.
#[test]
fn g6_changes_of_the_api_s_code_start_acceptance() {
    let project = Project::empty();
    project.write("lensops.yml", "paths: [api/**]\n");
    project.run(FAULTS).expect(0);
    assert!(project.read(WORKFLOW).contains("      - \"api/**\"\n"));
    let lens = project.read("lenses/faults.yml");
    let with = "paths: [handlers/faults/**, \"!handlers/faults/*.md\"]\nevery: ";
    project.write("lenses/faults.yml", &lens.replace("every: ", with));
    project.run("generate").expect(0);
    let text = project.read(WORKFLOW);
    assert!(
        text.contains("      - \"handlers/faults/**\"\n      - \"!handlers/faults/*.md\"\n")
            && !text.contains("api/**"),
        "{text}"
    );
    project.write("lensops.yml", "paths: [../up]\n");
    let told = project.run("generate").expect(2).err;
    assert!(told.contains("path pattern \"../up\" is not valid"), "{told}");
}

/// Today: nine files differed, eight of them in their header alone, and overwritten files were "Created".
#[test]
fn g7_only_files_that_depend_on_what_changed_are_written_and_counted() {
    let mut project = Project::empty();
    nowhere(&mut project);
    project.run(FAULTS).expect(0);
    let before = project.files();
    let edit = |from: &str, to: &str| {
        let lens = project.read("lenses/faults.yml");
        assert!(lens.contains(from), "{lens}");
        project.write("lenses/faults.yml", &lens.replace(from, to));
    };
    edit("warn: 2000", "warn: 1500");
    let ran = project.run("generate").expect(0);
    assert_eq!(
        ran.out.lines().last().unwrap(),
        "10 files: 0 created, 1 updated, 9 unchanged"
    );
    assert!(
        ran.out.contains(&format!("✅ Updated: {MONITOR}\n")) && ran.out.contains(&format!("· Unchanged: {STRESS}\n")),
        "{}",
        ran.out
    );
    let changed: Vec<_> = project
        .files()
        .into_iter()
        .filter(|(path, bytes)| before[path] != *bytes)
        .collect();
    assert_eq!(changed.len(), 2, "the lens and its monitor plan");
    // A plan is stale where what it is made of changed, and only there.
    edit("warn: 1500", "warn: 1000");
    let told = |command: &str| {
        let ran = project.run(command);
        ran.out + &ran.err
    };
    assert!(told("check faults").contains("generated from an older lens file"));
    assert!(!told("stress faults").contains("generated from an older lens file"));
    project.run("generate").expect(0);
    assert!(!told("check faults").contains("generated from an older lens file"));
    // A template changes the files that are made of it.
    let project = Project::empty();
    own_set(&project);
    project.run(&format!("{FAULTS} --template-dir set")).expect(0);
    project.write("set/note.md", "# [[ title ]]\n");
    let ran = project.run("generate").expect(0);
    assert_eq!(
        ran.out.lines().last().unwrap(),
        "11 files: 0 created, 1 updated, 10 unchanged"
    );
}

#[test]
fn g7_an_upgrade_says_once_that_headers_change_and_why() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let text = project.read(STRESS);
    let (head, _) = header::split(&text).unwrap();
    project.write(STRESS, &text.replace(&head.template_set, "action-router@0123456789ab"));
    let drift = project.run("generate --check").expect(1);
    let said = "· 1 files change in their header line alone: it hashes the templates";
    assert!(drift.err.contains(said), "{}", drift.err);
    assert!(project.run("generate").expect(0).err.contains(said));
    assert!(!project.run("generate").expect(0).err.contains(said));
}

/// Today: links became plain files, modes 0644.
#[cfg(unix)]
#[test]
fn g8_links_and_modes_of_generated_files_are_kept() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let project = Project::empty();
    std::fs::create_dir_all(project.path("ops/ci")).unwrap();
    symlink("ops", project.path(".github")).unwrap();
    project.run(FAULTS).expect(0);
    assert!(project.path("ops/workflows/faults-stress.yml").is_file());
    std::fs::create_dir_all(project.path("plans")).unwrap();
    std::fs::rename(project.path(MONITOR), project.path("plans/faults.yml")).unwrap();
    symlink("../../../plans/faults.yml", project.path(MONITOR)).unwrap();
    let mode = |path: &str, mode: u32| {
        std::fs::set_permissions(project.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("plans/faults.yml", 0o444);
    let lens = project.read("lenses/faults.yml").replace("every: 15m", "every: 5m");
    project.write("lenses/faults.yml", &lens);
    project.run("generate").expect(0);
    assert!(project.path(MONITOR).symlink_metadata().unwrap().is_symlink());
    assert!(project.path(".github").symlink_metadata().unwrap().is_symlink());
    assert!(project.read("plans/faults.yml").contains("every: 5m"));
    let kept = std::fs::metadata(project.path("plans/faults.yml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(kept & 0o777, 0o444);
}

/// Today: the plan's variables were in no workflow, and its cases unjudged in CI.
#[test]
fn g9_what_a_plan_asks_the_environment_for_is_in_its_workflow() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let lens = project.read("lenses/faults.yml");
    project.write(
        "lenses/faults.yml",
        &format!("{lens}overrides: {{acceptance: {{env: {{pin: {{from: PIN_OF_CREW, secret: true}}, site: {{from: SITE}}, api: {{from: STAGING_API_URL}}}}}}}}\n"),
    );
    project.run("generate").expect(0);
    let read = workflow(&project.read(WORKFLOW));
    let steps = read["jobs"]["acceptance"]["steps"].as_array().unwrap();
    let env = &steps
        .iter()
        .find(|step| step["name"] == "Run the acceptance plan")
        .unwrap()["env"];
    assert_eq!(env["PIN_OF_CREW"], "${{ secrets.PIN_OF_CREW }}");
    assert_eq!(env["SITE"], "${{ vars.SITE }}");
    assert_eq!(env["STAGING_API_URL"], "${{ vars.STAGING_API_URL }}");
    // A set that was made before says what its workflow lacks.
    project.run("templates eject set").expect(0);
    let old = project.read("set/workflow-acceptance.yml");
    let (before, rest) = old.split_once("[% for asked in plan_env %]").unwrap();
    let (_, after) = rest.split_once("[% endfor %]\n").unwrap();
    project.write("set/workflow-acceptance.yml", &format!("{before}{after}"));
    project.write("lensops.yml", "template_set: set\n");
    let told = project.run("generate").expect(0).err;
    assert!(
        told.contains(&format!("{WORKFLOW} does not give PIN_OF_CREW")),
        "{told}"
    );
}

/// Today: `✅ no secret stands in a tracked file`, for any secret that a plan declares.
#[test]
fn g10_the_doctor_looks_for_what_plans_call_secret_and_says_what_it_looked_for() {
    let mut project = Project::empty();
    git(project.root(), &["init", "-q", "-b", "main"]);
    project.run(FAULTS).expect(0);
    let lens = project.read("lenses/faults.yml");
    let overrides = "overrides: {acceptance: {env: {pin: {from: PIN_OF_CREW, secret: true}, other: {from: NOT_SET, secret: true}}}}\n";
    project.write("lenses/faults.yml", &format!("{lens}{overrides}"));
    project.run("generate").expect(0);
    project
        .env
        .insert("PIN_OF_CREW".to_owned(), "made-up-pin-of-crew".to_owned());
    project.write("docs/notes.md", "one\n");
    git(project.root(), &["add", "-A"]);
    let clean = project.run("doctor").out;
    assert!(
        clean.contains("no secret stands in a tracked file: ")
            && clean.contains("for the values of PIN_OF_CREW, for service keys")
            && clean.contains("not set and not looked for: NOT_SET"),
        "{clean}"
    );
    project.write("docs/notes.md", "one\nthe pin is made-up-pin-of-crew\n");
    let found = project.run("doctor").out;
    assert!(
        found.contains("the value of PIN_OF_CREW stands in a tracked file") && found.contains("docs/notes.md:2"),
        "{found}"
    );
    assert!(!found.contains("made-up-pin"), "{found}");
    let literal = overrides.replace(
        "acceptance: {",
        "acceptance: {requests: {own: {get: /x, headers: {X-Api-Key: made-up}}}, ",
    );
    project.write("lenses/faults.yml", &format!("{lens}{literal}"));
    let found = project.run("doctor").out;
    assert!(
        found.contains("a literal stands below X-Api-Key in a tracked file") && found.contains("lenses/faults.yml:"),
        "{found}"
    );
}

/// Today: eight of nine files drifted and `generate` refused to run.
#[test]
fn e8_a_checkout_that_rewrote_line_ends_has_no_drift() {
    let mut project = Project::empty();
    nowhere(&mut project);
    own_set(&project);
    project.run(&format!("{FAULTS} --template-dir set")).expect(0);
    let lens = project.read("lenses/faults.yml");
    let folded = "overrides:\n  acceptance:\n    scenarios:\n      - name: Missing signature\n        then:\n          - name: one\n            sql: |\n              select 1\n              where true\n            expect: {rows: 1}\n";
    project.write("lenses/faults.yml", &format!("{lens}{folded}"));
    project.run("generate").expect(0);
    for (path, bytes) in project.files() {
        let text = String::from_utf8(bytes).unwrap().replace('\n', "\r\n");
        std::fs::write(path, text).unwrap();
    }
    project.run("generate --check").expect(0);
    let ran = project.run("generate").expect(0);
    assert!(ran.out.ends_with("0 created, 0 updated, 11 unchanged\n"), "{}", ran.out);
    let ran = project.run("check faults");
    let told = ran.out + &ran.err;
    assert!(
        !told.contains("edited by hand") && !told.contains("older lens"),
        "{told}"
    );
}

#[test]
fn e8_git_is_told_to_leave_line_ends_alone() {
    let project = Project::empty();
    project.write(".gitattributes", "*.png binary\n");
    project.run(FAULTS).expect(0);
    let text = project.read(".gitattributes");
    for line in [
        "*.png binary\n",
        "/tools/ops/monitors/*_health_worker.yml text eol=lf\n",
        "/verification_handoff/** -text\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    std::fs::remove_file(project.path("lenses/faults.yml")).unwrap();
    project.run("generate --prune").expect(0);
    assert_eq!(project.read(".gitattributes"), "*.png binary\n");
}

/// Doctor says what nothing runs, what starts nothing, and what the keys of lensops.yml get wrong.
#[test]
fn g3_the_doctor_says_when_nothing_runs_the_workflows() {
    let project = sub_folder();
    project
        .run(&FAULTS.replace("--output-dir .", "--output-dir services/api"))
        .expect(0);
    git(project.root(), &["add", "-A"]);
    let doctor = |project: &Project| project.run("--root services/api doctor").out;
    let found = doctor(&project);
    for said in [
        "the workflows below services/api/.github/workflows are run by nobody",
        "`repository: {branch: trunk, root: services/api}` in lensops.yml, then `lensops generate --prune`",
        "workflows start on pushes to main, and the default branch is trunk",
    ] {
        assert!(found.contains(said), "{said}: {found}");
    }
    project.write(
        "services/api/lensops.yml",
        "repository: {branch: trunk, root: services/api}\npaths: [nowhere/**]\n",
    );
    project.run("--root services/api generate --prune").expect(0);
    assert!(
        !project
            .path("services/api/.github/workflows/faults-stress.yml")
            .exists()
    );
    let found = doctor(&project);
    for said in [
        "workflows of services/api go to the repository's root",
        "workflows start on pushes to trunk, the default branch",
        "no tracked file is of path nowhere/**",
        "every generated file is as its lens and lensops.yml say",
    ] {
        assert!(found.contains(said), "{said}: {found}");
    }
    project.write(
        "services/api/lensops.yml",
        "repository: {branch: trunk, root: api}\ntemplate_set: gone\n",
    );
    let found = doctor(&project);
    for said in [
        "repository.root says api, and this folder is services/api",
        "template_set \"gone\"",
    ] {
        assert!(found.contains(said), "{said}: {found}");
    }
}

/// Today: every check of such a lens was degraded for ever, and nothing named the option.
#[tokio::test(flavor = "multi_thread")]
async fn v18_a_lens_without_a_test_entity_is_checked_by_an_invented_one_and_says_so() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    project.point_at(&sandbox);
    let without = FAULTS.replace("--test-entity-id a1bcc3d4-8832-5f43-b4d0-d845c74c9637", "");
    let told = project.run(&without).expect(0).err;
    let warnings: Vec<&str> = told.lines().filter(|line| line.contains("test entity")).collect();
    assert_eq!(warnings.len(), 1, "{told}");
    for said in ["an invented id, where 404 is right", "exits 3", "give --test-entity-id"] {
        assert!(warnings[0].contains(said), "{said}: {told}");
    }
    let checked = project.run("check faults --no-record").expect(0);
    assert!(
        checked.out.contains("404") && checked.out.contains("of an invented entity: the lens names none"),
        "{}",
        checked.out
    );
    project.run("stress faults").expect(0);
    project.run("accept faults").expect(3);
    let summary = project.read(WORKFLOW);
    assert!(
        summary.contains("Give `--test-entity-id UUID` to `lensops generate`"),
        "{summary}"
    );
    let doctor = project.run("doctor").out;
    assert!(
        doctor.contains("lens faults names no test entity: an invented one was asked for"),
        "{doctor}"
    );
    // With one, nothing is said.
    let project = Project::with_faults(&sandbox);
    assert!(!project.read(WORKFLOW).contains("--test-entity-id"));
    assert!(!project.read(MONITOR).contains("invented"));
}

/// The program in a folder whose path holds spaces.
fn run_in(project: &Project, folder: &Path, arguments: &str) -> Ran {
    Ran::of(project.command(arguments).current_dir(folder).output().unwrap())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_others_holds_together_from_generate_to_evidence_in_a_clone() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    const FOLDER: &str = "dienste/α pi";
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    project.point_at(&sandbox);
    let repository = project.path("ein Repö 日本");
    let folder = repository.join(FOLDER);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(repository.join("ops/ci dir/workflows")).unwrap();
    symlink("ops/ci dir", repository.join(".github")).unwrap();
    git(&repository, &["init", "-q", "-b", "trunk"]);
    git(&repository, &["config", "core.autocrlf", "true"]);
    let keys = format!("repository: {{branch: trunk, root: \"{FOLDER}\"}}\npaths: [src/**]\ntemplate_set: set\n");
    std::fs::write(folder.join("lensops.yml"), keys).unwrap();
    own_set_in(&project, &folder);
    run_in(&project, &folder, FAULTS).expect(0);
    std::fs::set_permissions(folder.join(MONITOR), std::fs::Permissions::from_mode(0o444)).unwrap();
    let lens = folder.join("lenses/faults.yml");
    let text = std::fs::read_to_string(&lens).unwrap();
    std::fs::write(&lens, text.replace("every: 15m", "every: 5m")).unwrap();
    run_in(&project, &folder, "generate").expect(0);
    let mode = std::fs::metadata(folder.join(MONITOR)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
    assert!(repository.join(".github").symlink_metadata().unwrap().is_symlink());
    // Without a database some cases are unjudged: what counts here is that it runs and leaves evidence.
    run_in(&project, &folder, "accept faults").expect(0);
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-q", "-m", "made up"]);

    let clone = project.path("ein Klon");
    let from = repository.to_str().unwrap().to_owned();
    git(
        project.root(),
        &[
            "clone",
            "-q",
            "-c",
            "core.autocrlf=true",
            &from,
            clone.to_str().unwrap(),
        ],
    );
    let folder = clone.join(FOLDER);
    let bytes = |path: &Path| String::from_utf8(std::fs::read(path).unwrap()).unwrap();
    assert!(
        bytes(&folder.join("lensops.yml")).contains("\r\n"),
        "the checkout rewrites line ends"
    );
    assert!(
        !bytes(&folder.join(MONITOR)).contains("\r\n"),
        "and leaves those of generated files alone"
    );
    run_in(&project, &folder, "generate --check").expect(0);
    let checked = run_in(&project, &folder, "check faults --no-record").expect(0);
    let told = checked.out + &checked.err;
    assert!(
        !told.contains("edited by hand") && !told.contains("older lens"),
        "{told}"
    );
    let accepted = run_in(&project, &folder, "accept faults").expect(0);
    assert!(!accepted.err.contains("edited by hand"), "{}", accepted.err);
    assert!(folder.join("qa/faults/acceptance.yml").is_file() && folder.join("notes/faults.md").is_file());

    assert!(!folder.join(".github").exists());
    let workflows: Vec<PathBuf> = walk(&clone.join("ops/ci dir/workflows"))
        .iter()
        .map(|name| clone.join("ops/ci dir/workflows").join(name))
        .collect();
    assert_eq!(workflows.len(), 3, "{workflows:?}");
    for path in &workflows {
        let read = workflow(&bytes(path));
        assert_eq!(read["defaults"]["run"]["working-directory"], FOLDER, "{path:?}");
    }
    lint(&clone, &workflows);

    let runs = folder.join("verification_handoff/runs");
    let committed: Vec<String> = walk(&runs)
        .iter()
        .filter_map(|path| Some(path.split_once('/')?.0.to_owned()))
        .collect();
    assert!(!committed.is_empty());
    for run in std::collections::BTreeSet::from_iter(committed) {
        run_in(
            &project,
            &folder,
            &format!("evidence verify verification_handoff/runs/{run}"),
        )
        .expect(0);
    }
}
