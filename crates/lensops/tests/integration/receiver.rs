//! A receiver of alerts that checks what it gets: Slack, PagerDuty and a signed webhook in one, on
//! loopback, answering as a test tells it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use lensops_core::crypto::hmac::sign;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const ROUTING_KEY: &str = "made-up-routing-key-0000000000000";
pub(crate) const SECRET: &str = "made-up-webhook-secret";
pub(crate) const SLACK_PATH: &str = "/services/made-up-slack-path";

/// How it answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// As a receiver that has it.
    Take,
    Status(u16),
    /// 429 with so many seconds to wait.
    Busy(u32),
    /// 200 with a login page.
    Html,
    /// It reads and says nothing.
    Never,
    /// It has it, and the connection breaks before it says so.
    TakeAndBreak,
}

/// One message that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// `slack`, `pagerduty` or `webhook`.
    pub(crate) kind: &'static str,
    /// `Idempotency-Key` of a webhook.
    pub(crate) id: Option<String>,
    pub(crate) body: Value,
}

#[derive(Default)]
struct Inner {
    answers: Mutex<VecDeque<Answer>>,
    always: Mutex<Option<Answer>>,
    taken: Mutex<Vec<Taken>>,
    refused: Mutex<Vec<String>>,
    /// Holds the connections that get no answer.
    held: Mutex<Vec<TcpStream>>,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    inner: Arc<Inner>,
    pub(crate) url: String,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner::default());
        let shared = inner.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(shared.clone(), stream));
            }
        });
        Self { inner, url }
    }

    /// The next answers; after them it takes everything.
    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inner.answers.lock().unwrap().extend(answers);
    }

    /// What it answers whenever nothing else was said.
    pub(crate) fn always(&self, answer: Answer) {
        *self.inner.always.lock().unwrap() = Some(answer);
    }

    /// From now on it takes everything.
    pub(crate) fn clear(&self) {
        self.inner.answers.lock().unwrap().clear();
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.inner.taken.lock().unwrap().clone()
    }

    /// What was wrong with messages that were; nothing where all were right.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.inner.refused.lock().unwrap().clone()
    }

    /// The environment that sends everything here.
    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        [
            ("SLACK_WEBHOOK_URL", format!("{}{SLACK_PATH}", self.url)),
            ("PAGERDUTY_EVENTS_URL", format!("{}/v2/enqueue", self.url)),
            ("PAGERDUTY_ROUTING_KEY", ROUTING_KEY.to_owned()),
            ("LENSOPS_WEBHOOK_URL", format!("{}/hook?from=lensops", self.url)),
            ("LENSOPS_WEBHOOK_SECRET", SECRET.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

struct Asked {
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Asked> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let target = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            if body.len() >= length {
                buffer.clear();
                return Some(Asked {
                    target,
                    headers,
                    body: body.to_owned(),
                });
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(count @ 1..) => buffer.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
}

async fn serve(inner: Arc<Inner>, mut stream: TcpStream) {
    let mut buffer = Vec::new();
    while let Some(asked) = read(&mut stream, &mut buffer).await {
        let checked = check(&asked);
        let next = inner.answers.lock().unwrap().pop_front();
        let answer = next
            .or_else(|| inner.always.lock().unwrap().clone())
            .unwrap_or(Answer::Take);
        let kind = match &checked {
            Ok(taken) => taken.kind,
            Err(why) => {
                inner.refused.lock().unwrap().push(why.clone());
                "webhook"
            }
        };
        let taking = matches!(answer, Answer::Take | Answer::TakeAndBreak);
        let right = checked.is_ok();
        if let (Ok(taken), true) = (checked, taking) {
            inner.taken.lock().unwrap().push(taken);
        }
        let (status, headers, body) = match answer {
            Answer::Take if !right => (400, String::new(), "invalid".to_owned()),
            Answer::Take => match kind {
                "slack" => (200, String::new(), "ok".to_owned()),
                "pagerduty" => (202, String::new(), r#"{"status":"success","dedup_key":"x"}"#.to_owned()),
                _ => (204, String::new(), String::new()),
            },
            Answer::Status(status) => (status, String::new(), format!("no: {SECRET} {ROUTING_KEY}")),
            Answer::Busy(seconds) => (429, format!("Retry-After: {seconds}\r\n"), String::new()),
            Answer::Html => (200, String::new(), "<!DOCTYPE html><html>Sign in</html>".to_owned()),
            Answer::Never => return inner.held.lock().unwrap().push(stream),
            Answer::TakeAndBreak => return,
        };
        let reply = format!(
            "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// What a message is, or what is wrong with it.
fn check(asked: &Asked) -> Result<Taken, String> {
    let body: Value = serde_json::from_str(&asked.body).map_err(|error| format!("no JSON: {error}"))?;
    if asked.headers.get("content-type").map(String::as_str) != Some("application/json") {
        return Err("no content type".to_owned());
    }
    let taken = |kind, id| {
        Ok(Taken {
            kind,
            id,
            body: body.clone(),
        })
    };
    match asked.target.as_str() {
        SLACK_PATH => check_slack(&body).and_then(|()| taken("slack", None)),
        "/v2/enqueue" => check_pagerduty(&body).and_then(|()| taken("pagerduty", None)),
        "/hook?from=lensops" => {
            let header = |name: &str| asked.headers.get(name).cloned().ok_or(format!("no {name}"));
            let timestamp: i64 = header("x-lensops-timestamp")?.parse().map_err(|_| "no timestamp")?;
            let age = jiff::Timestamp::now().as_second() - timestamp;
            if header("x-lensops-signature")? != format!("v1={}", sign(SECRET, timestamp, &asked.body)) {
                return Err("wrong signature".to_owned());
            }
            if !(-600..300).contains(&age) {
                return Err(format!("{age} s old"));
            }
            let id = header("idempotency-key")?;
            if body["id"] != id.as_str() {
                return Err("the key is not the id".to_owned());
            }
            taken("webhook", Some(id))
        }
        other => Err(format!("nobody lives at {other}")),
    }
}

/// The limits of Block Kit.
fn check_slack(body: &Value) -> Result<(), String> {
    let blocks = body["blocks"].as_array().ok_or("no blocks")?;
    if blocks.len() > 50 || !body["text"].is_string() {
        return Err("no text, or too many blocks".to_owned());
    }
    for block in blocks {
        let text = block["text"]["text"].as_str().unwrap_or("x").chars().count();
        let fields = block["fields"].as_array().map_or(0, Vec::len);
        let right = match block["type"].as_str() {
            Some("header") => block["text"]["type"] == "plain_text" && (1..=150).contains(&text),
            Some("section") => (1..=3000).contains(&text) && fields <= 10 && (fields > 0 || block["text"].is_object()),
            Some("context") => block["elements"]
                .as_array()
                .is_some_and(|elements| (1..=10).contains(&elements.len())),
            _ => false,
        };
        if !right {
            return Err(format!("not a block: {block}"));
        }
    }
    Ok(())
}

/// What the Events API v2 asks for.
fn check_pagerduty(body: &Value) -> Result<(), String> {
    if body["routing_key"] != ROUTING_KEY || body["dedup_key"].as_str().is_none_or(|key| key.len() > 255) {
        return Err("no routing key or deduplication key".to_owned());
    }
    match body["event_action"].as_str() {
        Some("resolve") => Ok(()),
        Some("trigger") => {
            let payload = &body["payload"];
            let summary = payload["summary"]
                .as_str()
                .is_some_and(|text| (1..=1024).contains(&text.chars().count()));
            let severity =
                ["critical", "error", "warning", "info"].contains(&payload["severity"].as_str().unwrap_or(""));
            let right = summary && severity && payload["source"].is_string();
            right.then_some(()).ok_or_else(|| format!("not a payload: {payload}"))
        }
        _ => Err("no action".to_owned()),
    }
}
