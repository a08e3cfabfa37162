//! A transcript: request and response as on the wire, redacted.

use schemars::JsonSchema;
use serde::Serialize;

use super::redactor::{Parts, Redacted, Redactor};
use crate::exchange::{Exchange, PreparedRequest, Timings};

/// The most of a body that a transcript shows, in bytes; what is cut is said.
pub const BODY_LIMIT: usize = 64 * 1024;

/// One exchange as evidence.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Transcript {
    /// When it was sent, RFC 3339.
    pub sent_at: String,
    /// The request as on the wire, JSON pretty-printed.
    pub request: Redacted,
    /// The response as on the wire, or why there is none.
    pub response: Redacted,
    /// The claims of the bearer token, where one was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Redacted>,
    /// How long its phases took.
    pub timings: Timings,
    /// The address that the connection went to: the API's, or the proxy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The proxy between, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Whether a kept connection had ended, so that the request was sent again over a new one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reconnected: bool,
}

impl Transcript {
    /// The transcript of `exchange`. The request's own secrets join those of `redactor`.
    #[must_use]
    pub fn of(exchange: &Exchange, redactor: &Redactor) -> Self {
        let redactor = redactor.for_exchange(&exchange.request.secrets);
        Self {
            sent_at: exchange.sent_at.to_string(),
            request: request_text(&exchange.request, &redactor),
            response: response_text(exchange, &redactor),
            claims: exchange
                .request
                .claims
                .as_ref()
                .map(|claims| redactor.json_pretty(claims.clone())),
            timings: exchange.timings,
            address: exchange.route.address.map(|address| address.to_string()),
            proxy: exchange.route.proxy.clone(),
            reconnected: exchange.route.reconnected,
        }
    }
}

fn request_text(request: &PreparedRequest, redactor: &Redactor) -> Redacted {
    let mut text = Parts::new(redactor);
    text.push(&format!("{} {} HTTP/1.1", request.method.as_str(), request.target))
        .words("\nHost: ")
        .push(&request.base.authority())
        .words("\n");
    if let Some((name, value)) = request.accept_encoding() {
        push_header(&mut text, name, value, redactor);
    }
    for header in &request.headers {
        push_header(&mut text, &header.name, header.value.expose(), redactor);
    }
    if let Some(body) = &request.body {
        push_header(&mut text, "Content-Length", &body.len().to_string(), redactor);
        push_body(&mut text, body.as_bytes(), redactor);
    }
    text.whole()
}

fn response_text(exchange: &Exchange, redactor: &Redactor) -> Redacted {
    let response = match &exchange.result {
        Ok(response) => response,
        Err(failure) => {
            return redactor.text(&format!("(no answer: {}: {})", failure.class.as_str(), failure.detail));
        }
    };
    let mut text = Parts::new(redactor);
    text.push(&format!(
        "{} {} {}",
        response.version,
        response.status,
        reason(response.status)
    ))
    .words("\n");
    for (name, value) in &response.headers {
        push_header(&mut text, name, value, redactor);
    }
    push_body(&mut text, &response.body, redactor);
    text.whole()
}

fn push_header(text: &mut Parts<'_>, name: &str, value: &str, redactor: &Redactor) {
    text.push(name)
        .words(": ")
        .redacted(&redactor.header(name, value))
        .words("\n");
}

fn push_body(text: &mut Parts<'_>, body: &[u8], redactor: &Redactor) {
    if body.is_empty() {
        return;
    }
    let mut shown = redactor.body(body);
    let whole = shown.as_str().len();
    let cut = shown.shorten(BODY_LIMIT);
    text.words("\n").redacted(&shown);
    if cut {
        text.push(&format!("\n(cut: {} of {whole} bytes shown)", shown.as_str().len()));
    }
}

