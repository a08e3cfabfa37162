//! The gate over files: what `lensops simulate` and `lensops export` write, read back and decided.

use std::fs;

use serde_json::{Value, json};

use crate::harness::Project;

/// Every line of what was printed.
fn answers(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn simulated(project: &Project, kinds: &str) {
    project
        .run(&format!("simulate {kinds} --seed 3 --lens faults"))
        .expect(0);
}

#[test]
fn one_line_a_file_lens_and_tenant_and_the_schema_knows_it() {
    let project = Project::empty();
    simulated(&project, "healthy errors_20 switched_off missing_30 maintenance");
    let ran = project.run("gate faults --history simulated --json").expect(0);
    let answers = answers(&ran.out);
    let decisions: Vec<(&str, &str)> = answers
        .iter()
        .map(|answer| {
            let file = answer["file"].as_str().unwrap();
            let name = file.rsplit('/').next().unwrap().split('-').next().unwrap();
            (name, answer["decision"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        decisions,
        [
            ("errors_20", "roll_back"),
            ("healthy", "proceed"),
            ("maintenance", "proceed"),
            ("missing_30", "not_enough_data"),
            ("switched_off", "investigate"),
        ]
    );
    let (_, schema) = lensops_core::schema::all()
        .into_iter()
        .find(|(name, _)| *name == "gate")
        .unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for answer in &answers {
        assert!(validator.is_valid(answer), "{answer}");
        assert_eq!(
            (&answer["lens"], &answer["policy"]),
            (&json!("faults"), &json!("statistical"))
        );
        assert!(
            answer["tenant"].is_string() && answer["at"] == "2026-01-19T00:00:00Z",
            "{answer}"
        );
        for criterion in answer["criteria"].as_array().unwrap() {
            assert!(
                criterion["sentence"].as_str().is_some_and(|text| !text.is_empty()),
                "{criterion}"
            );
        }
    }
}

#[test]
fn one_decision_ends_with_its_own_code_and_a_file_that_cannot_be_read_with_2() {
    let project = Project::empty();
    simulated(&project, "healthy errors_20 switched_off missing_30");
    for (kind, code) in [("healthy", 0), ("errors_20", 1), ("missing_30", 3), ("switched_off", 4)] {
        for form in ["", " --explain", " --markdown"] {
            let line = format!("gate faults --history simulated/{kind}-3-00000.jsonl{form}");
            project.run(&line).expect(code);
        }
    }
    fs::write(project.path("simulated/broken.jsonl"), "{\"id\": \n").unwrap();
    let ran = project.run("gate faults --history simulated --json").expect(2);
    assert_eq!(answers(&ran.out).len(), 4, "the others are decided");
    assert!(ran.err.contains("broken.jsonl: line 1 is no JSON"), "{}", ran.err);
    // Another lens, and nothing at all.
    fs::write(project.path("empty.jsonl"), "").unwrap();
    for line in [
        "gate faults --history empty.jsonl --json",
        "gate parts --history simulated/healthy-3-00000.jsonl --json",
    ] {
        let answer = answers(&project.run(line).expect(3).out).swap_remove(0);
        assert_eq!(
            (&answer["decision"], &answer["tenant"]),
            (&json!("not_enough_data"), &Value::Null)
        );
    }
}

/// Slots are those of `due_at`, else of `observed_at`; an id says nothing of them. Time stands in `--at`.
#[test]
fn a_history_of_another_tool_needs_no_ids_and_is_asked_at_any_time() {
    let project = Project::empty();
    simulated(&project, "errors_20");
    let file = project.path("simulated/errors_20-3-00000.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let mut lines: Vec<Value> = answers(&text);
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        for key in ["id", "due_at", "every", "samples", "events"] {
            line.remove(key);
        }
    }
    lines.reverse();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(project.path("other.jsonl"), text).unwrap();
    let of = |line: &str, code| answers(&project.run(line).expect(code).out).swap_remove(0);
    let (whole, other) = (
        of("gate faults --history simulated/errors_20-3-00000.jsonl --json", 1),
        of("gate faults --history other.jsonl --json", 1),
    );
    for key in ["at", "decision", "slots", "covered", "criteria"] {
        assert_eq!(whole[key], other[key], "{key}");
    }
    // The first week is healthy.
    let early = of("gate faults --history other.jsonl --at 2026-01-12T00:00:00Z --json", 0);
    assert_eq!(early["decision"], "proceed");
}

/// F7 and the gate: what a line annuls is left out, as what is muted is.
#[test]
fn what_is_annulled_in_a_file_is_left_out_as_what_is_muted() {
    let project = Project::empty();
    simulated(&project, "errors_20");
    let text = fs::read_to_string(project.path("simulated/errors_20-3-00000.jsonl")).unwrap();
    let lines = answers(&text);
    let (mut annulled, mut muted) = (lines.clone(), lines.clone());
    for (line, place) in lines.iter().zip(0..) {
        if line["notes"]["endpoints"]
            .as_object()
            .unwrap()
            .values()
            .any(|of| of["failed"] != 0)
        {
            let mut by = line.clone();
            by["id"] = json!(format!("00000000-0000-8000-8000-{place:012}"));
            by["notes"] = json!({"muted": {"why": "annulled", "reason": "a load test", "annuls": line["id"]}});
            annulled.push(by);
            muted[place]["notes"]["muted"] = json!({"why": "paused", "reason": "a load test"});
        }
    }
    let mut said = Vec::new();
    for (name, lines) in [("annulled", annulled), ("muted", muted)] {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(project.path(&format!("{name}.jsonl")), text).unwrap();
        let ran = project.run(&format!("gate faults --history {name}.jsonl --json"));
        let mut answer = answers(&ran.out).swap_remove(0);
        assert!(answer["left_out"].as_u64().unwrap() > 0, "{answer}");
        answer["file"] = Value::Null;
        said.push(answer);
    }
    assert_eq!(said[0], said[1]);
}

#[test]
fn a_backtest_says_every_hour_what_would_have_been_said_beside_what_was_recorded() {
    let project = Project::empty();
    simulated(&project, "errors_20");
    let line = "gate faults --history simulated/errors_20-3-00000.jsonl --backtest";
    let hours = answers(&project.run(&format!("{line} --json")).expect(0).out);
    assert_eq!(hours.len(), 169);
    assert_eq!(
        (&hours[0]["decision"], &hours[168]["decision"]),
        (&json!("proceed"), &json!("roll_back"))
    );
    assert!(hours[168]["unhealthy"].as_u64().unwrap() > 0);
    let told = project.run(line).expect(0).out;
    assert_eq!(told.lines().count(), 169);
    assert!(told.starts_with("2026-01-1") && told.contains("unhealthy: "), "{told}");
}

/// A lens without `gate` stays strict and says what statistical would; `lensops.yml` decides for lenses that do not say.
#[test]
fn the_policy_is_the_lens_s_then_the_project_s_then_strict() {
    let project = Project::empty();
    simulated(&project, "maintenance");
    let file = "gate faults --history simulated/maintenance-3-00000.jsonl";
    for (policy, code, told) in [("strict", 1, true), ("statistical", 0, false)] {
        fs::write(project.path("lensops.yml"), format!("gate: {{policy: {policy}}}\n")).unwrap();
        let ran = project.run(file).expect(code);
        assert_eq!(ran.out.contains("statistical would say proceed"), told, "{}", ran.out);
    }
    fs::write(project.path("lensops.yml"), "gate: {policy: lenient}\n").unwrap();
    project.run(file).expect(2);
}

#[test]
fn the_same_seed_makes_the_same_files_and_the_same_table() {
    let project = Project::empty();
    let table = |threads: &str| {
        project
            .run(&format!("simulate weak_spike --table --count 2 --seed 5{threads}"))
            .expect(0)
            .out
    };
    assert_eq!(table(""), table(""));
    simulated(&project, "flap");
    let first = fs::read(project.path("simulated/flap-3-00000.jsonl")).unwrap();
    simulated(&project, "flap");
    assert_eq!(fs::read(project.path("simulated/flap-3-00000.jsonl")).unwrap(), first);
}
