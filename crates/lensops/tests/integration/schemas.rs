//! Published schemas: they are what the types say, and what is generated fits them.

use std::path::Path;

use lensops::commands::generate::schemas::all;
use lensops_sandbox::Dialect;
use serde_json::Value;

use crate::harness::{FAULTS, Project, sandbox};

#[test]
fn the_published_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    for (name, schema) in all() {
        let path = folder.join(format!("{name}.schema.json"));
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == lensops::commands::generate::schemas::text(&schema),
            "{} is not what the types say: `cargo run -- schema --out schemas`",
            path.display()
        );
    }
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference");
    for (name, schema) in all() {
        let page = std::fs::read_to_string(pages.join(format!("{name}.md"))).unwrap_or_default();
        assert!(
            page == lensops::commands::generate::schemas::reference(name, &schema),
            "docs/src/reference/{name}.md is not what the types say: `cargo run -- schema --reference docs/src/reference`"
        );
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), all().len());
}

/// A validator that is not ours agrees that generated files fit their schemas, and can say no.
#[test]
fn generated_files_fit_their_schemas_and_others_do_not() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    for (name, path, key) in [
        ("lens", "lenses/faults.yml", "roles:"),
        ("monitor-plan", "tools/ops/monitors/faults_health_worker.yml", "probes:"),
        (
            "acceptance-plan",
            "tests/ci/faults_signed_flow_acceptance.yml",
            "scenarios:",
        ),
        ("stress-plan", "tests/stress/faults_actions_endpoints.yml", "targets:"),
    ] {
        let (_, schema) = all().into_iter().find(|(known, _)| *known == name).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let text = project.read(path);
        assert!(
            text.contains(&format!("{name}.schema.json\n")),
            "{path} does not name its schema"
        );
        let value = lensops_core::yaml::read(path, &text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{path}: {errors:#?}");
        let wrong = lensops_core::yaml::read(path, &text.replace(key, "unheard_of:")).unwrap();
        assert!(!validator.is_valid(&wrong), "{path} without {key} still fits");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_results_of_runs_fit_their_schemas_and_others_do_not() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    for (name, command, key) in [
        ("case-results", "accept faults --json", "cases"),
        ("case-results", "matrix faults --registry actions.json --json", "cases"),
        ("stress-results", "stress faults --json", "targets"),
    ] {
        project.write("actions.json", include_str!("../../../sandbox/data/actions.json"));
        let (_, schema) = all().into_iter().find(|(known, _)| *known == name).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut results: Value = serde_json::from_str(&project.run(command).out).unwrap();
        assert!(!results[key].as_array().unwrap().is_empty(), "{command}");
        let errors: Vec<String> = validator.iter_errors(&results).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{command}: {errors:#?}");
        results[key][0]["name"] = Value::Null;
        assert!(
            !validator.is_valid(&results),
            "{command}: a result without a name still fits"
        );
    }
}

#[test]
fn what_no_plan_could_take_is_told_where_the_lens_says_it() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let overrides = "overrides:
  monitor:
    probes:
      - name: List endpoint
        timde: true
    slo: {p95_ms: {warn: many}}
  stress:
    targets:
      - {name: x, load: {brust: 5}}
";
    let text = project.read("lenses/faults.yml");
    project.write("lenses/faults.yml", &format!("{text}{overrides}"));
    let told = project.run("generate").expect(2).err;
    for expected in [
        "did you mean \"timed\"?",
        "\"warn\" is a number, not text",
        "did you mean \"burst\"?",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(told.matches("lenses/faults.yml:").count(), 3, "{told}");
}

#[test]
fn overrides_that_no_plan_can_run_with_are_told_together_where_the_lens_says_them() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let overrides = "overrides:
  monitor: {probes: [{name: List endpoint, as: nobody}]}
  stress: {targets: [{name: /v1/actions/list, load: {burst: 0}}]}
";
    let text = project.read("lenses/faults.yml");
    project.write("lenses/faults.yml", &format!("{text}{overrides}"));
    let told = project.run("generate").expect(2).err;
    assert_eq!(told.matches("lenses/faults.yml:").count(), 2, "{told}");
    assert!(
        told.contains("overrides.monitor: ") && told.contains("\"nobody\""),
        "{told}"
    );
    assert!(told.contains("overrides.stress: "), "{told}");
}

#[test]
fn all_mistakes_of_a_lens_are_told_at_once_with_their_places() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let text = project.read("lenses/faults.yml");
    let broken = text
        .replace("roles:", "rolse:")
        .replace("every: 15m", "every: soon")
        .replace("domain: faults", "domain: 'fau lts'");
    project.write("lenses/faults.yml", &broken);
    let told = project.run("generate").expect(2).err;
    for expected in [
        "lacks \"roles\"",
        "domain\": name \"fau lts\" is not valid",
        "has no key \"rolse\": did you mean \"roles\"?",
        "\"every\": ",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(told.matches("faults.yml:").count() >= 4, "{told}");
    // What only the whole lens can say comes with its place too.
    project.write(
        "lenses/faults.yml",
        &text
            .replace("captain, hod]", "captian, hod]")
            .replace("warn: 2000", "warn: 99999"),
    );
    let told = project.run("generate").expect(2).err;
    assert!(
        told.contains("signer captian is no user (did you mean \"captain\"?)"),
        "{told}"
    );
    assert!(
        told.contains("slo.p95_ms needs 0 <= warn <= fail") && told.matches("faults.yml:").count() == 2,
        "{told}"
    );
    project.run("schema lnes").expect(2);
}
