//! The one integration test binary: the real program against the real stand-in API.

mod delivery;
mod fixture;
mod harness;
mod isolation;
mod layers;
mod migration;
mod pg;
mod stores;
