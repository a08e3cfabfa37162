//! The one integration test binary: the real program against the real stand-in API.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod accept;
mod bad_input;
mod check;
mod demo;
mod evidence;
mod generate;
mod harness;
mod hostile;
mod journal;
mod layers;
mod load_faults;
mod load_shapes;
mod matrix;
mod secrets;
mod stress;
mod worker;
