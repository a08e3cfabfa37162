use std::collections::BTreeMap;

use super::*;
use crate::lens::{Defaults, Lens};
use crate::plan::acceptance::AcceptancePlan;
use crate::plan::monitor::MonitorPlan;
use crate::plan::stress::StressPlan;
use crate::yaml;

macro_rules! set {
    ($folder:literal: $($name:literal),*) => {
        BTreeMap::from([$(($name.to_owned(), include_str!(concat!("../../../lensops/sets/", $folder, "/", $name)).to_owned())),*])
    };
}

/// What all sets share.
fn common() -> BTreeMap<String, String> {
    set!(
        "common": "workflow-steps.yml",
        "workflow-drift.yml",
        "workflow-reason.yml",
        "workflow-folder.yml",
        "workflow-collect.yml",
        "workflow-start.yml"
    )
}

fn files() -> BTreeMap<String, String> {
    let mut files = set!(
        "action-router": "manifest.yml",
        "monitor.yml",
        "acceptance.yml",
        "stress.yml",
        "workflow-acceptance.yml",
        "workflow-stress.yml",
        "workflow-idempotency.yml",
        "feature-flags.md",
        "evidence-template.md",
        "render.yaml"
    );
    files.extend(common());
    files
}

fn http_files() -> BTreeMap<String, String> {
    let mut files = set!(
        "http": "manifest.yml",
        "answers.yml",
        "monitor.yml",
        "acceptance.yml",
        "stress.yml",
        "workflow-acceptance.yml",
        "workflow-stress.yml",
        "feature-flags.md",
        "evidence-template.md",
        "render.yaml"
    );
    files.extend(common());
    files
}

fn repo() -> RepoContext {
    RepoContext {
        version: "0.1.0".to_owned(),
        runtime: "docker".to_owned(),
        ..RepoContext::default()
    }
}

const FAULTS: &str = r#"
lens: faults
domain: faults
flags: [FAULT_LENS_V1_ENABLED, FAULT_LENS_SUGGESTIONS_ENABLED, FAULT_LENS_SIGNED_ACTIONS_ENABLED]
roles: [crew, chief_engineer, chief_officer, captain, manager]
tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]
users:
  hod: {id: 11c093fe-0652-50b4-bb47-559c1c185f8a, role: chief_engineer, signs_as: manager}
  crew: {id: eb3fdfe4-81e3-53a5-b423-fd13884b12e8, role: crew}
  captain: {id: 7672d3d4-fe80-5fb8-80e2-58b12b95d5b6, role: captain}
signed_action:
  name: create_work_order_from_fault
  entity_type: work_order
  entity_id_key: fault_id
  signers: [captain, hod]
  payload: {override_duplicate: true}
  entities: [a1bcc3d4-8832-5f43-b4d0-d845c74c9637]
  proof: {sql: "select 1 from pms_work_orders where id = $entity_id"}
read_action: {name: view_fault_detail, entity_id_key: fault_id, entity: a1bcc3d4-8832-5f43-b4d0-d845c74c9637}
"#;

const BARE: &str = "lens: parts\ndomain: parts\nroles: [crew]\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\nusers: {bosun: {id: eb3fdfe4-81e3-53a5-b423-fd13884b12e8, role: bosun}}\n";

fn lens(text: &str) -> Lens {
    let lens: Lens = yaml::read("lenses/x.yml", text).unwrap();
    lens.resolve(&Defaults::default(), false).unwrap().0
}

fn render(lenses: &[Lens]) -> Vec<Rendered> {
    TemplateSet::load(files()).unwrap().render(lenses, &repo()).unwrap()
}

fn text<'a>(files: &'a [Rendered], path: &str) -> &'a str {
    &files
        .iter()
        .find(|file| file.path == path)
        .unwrap_or_else(|| panic!("no {path}"))
        .text
}

