//! The way to an API, and a connection along it.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::Proxied;
use tokio::time::{Instant, timeout_at};

use super::addresses::connect;
use super::error::ConnectError;
use super::proxy::Proxy;
use super::stream::Stream;
use super::tls::Tls;
use super::tunnel::tunnel;

/// The way to an API. Names are looked up once, so that many connections do not ask as many times.
#[derive(Clone)]
pub(crate) struct Way {
    /// Whose addresses they are.
    pub(super) host: String,
    pub(super) addresses: Vec<SocketAddr>,
    /// What the lookup took; `None` where the host is an address.
    pub(super) lookup: Option<Duration>,
    pub(super) past: Option<Past>,
    pub(super) tls: Option<Tls>,
}

/// How a proxy is passed.
#[derive(Clone)]
pub(super) struct Past {
    pub(super) proxy: Proxy,
    pub(super) tls: Option<Tls>,
    /// The host and port that it is asked to connect to; `None` where it forwards requests.
    pub(super) target: Option<String>,
}

/// An open connection, and what opening it took.
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    /// The address that accepted.
    pub(crate) address: SocketAddr,
    /// TCP, and the proxy's consent.
    pub(crate) connect: Duration,
    /// The handshake; `None` without one.
    pub(crate) tls: Option<Duration>,
    /// When the server's certificate expires.
    pub(crate) certificate_expires: Option<Timestamp>,
}

impl Way {
    /// What the lookup of the name took; `None` where there was none.
    pub(crate) fn lookup(&self) -> Option<Duration> {
        self.lookup
    }

    /// Host and port of the proxy between.
    pub(crate) fn proxy(&self) -> Option<String> {
        self.past.as_ref().map(|past| past.proxy.name())
    }

    /// The proxy that forwards requests, as errors name it; `None` where there is none.
    pub(crate) fn forwarder(&self) -> Option<String> {
        let past = self.past.as_ref().filter(|past| past.target.is_none())?;
        Some(past.proxy.told())
    }

    /// How requests are written, where a proxy forwards them.
    pub(crate) fn proxied(&self) -> Option<Proxied> {
        let past = self.past.as_ref().filter(|past| past.target.is_none())?;
        Some(past.proxy.proxied())
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// Why there is none at `deadline`.
    pub(crate) async fn open(&self, deadline: Instant) -> Result<Opened, ConnectError> {
        let started = Instant::now();
        let connected = before(deadline, "connecting", connect(&self.host, &self.addresses)).await;
        let (stream, address) = match &self.past {
            Some(past) => connected.map_err(|error| error.before_proxy(past.proxy.told()))?,
            None => connected?,
        };
        let mut stream = Stream::Tcp(stream);
        if let Some(past) = &self.past {
            stream = before(deadline, "connecting through the proxy", past.walk(stream, address)).await?;
        }
        let connect = started.elapsed();
        let Some(tls) = &self.tls else {
            return Ok(Opened {
                stream,
                address,
                connect,
                tls: None,
                certificate_expires: None,
            });
        };
        let started = Instant::now();
        let (stream, certificate_expires) = before(deadline, "agreeing on TLS", tls.over(stream)).await?;
        Ok(Opened {
            stream,
            address,
            connect,
            tls: Some(started.elapsed()),
            certificate_expires,
        })
    }
}

impl Past {
    async fn walk(&self, mut stream: Stream, address: SocketAddr) -> Result<Stream, ConnectError> {
        if let Some(tls) = &self.tls {
            let agreed = tls.over(stream).await;
            (stream, _) = agreed.map_err(|error| error.before_proxy(self.proxy.told()))?;
        }
        match &self.target {
            Some(target) => tunnel(&self.proxy, stream, target, address).await,
            None => Ok(stream),
        }
    }
}

/// What `doing` comes to before `deadline`.
pub(super) async fn before<T>(
    deadline: Instant,
    doing: &'static str,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    timeout_at(deadline, work)
        .await
        .map_err(|_| ConnectError::Late(doing))?
}
