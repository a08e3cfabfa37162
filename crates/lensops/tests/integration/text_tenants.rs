//! Tenants as text: their ids, their values, their hosts; and what acceptance steps can say besides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lensops_core::lens::tenant_id;
use lensops_sandbox::{Dialect, Faults, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Project, sandbox};
use crate::tls_server::TlsServer;

/// Two tenants, each with a key of its own at a sandbox of its own.
async fn two() -> (Sandbox, Sandbox, Project) {
    let (acme, globex) = (sandbox(Dialect::Documented).await, sandbox(Dialect::Documented).await);
    let mut project = Project::empty();
    let host = |sandbox: &Sandbox| sandbox.url().trim_start_matches("http://").to_owned();
    project
        .env
        .insert("ACME_KEY".to_owned(), acme.config().accounts.key.clone());
    project
        .env
        .insert("GLOBEX_KEY".to_owned(), globex.config().accounts.key.clone());
    project.write(
        "lensops.yml",
        &format!(
            "tenants:\n  acme: {{key: {{env: ACME_KEY}}, host: '{}'}}\n  globex: {{key: {{env: GLOBEX_KEY}}, host: '{}'}}\n\
             api_base_url: http://$host\nhosts: {{second: '{}'}}\n\
             auth: {{key: {{header: X-Api-Key, value: $key}}}}\nusers: {{probe: {{role: viewer, auth: key}}}}\n\
             defaults: {{headers: {{X-Tenant: $tenant}}}}\n",
            host(&acme),
            host(&globex),
            globex.url(),
        ),
    );
    (acme, globex, project)
}

fn tenants_seen(sandbox: &Sandbox) -> Vec<String> {
    let seen = sandbox.requests();
    seen.iter()
        .filter_map(|seen| seen.header("x-tenant").map(str::to_owned))
        .collect()
}

const MONITOR: &str = "monitor: shop\nevery: 15m\nsamples: 3\ntenants: [acme, globex]\nprobes:\n  - {name: key, timed: true, as: probe, request: {get: /who/key}, expect: {status: 200}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_has_its_key_its_host_and_its_rows() {
    let (acme, globex, mut project) = two().await;
    project.write("tools/ops/monitors/shop_health_worker.yml", MONITOR);
    let ran = project.run("check shop --json").expect(0);
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    for (at, name) in ["acme", "globex"].into_iter().enumerate() {
        assert_eq!(
            rows[at]["yacht_id"],
            json!(tenant_id(&name.parse().unwrap())),
            "{rows:#}"
        );
        assert!(ran.err.contains(&format!("lens=shop yacht={name}")), "{}", ran.err);
    }
    assert_eq!(tenants_seen(&acme), ["acme"; 3]);
    assert_eq!(tenants_seen(&globex), ["globex"; 3]);
    let status = project.run("status").expect(0);
    assert!(
        status.out.contains(" acme ") && status.out.contains(" globex "),
        "{}",
        status.out
    );
    // A key that is not set leaves its tenant unjudged, and the other one is checked.
    project.env.remove("GLOBEX_KEY");
    let ran = project.run("check shop");
    let told = format!("{}{}", ran.out, ran.err);
    assert!(
        told.contains("[globex] ⚠️ key: not judged: GLOBEX_KEY is not set"),
        "{told}"
    );
    assert_eq!(tenants_seen(&acme).len(), 6);
}

#[test]
fn a_tenant_s_secret_is_not_written_out_and_an_undefined_host_is_told() {
    let project = Project::empty();
    project.write("lensops.yml", "tenants: {acme: {api_key: sk-made-up}}\n");
    let ran = project.run("config").expect(2);
    assert!(
        ran.err.contains("tenants.acme.api_key: api_key is a secret"),
        "{}",
        ran.err
    );
    project.write("lensops.yml", "api_base_url: http://127.0.0.1:1\n");
    project.write(
        "monitor.yml",
        &MONITOR
            .replace("get: /who/key", "get: /who/key, at: nowhere")
            .replace("as: probe, ", ""),
    );
    let ran = project.run("check --plan monitor.yml").expect(2);
    assert!(ran.err.contains("host \"nowhere\""), "{}", ran.err);
}