#[test]
fn a_lens_becomes_the_files_of_the_specification() {
    let files = render(&[lens(FAULTS)]);
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "tools/ops/monitors/faults_health_worker.yml",
            "tests/ci/faults_signed_flow_acceptance.yml",
            "tests/stress/faults_actions_endpoints.yml",
            ".github/workflows/faults-staging-acceptance.yml",
            ".github/workflows/faults-stress.yml",
            "docs/pipeline/FAULTS_FEATURE_FLAGS.md",
            "verification_handoff/phase6/FAULTS_EVIDENCE_TEMPLATE.md",
            ".github/workflows/lensops-drift.yml",
            "render.yaml",
        ]
    );
    // The header line changes with every template; what stands below it is what is reviewed.
    let body = |path: &str| {
        let text = text(&files, path);
        crate::plan::header::split(text)
            .map_or(text, |(_, body)| body)
            .to_owned()
    };
    insta::assert_snapshot!("monitor", body(paths[0]));
    insta::assert_snapshot!("acceptance", body(paths[1]));
    insta::assert_snapshot!("stress", body(paths[2]));
    insta::assert_snapshot!("workflow", body(paths[3]));
    insta::assert_snapshot!("drift", body(paths[7]));
    insta::assert_snapshot!("render", body(paths[8]));
}

/// Defect 12: flags were invented for a lens with fewer than three, those beyond three ignored,
/// and `--roles` had no effect.
#[test]
fn defect_12_every_flag_and_role_is_used_and_none_is_invented() {
    let flags: Vec<String> = (0..7).map(|n| format!("PART_FLAG_{n}")).collect();
    for count in [0, 1, 2, 7] {
        let text_of = format!("{BARE}flags: [{}]\n", flags[..count].join(", "));
        let rendered = render(&[lens(&text_of)]);
        let all: String = rendered.iter().map(|file| file.text.as_str()).collect();
        for (index, flag) in flags.iter().enumerate() {
            assert_eq!(all.contains(flag), index < count, "{flag} with {count} flags");
        }
        assert!(
            !all.contains("LENS_V1_ENABLED") && !all.contains("_SUGGESTIONS_ENABLED"),
            "{count}"
        );
    }
    let rendered = render(&[lens(&BARE.replace("roles: [crew]", "roles: [zoologist, crew]"))]);
    assert!(rendered.iter().any(|file| file.text.contains("zoologist")));
}

/// Defect 18: other lenses silently inherited the defaults of faults.
#[test]
fn defect_18_nothing_of_one_lens_is_in_another() {
    let files = render(&[lens(FAULTS), lens(BARE)]);
    for file in files.iter().filter(|file| file.path.to_lowercase().contains("parts")) {
        for foreign in ["fault", "work_order", "FAULT", "hod", "captain", "11c093fe"] {
            assert!(
                !file.text.contains(foreign),
                "{} contains {foreign}:\n{}",
                file.path,
                file.text
            );
        }
    }
}

#[test]
fn a_lens_without_signed_or_read_action_has_neither_in_any_plan() {
    let files = render(&[lens(BARE)]);
    let acceptance: AcceptancePlan =
        yaml::read("x", text(&files, "tests/ci/parts_signed_flow_acceptance.yml")).unwrap();
    let names: Vec<_> = acceptance
        .scenarios
        .iter()
        .map(|scenario| scenario.name.as_str())
        .collect();
    assert_eq!(names, ["List", "Suggestions"]);
    let monitor: MonitorPlan = yaml::read("x", text(&files, "tools/ops/monitors/parts_health_worker.yml")).unwrap();
    let names: Vec<_> = monitor.probes.iter().map(|probe| probe.name.as_str()).collect();
    assert_eq!(
        (names, monitor.samples),
        (vec!["Service health", "List endpoint", "Suggestions endpoint"], 11)
    );
}

#[test]
fn an_action_that_consumes_its_entity_gives_each_signer_its_own_and_skips_the_rest() {
    let files = render(&[lens(&FAULTS.replace("payload:", "consumes_entity: true\n  payload:"))]);
    let plan: AcceptancePlan = yaml::read("x", text(&files, "tests/ci/faults_signed_flow_acceptance.yml")).unwrap();
    assert!(plan.scenarios[0].used_up.is_some());
    assert_eq!(
        (plan.scenarios[3].skip.is_none(), plan.scenarios[4].skip.is_some()),
        (true, true)
    );
}

