//! TLS over a stream, and what a refused handshake means.

use std::io;

use jiff::Timestamp;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, Error};

use super::certificate::expires;
use super::error::ConnectError;
use super::stream::Stream;

/// How TLS is spoken with one host.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    host: String,
    name: ServerName<'static>,
}

impl Tls {
    /// TLS with `host`: a DNS name or an address, which its certificate must have.
    pub(super) fn with(connector: TlsConnector, host: &str) -> Result<Self, ConnectError> {
        let name = ServerName::try_from(host.to_owned());
        Ok(Self {
            connector,
            host: host.to_owned(),
            name: name.map_err(|error| ConnectError::Tls(format!("{host}: {error}")))?,
        })
    }

    /// Shakes hands; says when the certificate expires.
    pub(super) async fn over(&self, stream: Stream) -> Result<(Stream, Option<Timestamp>), ConnectError> {
        let shaken = self.connector.connect(self.name.clone(), stream).await;
        let stream = shaken.map_err(|error| ConnectError::Tls(words(&self.host, &error)))?;
        let certificates = stream.get_ref().1.peer_certificates();
        let end = certificates.and_then(|chain| expires(chain.first()?));
        Ok((Stream::Tls(Box::new(stream)), end))
    }
}

/// What a refused handshake means, with the way out where the library's word for it has none.
fn words(host: &str, error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let why = match inner {
        Some(Error::InvalidCertificate(why)) => why,
        Some(Error::InvalidMessage(_)) => {
            return format!("{host} does not speak TLS on this port ({error}): where it has none, write http://");
        }
        _ => return error.to_string(),
    };
    match why {
        CertificateError::UnknownIssuer => format!(
            "the certificate of {host} was issued by an authority that this machine does not trust (UnknownIssuer): \
             add the authority to the system's certificates, or name its file in SSL_CERT_FILE"
        ),
        CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => format!(
            "the certificate of {host} is that of an authority, not of a server (CaUsedAsEndEntity): issue a \
             certificate with CA:FALSE for the server, signed by this one, and keep this one in SSL_CERT_FILE"
        ),
        _ => error.to_string(),
    }
}
