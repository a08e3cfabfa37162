//! Who knows the addresses of a name.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks up the addresses of a host and port, the best one first.
#[derive(Clone)]
pub struct Resolver(Arc<dyn Fn(String, u16) -> Lookup + Send + Sync>);

impl Resolver {
    /// The system's resolver.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(|host, port| {
            Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
        }))
    }

    /// A table of names. A name that it does not have cannot be looked up.
    pub fn table<'a>(names: impl IntoIterator<Item = (&'a str, Vec<SocketAddr>)>) -> Self {
        let names: Vec<(String, Vec<SocketAddr>)> = names
            .into_iter()
            .map(|(name, addresses)| (name.to_owned(), addresses))
            .collect();
        Self(Arc::new(move |host, _| {
            let found = names.iter().find(|(name, _)| *name == host);
            let found = found.map(|(_, addresses)| addresses.clone());
            Box::pin(async move { found.ok_or_else(|| io::Error::other("the name is not in the table")) })
        }))
    }

    pub(super) async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        (self.0)(host.to_owned(), port).await
    }
}
