//! Names and addresses: the lookup of an API's host.

use std::net::SocketAddr;

use lensops_core::exchange::Base;

/// The addresses of the host of `base`, in the order of the resolver.
///
/// # Errors
/// One line that names the host and says what the resolver answered.
pub(crate) async fn lookup(base: &Base) -> Result<Vec<SocketAddr>, String> {
    let (host, port) = (base.host(), base.port());
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(format!("{host} could not be looked up: {error}")),
    }
}