fn accept(project: &Project, requests: &str, scenarios: &str, code: i32) -> Value {
    project.write(
        "accept.yml",
        &format!("acceptance: shop\ntenants: [acme]\ndialects: {{documented: {{paths: {{}}}}}}\nrequests:\n{requests}scenarios:\n{scenarios}"),
    );
    serde_json::from_str(&project.run("accept --plan accept.yml --json").expect(code).out).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_wait_capture_parts_and_speak_to_other_hosts() {
    let (acme, globex, project) = two().await;
    let late = json!({"rules": [{"path": "/who/key?late", "times": 3, "act": {"status": {"code": 404}}}, {"path": "/who/key", "times": 3, "act": {"status": {"code": 404}}}]});
    acme.set_faults(serde_json::from_value::<Faults>(late).unwrap());
    let report = accept(
        &project,
        "  who: {get: /who/key}\n  there: {get: '/who/nobody?name=$kind', at: second}\n  head: {head: /who/key}\n  options: {options: /who/key}\n  upload: {post: /who/key, multipart: {title: 'from $tenant', doc: {file: a.txt, content: 'id $random_id', type: text/csv}}}\n  made: {post: '/who/key?n=$counter&at=$now&id=$random_id', json: {}}\n",
        "  - name: waits\n    as: probe\n    send: who\n    expect: {status: 200}\n    until: {every: 1ms, for: 5s}\n\
         \x20 - name: parts\n    steps:\n      - {as: probe, send: who, capture: {kind: {from: $.kind, matches: 'k(e.)'}}}\n      - {send: there, expect: {status: 404}}\n\
         \x20 - {name: head, as: probe, send: head, expect: {status: 200}}\n\
         \x20 - {name: head again, as: probe, send: head, expect: {status: 200}}\n\
         \x20 - {name: options, as: probe, send: options, expect: {status: 200}}\n\
         \x20 - {name: upload, as: probe, send: upload, expect: {status: 200}}\n\
         \x20 - {name: made, as: probe, send: made, expect: {status: 200}}\n\
         \x20 - {name: made again, as: probe, send: made, expect: {status: 200}}\n",
        0,
    );
    assert_eq!(report["verdict"], "pass", "{report:#}");
    let seen = acme.requests();
    assert_eq!(seen.iter().filter(|seen| seen.method == "HEAD").count(), 2);
    assert!(
        globex
            .requests()
            .iter()
            .any(|seen| seen.target == "/who/nobody?name=ey")
    );
    let upload = seen.iter().find(|seen| seen.body.contains("from acme")).unwrap();
    let boundary = upload
        .header("content-type")
        .unwrap()
        .split("boundary=")
        .nth(1)
        .unwrap();
    assert!(
        upload.body.starts_with(&format!("--{boundary}\r\n")) && upload.body.ends_with(&format!("--{boundary}--\r\n"))
    );
    assert!(
        upload
            .body
            .contains("name=\"doc\"; filename=\"a.txt\"\r\nContent-Type: text/csv\r\n\r\nid "),
        "{}",
        upload.body
    );
    let made: Vec<&str> = seen
        .iter()
        .filter(|seen| seen.target.contains("?n=1"))
        .map(|seen| &*seen.target)
        .collect();
    assert!(made.len() == 2 && made[0] != made[1], "{made:?}");
}

/// A wait ends: with its time, and at the first 5xx, which no later answer hides.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_its_time_and_at_a_server_error() {
    let (acme, _globex, project) = two().await;
    let waits = "  - {name: waits, as: probe, send: who, expect: {status: 200}, until: {every: 1ms, for: 50ms}}\n";
    let fault = |code: u16, times: u64| {
        let rules = json!({"rules": [{"path": "/who/key", "times": times, "act": {"status": {"code": code}}}]});
        acme.set_faults(serde_json::from_value::<Faults>(rules).unwrap());
    };
    fault(404, 100_000);
    accept(&project, "  who: {get: /who/key}\n", waits, 1);
    fault(500, 1);
    let report = accept(&project, "  who: {get: /who/key}\n", waits, 1);
    assert!(report.to_string().contains("got 500"), "{report:#}");
}

fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

/// mTLS: who has the certificate is let in by every command, who has none is not.
#[test]
fn a_client_certificate_is_shown_to_a_server_that_asks() {
    let (authority_key, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::from_params(&params, &authority_key);
    let client = rcgen::CertificateParams::new(vec!["probe".to_owned()]).unwrap();
    let client = client.signed_by(&key, &issuer).unwrap();
    let server = TlsServer::for_clients_of(&authority);
    let mut project = Project::empty();
    project.write("authority.pem", &server.authority);
    project.write("key.pem", &pem("PRIVATE KEY", &key.serialize_der()));
    for (name, value) in [
        ("API_BASE_URL", server.url.clone()),
        ("SSL_CERT_FILE", project.path("authority.pem").display().to_string()),
        ("CLIENT_CERT", pem("CERTIFICATE", client.der())),
        ("CLIENT_KEY", "key.pem".to_owned()),
    ] {
        project.env.insert(name.to_owned(), value);
    }
    project.write("monitor.yml", "monitor: shop\nevery: 15m\nsamples: 2\ntenants: [acme]\nprobes: [{name: a, timed: true, request: {get: /}, expect: {status: 200}}]\n");
    project.write("stress.yml", "stress: shop\ntenants: [acme]\ntargets: [{name: a, request: {get: /}, load: {burst: 4}, expect: {status: 200}}]\n");
    project.write("accept.yml", "acceptance: shop\ntenants: [acme]\ndialects: {documented: {paths: {}}}\nrequests: {a: {get: /}}\nscenarios: [{name: a, send: a}]\n");
    project.run("check --plan monitor.yml").expect(1);
    project.write(
        "lensops.yml",
        "client_certificate: {certificate: {env: CLIENT_CERT}, key: {env: CLIENT_KEY}}\n",
    );
    for command in [
        "check --plan monitor.yml",
        "accept --plan accept.yml",
        "stress --plan stress.yml",
    ] {
        project.run(command).expect(0);
    }
    project.env.remove("CLIENT_KEY");
    let ran = project.run("check --plan monitor.yml").expect(2);
    assert!(ran.err.contains("CLIENT_KEY is not set"), "{}", ran.err);
}
