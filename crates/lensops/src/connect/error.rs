//! Why no connection could be made.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use lensops_core::exchange::{Cause, FailureClass};

use super::proxy::ProxyError;
use super::trust::TrustError;

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name could not be looked up.
    #[error("{host} could not be looked up: {}", resolver_said(.why))]
    Lookup {
        /// The name.
        host: String,
        /// What the resolver said.
        why: io::Error,
    },
    /// The name has no address.
    #[error("{0} has no address")]
    NoAddress(String),
    /// No address accepted.
    #[error("{0}")]
    Refused(Refused),
    /// The time was up.
    #[error("{0}")]
    Late(&'static str),
    /// TLS could not be agreed on, in words.
    #[error("{0}")]
    Tls(String),
    /// This machine trusts nobody.
    #[error("{0}")]
    Trust(TrustError),
    /// A proxy setting that is not one.
    #[error("{0}")]
    Setting(ProxyError),
    /// The proxy does not let through.
    #[error("the proxy {proxy} {why}")]
    Proxy {
        /// Its host and port, and the variable that names it.
        proxy: String,
        /// What it did instead.
        why: String,
        /// Whether the proxy itself refused; `false` where it says that the API did, or may have.
        is_own: bool,
    },
}

/// What the resolver said, without the words that say once more that it was asked.
fn resolver_said(why: &io::Error) -> String {
    let text = why.to_string();
    let said = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text);
    said.to_owned()
}

impl ConnectError {
    /// The class of the failure.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Late(_) => FailureClass::Timeout,
            Self::Tls(_) | Self::Trust(_) => FailureClass::Tls,
            Self::Lookup { .. } | Self::NoAddress(_) | Self::Refused(_) | Self::Setting(_) | Self::Proxy { .. } => {
                FailureClass::Connectivity
            }
        }
    }

    /// What came of the way to `proxy` instead of a connection to it.
    pub(super) fn before_proxy(self, proxy: String) -> Self {
        let why = match self {
            Self::Late(doing) => format!("does not answer in time, {doing}"),
            error if error.is_own() => return error,
            error => format!("cannot be reached: {error}"),
        };
        Self::Proxy {
            proxy,
            why,
            is_own: true,
        }
    }

    /// What kept this machine from asking. A host that refuses, resets or is silent is no such thing.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Lookup { .. } | Self::NoAddress(_) => Some(Cause::NoSuchHost),
            Self::Trust(_) => Some(Cause::NobodyTrusted),
            Self::Setting(_) => Some(Cause::ProxyFails),
            Self::Proxy { is_own, .. } => is_own.then_some(Cause::ProxyFails),
            Self::Refused(Refused { tried, .. }) => {
                let no_way = |(_, error): &(SocketAddr, io::Error)| {
                    matches!(
                        error.kind(),
                        io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown
                    )
                };
                (!tried.is_empty() && tried.iter().all(no_way)).then_some(Cause::NoNetwork)
            }
            Self::Late(_) | Self::Tls(_) => None,
        }
    }

    /// Whether this machine could not even try.
    #[must_use]
    pub fn is_own(&self) -> bool {
        match self {
            Self::Refused(Refused { tried, .. }) => tried.iter().any(|(_, error)| is_own(error)),
            _ => false,
        }
    }
}

/// Whether `error` says that this machine has nothing left to connect with: too many open files, in the
/// process or the system, or no port left.
pub(crate) fn is_own(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24)) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// What each address of a host said.
#[derive(Debug)]
pub struct Refused {
    host: String,
    tried: Vec<(SocketAddr, io::Error)>,
}

impl Refused {
    pub(super) fn new(host: &str, tried: Vec<(SocketAddr, io::Error)>) -> Self {
        Self {
            host: host.to_owned(),
            tried,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tried.len() > 1 {
            write!(f, "no address of {} accepts: ", self.host)?;
        }
        for (index, (address, error)) in self.tried.iter().enumerate() {
            f.write_str(if index > 0 { "; " } else { "" })?;
            if error.kind() == io::ErrorKind::ConnectionRefused {
                write!(f, "connection refused by {address}")?;
            } else {
                write!(f, "{address}: {error}")?;
            }
        }
        Ok(())
    }
}
