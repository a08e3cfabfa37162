//! Connecting: names, addresses, TCP, TLS and proxies, for whoever sends over a socket.
//!
//! The ground that `http` and `load` share. A [`Connector`] finds the way to an API once, a `Way` opens
//! connections along it, each under the deadline of whoever waits. The resolver and the proxies are passed
//! in. Protocol and class of a failure are told; what follows from it belongs to the sender. A library of
//! connections was not taken: it hides which address answered, and what each phase took.

mod addresses;
mod certificate;
mod connector;
mod error;
mod identity;
mod micros;
mod no_proxy;
mod proxy;
mod resolver;
mod stream;
mod tls;
mod trust;
mod tunnel;
mod way;

pub use connector::Connector;
pub use error::ConnectError;
pub use identity::{Identity, IdentityError};
pub(crate) use micros::micros;
pub use proxy::{Proxies, ProxyError};
pub use resolver::Resolver;
pub(crate) use stream::{Look, Stream};
pub use trust::Trust;
pub(crate) use tunnel::WANTS_CREDENTIALS;
pub(crate) use way::{Opened, Way};
