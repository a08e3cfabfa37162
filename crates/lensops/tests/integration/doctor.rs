//! The doctor: each thing that would bite is found, with its place and its fix, and nothing is left behind.

use std::process::Command;

use lensops_sandbox::{Dialect, Faults, Sandbox};
use serde_json::{Value, json};

use crate::fixture::NORTH;
use crate::harness::{Project, Ran, sandbox};
use crate::pg::Database;

fn project(sandbox: &Sandbox) -> Project {
    let mut project = Project::with_faults(sandbox);
    for (name, value) in [
        ("RENDER_API_URL", sandbox.url()),
        ("RENDER_API_KEY", sandbox.config().provider_key.clone()),
        ("RENDER_SERVICE_ID", "srv-made-up".to_owned()),
        ("PATH", std::env::var("PATH").unwrap()),
    ] {
        project.env.insert(name.to_owned(), value);
    }
    track(&project);
    project
}

/// Puts every file of the project under git.
fn track(project: &Project) {
    for arguments in [&["init", "-q", "-b", "main"][..], &["add", "-A"]] {
        let status = Command::new("git")
            .arg("-C")
            .arg(project.root())
            .args(arguments)
            .status()
            .unwrap();
        assert!(status.success(), "{arguments:?}");
    }
}

/// Findings of that kind: what, where and fix in one text each.
fn findings(ran: &Ran, kind: &str) -> Vec<String> {
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    let all = said["findings"].as_array().unwrap().iter();
    let of_kind = all.filter(|finding| finding["kind"] == kind);
    let text = |finding: &Value| {
        let part = |name: &str| {
            finding[name]
                .as_str()
                .filter(|text| !text.is_empty())
                .unwrap()
                .to_owned()
        };
        format!("{} | {} | {}", part("what"), part("place"), part("fix"))
    };
    of_kind.map(text).collect()
}

