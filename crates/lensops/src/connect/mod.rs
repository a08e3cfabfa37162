//! Connecting: names and addresses, TCP and TLS, for whoever sends over a socket.
//!
//! The ground that `http` and `load` share. It opens a connection and says what went wrong; the class
//! of a failure and its time-out belong to the sender.

mod address;
mod micros;
mod tcp;
pub(crate) mod tls;

pub(crate) use address::lookup;
pub(crate) use micros::micros;
pub(crate) use tcp::{TcpError, tcp};
