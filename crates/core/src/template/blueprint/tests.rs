use super::*;

const RENDERED: &str = "services:
  - type: worker
    name: faults-health-worker
    runtime: docker
    dockerfilePath: ./Dockerfile
    dockerCommand: lensops worker faults
    disk:
      name: faults-health-worker-outbox
      mountPath: /var/lib/lensops
      sizeGB: 1
    envVars:
      - key: HEALTH_CHECK_INTERVAL_MINUTES
        value: \"15\"
      - key: LOG_LEVEL
        value: INFO
      - key: DATABASE_URL
        sync: false
";

fn edited(before: &str, prune: bool) -> String {
    edit(Some(before), RENDERED, prune)
        .unwrap_or_else(|error| panic!("{error}\n{before}"))
        .text
}

#[test]
fn an_absent_file_becomes_the_entries_and_a_second_run_changes_nothing() {
    for before in [None, Some(""), Some("\n")] {
        assert_eq!(edit(before, RENDERED, false).unwrap().text, RENDERED);
    }
    assert_eq!(edited(RENDERED, false), RENDERED);
}

/// Every odd file keeps each of its bytes: what is new is one stretch in between or at the end.
#[test]
fn an_entry_is_added_and_every_other_byte_stays() {
    for before in [
        "services:\n  - type: web # the API\n    name: api\n\n# databases below\ndatabases:\n  - name: db\n",
        "services:\n- type: web\n  name: api\n  envVars:\n  - key: A\n    value: |\n      two\n\n      lines\n",
        "# top\n---\nservices:\n      -   type: web\n          name: api\n          plan: &p starter\n      -   {type: web, name: b, plan: *p}\n",
        "databases: []\n",
        "services:\n  - type: web\n    name: api",
        "# nothing but a remark\n",
        "# top\nservices: # none yet\ndatabases: []\n",
        "x-base: &base {plan: starter}\nservices:\n  - <<: *base\n    type: web\n    name: api\n  # the end\n",
    ] {
        for before in [before.to_owned(), before.replace('\n', "\r\n")] {
            let after = edited(&before, false);
            assert!(after.contains("faults-health-worker"), "{after}");
            let start = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
            let end = (before.bytes().rev().zip(after.bytes().rev()))
                .take_while(|(a, b)| a == b)
                .count();
            assert!(start + end >= before.len(), "not one stretch:\n{after}");
            assert_eq!(after.contains("\r\n"), before.contains("\r\n"), "{after:?}");
            let mixed = before.contains("\r\n") && after.matches('\n').count() != after.matches("\r\n").count();
            assert!(!mixed, "{after:?}");
            assert_eq!(edited(&after, false), after, "a second run");
        }
    }
}

#[test]
fn an_entry_is_brought_up_to_date_and_what_the_owner_added_stays() {
    let before = "services:
- type: worker
  name: faults-health-worker # ours
  plan: starter   # the owner's
  runtime: rust
  buildCommand: cargo install --locked lensops@0.0.1 --root .
  startCommand: ./bin/lensops worker faults
  disk: {name: big, mountPath: /var/lib/lensops, sizeGB: 5}
  envVars:
    # how often
    - key: HEALTH_CHECK_INTERVAL_MINUTES
      value: \"30\"
    - key: LOG_LEVEL
      value: DEBUG
    - key: TEAM
      value: blue
- type: web
  name: api
";
    let after = edited(before, false);
    let expected = "services:
- type: worker
  name: faults-health-worker # ours
  plan: starter   # the owner's
  runtime: docker
  disk: {name: big, mountPath: /var/lib/lensops, sizeGB: 5}
  envVars:
    # how often
    - key: HEALTH_CHECK_INTERVAL_MINUTES
      value: \"15\"
    - key: LOG_LEVEL
      value: DEBUG
    - key: TEAM
      value: blue
    - key: DATABASE_URL
      sync: false
  dockerfilePath: ./Dockerfile
  dockerCommand: lensops worker faults
- type: web
  name: api
";
    assert_eq!(after, expected);
    assert_eq!(edited(&after, false), after);
}

#[test]
fn a_service_of_no_lens_is_told_and_pruned_when_asked() {
    let gone = RENDERED.replace("faults", "gone").replace("services:\n", "");
    let before = format!("{RENDERED}{gone}  # the API\n  - type: web\n    name: api\n");
    let left = edit(Some(&before), RENDERED, false).unwrap();
    assert_eq!(
        (left.text.as_str(), left.orphans.as_slice()),
        (before.as_str(), ["gone-health-worker".to_owned()].as_slice())
    );
    let pruned = edit(Some(&before), RENDERED, true).unwrap();
    assert_eq!(pruned.text, before.replace(&gone, ""));
    assert!(pruned.orphans.is_empty());
}

#[test]
fn what_cannot_be_edited_safely_is_refused_with_the_reason() {
    for (before, why) in [
        ("services: [{type: web, name: api}]\n", "written on one line"),
        ("services: many\n", "no list"),
        ("- a\n- b\n", "no mapping"),
        ("services:\n  - type: web\n   name: api\n", "render.yaml:"),
        (
            "services:\n  - {type: worker, name: faults-health-worker, runtime: rust}\n",
            "does not open with a key",
        ),
        ("a: 1\n---\nservices: []\n", "render.yaml"),
        (
            "services:\n  - runtime: rust\n    type: worker\n    name: faults-health-worker\n    dockerfilePath: ./Dockerfile\n    dockerCommand: lensops worker faults\n",
            "`runtime` opens an entry",
        ),
    ] {
        let error = edit(Some(before), RENDERED, false).unwrap_err();
        assert!(error.to_string().contains(why), "{before}: {error}");
    }
}
