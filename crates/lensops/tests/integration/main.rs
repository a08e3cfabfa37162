//! The one integration test binary: the real program against the real stand-in API.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod accept;
mod bad_input;
mod bridge;
mod check;
mod database;
mod delivery;
mod demo;
mod doctor;
mod evidence;
mod examples;
mod fixture;
mod generate;
mod harness;
mod hostile;
mod isolation;
mod journal;
mod kill;
mod layers;
mod load_faults;
mod load_shapes;
mod matrix;
mod migration;
mod pg;
mod plans;
mod production;
mod random_lenses;
mod rollups;
mod scenarios;
mod schemas;
mod secrets;
mod stores;
mod stress;
mod switching;
mod worker;
mod workflows;
