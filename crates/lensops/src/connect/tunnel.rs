//! Asks a proxy to connect to an API (RFC 9110 §9.3.6).

use std::net::SocketAddr;

use super::error::ConnectError;
use super::proxy::Proxy;
use super::stream::Stream;
use crate::http1::{Reader, turn};

/// What a proxy wants that answers 407, and the way out.
pub(crate) const WANTS_CREDENTIALS: &str =
    "wants credentials (407): put them into its address, as in http://USER:PASSWORD@HOST:PORT";

/// Asks `proxy`, which `stream` leads to at `at`, to connect to `target`, a host and port.
pub(super) async fn tunnel(
    proxy: &Proxy,
    mut stream: Stream,
    target: &str,
    at: SocketAddr,
) -> Result<Stream, ConnectError> {
    let refuse = |why: String, is_own: bool| ConnectError::Proxy {
        proxy: format!("{} ({at})", proxy.told()),
        why,
        is_own,
    };
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request.push_str(&format!("Proxy-Authorization: {}\r\n", authorization.expose()));
    }
    request.push_str("\r\n");
    let mut reader = Reader::default();
    reader.begin_head_only();
    let answered = turn(&mut stream, request.as_bytes(), &mut reader).await;
    let is_clean = answered.map_err(|error| refuse(format!("does not connect to {target}: {error}"), true))?;
    let status = reader.head().map_or(0, |head| head.status);
    match status {
        200..=299 if is_clean => Ok(stream),
        200..=299 => Err(refuse(format!("speaks for {target} unasked"), true)),
        407 => Err(refuse(WANTS_CREDENTIALS.to_owned(), true)),
        // It was asked for a connection, and says that the other side gave it none.
        _ => Err(refuse(
            format!("answers {status} instead of connecting to {target}"),
            !(500..=599).contains(&status),
        )),
    }
}
