//! Bad input: one line that names what, where and the way out; exit code 2; nothing half-done.

use crate::harness::{FAULTS, Project};

/// Runs each command in a project of the faults lens and looks for what it must say.
#[test]
fn bad_input_is_told_in_one_line_and_changes_nothing() {
    let faults = FAULTS.to_owned();
    let uuid = "53fbdf09-b709-509d-aad0-3a6f50239a5d";
    let table = [
        (
            "quote in a lens id",
            faults.replace("--lens-id faults", "--lens-id fau\"lts"),
            "lens id \"fau\\\"lts\" is not valid",
        ),
        (
            "path in a lens id",
            faults.replace("--lens-id faults", "--lens-id ../faults"),
            "lens id \"../faults\" is not valid",
        ),
        (
            "placeholder tenant",
            faults
                .replace("--lens-id faults", "--lens-id other")
                .replace(uuid, "00000000-0000-0000-0000-000000000000"),
            "--allow-placeholders",
        ),
        (
            "no uuid",
            faults.replace(uuid, "53fbdf09-b709-509d-aad0-3a6f50239a5x"),
            "--yacht-id",
        ),
        ("unknown option", "generate --lens faults".to_owned(), "--lens"),
        (
            "bad flag name",
            faults.replace("FAULT_LENS_V1_ENABLED,", &format!("{},", "X".repeat(201))),
            "--feature-flags",
        ),
        (
            "signed action without its type",
            "generate --lens-id x --domain x --roles crew --signed-action s --entity-id-key k".to_owned(),
            "--entity-type",
        ),
        (
            "type without signed action",
            "generate --lens-id x --domain x --roles crew --entity-type t".to_owned(),
            "--signed-action",
        ),
        ("unknown lens", "check nobody".to_owned(), "there are plans of faults"),
        (
            "missing plan",
            "check --plan nowhere.yml".to_owned(),
            "nowhere.yml cannot be read",
        ),
        ("missing address", "check faults".to_owned(), "API_BASE_URL is not set"),
        (
            "missing secret",
            "check faults --api-url http://127.0.0.1:9".to_owned(),
            "TENANT_SUPABASE_JWT_SECRET is not set",
        ),
        (
            "missing secret for accept",
            "accept faults --api-url http://127.0.0.1:9".to_owned(),
            "STAGING_JWT_SECRET or TENANT_SUPABASE_JWT_SECRET is not set",
        ),
        (
            "no address",
            "stress faults --api-url ftp://x".to_owned(),
            "is not an API address",
        ),
        (
            "unknown dialect",
            "accept faults --api-url http://127.0.0.1:9 --dialect documentd".to_owned(),
            "did you mean \"documented\"?",
        ),
        (
            "bad window",
            "gate faults --window soon".to_owned(),
            "\"soon\" is not a valid duration",
        ),
        ("bad time", "gate faults --at yesterday".to_owned(), "--at"),
        ("no manifest", "evidence verify .".to_owned(), "holds no manifest.json"),
        (
            "sandbox without its secret",
            "sandbox --port 0 --control-port 0".to_owned(),
            "TENANT_SUPABASE_JWT_SECRET is not set",
        ),
        ("no command", String::new(), "Usage"),
    ];
    for (what, arguments, told) in table {
        let project = Project::empty();
        project.run(FAULTS).expect(0);
        let before = project.files();
        let ran = project.run(&arguments);
        assert_eq!(ran.code, 2, "{what}: {}\n{}", ran.out, ran.err);
        assert!(ran.err.contains(told), "{what}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{what}: {}", ran.err);
        let mistake = ran
            .err
            .lines()
            .filter(|line| !line.starts_with('⚠') && !line.contains(" come") && !line.starts_with("  tip: "))
            .count();
        assert!(
            mistake == 1 || arguments.is_empty(),
            "{what} takes one line: {}",
            ran.err
        );
        assert_eq!(project.files(), before, "{what}: nothing may be left behind");
    }
}

