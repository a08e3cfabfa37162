//! Whom TLS trusts: the certificate authorities of the system, or of the files that variables name.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::identity::Identity;

const FILE: &str = "SSL_CERT_FILE";
const FOLDER: &str = "SSL_CERT_DIR";

/// Why nobody is trusted, with the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A variable names what cannot be read.
    #[error("{variable} names {path}, which cannot be read: {why}")]
    NotThere {
        /// The variable.
        variable: &'static str,
        /// What it names.
        path: String,
        /// What the system said.
        why: String,
    },
    /// A variable names what holds no certificate.
    #[error("{variable} names {path}, which holds no certificate in PEM form")]
    Empty {
        /// The variable.
        variable: &'static str,
        /// What it names.
        path: String,
    },
    /// The client certificate and its key do not fit.
    #[error("client_certificate cannot be used: {0}")]
    Identity(String),
    /// The system has none.
    #[error("the system has no certificate authorities: install ca-certificates, or set SSL_CERT_FILE")]
    Nobody,
}

/// Whom TLS trusts.
#[derive(Debug, Clone)]
pub struct Trust {
    whom: Whom,
    /// Who this machine is, where a server asks.
    identity: Option<Arc<Identity>>,
}

#[derive(Debug, Clone)]
enum Whom {
    System {
        file: Option<OsString>,
        folder: Option<OsString>,
    },
    Only(Vec<CertificateDer<'static>>),
}

impl Trust {
    /// Whom the system trusts, or `SSL_CERT_FILE` and `SSL_CERT_DIR`; files are read at the first handshake.
    #[must_use]
    pub fn system() -> Self {
        let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            whom: Whom::System {
                file: named(FILE),
                folder: named(FOLDER),
            },
            identity: None,
        }
    }

    /// These authorities alone, in DER.
    #[must_use]
    pub fn only(authorities: Vec<Vec<u8>>) -> Self {
        Self {
            whom: Whom::Only(authorities.into_iter().map(CertificateDer::from).collect()),
            identity: None,
        }
    }

    /// The same, with `identity` for servers that ask who is there.
    #[must_use]
    pub fn as_identity(self, identity: Identity) -> Self {
        Self {
            identity: Some(Arc::new(identity)),
            ..self
        }
    }

    /// Reads the certificates.
    pub(super) fn connector(&self) -> Result<TlsConnector, TrustError> {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(self.authorities()?);
        if added == 0 {
            return Err(TrustError::Nobody);
        }
        let config = ClientConfig::builder().with_root_certificates(roots);
        let config = match &self.identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.parts();
                let made = config.with_client_auth_cert(chain, key);
                made.map_err(|error| TrustError::Identity(error.to_string()))?
            }
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }

    fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, TrustError> {
        let (file, folder) = match &self.whom {
            Whom::Only(authorities) => return Ok(authorities.clone()),
            Whom::System { file, folder } => (file, folder),
        };
        if let Some(file) = file {
            std::fs::File::open(file).map_err(|error| not_there(FILE, file, &error))?;
        }
        if let Some(folders) = folder {
            // A list; one that exists is enough.
            let read = |folder: &Path| std::fs::read_dir(folder).map(drop);
            let mut tried = std::env::split_paths(folders).map(|folder| read(&folder));
            if let Some(Err(error)) = tried.next()
                && tried.all(|read| read.is_err())
            {
                return Err(not_there(FOLDER, folders, &error));
            }
        }
        let found = rustls_native_certs::load_native_certs().certs;
        match (file.as_ref(), folder.as_ref()) {
            (Some(path), None) if found.is_empty() => Err(empty(FILE, path)),
            (None, Some(path)) if found.is_empty() => Err(empty(FOLDER, path)),
            _ => Ok(found),
        }
    }
}

fn not_there(variable: &'static str, path: &OsString, error: &std::io::Error) -> TrustError {
    TrustError::NotThere {
        variable,
        path: path.to_string_lossy().into_owned(),
        why: error.to_string(),
    }
}

fn empty(variable: &'static str, path: &OsString) -> TrustError {
    TrustError::Empty {
        variable,
        path: path.to_string_lossy().into_owned(),
    }
}
