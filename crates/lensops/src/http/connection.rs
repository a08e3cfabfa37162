//! An open connection to one API: how it is opened, and what that took.

use std::sync::OnceLock;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use lensops_core::exchange::{Base, Failure};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::{self, connectivity, deepest};
use crate::connect::{TcpError, lookup, micros, tls};

/// An open connection to one API.
pub struct Connection {
    pub(super) send: SendRequest<Full<Bytes>>,
    /// Spent on connecting, until the first request takes it over.
    pub(super) connect_us: Option<u64>,
    pub(super) tls_us: Option<u64>,
}

/// Opens connections. Certificates of the system are read when TLS is first spoken.
#[derive(Default)]
pub(super) struct Connector {
    tls: OnceLock<Result<TlsConnector, String>>,
}

impl Connector {
    /// Opens a connection to `base`: name lookup, TCP, TLS, and the HTTP/1.1 handshake.
    pub(super) async fn open(&self, base: &Base) -> Result<Connection, Failure> {
        let started = Instant::now();
        let stream = tcp(base).await?;
        let connect_us = Some(micros(started.elapsed()));
        if !base.is_tls() {
            return handshake(stream, connect_us, None).await;
        }
        let started = Instant::now();
        let connector = self
            .tls
            .get_or_init(tls::connector)
            .as_ref()
            .map_err(|why| failure::tls(why.clone()))?;
        let name = tls::server_name(base.host()).map_err(failure::tls)?;
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(|error| failure::tls(deepest(&error)))?;
        handshake(stream, connect_us, Some(micros(started.elapsed()))).await
    }
}

async fn tcp(base: &Base) -> Result<TcpStream, Failure> {
    let addresses = lookup(base).await.map_err(connectivity)?;
    crate::connect::tcp(&addresses).await.map_err(|error| {
        connectivity(match error {
            TcpError::NoAddress => format!("{} has no address", base.host()),
            TcpError::Refused(address) => format!("connection refused by {address}"),
            TcpError::Failed(address, error) => format!("{address}: {error}"),
            TcpError::Options(error) => error.to_string(),
        })
    })
}

async fn handshake<T>(stream: T, connect_us: Option<u64>, tls_us: Option<u64>) -> Result<Connection, Failure>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::client::conn::http1::Builder::new();
    let (send, driver) = builder
        .max_buf_size(256 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| connectivity(deepest(&error)))?;
    // The driver's error is the error of the request it carried, which is told there.
    tokio::spawn(async move { driver.await.ok() });
    Ok(Connection {
        send,
        connect_us,
        tls_us,
    })
}
