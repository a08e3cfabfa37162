//! Finds the way to an API: which proxy stands before it, and which addresses it has.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use lensops_core::exchange::Base;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::addresses::in_turn;
use super::error::ConnectError;
use super::proxy::Proxies;
use super::resolver::Resolver;
use super::tls::Tls;
use super::trust::{Trust, TrustError};
use super::way::{Past, Way, before};

/// Finds the way to an API. Clones share what was read of certificates.
#[derive(Clone)]
pub struct Connector {
    inner: Arc<Inner>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector(…)")
    }
}

struct Inner {
    resolver: Resolver,
    proxies: Proxies,
    trust: Trust,
    tls: OnceLock<Result<TlsConnector, TrustError>>,
}

impl Connector {
    /// A connector that asks `resolver`, goes through `proxies` and trusts `trust`.
    #[must_use]
    pub fn new(resolver: Resolver, proxies: Proxies, trust: Trust) -> Self {
        let inner = Inner {
            resolver,
            proxies,
            trust,
            tls: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The system's: its resolver, its certificates, and the proxies that the environment names.
    #[must_use]
    pub fn system() -> Self {
        let proxies = Proxies::of(|name| std::env::var(name).ok());
        Self::new(Resolver::system(), proxies, Trust::system())
    }

    /// The way to `base`; its name, or that of the proxy before it, is looked up.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn way(&self, base: &Base, deadline: Instant) -> Result<Way, ConnectError> {
        let proxy = self.inner.proxies.before(base).map_err(ConnectError::Setting)?;
        let tls = base.is_tls().then(|| self.tls(base.host())).transpose()?;
        let (host, port) = proxy.map_or((base.host(), base.port()), |proxy| (&proxy.host, proxy.port));
        let started = Instant::now();
        let found = self.addresses(host, port, deadline).await;
        let (addresses, is_name) = match proxy {
            Some(proxy) => found.map_err(|error| error.before_proxy(proxy.told()))?,
            None => found?,
        };
        let past = proxy.map(|proxy| {
            Ok(Past {
                tls: proxy.is_tls.then(|| self.tls(&proxy.host)).transpose()?,
                target: base.is_tls().then(|| target(base)),
                proxy: proxy.clone(),
            })
        });
        Ok(Way {
            host: host.to_owned(),
            addresses,
            lookup: is_name.then(|| started.elapsed()),
            past: past.transpose()?,
            tls,
        })
    }

    /// The addresses of `host` in the order to try them, and whether it is a name that was looked up.
    async fn addresses(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<(Vec<SocketAddr>, bool), ConnectError> {
        let (found, is_name) = match host.parse::<IpAddr>() {
            Ok(address) => (vec![SocketAddr::new(address, port)], false),
            Err(_) => (self.lookup(host, port, deadline).await?, true),
        };
        let addresses = in_turn(&found);
        if addresses.is_empty() {
            return Err(ConnectError::NoAddress(host.to_owned()));
        }
        Ok((addresses, is_name))
    }

    async fn lookup(&self, host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, ConnectError> {
        let lookup = self.inner.resolver.lookup(host, port);
        let found = before(deadline, "looking up the name", async { Ok(lookup.await) }).await?;
        found.map_err(|why| ConnectError::Lookup {
            host: host.to_owned(),
            why,
        })
    }

    fn tls(&self, host: &str) -> Result<Tls, ConnectError> {
        let connector = self.inner.tls.get_or_init(|| self.inner.trust.connector());
        let connector = connector.as_ref().map_err(|error| ConnectError::Trust(error.clone()))?;
        Tls::with(connector.clone(), host)
    }
}

/// Host and port of `base`, as a proxy is asked for them.
fn target(base: &Base) -> String {
    let (host, port) = (base.host(), base.port());
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
