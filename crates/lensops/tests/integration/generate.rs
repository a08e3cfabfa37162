//! `lensops generate` as a user runs it.

use crate::harness::{FAULTS, Project};

const SECOND: &str = "generate --lens-id Shopping-List --domain shopping_list --roles crew,captain --read-action view_shopping_list_history --entity-id-key item_id";

#[test]
fn a_new_lens_prints_one_line_a_file_and_a_second_run_changes_nothing() {
    let project = Project::empty();
    let ran = project.run(FAULTS).expect(0);
    let created: Vec<&str> = ran
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("✅ Created: "))
        .collect();
    assert_eq!(created.len(), 11, "{}", ran.out);
    for path in created {
        assert!(project.path(path).is_file(), "{path}");
    }
    let before = project.files();
    let again = project.run("generate").expect(0);
    assert!(!again.out.contains("Created"), "{}", again.out);
    assert_eq!(project.files(), before);
    project.run("generate --check").expect(0);
}

#[test]
fn a_changed_lens_makes_drift_that_check_shows_and_generate_mends() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let lens = project.read("lenses/faults.yml").replace("every: 15m", "every: 5m");
    project.write("lenses/faults.yml", &lens);
    let before = project.files();
    let drift = project.run("generate --check").expect(1);
    assert!(drift.out.contains("-every: 15m\n+every: 5m"), "{}", drift.out);
    let advice = drift.out.lines().last().unwrap();
    assert!(
        advice.ends_with("files differ: `lensops generate` writes them"),
        "{advice}"
    );
    assert_eq!(project.files(), before, "--check writes nothing");
    let listed = project.run("generate --dry-run").expect(0);
    assert!(
        listed
            .out
            .contains("would update: tools/ops/monitors/faults_health_worker.yml"),
        "{}",
        listed.out
    );
    assert_eq!(project.files(), before, "--dry-run writes nothing");
    project.run("generate").expect(0);
    project.run("generate --check").expect(0);
}

#[test]
fn a_hand_edit_stops_the_run_unless_forced_and_shows_in_check() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let plan = "tests/stress/faults_actions_endpoints.yml";
    project.write(plan, &project.read(plan).replace("burst: 50", "burst: 5"));
    project.write(
        "lenses/faults.yml",
        &project.read("lenses/faults.yml").replace("every: 15m", "every: 5m"),
    );
    let before = project.files();
    let stopped = project.run("generate").expect(2);
    assert!(
        stopped.err.contains(plan) && stopped.err.contains("--force"),
        "{}",
        stopped.err
    );
    assert_eq!(
        project.files(),
        before,
        "nothing is written when one file stops the run"
    );
    let advice = project.run("generate --check").expect(1).out;
    assert!(advice.contains("`lensops generate --force` overwrites it"), "{advice}");
    project.run("generate --force").expect(0);
    assert!(project.read(plan).contains("burst: 50"));
}

#[test]
fn ids_that_options_leave_out_come_from_the_project_file_or_another_lens_and_it_says_so() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let ran = project.run(SECOND).expect(0);
    assert!(
        ran.err.contains("tenants come from lens faults") && ran.err.contains("user crew comes from lens faults"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("has no signed action") && ran.err.contains("no test entity"),
        "{}",
        ran.err
    );
    assert!(project.read("render.yaml").contains("shopping-list-health-worker"));
    assert!(
        project
            .path("tools/ops/monitors/shopping_list_health_worker.yml")
            .is_file()
    );

    let project = Project::empty();
    project.write("lensops.yml", "tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\nusers: {bosun: {id: e6e0786d-7fb1-5eeb-9913-ec801f028b05, role: bosun}}\n");
    let ran = project.run(SECOND).expect(0);
    assert!(
        ran.err.contains("tenants of shopping_list come from lensops.yml"),
        "{}",
        ran.err
    );
    assert!(
        project
            .read("tools/ops/monitors/shopping_list_health_worker.yml")
            .contains("as: bosun")
    );
}

#[test]
fn a_new_lens_does_not_overwrite_what_a_person_wrote_into_its_file() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    project.write(
        "lenses/faults.yml",
        &project.read("lenses/faults.yml").replace("every: 15m", "every: 5m"),
    );
    let before = project.files();
    let stopped = project.run(FAULTS).expect(2);
    assert!(
        stopped
            .err
            .contains("lenses/faults.yml is there and says something else"),
        "{}",
        stopped.err
    );
    assert_eq!(project.files(), before);
}

#[test]
fn one_unwritable_file_leaves_everything_as_it_was() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    project.write(
        "lenses/faults.yml",
        &project.read("lenses/faults.yml").replace("every: 15m", "every: 5m"),
    );
    // A folder where a file must go: unwritable for every user, root included.
    let plan = project.path("tests/stress/faults_actions_endpoints.yml");
    std::fs::remove_file(&plan).unwrap();
    std::fs::create_dir(&plan).unwrap();
    let before = project.files();
    project.run("generate").expect(2);
    assert_eq!(project.files(), before);
}

