//! The sandbox held against the reference contract, over real sockets.

mod client;

mod controls;
mod execute;
mod flags;
mod reading;
mod running;
mod store;
mod wire;