#[track_caller]
fn finds(ran: &Ran, kind: &str, wanted: &str) {
    let found = findings(ran, kind);
    assert!(
        found.iter().any(|finding| finding.contains(wanted)),
        "{wanted:?} is not in {found:#?}\n{}",
        ran.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_project_is_clean_and_says_what_was_looked_at() {
    let sandbox = sandbox(Dialect::Documented).await;
    let ran = project(&sandbox).run("doctor").expect(0);
    for good in [
        "the API takes our token and refuses one of another secret",
        "user crew of lens faults is known in tenant",
        "flag FAULT_LENS_V1_ENABLED is known at the provider",
        "no secret stands in a tracked file",
        "this clock and that of the API agree",
    ] {
        assert!(ran.out.contains(good), "{good}: {}", ran.out);
    }
    assert_eq!(sandbox.audit().len(), 0, "the doctor changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_another_environment_swapped_or_tracked_are_errors() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = project(&sandbox);
    sandbox.set_faults(serde_json::from_value::<Faults>(json!({"stale_jwt_secret": true})).unwrap());
    let ran = project.run("doctor --json").expect(1);
    finds(
        &ran,
        "error",
        "the API refuses our token (401): the signing secret belongs to another environment",
    );
    sandbox.set_faults(Faults::default());
    let secret = project.env["TENANT_SUPABASE_JWT_SECRET"].clone();
    project.write("notes.md", &format!("remember\nsecret = {secret}\n"));
    track(&project);
    let ran = project.run("doctor --json").expect(1);
    finds(
        &ran,
        "error",
        "the value of TENANT_SUPABASE_JWT_SECRET stands in a tracked file | notes.md:2",
    );
    assert!(!ran.out.contains(&secret));
    // A key in the place of the secret. Its payload is {"role":"anon"}.
    let key = ["eyJhbGciOiJIUzI1NiJ9", "eyJyb2xlIjoiYW5vbiJ9", "made-up"].join(".");
    project.env.insert("TENANT_SUPABASE_JWT_SECRET".to_owned(), key.clone());
    project.env.insert("SUPABASE_SERVICE_KEY".to_owned(), key);
    finds(
        &project.run("doctor --json").expect(1),
        "error",
        "holds a key, not the secret that keys are signed with",
    );
    project.env.insert("TENANT_SUPABASE_JWT_SECRET".to_owned(), secret);
    finds(
        &project.run("doctor --json").expect(1),
        "error",
        "SUPABASE_SERVICE_KEY holds the anon key: it may not insert",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_out_of_reach_unknown_users_and_missing_entities_are_found() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = project(&sandbox);
    sandbox.set_faults(serde_json::from_value::<Faults>(json!({"refuse_connections": true})).unwrap());
    let ran = project.run("doctor --json").expect(1);
    finds(&ran, "error", "it cannot be reached");
    finds(&ran, "unjudged", "the clock was compared with none");
    sandbox.set_faults(Faults::default());
    let lens = project.read("lenses/faults.yml");
    let stranger = "7672d3d4-fe80-5fb8-80e2-58b12b95d5b7";
    project.write(
        "lenses/faults.yml",
        &lens.replace("7672d3d4-fe80-5fb8-80e2-58b12b95d5b6", stranger).replace(
            "a1bcc3d4-8832-5f43-b4d0-d845c74c9637",
            "a1bcc3d4-8832-5f43-b4d0-d845c74c9638",
        ),
    );
    project.run("generate").expect(0);
    let ran = project.run("doctor --json").expect(1);
    finds(
        &ran,
        "error",
        &format!("user captain ({stranger}, captain) does not see what it should"),
    );
    finds(
        &ran,
        "warning",
        "the test entity of tenant 53fbdf09-b709-509d-aad0-3a6f50239a5d is not there: 404 NOT_FOUND",
    );
    project.write(
        "lenses/faults.yml",
        &lens.replace(
            "53fbdf09-b709-509d-aad0-3a6f50239a5d",
            "00000000-0000-0000-0000-000000000001",
        ),
    );
    finds(&project.run("doctor --json").expect(1), "error", "is the placeholder");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_that_are_off_or_nowhere_and_stale_plans_are_warnings() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = project(&sandbox);
    sandbox.set_flag("FAULT_LENS_SIGNED_ACTIONS_ENABLED", "false");
    let lens = project.read("lenses/faults.yml");
    project.write(
        "lenses/faults.yml",
        &lens.replace("FAULT_LENS_SUGGESTIONS_ENABLED", "FAULT_LENS_UNHEARD_OF"),
    );
    let ran = project.run("doctor --json").expect(4);
    finds(&ran, "warning", "was generated from an older lens file");
    finds(
        &ran,
        "warning",
        "flag FAULT_LENS_SIGNED_ACTIONS_ENABLED of lens faults is off",
    );
    project.run("generate").expect(0);
    finds(
        &project.run("doctor --json").expect(4),
        "warning",
        "FAULT_LENS_UNHEARD_OF of lens faults is not at the provider",
    );
    project.env.remove("RENDER_API_KEY");
    finds(
        &project.run("doctor --json").expect(4),
        "warning",
        "flags are not judged: RENDER_API_KEY is not set",
    );
    project
        .env
        .insert("RENDER_API_KEY".to_owned(), "a-revoked-key".to_owned());
    finds(
        &project.run("doctor --json").expect(1),
        "error",
        "the provider refuses RENDER_API_KEY (401)",
    );
    let render = project.read("render.yaml");
    let (before, after) = render.split_once("    disk:").unwrap();
    let (_, after) = after.split_once("    envVars:").unwrap();
    project.write("render.yaml", &format!("{before}    envVars:{after}"));
    finds(
        &project.run("doctor --json").expect(1),
        "warning",
        "has no lasting disk",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_proved_to_take_checks_and_keeps_none() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = project(&sandbox);
    let database = Database::migrated().await;
    project.env.insert("DATABASE_URL".to_owned(), database.url.clone());
    let ran = project.run("doctor --json").expect(1);
    finds(&ran, "error", "a check of this tenant would be refused");
    database
        .run(&format!("INSERT INTO yacht_registry (id) VALUES ('{NORTH}')"))
        .await;
    let ran = project.run("doctor").expect(0);
    for good in [
        "inserting works (rolled back)",
        "this clock and that of the database agree",
        "are in yacht_registry",
    ] {
        assert!(ran.out.contains(good), "{good}: {}", ran.out);
    }
    assert_eq!(database.number("SELECT count(*) FROM pms_health_checks").await, 0);
    database
        .run("REVOKE INSERT ON pms_health_checks FROM service_role")
        .await;
    finds(
        &project.run("doctor --json").expect(1),
        "error",
        "the key may not insert: permission denied",
    );
    database.run("DROP TABLE pms_health_checks CASCADE").await;
    finds(&project.run("doctor --json").expect(1), "error", "pms_health_checks");
    project.env.insert(
        "DATABASE_URL".to_owned(),
        "postgresql://app:made-up@127.0.0.1:1/x".to_owned(),
    );
    let ran = project.run("doctor --json").expect(1);
    finds(&ran, "error", "the database cannot be asked");
    assert!(!ran.out.contains("made-up@"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_store_is_proved_to_take_checks_and_keeps_none() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = project(&sandbox);
    project.env.insert("TENANT_SUPABASE_URL".to_owned(), sandbox.url());
    project
        .env
        .insert("SUPABASE_SERVICE_KEY".to_owned(), sandbox.config().service_key.clone());
    let ran = project.run("doctor --json").expect(4);
    assert!(
        ran.out.contains("inserting over REST works, and leaves nothing"),
        "{}",
        ran.out
    );
    assert_eq!(sandbox.rows("pms_health_checks").len(), 0);
    for (fault, said) in [
        ("store_forbidden", "the key may not insert"),
        ("store_missing_table", "PGRST205"),
    ] {
        sandbox.set_faults(serde_json::from_value::<Faults>(json!({fault: true})).unwrap());
        finds(&project.run("doctor --json").expect(1), "error", said);
    }
    sandbox.set_faults(serde_json::from_value::<Faults>(json!({"store_down": true})).unwrap());
    finds(
        &project.run("doctor --json").expect(4),
        "unjudged",
        "whether the store takes checks could not be told: 503",
    );
    sandbox.set_faults(Faults::default());
    project
        .env
        .insert("SUPABASE_SERVICE_KEY".to_owned(), "another-made-up-key".to_owned());
    finds(
        &project.run("doctor --json").expect(1),
        "error",
        "the store refuses the key: 401",
    );
}

#[test]
fn an_empty_folder_is_an_error_with_its_fix_and_not_a_crash() {
    let ran = Project::empty().run("doctor --json").expect(1);
    finds(&ran, "error", "API_BASE_URL is not set");
    finds(&ran, "unjudged", "the API was not asked");
    finds(&ran, "warning", "there is no lens file");
}

/// Today: `user … is known`, for users whose ids are one another's.
#[tokio::test(flavor = "multi_thread")]
async fn f2_users_that_are_swapped_are_found_by_the_role_that_the_api_shows() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = project(&sandbox);
    let (hod, crew) = (
        "11c093fe-0652-50b4-bb47-559c1c185f8a",
        "eb3fdfe4-81e3-53a5-b423-fd13884b12e8",
    );
    let lens = project.read("lenses/faults.yml");
    let swapped = lens.replace(hod, "HOD").replace(crew, hod).replace("HOD", crew);
    project.write("lenses/faults.yml", &swapped);
    project.run("generate").expect(0);
    let ran = project.run("doctor --json").expect(1);
    finds(
        &ran,
        "error",
        "user crew of lens faults is chief_engineer in tenant 53fbdf09-b709-509d-aad0-3a6f50239a5d, and the lens says crew",
    );
}

/// Today: three findings for one cause, each with "check the domain and the role".
#[tokio::test(flavor = "multi_thread")]
async fn f3_a_list_that_fails_is_one_finding_with_the_fix_that_follows() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = project(&sandbox);
    let faults = json!({"rules": [{"path": "/v1/actions/list", "act": {"status": {"code": 500}}}]});
    sandbox.set_faults(serde_json::from_value::<Faults>(faults).unwrap());
    let ran = project.run("doctor --json").expect(1);
    let errors = findings(&ran, "error");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    finds(&ran, "error", "GET /v1/actions/list is answered with 500 | ");
    finds(&ran, "error", "look into the service's log");
}
