//! One request over an open connection, and its whole answer.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use lensops_core::exchange::{Failure, PreparedRequest, Response};

use super::failure::{bad_body, connectivity, deepest};
use crate::connect::micros;

/// The largest body that is read; a larger one is a bad body.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// Sends `request` and reads the answer to its end; `first_byte_us` is set once its head is there.
pub(super) async fn exchange(
    send: &mut SendRequest<Full<Bytes>>,
    request: &PreparedRequest,
    started: Instant,
    first_byte_us: &mut Option<u64>,
) -> Result<Response, Failure> {
    let message = to_hyper(request)?;
    let response = send.send_request(message).await.map_err(|error| head_failure(&error))?;
    *first_byte_us = Some(micros(started.elapsed()));
    let (head, mut body) = response.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    let headers = headers.collect();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            bad_body(format!(
                "{} with a body that breaks off: {}",
                head.status.as_u16(),
                deepest(&error)
            ))
        })?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > LARGEST_BODY {
                return Err(bad_body(format!(
                    "{} with a body of more than {LARGEST_BODY} bytes",
                    head.status.as_u16()
                )));
            }
            bytes.extend_from_slice(data);
        }
    }
    let version = match head.version {
        hyper::Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    Ok(Response {
        version,
        status: head.status.as_u16(),
        headers,
        body: bytes,
    })
}

fn to_hyper(request: &PreparedRequest) -> Result<hyper::Request<Full<Bytes>>, Failure> {
    let mut message = hyper::Request::builder()
        .method(request.method.as_str())
        .uri(&request.target)
        .header("Host", request.base.authority());
    for header in &request.headers {
        message = message.header(&header.name, header.value.expose());
    }
    let body = request.body.clone().map(Bytes::from).unwrap_or_default();
    message
        .body(Full::new(body))
        .map_err(|error| connectivity(format!("the request cannot be sent: {error}")))
}

fn head_failure(error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return bad_body(format!("the answer is not HTTP: {}", deepest(error)));
    }
    connectivity(deepest(error))
}

/// Whether the server ends the connection with this answer.
pub(super) fn closes(response: &Response) -> bool {
    let asked = response
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let kept = response
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("keep-alive"));
    asked || (response.version == "HTTP/1.0" && !kept)
}
