//! Database proofs on a real PostgreSQL, behind an API that writes into it.

use std::sync::Arc;

use lensops::http::{Client, TIMEOUT};
use lensops_core::exchange::{Base, Method, PreparedRequest, Sender as _};
use lensops_sandbox::{Dialect, Sandbox};
use serde_json::Value;
use sqlx::{Connection as _, Row as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Project, sandbox};
use crate::pg::Database;

const TABLES: &str = "CREATE TABLE pms_work_orders (id uuid PRIMARY KEY);
    CREATE TABLE pms_audit_log (yacht_id uuid, action text, entity_type text, entity_id uuid, user_id uuid,
        signature jsonb NOT NULL DEFAULT '{}', new_values jsonb, created_at timestamptz NOT NULL DEFAULT now())";

/// How the API in front of the database lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    /// It answers 200 and writes nothing.
    WritesNothing,
    /// Its audit row has another signature than was sent.
    AnotherSignature,
    /// It writes an audit row for what it refused.
    AuditsRefusals,
}

/// An API that passes requests to the sandbox and writes what was done into the database.
async fn api(sandbox: &Sandbox, database: &Database, lie: Lie) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (base, address) = (
        Base::parse(&sandbox.url()).unwrap(),
        database.secret().expose().to_owned(),
    );
    tokio::spawn(async move {
        let client = Client::new(TIMEOUT);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, client.clone(), base.clone(), address.clone(), lie));
        }
    });
    url
}

async fn serve(stream: TcpStream, client: Client, base: Base, database: String, lie: Lie) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length, mut authorization) = (String::new(), 0, String::new());
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let target = line.split(' ').nth(1).unwrap().to_owned();
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await.unwrap();
            let Some((name, value)) = header.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => value.clone_into(&mut authorization),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let request = PreparedRequest::new(base.clone(), Method::Post, &target);
        let request = request.header("Authorization", authorization).json(&body);
        let response = client.send(Arc::new(request)).await.result.unwrap();
        write(&database, &body, response.status, response.json().unwrap(), lie).await;
        let (status, length) = (response.status, response.body.len());
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&response.body).await.unwrap();
    }
}

async fn write(database: &str, body: &Value, status: u16, answer: Value, lie: Lie) {
    let done = status == 200 && lie != Lie::WritesNothing;
    if !done && lie != Lie::AuditsRefusals {
        return;
    }
    let (payload, id) = (&body["payload"], answer["result"]["work_order_id"].as_str());
    let mut signature = payload["signature"].clone();
    if lie == Lie::AnotherSignature {
        signature["role_at_signing"] = "crew".into();
    }
    let mut connection = sqlx::PgConnection::connect(database).await.unwrap();
    if let Some(id) = id {
        let insert = sqlx::query("INSERT INTO pms_work_orders VALUES ($1::uuid)").bind(id);
        insert.execute(&mut connection).await.unwrap();
    }
    let insert = "INSERT INTO pms_audit_log (yacht_id, action, user_id, signature) \
                  VALUES ($1::uuid, $2, '7672d3d4-fe80-5fb8-80e2-58b12b95d5b6', coalesce($3::jsonb, '{}'))";
    sqlx::query(insert)
        .bind(payload["yacht_id"].as_str())
        .bind(body["action"].as_str())
        .bind((!signature.is_null()).then(|| signature.to_string()))
        .execute(&mut connection)
        .await
        .unwrap();
}

async fn project(lie: Lie) -> (Sandbox, Database, Project) {
    let (sandbox, database) = (sandbox(Dialect::Documented).await, Database::empty().await);
    database.run(TABLES).await;
    let mut project = Project::with_faults(&sandbox);
    let proof = "  proof: {sql: \"select 1 from pms_work_orders where id = $entity_id\"}\n  consumes_entity:";
    let lens = project.read("lenses/faults.yml").replace("  consumes_entity:", proof);
    project.write("lenses/faults.yml", &lens);
    project.run("generate").expect(0);
    let url = api(&sandbox, &database, lie).await;
    project.env.insert("STAGING_API_URL".to_owned(), url);
    project
        .env
        .insert("STAGING_DB_URL".to_owned(), database.secret().expose().to_owned());
    (sandbox, database, project)
}

