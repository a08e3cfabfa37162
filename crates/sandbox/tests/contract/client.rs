//! A small client, and a sandbox of its own for every test.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use jsonwebtoken::{EncodingKey, Header};
use lensops_sandbox::{Config, Dialect, Faults, Rule, Sandbox, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const ALL: [Dialect; 3] = [Dialect::Documented, Dialect::DeployedA, Dialect::DeployedB];

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    pub(crate) fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A running sandbox and the way to talk to it.
pub(crate) struct Tenant {
    pub(crate) sandbox: Sandbox,
    lenses: Value,
}

impl Tenant {
    pub(crate) async fn start(dialect: Dialect) -> Self {
        Self::with(Config::loopback(dialect)).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self {
            sandbox: serve(config).await.expect("loopback ports are free"),
            lenses: serde_json::from_str(lensops_sandbox::LENSES_JSON).expect("embedded"),
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.sandbox.config().dialect
    }

    pub(crate) fn north(&self) -> Value {
        self.lenses["tenants"]["north"].clone()
    }

    pub(crate) fn south(&self) -> Value {
        self.lenses["tenants"]["south"].clone()
    }

    pub(crate) fn lens(&self, id: &str) -> &Value {
        let lenses = self.lenses["lenses"].as_array().expect("a list");
        let found = lenses.iter().find(|lens| lens["lens_id"] == id);
        found.expect("a known lens")
    }

    pub(crate) fn entity(&self, lens: &str) -> Value {
        self.lens(lens)["test_entities"][0].clone()
    }

    pub(crate) fn user(&self, name: &str) -> &str {
        self.user_of("users", name)
    }

    pub(crate) fn user_of(&self, group: &str, name: &str) -> &str {
        self.lenses[group][name]["id"].as_str().expect("a known user")
    }

    pub(crate) fn token(&self, user_id: &str) -> String {
        let now = jiff::Timestamp::now().as_second();
        self.mint(&json!({
            "aud": "authenticated", "sub": user_id, "iat": now, "exp": now + 7200,
        }))
    }

    pub(crate) fn mint(&self, claims: &Value) -> String {
        let secret = &self.sandbox.config().jwt_secret;
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&Header::default(), claims, &key).expect("encodes")
    }

    fn bearer(&self, user: &str) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", self.token(user)))
    }

    pub(crate) async fn list(&self, user: &str, query: &str) -> Answer {
        let headers = [self.bearer(user)];
        let target = format!("/v1/actions/list?{query}");
        send(&self.sandbox.url(), Method::GET, &target, &headers, None).await
    }

    pub(crate) async fn suggest(&self, user: &str, domain: &str) -> Answer {
        let headers = [self.bearer(user)];
        let body = json!({ "domain": domain });
        let target = "/v1/actions/suggestions";
        send(&self.sandbox.url(), Method::POST, target, &headers, Some(body)).await
    }

    pub(crate) async fn execute(&self, user: &str, body: Value) -> Answer {
        let headers = [self.bearer(user)];
        let target = "/v1/actions/execute";
        send(&self.sandbox.url(), Method::POST, target, &headers, Some(body)).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        send(&self.sandbox.url(), Method::GET, target, &[], None).await
    }

    pub(crate) async fn control(&self, method: Method, target: &str, body: Option<Value>) -> Answer {
        send(&self.sandbox.control_url(), method, target, &[], body).await
    }

    pub(crate) fn fault(&self, rule: Rule) {
        self.sandbox.set_faults(Faults {
            rules: vec![rule],
            ..Faults::default()
        });
    }

    /// The error code of an answer, where its dialect puts it.
    pub(crate) fn code(&self, answer: &Answer) -> String {
        let pointer = match self.dialect() {
            Dialect::Documented => "/detail/error_code",
            Dialect::DeployedA => "/error_code",
            Dialect::DeployedB => "/error/error_code",
        };
        answer.at(pointer).as_str().unwrap_or_default().to_owned()
    }

    /// A field of a success, where its dialect puts it.
    pub(crate) fn produced(&self, answer: &Answer, field: &str) -> Value {
        match self.dialect() {
            Dialect::Documented => answer.at(&format!("/result/{field}")),
            Dialect::DeployedA | Dialect::DeployedB => answer.at(&format!("/{field}")),
        }
    }
}

/// A well-formed signature.
pub(crate) fn signature(user: &str, role: &str) -> Value {
    json!({
        "signed_at": "2026-01-28T15:00:00Z", "user_id": user, "role_at_signing": role,
        "signature_type": "pin_totp", "signature_hash": "c2lnbmF0dXJl",
    })
}

pub(crate) fn authority(base: &str) -> &str {
    base.strip_prefix("http://").expect("an http address")
}

/// Sends one request on a connection of its own.
pub(crate) async fn send(
    base: &str,
    method: Method,
    target: &str,
    headers: &[(&str, String)],
    body: Option<Value>,
) -> Answer {
    let stream = TcpStream::connect(authority(base)).await.expect("connects");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("shakes hands");
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", authority(base));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let request = request.body(Full::new(body)).expect("builds");
    let response = sender.send_request(request).await.expect("answers");
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await.expect("whole body").to_bytes(),
    }
}

/// Sends a bare request and reads until the connection ends: the bytes, and how it ended.
pub(crate) async fn raw(base: &str, target: &str) -> (String, std::io::Result<()>) {
    let mut stream = TcpStream::connect(authority(base)).await.expect("connects");
    let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    (String::from_utf8_lossy(&bytes).into_owned(), end.map(|_| ()))
}
