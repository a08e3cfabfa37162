//! TLS: the certificate authorities of the system, and the name that a certificate must have.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A connector that trusts whom the system trusts. It reads files, so it is made once.
///
/// # Errors
/// When the system trusts nobody, with the way out.
pub(crate) fn connector() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(
            "the system has no certificate authorities: install ca-certificates, or set SSL_CERT_FILE".to_owned(),
        );
    }
    Ok(TlsConnector::from(Arc::new(
        ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )))
}

/// The name that the certificate of `host` must have: a DNS name or an address.
///
/// # Errors
/// When `host` is neither.
pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())
}
