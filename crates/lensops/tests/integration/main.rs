//! The one integration test binary: the real program against the real stand-in API.

mod harness;
mod isolation;
mod layers;
mod migration;
mod pg;