#[test]
fn mistakes_in_files_are_told_with_file_line_and_column() {
    let lens = "lenses/faults.yml";
    let table = [
        (
            "unknown field",
            lens,
            "domain: faults",
            "domain: faults\ndomian: x",
            "lenses/faults.yml:5:1: the file has no key \"domian\": did you mean \"domain\"?",
        ),
        (
            "duplicate key",
            lens,
            "domain: faults",
            "domain: faults\ndomain: x",
            "lenses/faults.yml:5:1: the file has the key \"domain\" twice",
        ),
        ("wrong type", lens, "every: 15m", "every: [1]", "lenses/faults.yml:"),
        (
            "no interval",
            lens,
            "every: 15m",
            "every: soon",
            "is not a valid duration",
        ),
        (
            "bad id",
            lens,
            "7672d3d4-fe80-5fb8-80e2-58b12b95d5b6",
            "7672d3d4",
            "lenses/faults.yml:",
        ),
        (
            "unknown signer",
            lens,
            "signers: [captain, hod]",
            "signers: [captain, nobody]",
            "--user nobody=ROLE:ID",
        ),
        (
            "other name",
            lens,
            "lens: faults",
            "lens: parts",
            "rename it to parts.yml",
        ),
        (
            "broken yaml",
            lens,
            "domain: faults",
            "domain: \"faults",
            "lenses/faults.yml:",
        ),
        (
            "project file",
            "lensops.yml",
            "",
            "tenant: []\n",
            "lensops.yml:1:1: the file has no key \"tenant\": did you mean \"tenants\"?",
        ),
    ];
    for (what, file, from, to, told) in table {
        let project = Project::empty();
        project.run(FAULTS).expect(0);
        let text = if from.is_empty() {
            to.to_owned()
        } else {
            project.read(file).replace(from, to)
        };
        project.write(file, &text);
        let before = project.files();
        let ran = project.run("generate");
        assert_eq!(ran.code, 2, "{what}: {}\n{}", ran.out, ran.err);
        assert!(ran.err.contains(told), "{what}: {}", ran.err);
        assert_eq!(project.files(), before, "{what}");
    }
}

#[test]
fn mistakes_in_plans_are_refused_before_anything_is_sent() {
    let table = [
        (
            "5xx expected",
            "expect: {status: 200, json: true}",
            "expect: {status: 500}",
            "a 5xx is always a failure",
        ),
        ("unknown user", "as: hod", "as: nobody", "names user \"nobody\""),
        ("no probes", "probes:", "probes: []\nrest:", "rest"),
        ("no samples", "samples: 7", "samples: 0", "take 1 to 1000 samples"),
        ("bad path", "$.handlers_loaded,", "\"$.[\",", "JSONPath"),
    ];
    for (what, from, to, told) in table {
        let project = Project::empty();
        project.run(FAULTS).expect(0);
        let plan = "tools/ops/monitors/faults_health_worker.yml";
        project.write(plan, &project.read(plan).replace(from, to));
        let ran = project.run("check faults --api-url http://127.0.0.1:9");
        assert_eq!(ran.code, 2, "{what}: {}\n{}", ran.out, ran.err);
        assert!(ran.err.contains(told), "{what}: {}", ran.err);
        assert!(!project.path(".lensops").exists(), "{what}");
    }
}

#[tokio::test]
async fn an_occupied_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut project = Project::empty();
    project
        .env
        .insert("TENANT_SUPABASE_JWT_SECRET".to_owned(), "a made-up secret".to_owned());
    let ran = project
        .run(&format!("sandbox --port {port} --control-port 0"))
        .expect(2);
    assert!(ran.err.contains(&port.to_string()), "{}", ran.err);
}

#[test]
fn the_demo_does_not_touch_a_folder_that_is_not_its_own() {
    let project = Project::empty();
    project.write("mine/precious.txt", "x");
    let ran = project.run("demo --once --dir mine").expect(2);
    assert!(ran.err.contains("--dir"), "{}", ran.err);
    assert_eq!(project.read("mine/precious.txt"), "x");
}
