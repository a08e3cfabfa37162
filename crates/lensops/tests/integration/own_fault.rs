//! Faults of the monitor itself, told from outages by what worked before; and checks that are taken back.

use lensops_sandbox::{Dialect, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Project, Ran, sandbox};

const SECRET: &str = "TENANT_SUPABASE_JWT_SECRET";

async fn project() -> (Sandbox, Project) {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    (sandbox, project)
}

fn wrong(project: &mut Project) -> String {
    project
        .env
        .insert(SECRET.to_owned(), "a-secret-of-another-project-made-up".to_owned())
        .expect("the project has a secret")
}

fn row(ran: &Ran) -> Value {
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    rows[0].clone()
}

/// Fault V4: four such mistakes made the gate of a week roll back.
#[tokio::test(flavor = "multi_thread")]
async fn v4_a_secret_that_was_never_let_in_is_the_monitors_own_fault() {
    let (sandbox, mut project) = project().await;
    let right = wrong(&mut project);
    for _ in 0..4 {
        let ran = project.run("check faults --json").expect(3);
        let row = row(&ran);
        assert_eq!(row["status"], "degraded");
        assert_eq!(row["notes"]["unjudged"]["cause"], "tokens_refused");
        assert_eq!(
            (row["error_rate_percent"].clone(), row["judged"].clone()),
            (json!(null), json!(false))
        );
        assert!(ran.err.contains("compare the signing secret"), "{}", ran.err);
        assert!(
            ran.err
                .contains("OVERALL: CANARY DEGRADED (could not judge: tokens refused)"),
            "{}",
            ran.err
        );
    }
    let gate = project.run("gate faults").expect(3);
    assert!(
        gate.out
            .contains("4 checks could judge nothing by a fault of the monitor itself"),
        "{}",
        gate.out
    );
    let status = project.run("status").expect(0);
    assert!(status.out.contains("❔ Cannot judge"), "{}", status.out);

    // It is let in once: from then on a refusal is an outage, as a release that breaks sign-in is.
    project.env.insert(SECRET.to_owned(), right);
    let ran = project.run("check faults --json").expect(0);
    assert!(row(&ran)["notes"]["reached"]["credential"].is_string());
    sandbox.set_faults(serde_json::from_value(json!({"stale_jwt_secret": true})).unwrap());
    let ran = project.run("check faults --json").expect(1);
    assert_eq!(row(&ran)["status"], "unhealthy");
    // A secret that was never let in still is the monitor's own.
    wrong(&mut project);
    project.run("check faults").expect(3);
}

/// Fault V4: a name that never resolved.
#[tokio::test(flavor = "multi_thread")]
async fn v4_a_host_that_was_never_found_is_the_monitors_own_fault() {
    let (_sandbox, mut project) = project().await;
    project
        .env
        .insert("API_BASE_URL".to_owned(), "http://nobody.invalid:8080".to_owned());
    let ran = project.run("check faults --json").expect(3);
    let row = row(&ran);
    assert_eq!(row["notes"]["unjudged"]["cause"], "no_such_host");
    assert!(row["notes"]["reached"].is_null());
    assert!(
        ran.err
            .contains("nobody.invalid: the host of the API cannot be looked up"),
        "{}",
        ran.err
    );
}

/// Fault F7: a check made by mistake counted for seven days.
#[tokio::test(flavor = "multi_thread")]
async fn f7_a_check_made_by_mistake_is_taken_back() {
    let (sandbox, project) = project().await;
    let broken = json!({"rules": [{"path": "/v1/actions/list", "act": {"status": {"code": 500}}}]});
    sandbox.set_faults(serde_json::from_value(broken).unwrap());
    let id = row(&project.run("check faults --json").expect(1))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    project.run("gate faults").expect(1);

    let ran = project.run(&format!("annul {id} --reason mistake --by ada")).expect(0);
    assert!(ran.out.contains("✅ Annulled: unhealthy check"), "{}", ran.out);
    let gate = project.run("gate faults").expect(3);
    assert!(
        gate.out.contains("annulled: 1") && gate.out.contains("unhealthy 0"),
        "{}",
        gate.out
    );
    let again = project.run(&format!("annul {id} --reason mistake")).expect(0);
    assert!(again.out.contains("was annulled before"), "{}", again.out);

    // It is kept as it was, with who and why beside it.
    let export = project.run("export").expect(0);
    let rows: Vec<Value> = export
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2, "{}", export.out);
    let (kept, taken_back): (Vec<&Value>, Vec<&Value>) = rows.iter().partition(|row| row["id"] == json!(id));
    assert_eq!(kept[0]["status"], "unhealthy");
    assert_eq!(taken_back[0]["notes"]["muted"]["reason"], "mistake (ada)");
    let marker = taken_back[0]["id"].as_str().unwrap();
    project.run(&format!("annul {marker} --reason no")).expect(2);
    let unknown = project
        .run("annul 00000000-0000-8000-8000-000000000001 --reason x")
        .expect(2);
    assert!(unknown.err.contains("no check 00000000"), "{}", unknown.err);
}

