//! TCP: a stream to the first address that accepts.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

/// Why no address accepted: what the last one said.
#[derive(Debug)]
pub(crate) enum TcpError {
    /// The host has no address.
    NoAddress,
    /// Nobody listens there.
    Refused(SocketAddr),
    /// The address could not be reached, or this machine could not try.
    Failed(SocketAddr, io::Error),
    /// The stream was open, and its options could not be set.
    Options(io::Error),
}

/// Connects to the first of `addresses` that accepts.
///
/// # Errors
/// What the last address said. The caller words it: senders differ in how much they tell.
pub(crate) async fn tcp(addresses: &[SocketAddr]) -> Result<TcpStream, TcpError> {
    let mut last = TcpError::NoAddress;
    for &address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without it small requests wait for the peer's acknowledgement.
                stream.set_nodelay(true).map_err(TcpError::Options)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => last = TcpError::Refused(address),
            Err(error) => last = TcpError::Failed(address, error),
        }
    }
    Err(last)
}
