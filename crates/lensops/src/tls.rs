//! What both senders need to speak TLS: the certificate authorities of the system.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A connector that trusts whom the system trusts. It reads files, so it is made once.
///
/// # Errors
/// When the system trusts nobody, with the way out.
pub fn connector() -> Result<TlsConnector, String> {
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
