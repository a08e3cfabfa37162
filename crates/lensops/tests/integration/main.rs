//! The one integration test binary: the real program against the real stand-in API.

mod delivery;
mod fixture;
mod harness;
mod isolation;
mod kill;
mod layers;
mod migration;
mod pg;
mod rollups;
mod stores;
