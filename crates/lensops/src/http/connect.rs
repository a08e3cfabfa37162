//! Opening connections: name lookup, TCP, TLS, and the HTTP/1.1 handshake.

use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use hyper_util::rt::TokioIo;
use lensops_core::exchange::{Base, Failure, FailureClass};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Connection, connectivity, deepest, micros};

/// Opens connections. Certificates of the system are read when TLS is first spoken.
#[derive(Default)]
pub(super) struct Connector {
    tls: OnceLock<Result<TlsConnector, String>>,
}

impl Connector {
    pub(super) async fn open(&self, base: &Base) -> Result<Connection, Failure> {
        let started = Instant::now();
        let stream = tcp(base).await?;
        let connect_us = Some(micros(started));
        if !base.is_tls() {
            return handshake(stream, connect_us, None).await;
        }
        let started = Instant::now();
        let connector = self
            .tls
            .get_or_init(crate::tls::connector)
            .as_ref()
            .map_err(|why| tls_failure(why.clone()))?;
        let name = ServerName::try_from(base.host().to_owned()).map_err(|error| tls_failure(error.to_string()))?;
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(|error| tls_failure(deepest(&error)))?;
        handshake(stream, connect_us, Some(micros(started))).await
    }
}

async fn tcp(base: &Base) -> Result<TcpStream, Failure> {
    let (host, port) = (base.host(), base.port());
    let addresses = tokio::net::lookup_host((host, port)).await;
    let addresses =
        addresses.map_err(|error| connectivity(format!("{host} could not be looked up: {}", deepest(&error))))?;
    let mut last = connectivity(format!("{host} has no address"));
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without it small requests wait for the peer's acknowledgement.
                stream
                    .set_nodelay(true)
                    .map_err(|error| connectivity(error.to_string()))?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = connectivity(format!("connection refused by {address}"))
            }
            Err(error) => last = connectivity(format!("{address}: {error}")),
        }
    }
    Err(last)
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

fn tls_failure(detail: String) -> Failure {
    Failure {
        class: FailureClass::Tls,
        detail,
    }
}
