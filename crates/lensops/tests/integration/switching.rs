//! Flags at their providers, rollback and restore: what is switched, recorded, repeated and resumed.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use lensops::flags::{COMMAND_PATIENCE, Provider, RenderProvider, SharedFlags};
use lensops::http::{Client, TIMEOUT};
use lensops::store::{Journal, Progress, Rollback, Switch};
use lensops_core::duration::Every;
use lensops_core::exchange::Base;
use lensops_core::ident::FlagName;
use lensops_core::secret::Secret;
use lensops_sandbox::{Dialect, Faults, Sandbox};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Project, sandbox};

const FLAG: &str = "FAULT_LENS_V1_ENABLED";

fn at_provider(sandbox: &Sandbox) -> Project {
    let mut project = Project::at_provider(sandbox);
    project.env.insert("USER".to_owned(), "ada".to_owned());
    project
}

fn faults(sandbox: &Sandbox, faults: Value) {
    sandbox.set_faults(serde_json::from_value::<Faults>(faults).unwrap());
}

/// How often the provider was told something: variables set, deploys.
fn told(sandbox: &Sandbox) -> (usize, usize) {
    let requests = sandbox.requests();
    let count = |method: &str| {
        let of = |seen: &&lensops_sandbox::Seen| seen.method == method && seen.target.starts_with("/v1/services/");
        requests.iter().filter(of).count()
    };
    (count("PUT"), count("POST"))
}