/// Defect 17: audit and before/after checks were promised and absent.
#[tokio::test(flavor = "multi_thread")]
async fn defect_17_rows_before_and_after_and_the_audit_row_are_looked_at() {
    let (_sandbox, database, project) = project(Lie::None).await;
    project.run("accept faults").expect(0);
    let evidence = project.read("verification_handoff/phase6/FAULTS_ACCEPTANCE_EVIDENCE.json");
    let json: Value = serde_json::from_str(&evidence).unwrap();
    let cases = json["cases"].as_array().unwrap();
    let proofs = cases.iter().flat_map(|case| case["proofs"].as_array().unwrap());
    let names: Vec<&str> = proofs.map(|proof| proof["name"].as_str().unwrap()).collect();
    let nothing = "no audit row";
    assert_eq!(
        names,
        [
            nothing,
            nothing,
            nothing,
            "audit row",
            "work_order",
            "audit row",
            "work_order"
        ]
    );
    let markdown = project.read("verification_handoff/phase6/FAULTS_ACCEPTANCE_EVIDENCE.md");
    assert!(
        markdown.contains("no audit row: rows before: 0, after: 0, as expected"),
        "{markdown}"
    );
    assert!(
        markdown.contains("audit row: rows before: not asked, after: 1, as expected"),
        "{markdown}"
    );
    assert!(
        !markdown.contains("made-up-test-password"),
        "the database's password is nowhere"
    );
    let mut connection = database.connect().await;
    let hashes = sqlx::query("SELECT signature->>'signature_hash' AS hash FROM pms_audit_log");
    let rows = hashes.fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let hash: String = row.get("hash");
        assert!(
            !markdown.contains(&hash) && !evidence.contains(&hash),
            "a signature hash is nowhere"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_says_what_its_database_does_not_is_found_out() {
    let table = [
        (
            Lie::WritesNothing,
            "[FAIL] Test 4: CAPTAIN signature: audit row: Expected 1 rows, got 0",
        ),
        (
            Lie::AnotherSignature,
            "[FAIL] Test 4: CAPTAIN signature: audit row: Expected 1 rows, got 0",
        ),
        (
            Lie::AuditsRefusals,
            "[FAIL] Test 1: Missing signature: no audit row: Expected +0 rows, got +1 (0 before, 1 after)",
        ),
    ];
    for (lie, told) in table {
        let (_sandbox, _database, project) = project(lie).await;
        let ran = project.run("accept faults").expect(1);
        assert!(ran.out.contains(told), "{told}: {}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_read_leaves_cases_unjudged_and_nothing_can_be_written() {
    let (_sandbox, database, mut project) = project(Lie::None).await;
    database.run("DROP TABLE pms_audit_log").await;
    let ran = project.run("accept faults").expect(3);
    let told = "[UNJUDGED] Test 1: Missing signature: the database refused: relation \"pms_audit_log\" does not exist";
    assert!(ran.out.contains(told), "{}", ran.out);
    let plan = "tests/ci/faults_signed_flow_acceptance.yml";
    project.write(
        plan,
        &project
            .read(plan)
            .replace("select 1 from pms_audit_log", "delete from pms_audit_log"),
    );
    assert!(
        project
            .run("accept faults")
            .expect(2)
            .err
            .contains("SQL of a plan reads")
    );
    project.run("generate --force").expect(0);
    project.env.insert(
        "STAGING_DB_URL".to_owned(),
        "mysql://user:hush-hush@127.0.0.1/x".to_owned(),
    );
    let ran = project.run("accept faults").expect(2);
    assert!(
        ran.err.contains("STAGING_DB_URL") && !ran.err.contains("hush-hush"),
        "{}",
        ran.err
    );
}