/// The annulled row stood as the latest check, and the lens as unknown.
#[tokio::test(flavor = "multi_thread")]
async fn a_lens_stands_as_its_newest_check_that_was_not_annulled() {
    let (sandbox, project) = project().await;
    let standing = || {
        let ran = project.run("status --json").expect(0);
        let rows: Value = serde_json::from_str(&ran.out).unwrap();
        rows[0]["standing"].as_str().unwrap().to_owned()
    };
    let id = |ran: &crate::harness::Ran| row(ran)["id"].as_str().unwrap().to_owned();
    let good = id(&project.run("check faults --json").expect(0));
    let broken = json!({"rules": [{"path": "/v1/actions/list", "act": {"status": {"code": 500}}}]});
    sandbox.set_faults(serde_json::from_value(broken).unwrap());
    let bad = id(&project.run("check faults --json").expect(1));
    assert_eq!(standing(), "unhealthy");
    project.run(&format!("annul {bad} --reason mistake")).expect(0);
    assert_eq!(standing(), "healthy");
    project.run(&format!("annul {good} --reason mistake")).expect(0);
    assert_eq!(standing(), "unknown");
}

/// Answers every request on a port of its own with `answer`, and ends the connection.
async fn always(answer: &'static str) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

/// A proxy that was down, or wanted credentials, counted as an outage of the API and rolled back.
#[tokio::test(flavor = "multi_thread")]
async fn v4_a_proxy_that_fails_is_no_outage_whatever_worked_before() {
    let (sandbox, mut project) = project().await;
    // No loopback by its text, and reached all the same: loopback goes through no proxy.
    let outside = sandbox.url().replace("127.0.0.1", "0.0.0.0");
    project.env.insert("API_BASE_URL".to_owned(), outside);
    project.run("check faults").expect(0);
    let wants =
        always("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    for (proxy, words) in [
        ("http://127.0.0.1:1".to_owned(), "cannot be reached: connection refused"),
        (
            "http://nobody.invalid:3128".to_owned(),
            "cannot be reached: nobody.invalid",
        ),
        ("socks5://127.0.0.1:1080".to_owned(), "is not the address of a proxy"),
        (format!("http://127.0.0.1:{wants}"), "wants credentials (407)"),
    ] {
        project.env.insert("http_proxy".to_owned(), proxy.clone());
        let ran = project.run("check faults --json").expect(3);
        let row = row(&ran);
        assert_eq!(row["notes"]["unjudged"]["cause"], "proxy_fails", "{proxy}: {row:#}");
        let told = ran.err.contains(words) && ran.err.contains("http_proxy");
        assert!(told, "{proxy}: {}", ran.err);
    }
    let gate = project.run("gate faults").expect(3);
    assert!(gate.out.contains("4 checks could judge nothing"), "{}", gate.out);
}

/// A machine that lost its certificate authorities took every API for broken.
#[tokio::test(flavor = "multi_thread")]
async fn v4_certificates_that_are_not_there_are_no_outage_whatever_worked_before() {
    let (sandbox, mut project) = project().await;
    project.run("check faults").expect(0);
    let tls = sandbox.url().replace("http://", "https://");
    project.env.insert("API_BASE_URL".to_owned(), tls);
    project
        .env
        .insert("SSL_CERT_FILE".to_owned(), "/nowhere/ca.pem".to_owned());
    let ran = project.run("check faults --json").expect(3);
    assert_eq!(row(&ran)["notes"]["unjudged"]["cause"], "nobody_trusted");
}

/// A wrong key in a header of the plan was an outage; a wrong token was none.
#[tokio::test(flavor = "multi_thread")]
async fn v4_a_key_in_a_header_of_the_plan_is_a_credential_too() {
    let port = always("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    let mut project = Project::empty();
    project.write("lenses/orders/monitor.yml", PLAN_WITH_KEY);
    project
        .env
        .insert("API_BASE_URL".to_owned(), format!("http://127.0.0.1:{port}"));
    project
        .env
        .insert("ORDERS_KEY".to_owned(), "made-up-and-wrong".to_owned());
    for _ in 0..2 {
        let ran = project.run("check --plan lenses/orders/monitor.yml --json").expect(3);
        assert_eq!(row(&ran)["notes"]["unjudged"]["cause"], "tokens_refused");
    }
}

const PLAN_WITH_KEY: &str = "monitor: orders
every: 15m
samples: 3
tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]
env:
  key: {from: ORDERS_KEY, secret: true}
probes:
  - name: Orders
    timed: true
    request: {get: /orders, headers: {X-Api-Key: '{key}'}}
    expect: {status: 200}
";
