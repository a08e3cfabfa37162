//! The dashboard in this process, for tests: two lenses over a journal or PostgreSQL, and a client
//! that sees every byte of an answer.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use lensops::store::{Board, Journal};
use lensops::web::{Run, Runs, Setup, serve};
use lensops_core::duration::Every;
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::LensId;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::redaction::Redactor;
use lensops_core::secret::Secret;
use lensops_core::verdict::record::CheckRecord;
use lensops_core::verdict::{RunKind, Verdict};
use lensops_sandbox::Dialect;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fixture::check_of;
use crate::harness::{Project, sandbox};

pub(crate) const JWT_SECRET: &str = "a made-up secret of this test";

pub(crate) const A: Uuid = Uuid::from_u128(0xA11C_E000_0000);
pub(crate) const B: Uuid = Uuid::from_u128(0xB0B0_0000_0000);

/// Runs of both tenants: whose each is, and what its file says.
const RUNS: [(&str, Option<&[Uuid]>, &str); 4] = [
    ("run-1", Some(&[A]), "{}"),
    ("run-of-another", Some(&[B]), "{\"of\": \"onlyofbob\"}"),
    ("run-of-both", Some(&[A, B]), "{\"of\": \"onlyofbob\"}"),
    ("run-of-nobody-knows", None, "{\"of\": \"onlyofbob\"}"),
];

struct Left;

impl Runs for Left {
    fn of(&self, _lens: &LensId) -> Vec<Run> {
        RUNS.iter().filter_map(|(id, ..)| self.run(id)).collect()
    }

    fn run(&self, id: &str) -> Option<Run> {
        let (id, tenants, _) = RUNS.iter().find(|(own, ..)| *own == id)?;
        Some(Run {
            id: (*id).to_owned(),
            kind: RunKind::Acceptance.into(),
            verdict: Verdict::Pass.into(),
            tenants: tenants.map(<[Uuid]>::to_vec),
            finished_at: "2026-01-01T00:00:00Z".to_owned(),
            intact: true,
            counts: true,
            whose: "unsigned".to_owned(),
            told: format!("{id}: every file is as the run left it; unsigned"),
            files: vec!["results.json".to_owned()],
        })
    }

    fn file(&self, run: &str, name: &str) -> Option<Vec<u8>> {
        let (.., text) = RUNS.iter().find(|(own, ..)| *own == run && name == "results.json")?;
        Some(text.as_bytes().to_vec())
    }
}

/// The plan of faults, as the generator makes it, for `tenants`.
pub(crate) async fn plan(lens: &str, tenants: &[Uuid]) -> MonitorPlan {
    let project = Project::with_faults(&sandbox(Dialect::Documented).await);
    let text = project.read("tools/ops/monitors/faults_health_worker.yml");
    let mut plan: MonitorPlan = lensops_core::yaml::read_all("plan", &text).unwrap();
    plan.monitor = lens.parse().unwrap();
    plan.tenants = tenants.to_vec().into();
    plan
}

/// A healthy check of `lens`, observed now.
pub(crate) fn fresh(tenant: Uuid, lens: &str, p95_ms: i64) -> CheckRecord {
    let now = Timestamp::now();
    let id = lens.parse().unwrap();
    let id = Schedule::new(Every::QUARTER_HOUR, &id, tenant).ad_hoc_id(now, fastrand::u64(..));
    let mut check = check_of(tenant, lens, 0);
    for (index, event) in check.events.iter_mut().enumerate() {
        event.id = lensops_core::verdict::record::event_id(id, index);
    }
    CheckRecord {
        id,
        observed_at: now,
        p95_latency_ms: Some(p95_ms),
        ..check
    }
}

/// A dashboard that stops with this.
pub(crate) struct Front {
    pub(crate) at: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Front {
    pub(crate) async fn start(board: Board, journal: Journal, plans: Vec<MonitorPlan>) -> Self {
        Self::start_at(board, journal, plans, Timestamp::now).await
    }

    /// The same with a clock of the test's own.
    pub(crate) async fn start_at(
        board: Board,
        journal: Journal,
        plans: Vec<MonitorPlan>,
        now: fn() -> Timestamp,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let jwt_secret = matches!(board, Board::Database(..)).then(|| Secret::new(JWT_SECRET));
        let setup = Setup {
            board,
            journal,
            plans,
            runs: Arc::new(Left),
            jwt_secret,
            form_key: "a made-up key".to_owned(),
            runbook: None,
            redactor: Redactor::default(),
            now,
        };
        tokio::spawn(serve(listener, setup, stop.clone()));
        Self { at, stop }
    }

    /// Sends `request` as it is and reads until the other side closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        // It may be closed before all of it is written.
        stream.write_all(request).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn head(&self, method: &str, path: &str, token: Option<&str>) -> String {
        let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{token}",
            self.at
        )
    }

    /// The whole answer to `GET path`, head and body.
    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> String {
        self.raw(format!("{}\r\n", self.head("GET", path, token)).as_bytes())
            .await
    }

    /// The whole answer to a form sent to `path`.
    pub(crate) async fn post(&self, path: &str, token: Option<&str>, form: &str) -> String {
        let head = self.head("POST", path, token);
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let request = format!("{head}{kind}\r\nContent-Length: {}\r\n\r\n{form}", form.len());
        self.raw(request.as_bytes()).await
    }

    /// Opens the event stream and reads until it greets.
    pub(crate) async fn listen(&self, token: Option<&str>) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        let head = format!("{}\r\n", self.head("GET", "/events", token));
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut seen = String::new();
        until(&mut stream, &mut seen, "event: ready").await;
        (stream, seen)
    }
}

/// Reads from `stream` into `seen` until `wanted` is there.
pub(crate) async fn until(stream: &mut TcpStream, seen: &mut String, wanted: &str) {
    let mut buffer = [0; 4096];
    while !seen.contains(wanted) {
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "the stream ended without {wanted}: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0)
}

/// A token of a user of `tenant`, with `change` made to its claims.
pub(crate) fn token(tenant: Uuid, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "sub": Uuid::from_u128(7),
        "role": "authenticated",
        "email": "somebody@users.invalid",
        "exp": Timestamp::now().as_second() + 600,
        "app_metadata": {"yacht_id": tenant},
    });
    change(&mut claims);
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
}