#[test]
fn a_render_file_of_the_repository_s_own_is_kept_and_the_entry_printed() {
    let project = Project::empty();
    project.write("render.yaml", "services: [] # ours\n");
    let ran = project.run(FAULTS).expect(4);
    assert_eq!(project.read("render.yaml"), "services: [] # ours\n");
    assert!(
        ran.out.contains("Kept: render.yaml") && ran.out.contains("name: faults-health-worker"),
        "{}",
        ran.out
    );
}

#[test]
fn an_ejected_set_can_be_changed_and_a_new_output_needs_a_template_and_a_line() {
    let project = Project::empty();
    project.run("templates eject set").expect(0);
    let manifest = project.read("set/manifest.yml").replace(
        "outputs:\n",
        "outputs:\n  - {path: \"notes/[[ id ]].md\", template: note.md}\n",
    );
    project.write("set/manifest.yml", &manifest);
    project.write("set/note.md", "# [[ title ]] of [[ domain ]]\n");
    project.run(&format!("{FAULTS} --template-dir set")).expect(0);
    assert!(project.read("notes/faults.md").ends_with("# Faults of faults\n"));
    project.run("templates eject set").expect(2);
}

#[test]
fn one_worker_can_serve_all_lenses() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let left = project.run("generate --single-worker --runtime rust").expect(0).err;
    assert!(
        left.contains("service faults-health-worker of render.yaml is of no lens"),
        "{left}"
    );
    project.run("generate --single-worker --runtime rust --prune").expect(0);
    let render = project.read("render.yaml");
    assert!(
        render.contains("name: lens-health-worker") && render.contains("startCommand: ./bin/lensops worker\n"),
        "{render}"
    );
    assert!(!render.contains("faults-health-worker"), "{render}");
}

#[test]
fn a_render_file_of_others_gets_the_entry_and_keeps_every_other_byte() {
    let project = Project::empty();
    let theirs = "# ours\nservices:\n- type: web   # the API\n  name: api\n\n# below\ndatabases: []\n";
    project.write("render.yaml", theirs);
    project.run(FAULTS).expect(0);
    let after = project.read("render.yaml");
    let (before, rest) = after.split_once("- type: worker").unwrap();
    assert_eq!(before, "# ours\nservices:\n- type: web   # the API\n  name: api\n");
    assert!(rest.ends_with("\n\n# below\ndatabases: []\n"), "{after}");
    project.run("generate --check").expect(0);
}

#[test]
fn what_a_lens_leaves_behind_is_told_and_pruned() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    project.run(SECOND).expect(0);
    std::fs::remove_file(project.path("lenses/shopping_list.yml")).unwrap();
    let plan = "tests/ci/shopping_list_signed_flow_acceptance.yml";
    let told = project.run("generate").expect(0).err;
    assert!(told.contains(&format!("{plan} is of no lens")), "{told}");
    assert!(
        told.contains("service shopping-list-health-worker of render.yaml is of no lens"),
        "{told}"
    );
    let advice = project.run("generate --check").expect(1).out;
    let advice = advice.lines().last().unwrap();
    assert!(
        advice.ends_with("files differ: `lensops generate --prune` removes what is of no lens"),
        "{advice}"
    );
    project.write(plan, &format!("{}# mine\n", project.read(plan)));
    let stopped = project.run("generate --prune").expect(2).err;
    assert!(
        stopped.contains("edited by hand") && stopped.contains(plan),
        "{stopped}"
    );
    assert!(
        project.read("render.yaml").contains("shopping-list"),
        "nothing is half done"
    );
    let pruned = project.run("generate --prune --force").expect(0).out;
    assert!(pruned.contains(&format!("✅ Removed: {plan}")), "{pruned}");
    assert!(
        !project
            .files()
            .keys()
            .any(|path| path.to_string_lossy().to_lowercase().contains("shopping"))
    );
    assert!(!project.read("render.yaml").contains("shopping-list"));
    project.run("generate --check").expect(0);
}

#[test]
fn a_lens_file_that_nothing_would_read_is_refused() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let (named, misnamed) = (project.path("lenses/faults.yml"), project.path("lenses/faults.yaml"));
    std::fs::rename(named, &misnamed).unwrap();
    for command in ["generate", "generate --check"] {
        let told = project.run(command).expect(2).err;
        assert!(
            told.contains("lenses/faults.yaml would not be read"),
            "{command}: {told}"
        );
    }
}

#[test]
fn a_lens_that_is_there_is_not_made_anew() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let told = project.run("new faults").expect(2).err;
    assert!(told.contains("lenses/faults.yml is there already: edit it"), "{told}");
}

#[test]
fn the_last_lens_can_be_pruned_too() {
    let project = Project::empty();
    project.write("render.yaml", "services:\n  - type: web\n    name: api\n");
    project.run(FAULTS).expect(0);
    std::fs::remove_file(project.path("lenses/faults.yml")).unwrap();
    project.run("generate").expect(2);
    project.run("generate --prune").expect(0);
    assert_eq!(project.read("render.yaml"), "services:\n  - type: web\n    name: api\n");
    assert_eq!(project.files().len(), 1, "{:?}", project.files().keys());
}