/// The usual reason phrase of a status; empty for one without.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Base, Method, Response, Route};
    use crate::secret::Secret;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn a_transcript_is_the_wire_without_its_secrets() {
        let token = Secret::new("eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl");
        let mut request = PreparedRequest::new(
            Base::parse("http://127.0.0.1:8080").unwrap(),
            Method::Post,
            "/v1/actions/execute",
        )
        .bearer(&token)
        .json(&json!({"action": "sign", "signature": {"signature_hash": "0a1b2c3d"}}));
        request.secrets.push(Secret::new("0a1b2c3d"));
        let exchange = Exchange {
            request: Arc::new(request),
            sent_at: jiff::Timestamp::UNIX_EPOCH,
            result: Ok(Response {
                version: "HTTP/1.1",
                status: 400,
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: br#"{"error":"bad hash 0a1b2c3d for eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl"}"#.to_vec(),
            }),
            timings: Timings::default(),
            route: Route::default(),
        };
        let transcript = Transcript::of(&exchange, &Redactor::default());
        insta::assert_snapshot!(format!("{}\n\n{}", transcript.request, transcript.response), @r#"
        POST /v1/actions/execute HTTP/1.1
        Host: 127.0.0.1:8080
        Accept-Encoding: identity
        Authorization: Bearer eyJ…[redacted]
        Content-Type: application/json
        Content-Length: 59

        {
          "action": "sign",
          "signature": {
            "signature_hash": "[redacted]"
          }
        }

        HTTP/1.1 400 Bad Request
        content-type: application/json

        {
          "error": "bad hash [redacted] for eyJ…[redacted]"
        }
        "#);
    }

    /// The forms in which a server may echo a secret.
    fn echoes(secret: &str) -> Vec<String> {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        vec![
            secret.to_owned(),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(format!("user:{secret}")),
            STANDARD.encode(format!("ab{secret}yz")),
        ]
    }

    proptest::proptest! {
        #[test]
        fn no_secret_survives_wherever_a_server_echoes_it(secret in "[ -~]{10,40}", key in "[a-z]{1,8}", noise in "\\PC{0,20}") {
            let known = Secret::new(secret.clone());
            let forms = echoes(&secret);
            let everything: Vec<serde_json::Value> = forms.iter().map(|form| json!({form.as_str(): [form, {key.as_str(): form}], "text": format!("{noise}{form}{noise}")})).collect();
            let mut request = PreparedRequest::new(Base::parse("http://127.0.0.1:1").unwrap(), Method::Post, "/x")
                .header("X-Key", secret.clone())
                .json(&json!({"a": &secret, "b": &everything}));
            request.target = format!("/x?{}", forms[1]);
            // A secret of the whole run, and one of this exchange alone.
            let mut own = request.clone();
            own.secrets.push(known.clone());
            let ways = [(request, Redactor::new([&known])), (own, Redactor::default())];
            let bodies = [json!(everything).to_string(), forms.join(" "), format!("<p>{}</p>", forms.join("</p><p>"))];
            for (body, (request, redactor)) in bodies.iter().flat_map(|body| ways.iter().map(move |way| (body, way))) {
                let exchange = Exchange {
                    request: Arc::new(request.clone()),
                    sent_at: jiff::Timestamp::UNIX_EPOCH,
                    result: Ok(Response {
                        version: "HTTP/1.1",
                        status: 200,
                        headers: forms.iter().map(|form| ("x-echo".to_owned(), form.clone())).collect(),
                        body: body.clone().into_bytes(),
                    }),
                    timings: Timings::default(),
            route: Route::default(),
                };
                let transcript = Transcript::of(&exchange, redactor);
                let written = format!("{}\n{}", transcript.request, transcript.response);
                // As it is, as JSON writes it, and as a URL does.
                let escaped = serde_json::to_string(&secret).unwrap();
                for needle in [secret.as_str(), escaped.trim_matches('"'), &forms[1], forms[2].trim_end_matches('=')] {
                    proptest::prop_assert!(!written.contains(needle), "{needle} in {written}");
                }
                // The base64 of text around it: what the secret alone decides must be gone.
                for form in &forms[3..] {
                    proptest::prop_assert!(!written.contains(form.trim_end_matches('=')), "{form} in {written}");
                }
            }
        }
    }
}