#[test]
fn no_marker_of_a_template_survives_and_output_is_the_same_each_time() {
    let lenses = [lens(FAULTS), lens(BARE)];
    let first = render(&lenses);
    for file in &first {
        for marker in ["[[", "[%", "[#", "{%", "PLACEHOLDER"] {
            assert!(!file.text.contains(marker), "{}: {marker}\n{}", file.path, file.text);
        }
    }
    assert_eq!(first, render(&lenses));
}

#[test]
fn an_undefined_variable_is_an_error_with_file_and_line() {
    let mut set = files();
    set.insert(
        "stress.yml".to_owned(),
        "stress: [[ id ]]\nx: [[ nothing ]]\n".to_owned(),
    );
    let error = TemplateSet::load(set)
        .unwrap()
        .render(&[lens(BARE)], &repo())
        .unwrap_err();
    assert!(
        error.to_string().starts_with("stress.yml:2: undefined value"),
        "{error}"
    );
}

#[test]
fn an_output_outside_the_folder_or_on_another_is_refused() {
    for (path, told) in [
        ("../x.md", "leave the output folder"),
        ("/etc/x", "leave"),
        ("a/../../x", "leave"),
        ("docs/pipeline/PARTS_FEATURE_FLAGS.md", "two outputs"),
    ] {
        let mut set = files();
        let manifest = set[MANIFEST].replace(
            "pins:",
            &format!("  - {{path: \"{path}\", template: feature-flags.md}}\npins:"),
        );
        set.insert(MANIFEST.to_owned(), manifest);
        let error = TemplateSet::load(set)
            .unwrap()
            .render(&[lens(BARE)], &repo())
            .unwrap_err();
        assert!(error.to_string().contains(told), "{path}: {error}");
    }
}

#[test]
fn an_override_changes_the_plan_and_a_wrong_one_is_refused() {
    let good = format!("{BARE}overrides: {{stress: {{targets: [{{name: /v1/actions/list, load: {{burst: 5}}}}]}}}}\n");
    let files = render(&[lens(&good)]);
    let plan: StressPlan = yaml::read("x", text(&files, "tests/stress/parts_actions_endpoints.yml")).unwrap();
    assert_eq!(plan.targets[0].load, Some(crate::plan::load_shape::Load::Burst(5)));
    for bad in [
        "{stress: {targets: [{name: /v1/actions/list, load: {burst: 0}}]}}",
        "{monitor: {probess: []}}",
        "{stress: {verdict: {max_5xx: 3}}}",
    ] {
        let lens = lens(&format!("{BARE}overrides: {bad}\n"));
        assert!(
            TemplateSet::load(super::tests::files())
                .unwrap()
                .render(&[lens], &repo())
                .is_err(),
            "{bad}"
        );
    }
}

#[test]
fn the_lens_file_reads_back_as_the_same_lens() {
    let template = include_str!("../../../lensops/sets/lens.yml");
    for source in [FAULTS, BARE, ORDERS] {
        let lens = lens(source);
        let written = render_lens_file(template, &lens, &Terms::usual("action-router".to_owned())).unwrap();
        let read: Lens = yaml::read("lens.yml", &written).unwrap_or_else(|error| panic!("{error}\n{written}"));
        assert_eq!(read, lens, "{written}");
    }
}

const ORDERS: &str = r#"
lens: orders
template_set: http
flags: [ORDERS_ENABLED]
tenants: [acme]
auth: {key: {header: X-Api-Key, value: $key}}
users:
  viewer: {role: viewer, auth: key, key: {env: VIEWER_KEY}}
  editor: {role: editor, auth: key, key: {env: EDITOR_KEY}}
off: {status: 404}
health: /healthz
endpoints:
  - {name: list, get: "/orders?limit=2", allow: [viewer, editor], stress: {burst: 50}}
  - {name: create, post: /orders, json: {total: 7}, creates: {id: $.data.id}, undo: {delete: /orders/$id}, allow: [editor]}
  - {name: read, get: /orders/$id, allow: [viewer, editor]}
  - {name: change, patch: /orders/$id, json: {total: 8}, allow: [editor]}
