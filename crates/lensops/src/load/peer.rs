//! Where the connections of a load go to: looked up once, since a name server under load is not
//! what is measured.

use std::net::SocketAddr;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::job::Job;
use crate::connect::{lookup, tls};

/// Where connections go to.
#[derive(Clone)]
pub(super) struct Peer {
    /// The addresses of the host, or why there is none.
    pub(super) addresses: Result<Vec<SocketAddr>, String>,
    /// How TLS is spoken, where it is.
    pub(super) tls: Option<Result<(TlsConnector, ServerName<'static>), String>>,
}

impl Peer {
    /// The peer of `job`. What is wrong with it is told by each connection.
    pub(super) async fn of(job: &Job) -> Self {
        let tls = job.base.is_tls().then(|| {
            let connector = job.tls.clone()?;
            Ok((connector, tls::server_name(job.base.host())?))
        });
        Self {
            addresses: lookup(&job.base).await,
            tls,
        }
    }
}
