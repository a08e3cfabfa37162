//! The connection that an exchange went over.

use std::net::SocketAddr;

use jiff::Timestamp;

/// Over which connection an exchange went. Empty where none was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// The address that accepted the connection: the API's, or the proxy's.
    pub address: Option<SocketAddr>,
    /// Host and port of the proxy between, if there is one.
    pub proxy: Option<String>,
    /// When the server's certificate expires; `None` without TLS.
    pub certificate_expires: Option<Timestamp>,
    /// Whether a kept connection ended before the first byte of an answer, so that the request was sent again
    /// over a new one.
    pub reconnected: bool,
}