"#;

#[test]
fn the_plans_of_endpoints_are_what_a_person_would_write() {
    let (lens, repo) = (lens(ORDERS), repo());
    let set = TemplateSet::load(http_files()).unwrap();
    let files = set.render(std::slice::from_ref(&lens), &repo).unwrap();
    let text = |ending: &str| {
        files
            .iter()
            .find(|file| file.path.ends_with(ending))
            .unwrap()
            .text
            .clone()
    };
    let monitor: MonitorPlan = yaml::read("x", &text("_health_worker.yml")).unwrap();
    assert_eq!(monitor.samples, 21, "the one timed probe supports a P95");
    let probes: Vec<&str> = monitor.probes.iter().map(|probe| probe.name.as_str()).collect();
    assert_eq!(probes, ["Health", "Feature flags", "list"]);
    let accept: AcceptancePlan = yaml::read("x", &text("_acceptance.yml")).unwrap();
    assert!(accept.undefined().is_empty(), "{:?}", accept.undefined());
    let names: Vec<&str> = accept.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "list as viewer",
            "read as viewer",
            "change as editor",
            "list is denied without credentials",
            "create is denied without credentials",
            "create is denied to viewer",
            "read is denied without credentials",
            "change is denied without credentials",
            "change is denied to viewer",
        ]
    );
    assert_eq!((accept.setup.len(), accept.teardown.len()), (1, 1));
    // What is changed is its own, and taken back.
    let change = &accept.scenarios[2].steps;
    assert_eq!(change.len(), 2);
    assert_eq!(change[0].undo.as_ref().unwrap().send.as_str(), "undo_create");
    let stress: StressPlan = yaml::read("x", &text("_endpoints.yml")).unwrap();
    assert_eq!(stress.targets.len(), 1);
    assert!(
        !files.iter().any(|file| file.path == "render.yaml"),
        "nothing says Render"
    );
    let env: Vec<&str> = files
        .iter()
        .flat_map(|file| &file.env)
        .map(|asked| asked.name.as_str())
        .collect();
    assert!(env.contains(&"VIEWER_KEY") && env.contains(&"EDITOR_KEY"), "{env:?}");
}

#[test]
fn users_of_another_tenant_are_asked_for_what_was_made() {
    let mut repo = repo();
    repo.shared.outsiders = yaml::read("x", "other: {role: editor, auth: key, key: {env: OTHER_KEY}}").unwrap();
    let set = TemplateSet::load(http_files()).unwrap();
    let files = set.render(&[lens(ORDERS)], &repo).unwrap();
    let text = &files
        .iter()
        .find(|file| file.path.ends_with("_acceptance.yml"))
        .unwrap()
        .text;
    let accept: AcceptancePlan = yaml::read("x", text).unwrap();
    let outside = accept
        .scenarios
        .iter()
        .filter(|scenario| scenario.name.contains(" other of another tenant"));
    let names: Vec<&str> = outside
        .map(|scenario| scenario.name.split(' ').next().unwrap())
        .collect();
    assert_eq!(names, ["list", "read", "change"]);
    assert!(
        text.contains("{status: [200, 401, 403, 404], lacks: {$..id: $id}}"),
        "{text}"
    );
}

/// What several sets make once is made once, of the lenses of all.
#[test]
fn two_sets_make_one_drift_workflow_and_the_render_entries_of_both() {
    let (http, router) = (
        TemplateSet::load(http_files()).unwrap(),
        TemplateSet::load(files()).unwrap(),
    );
    let repo = RepoContext { render: true, ..repo() };
    let rendered = render_all(&[(&router, vec![lens(FAULTS)]), (&http, vec![lens(ORDERS)])], &repo).unwrap();
    let at = |path: &str| {
        rendered
            .iter()
            .filter(|file| file.path == path)
            .map(|file| file.text.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(at(".github/workflows/lensops-drift.yml").len(), 1);
    let render = at("render.yaml");
    assert!(
        render.len() == 1 && render[0].contains("faults-health-worker") && render[0].contains("orders-health-worker")
    );
    assert!(render[0].contains("- key: EDITOR_KEY"));
}