async fn recorded(project: &Project) -> Vec<Rollback> {
    let journal = Journal::open(&project.path(".lensops/journal.db")).await.unwrap();
    let found = journal.rollbacks().await.unwrap();
    journal.close().await;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_seen_at_the_api_recorded_shown_as_paused_and_safe_to_repeat() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = at_provider(&sandbox);
    project.run("check faults").expect(0);
    let plan = project.run("rollback faults --reason slow --dry-run").expect(0).out;
    assert!(plan.contains(&format!("Would set {FLAG} from true to false")), "{plan}");
    assert_eq!(
        (told(&sandbox), recorded(&project).await.len()),
        ((0, 0), 0),
        "a dry run does nothing"
    );
    let ran = project.run("rollback faults --reason slow").expect(0).out;
    let seen = "✅ faults: the API answers 503 FEATURE_DISABLED (Suggestions endpoint); still answered, so not gated by this flag: List endpoint, Read action\n";
    assert!(ran.contains(seen), "{ran}");
    assert!(ran.contains("paused: {reason: \"slow\", since: "), "{ran}");
    let entry = recorded(&project).await.remove(0);
    assert_eq!(
        (
            entry.kind,
            entry.step,
            entry.who.as_str(),
            entry.reason.as_str(),
            entry.found.as_deref()
        ),
        (Switch::Rollback, Progress::Done, "ada", "slow", Some("true"))
    );
    assert!(entry.gate.contains("NOT ENOUGH DATA over 7d"), "{}", entry.gate);
    let status: Value = serde_json::from_str(&project.run("status --json").expect(0).out).unwrap();
    assert_eq!(status[0]["standing"], "paused");
    let checked: Value = serde_json::from_str(&project.run("check faults --json").expect(1).out).unwrap();
    let muted = json!({"why": "paused", "reason": "rolled back by ada: slow"});
    assert_eq!(checked[0]["notes"]["muted"], muted);
    // What changed was seen by the check that the command itself made, and is told to other machines by it.
    let event = |switch: &str, kind: &str| {
        let exported = project.run("export").expect(0).out;
        let mut checks = exported
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let told = checks
            .find(|check| check["notes"]["rollback"]["kind"] == switch)
            .unwrap();
        let events = told["events"].as_array().unwrap().clone();
        let found = events.iter().find(|event| event["detail_json"]["kind"] == kind);
        found.map_or(Value::Null, |event| event["detail_json"].clone())
    };
    let toggled = event("rollback", "flag_toggled");
    assert_eq!(
        (&toggled["flag"], &toggled["from"], &toggled["to"]),
        (&json!(FLAG), &json!(true), &json!(false))
    );
    let transition = event("rollback", "transition");
    assert_eq!((&transition["from"], &transition["to"]), (&json!(200), &json!(503)));
    assert_eq!(told(&sandbox), (1, 1));
    let again = project.run("rollback faults --reason slow").expect(0).out;
    assert!(again.contains("nothing to switch"), "{again}");
    assert_eq!(told(&sandbox), (1, 1), "a repetition tells the provider nothing");
    let restored = project
        .run("restore faults --reason mended --by bob --json")
        .expect(0)
        .out;
    let restored: Value = serde_json::from_str(&restored).unwrap();
    assert_eq!(
        (&restored["kind"], &restored["who"]),
        (&json!("restore"), &json!("bob"))
    );
    let checked: Value = serde_json::from_str(&project.run("check faults --json").expect(0).out).unwrap();
    assert_eq!(
        (checked[0]["notes"].get("muted"), checked[0]["status"].as_str()),
        (None, Some("healthy"))
    );
    assert_eq!(
        (
            event("restore", "transition")["from"].as_u64(),
            event("restore", "flag_toggled")["to"].as_bool()
        ),
        (Some(503), Some(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialect_that_never_says_503_is_not_taken_for_one_that_followed() {
    let sandbox = sandbox(Dialect::DeployedA).await;
    let project = at_provider(&sandbox);
    let ran = project.run("rollback faults --reason slow --wait 1s").expect(3).out;
    assert!(
        ran.contains("❔ faults: after") && ran.contains("or it never says 503 FEATURE_DISABLED"),
        "{ran}"
    );
    assert_eq!(
        (told(&sandbox), recorded(&project).await[0].step),
        ((1, 1), Progress::Done)
    );
    let shown = project.run("flags faults").expect(4).out;
    assert!(shown.contains("provider: off") && shown.contains("API: on"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_is_killed_is_named_by_the_worker_and_gone_on_with() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = at_provider(&sandbox);
    // The deploy hangs; the variable is set by then.
    faults(
        &sandbox,
        json!({"rules": [{"path": "/v1/services", "method": "POST", "act": {"stall_ms": 60_000}}]}),
    );
    let mut child = project
        .command("rollback faults --reason slow")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("is false at")));
    child.kill().unwrap();
    child.wait().unwrap();
    faults(&sandbox, json!({}));
    assert_eq!(recorded(&project).await[0].step, Progress::Intended);
    let other = project.run("restore faults --reason mended").expect(2).err;
    assert!(
        other.contains("a rollback of lens faults by ada was cut off"),
        "{other}"
    );
    let mut worker = project.command("worker faults").stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(worker.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in lines {
        said.push(line.unwrap());
        if said.last().unwrap().contains("OVERALL") {
            break;
        }
    }
    worker.kill().unwrap();
    worker.wait().unwrap();
    let said = said.join("\n");
    assert!(
        said.contains("A rollback of faults by ada (slow) was cut off: `lensops rollback faults"),
        "{said}"
    );
    assert!(
        said.contains("OVERALL: CANARY UNHEALTHY (paused: rolled back by ada: slow)"),
        "{said}"
    );
    let resumed = project.run("rollback faults --reason again --by bob").expect(0).out;
    assert!(resumed.contains("going on with what ada began"), "{resumed}");
    let entries = recorded(&project).await;
    assert_eq!(
        (entries.len(), entries[0].step, entries[0].reason.as_str()),
        (1, Progress::Done, "slow")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_busy_is_waited_for_and_one_that_refuses_changes_nothing() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = at_provider(&sandbox);
    faults(
        &sandbox,
        json!({"rules": [{"path": "/v1/services", "times": 2, "act": {"status": {"code": 429, "headers": {"retry-after": "1"}}}}]}),
    );
    project.run("rollback faults --reason slow").expect(0);
    project.run("restore faults --reason mended").expect(0);
    let before = told(&sandbox);
    for (wrong, said, code) in [
        (json!({"provider_garbage": true}), "the provider's answer is no JSON", 3),
        (
            json!({"rules": [{"path": "/v1/services", "act": {"status": {"code": 404}}}]}),
            "the provider answered 404",
            1,
        ),
    ] {
        faults(&sandbox, wrong);
        let ran = project.run("rollback faults --reason slow").expect(code);
        assert!(
            ran.err.contains("nothing was changed: the flags cannot be read") && ran.err.contains(said),
            "{}",
            ran.err
        );
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
    faults(&sandbox, json!({}));
    project
        .env
        .insert("RENDER_API_KEY".to_owned(), "a-revoked-key".to_owned());
    let ran = project.run("rollback faults --reason slow").expect(1);
    assert!(
        ran.err.contains("the provider refuses RENDER_API_KEY (401)"),
        "{}",
        ran.err
    );
    assert_eq!(told(&sandbox), before);
    assert_eq!(recorded(&project).await[0].kind, Switch::Restore);
    let shown = project.run("flags faults").expect(3).out;
    assert!(shown.contains("the provider cannot be read"), "{shown}");
    project.env.remove("RENDER_API_KEY");
    let ran = project.run("rollback faults --reason slow").expect(2);
    assert!(ran.err.contains("RENDER_API_KEY is not set"), "{}", ran.err);
    let ran = project.run("rollback faults --reason=").expect(2);
    assert!(ran.err.contains("--reason is empty"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_file_is_a_provider_whose_service_somebody_restarts() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    let file = format!(
        "# the API's\n{FLAG}=True\nFAULT_LENS_SUGGESTIONS_ENABLED=true\nFAULT_LENS_SIGNED_ACTIONS_ENABLED=true\n"
    );
    project.write("api.env", &file);
    project.write("lensops.yml", "flags: {provider: env_file, path: api.env}\n");
    let shown = project.run("flags faults").expect(0).out;
    assert!(shown.contains("provider: on (\"True\"), master"), "{shown}");
    let checked: Value = serde_json::from_str(&project.run("check faults --json").expect(0).out).unwrap();
    assert_eq!(
        checked[0]["notes"]["flags"][FLAG], true,
        "the state of flags is stored with the check"
    );
    let ran = project
        .run("rollback faults --reason slow --by ada --wait 1s")
        .expect(4)
        .out;
    assert!(ran.contains("restart the service now"), "{ran}");
    assert_eq!(project.read("api.env"), file.replace("=True", "=false"));
    // Somebody restarts it.
    sandbox.set_flag(FLAG, "false");
    let ran = project.run("rollback faults --reason slow --by ada").expect(0).out;
    assert!(ran.contains("✅ faults: the API answers 503"), "{ran}");
    project.write("api.env", "no line\n");
    let ran = project.run("restore faults --reason mended").expect(2).err;
    assert!(ran.contains("api.env:1: not a KEY=VALUE line"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_are_read_once_an_interval_and_a_provider_that_fails_is_left_alone() {
    let sandbox = sandbox(Dialect::Documented).await;
    let flags = SharedFlags::new(Provider::Render(RenderProvider {
        base: Base::parse(&sandbox.url()).unwrap(),
        key: Secret::new(sandbox.config().provider_key.clone()),
        service: "srv-made-up".to_owned(),
        patience: COMMAND_PATIENCE,
    }));
    let (client, every) = (Client::new(TIMEOUT), Every::QUARTER_HOUR);
    let asked_for: Vec<FlagName> = vec![FLAG.parse().unwrap()];
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let asked = || sandbox.requests().len();
    for _ in 0..50 {
        let read = flags
            .read(&client, &asked_for, at("2026-01-28T15:01:00Z"), every)
            .await
            .unwrap();
        assert_eq!(read[&asked_for[0]].value.as_deref(), Some("true"));
    }
    assert_eq!(asked(), 1, "the flag that is asked for, once, and no other variable");
    flags
        .read(&client, &asked_for, at("2026-01-28T15:14:59Z"), every)
        .await
        .unwrap();
    assert_eq!(asked(), 1);
    flags
        .read(&client, &asked_for, at("2026-01-28T15:15:00Z"), every)
        .await
        .unwrap();
    assert_eq!(asked(), 2, "the next interval reads anew");
    faults(&sandbox, json!({"provider_garbage": true}));
    for second in 0..30 {
        let now = at("2026-01-28T15:30:00Z") + jiff::SignedDuration::from_secs(second);
        flags.read(&client, &asked_for, now, every).await.unwrap_err();
    }
    assert_eq!(asked(), 3, "half a minute of failures is one request");
    faults(&sandbox, json!({}));
    flags
        .read(&client, &asked_for, at("2026-01-28T15:30:31Z"), every)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_rollback_abandoned_before_anything_changed_pauses_nothing() {
    let (_folder, journal) = crate::fixture::journal().await;
    let entry = |step| Rollback {
        id: Uuid::from_u128(7),
        lens: "faults".parse().unwrap(),
        kind: Switch::Rollback,
        step,
        target: "srv".to_owned(),
        flag: FLAG.to_owned(),
        found: None,
        who: "ada".to_owned(),
        reason: "slow".to_owned(),
        gate: "nothing".to_owned(),
        begun_at: crate::fixture::start(),
        ended_at: None,
        outcome: None,
    };
    journal.put_rollback(entry(Progress::Intended)).await.unwrap();
    assert_eq!(journal.rolled_back().await.unwrap().len(), 1, "decided is paused");
    journal.put_rollback(entry(Progress::Abandoned)).await.unwrap();
    assert!(journal.rolled_back().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_another_machine_learns_of_a_rollback_from_the_store_that_both_use() {
    let sandbox = sandbox(Dialect::Documented).await;
    let machines = [(); 2].map(|()| {
        let mut project = at_provider(&sandbox);
        let key = sandbox.config().service_key.clone();
        project.env.insert("TENANT_SUPABASE_URL".to_owned(), sandbox.url());
        project.env.insert("SUPABASE_SERVICE_KEY".to_owned(), key);
        project
    });
    let [here, elsewhere] = &machines;
    let worker_says = |text: &str| {
        let mut worker = elsewhere.command("worker").stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(worker.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let found = lines.map_while(Result::ok).take(200).any(|line| {
            said.push(line);
            said.last().unwrap().contains(text)
        });
        worker.kill().unwrap();
        worker.wait().unwrap();
        assert!(found, "{text:?} was never said: {said:#?}");
    };
    here.run("rollback faults --reason slow").expect(0);
    assert_eq!(recorded(elsewhere).await, Vec::new());
    worker_says("⏸ faults is rolled back by ada: slow");
    assert_eq!(recorded(elsewhere).await, recorded(here).await);
    let checked: Value = serde_json::from_str(&elsewhere.run("check faults --json").expect(1).out).unwrap();
    assert_eq!(checked[0]["notes"]["muted"]["reason"], "rolled back by ada: slow");
    here.run("restore faults --reason mended --by bob").expect(0);
    worker_says("✅ faults was restored by bob: mended");
    let checked: Value = serde_json::from_str(&elsewhere.run("check faults --json").expect(0).out).unwrap();
    assert_eq!(checked[0]["notes"].get("muted"), None);
    // What this machine decides later is not undone by what it hears late.
    elsewhere.run("rollback faults --reason again --by eve").expect(0);
    worker_says("⏸ faults is rolled back by eve: again");
    assert_eq!(recorded(elsewhere).await[0].who, "eve");
}

/// W10: the gate was asked first, of a store that never ended its answer: 15.8 GB, and nothing was switched.
#[tokio::test(flavor = "multi_thread")]
async fn w10_a_rollback_switches_first_and_waits_for_no_history() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut project = at_provider(&sandbox);
    // It takes connections and answers nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    project.env.insert("TENANT_SUPABASE_URL".to_owned(), url);
    project
        .env
        .insert("SUPABASE_SERVICE_KEY".to_owned(), "made-up".to_owned());
    let mut command = project.command("rollback faults --reason slow --wait 6s");
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains(&format!("{FLAG} is false at")), "{first}");
    assert_eq!(told(&sandbox).0, 1);
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(running.wait().unwrap().code(), Some(0), "{rest:?}");
    let gate = &recorded(&project).await[0].gate;
    assert_eq!(gate, "nothing: history did not answer within 5 s");
}
